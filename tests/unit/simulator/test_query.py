"""The query language."""

from __future__ import annotations

import pytest

from simulator.faults import ApiFault
from simulator.selection import run

from .conftest import Books, OpenBooks, line


def names(books: Books, text: str) -> list[str]:
    return [one["DisplayName"] for one in run(books.company, text).get("Customer", [])]


@pytest.fixture
def filled(books: Books) -> Books:
    for name in ("Amy's Birds", "Birch", "Cedar"):
        books.customer(name, CompanyName=f"{name} Ltd")
        books.clock.advance(3600)
    books.update("Customer", books.customer("Dead"), Active=False)
    books.invoice(books.get("Customer", "7"), line(300), DocNumber="A-1")
    books.invoice(books.get("Customer", "7"), line(50), DocNumber="A-2")
    return books


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("where DisplayName = 'birch'", ["Birch"]),
        (r"WHERE DisplayName = 'Amy\'s Birds'", ["Amy's Birds"]),
        ("where DisplayName like '%ir%'", ["Amy's Birds", "Birch"]),
        ("where DisplayName LIKE 'B%'", ["Birch"]),
        ("where Id in ('8', '6')", ["Amy's Birds", "Cedar"]),
        ("where displayname > 'b' and displayname <= 'birch'", ["Birch"]),
        ("where Active = false", ["Dead (deleted)"]),
        ("where Active in (true, false) orderby DisplayName desc", ["Dead (deleted)", "Cedar", "Birch", "Amy's Birds"]),
        ("where Balance > '300.00'", ["Birch"]),
        ("where Balance >= '350'", ["Birch"]),
        ("where MetaData.CreateTime > '2026-03-10T10:30:00-07:00'", ["Birch", "Cedar"]),
        ("startposition 2 maxresults 1", ["Birch"]),
        ("maxresults 1 startposition 3", ["Cedar"]),
        ("ORDERBY DisplayName DESC MAXRESULTS 1", ["Cedar"]),
        ("where Job = true", []),
        ("where CompanyName = 'x'", []),
    ],
)
def test_conditions_order_and_pages(filled: Books, where: str, found: list[str]) -> None:
    assert names(filled, f"select * from Customer {where}") == found


def test_names_and_keywords_do_not_regard_case(filled: Books) -> None:
    assert names(filled, "SeLeCt * FrOm customer WhErE dIsPlAyNaMe = 'CEDAR'") == ["Cedar"]


def test_count_and_empty_results(filled: Books) -> None:
    assert run(filled.company, "select count(*) from Customer") == {"totalCount": 3}
    assert run(filled.company, "select * from Customer where DisplayName = 'none'") == {}


def test_a_page_says_where_it_starts_and_how_many_it_holds(filled: Books) -> None:
    answer = run(filled.company, "select * from Customer startposition 2")
    assert (answer["startPosition"], answer["maxResults"]) == (2, 2)


def test_inactive_names_are_left_out_by_default_and_documents_never(filled: Books) -> None:
    assert "Dead (deleted)" not in names(filled, "select * from Customer")
    assert len(run(filled.company, "select * from Item")["Item"]) == 8
    assert len(run(filled.company, "select * from Invoice where DocNumber in ('a-1', 'A-2')")["Invoice"]) == 2


def test_a_hundred_results_by_default_and_a_thousand_at_most(books: Books) -> None:
    for number in range(120):
        books.customer(f"Customer {number}")
    assert len(names(books, "select * from Customer")) == 100
    assert len(names(books, "select * from Customer maxresults 1000")) == 120
    assert books.refuses(lambda: run(books.company, "select * from Customer maxresults 1001")).codes == ("4001",)


def test_a_projection_shows_its_members_alone(filled: Books) -> None:
    (found,) = run(filled.company, "select Id, DisplayName from Customer where Id = '6'")["Customer"]
    assert set(found) == {"Id", "DisplayName", "domain", "sparse"}


@pytest.mark.parametrize(
    "text",
    [
        "select * from Customer where DisplayName = 'a' or DisplayName = 'b'",
        "select * from Customer where DisplayName != 'a'",
        "select * from Customer where DisplayName = 'Amy''s'",
        "select * from Customer where DisplayName = unquoted",
        "select * from Customer where (DisplayName = 'a')",
        "select * from Customer group by DisplayName",
        "select * from Customer where DisplayName = 'open",
        "select * from",
        "delete from Customer",
        "",
    ],
)
def test_what_the_language_has_not_is_4000(books: Books, text: str) -> None:
    refused = books.refuses(lambda: run(books.company, text))
    assert refused.codes == ("4000",)
    assert refused.errors[0].detail.startswith("QueryParserError: ")
    assert not refused.timed


