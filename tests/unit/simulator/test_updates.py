"""SyncTokens, full and sparse updates, and what null and blank mean."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import UK

from .conftest import Books, OpenBooks, line


def test_each_change_raises_the_sync_token(books: Books) -> None:
    made = books.customer()
    changed = books.update("Customer", made, Notes="x")
    assert (changed["SyncToken"], changed["Notes"]) == ("1", "x")


def test_an_update_that_changes_nothing_keeps_sync_token_and_time(books: Books) -> None:
    made = books.customer(Notes="x")
    books.clock.advance(60)
    assert books.update("Customer", made, Notes="x") == made


def test_a_stale_sync_token_is_5010_and_names_the_user(books: Books) -> None:
    made = books.customer()
    books.update("Customer", made, Notes="x")
    refused = books.refuses(lambda: books.update("Customer", made, Notes="y"))
    assert refused.codes == ("5010",)
    assert refused.errors[0].detail.startswith(
        "Stale Object Error : You and Olivia Owner were working on this at the same"
    )


def test_a_missing_sync_token_is_2020_a_bad_id_2030_an_absent_one_610(books: Books) -> None:
    assert books.refuses(lambda: books.create("Customer", Id="6", Notes="x")).codes == ("610",)
    made = books.customer()
    assert books.refuses(lambda: books.create("Customer", Id=made["Id"], Notes="x")).codes == ("2020",)
    refused = books.refuses(lambda: books.create("Customer", Id="1.5", SyncToken="0"))
    assert (refused.codes, refused.errors[0].detail) == (("2030",), "Id should be a valid number. Supplied value:1.5")


def test_a_sparse_update_leaves_the_rest_and_a_blank_clears(books: Books) -> None:
    made = books.customer(Notes="x", CompanyName="Larch Ltd")
    changed = books.update("Customer", made, Notes="")
    assert "Notes" not in changed
    assert changed["CompanyName"] == "Larch Ltd"


def test_a_full_update_drops_what_it_does_not_hold(books: Books) -> None:
    made = books.customer(Notes="x", CompanyName="Larch Ltd")
    changed = books.update("Customer", made, sparse=False, DisplayName="Larch", Notes="y")
    assert "CompanyName" not in changed
    assert changed["Notes"] == "y"


def test_display_name_cannot_be_taken_away(books: Books) -> None:
    made = books.customer()
    assert books.update("Customer", made, DisplayName="", PrintOnCheckName="")["DisplayName"] == "Larch"


def test_a_rename_changes_print_on_check_name(books: Books) -> None:
    assert books.update("Customer", books.customer(), DisplayName="Birch")["PrintOnCheckName"] == "Birch"


def test_switch_sparse_null_clears(open_books: OpenBooks) -> None:
    for clears in (False, True):
        books = open_books(sparse_null_clears=clears)
        changed = books.update("Customer", books.customer(Notes="x"), Notes=None)
        assert ("Notes" in changed) is not clears


def test_switch_sparse_nested(open_books: OpenBooks) -> None:
    address = {"Line1": "1 High Street", "City": "Larchton"}
    books = open_books(sparse_nested="replace")
    made = books.update("Customer", books.customer(BillAddr=address), BillAddr={"Line1": "2 High Street"})
    assert made["BillAddr"] == {"Id": "1", "Line1": "2 High Street"}
    books = open_books(sparse_nested="merge")
    made = books.update("Customer", books.customer(BillAddr=address), BillAddr={"Line1": "2 High Street"})
    assert made["BillAddr"] == {"Id": "1", "Line1": "2 High Street", "City": "Larchton"}


def test_switch_sparse_custom_fields(open_books: OpenBooks) -> None:
    first = {"DefinitionId": "1", "Type": "StringType", "StringValue": "one"}
    second = {"DefinitionId": "2", "Type": "StringType", "StringValue": "two"}
    kept = {}
    for how in ("merge", "replace"):
        books = open_books(sparse_custom_fields=how)
        made = books.invoice(books.customer(), CustomField=[first])
        changed = books.update("Invoice", made, CustomField=[second])
        kept[how] = [one.get("StringValue") for one in changed["CustomField"]]
    assert kept == {"merge": ["one", "two", None], "replace": [None, "two", None]}


def test_read_only_members_are_overwritten_in_silence(books: Books) -> None:
    made = books.customer(Balance=500, FullyQualifiedName="nonsense", Level=3)
    assert (made["Balance"], made["FullyQualifiedName"], "Level" in made) == (0, "Larch", False)


def test_a_sparse_line_array_replaces_all_lines(books: Books) -> None:
    made = books.invoice(books.customer(), line(10), line(20))
    first = made["Line"][0]
    changed = books.update("Invoice", made, Line=[{**first, "Amount": 15}, line(5)])
    assert [(one.get("Id"), one["Amount"]) for one in changed["Line"]] == [("1", 15), ("3", 5), (None, 20)]
    assert changed["TotalAmt"] == 20


def test_a_line_sent_again_without_id_gets_a_new_id(books: Books) -> None:
    made = books.invoice(books.customer(), line(10))
    changed = books.update("Invoice", made, Line=[line(10)])
    assert (changed["Line"][0]["Id"], changed["SyncToken"]) == ("2", "1")


def test_a_line_id_that_is_not_of_the_document_makes_a_new_line(books: Books) -> None:
    made = books.invoice(books.customer(), line(10))
    twice = [{**line(10), "Id": "1"}, {**line(10), "Id": "1"}, {**line(10), "Id": "77"}]
    changed = books.update("Invoice", made, Line=twice)
    assert [one.get("Id") for one in changed["Line"]] == ["1", "2", "3", None]


def test_a_scalar_is_read_the_way_a_json_reader_of_java_reads_it(books: Books) -> None:
    made = books.customer(Job="false", CreditLimit="12.50", Notes=5, OpenBalanceDate="")
    assert (made["Job"], made["CreditLimit"], made["Notes"], "OpenBalanceDate" in made) == (False, 12.5, "5", False)


def test_a_wrong_scalar_has_its_own_code(books: Books) -> None:
    def codes(**members: object) -> tuple[str, ...]:
        return books.refuses(lambda: books.customer(**members)).codes

    assert codes(CreditLimit="much") == ("2090",)
    assert codes(OpenBalanceDate="31/12/2026") == ("2060",)
    assert codes(Job="perhaps") == ("2010",)
    assert codes(BillAddr="1 High Street") == ("2010",)
    assert codes(Notes="\x07") == ("2040",)
    made = books.customer()
    assert books.refuses(lambda: books.invoice(made, PrintStatus="Maybe")).codes == ("2170",)


def test_an_unknown_member_is_2010_at_any_depth(books: Books) -> None:
    refused = books.refuses(lambda: books.customer(BillAddr={"Street": "1 High Street"}))
    assert refused.codes == ("2010",)
    assert refused.errors[0].detail.startswith(
        'Property Name:Unrecognized field "Street" (class com.intuit.schema.finance.v3.PhysicalAddress), not marked as ignor'
    )


def test_switch_usa_characters(open_books: OpenBooks) -> None:
    assert open_books().customer("Łódź")["DisplayName"] == "Łódź"
    strict = open_books(usa_characters="latin-1")
    assert strict.customer("Müller")["DisplayName"] == "Müller"
    assert strict.refuses(lambda: strict.customer("x", BillAddr={"City": "Łódź"})).codes == ("2040",)
    assert open_books(UK, usa_characters="latin-1").customer("Łódź")["DisplayName"] == "Łódź"


@pytest.mark.parametrize("needs", ["credit_memo", "any", "nothing"])
def test_switch_sparse_line_needs(open_books: OpenBooks, needs: str) -> None:
    """quickbooks-online-mcp-server PR 101: a sparse update with Line and without the required members is 2020."""
    books = open_books(sparse_line_needs=needs)
    customer = books.customer()
    for kind, made in (("Invoice", books.invoice(customer)), ("CreditMemo", books.memo(customer))):

        def change(kind: str = kind, made: dict[str, Any] = made, **more: Any) -> dict[str, Any]:
            return books.update(kind, made, Line=[line(50)], **more)

        if needs == "any" or (needs == "credit_memo" and kind == "CreditMemo"):
            refused = books.refuses(change)
            assert (refused.codes, refused.errors[0].element) == (("2020",), "CustomerRef")
        else:
            assert change()["TotalAmt"] == 50
            made["SyncToken"] = "1"
        assert change(CustomerRef={"value": customer["Id"]}, PrivateNote="x")["TotalAmt"] == 50