def test_a_parser_error_says_what_it_met_and_where(books: Books) -> None:
    refused = books.refuses(lambda: run(books.company, "select * from Invoice and TxnDate"))
    assert refused.errors[0].detail == 'QueryParserError: Encountered " <AND> "and "" at line 1, column 23.'


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("select * from Invoice where NoSuchField = '1'", "Property NoSuchField not found for Entity Invoice"),
        ("select * from Customer where Notes = 'x'", "property 'Notes' is not queryable"),
        ("select * from Customer startposition 0", "value 0 is too small. Min allowed value is 1"),
        ("select * from Customer where Id > '5'", "Operator > is not supported for property Id"),
        ("select * from Nothing", "invalid context declaration: Nothing"),
    ],
)
def test_what_the_entity_has_not_is_4001(books: Books, text: str, detail: str) -> None:
    refused = books.refuses(lambda: run(books.company, text))
    assert (refused.codes, refused.errors[0].detail) == (("4001",), f"QueryValidationError: {detail}")


@pytest.mark.parametrize(
    ("where", "met"),
    [
        ("Balance > 0", '">" "> "" at line 1, column 38.'),
        ("Balance = 0", '"=" "= "" at line 1, column 38.'),
        ("Id in (1, 2)", '<INTEGER> "1 "" at line 1, column 37.'),
    ],
)
def test_a_number_without_quotes(books: Books, where: str, met: str) -> None:
    """node-quickbooks 41 (2016); a column of a report of December 2025."""
    refused = books.refuses(lambda: run(books.company, f"select * from Customer where {where}"))
    assert (refused.codes, refused.errors[0].detail) == (("4000",), f'QueryParserError: Encountered " {met}')


@pytest.mark.parametrize(
    ("source", "text", "detail"),
    [
        (
            "quickbooks-ruby 309",
            "SELECT * FROM ITEM WHERE NAME LIKE '%Fleur’t'",
            r'''column 43.  Encountered: "\u2019" (8217), after : "\'%Fleur"''',
        ),
        (
            "quickbooks-ruby 362",
            "SELECT * FROM Customer WHERE FamilyName = 'Włodarski'",
            r'''column 45.  Encountered: "\u0142" (322), after : "\'W"''',
        ),
        (
            "PHP SDK 397",
            "select * from Item WHERE Name='Boot – Wolverine'",
            r'''column 37.  Encountered: "\u2013" (8211), after : "\'Boot "''',
        ),
        (
            "quickbooks-node-promise 1",
            "select * from account where AccountSubType %3D %27Inventory%27",
            r'''column 44.  Encountered: "%" (37), after : ""''',
        ),
    ],
)
def test_a_character_that_a_query_cannot_hold(books: Books, source: str, text: str, detail: str) -> None:
    refused = books.refuses(lambda: run(books.company, text))
    said = f"QueryParserError: Invalid content. Lexical error at line 1, {detail}"
    assert (refused.codes, refused.errors[0].detail, refused.timed) == (("4000",), said, False), source


def test_a_text_without_end_and_a_character_of_two_halves(books: Books) -> None:
    details = [
        books.refuses(lambda text=text: run(books.company, text)).errors[0].detail  # type: ignore[misc]
        for text in ("select * from Customer where Id = '5", "select * from Customer where DisplayName = '🐦'")
    ]
    assert [detail.partition("column ")[2] for detail in details] == [
        r'''37.  Encountered: <EOF> after : "\'5"''',
        r'''45.  Encountered: "\ud83d" (55357), after : "\'"''',
    ]


def test_switch_query_characters(open_books: OpenBooks) -> None:
    found = {}
    for value in ("any", "latin-1", "ascii"):
        books = open_books(query_characters=value)
        for name in ("Łoś", "Müller"):
            books.customer(name)
        for name in ("Łoś", "Müller"):
            text = f"select * from Customer where DisplayName = '{name}'"
            try:
                found[value, name] = names(books, text)
            except ApiFault as refused:
                found[value, name] = list(refused.codes)
    assert found == {
        ("any", "Łoś"): ["Łoś"],
        ("any", "Müller"): ["Müller"],
        ("latin-1", "Łoś"): ["4000"],
        ("latin-1", "Müller"): ["Müller"],
        ("ascii", "Łoś"): ["4000"],
        ("ascii", "Müller"): ["4000"],
    }


def test_switch_order_by_two_words(open_books: OpenBooks) -> None:
    text = "select * from Customer order by DisplayName"
    assert run(open_books().company, text) == {}
    strict = open_books(order_by_two_words=False)
    assert strict.refuses(lambda: run(strict.company, text)).codes == ("4000",)
