from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_client.calls import Call
from qbo_client.errors import CallInvalid, ReadFailed
from qbo_client.outcomes import Done, NotSent, Outcome, Throttled
from qbo_client.queries import ACTIVE_OR_NOT, compare, count, equals, iterate, literal, one_of, select, select_count

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_statements() -> None:
    assert select("Item") == "SELECT * FROM Item"
    assert select("Customer", equals("DisplayName", "Amy's"), order_by="Id", start=1, at_most=10) == (
        "SELECT * FROM Customer WHERE DisplayName = 'Amy\\'s' ORDERBY Id STARTPOSITION 1 MAXRESULTS 10"
    )
    assert select("Class", ACTIVE_OR_NOT, compare("MetaData.CreateTime", ">", "2024-01-01")) == (
        "SELECT * FROM Class WHERE Active IN (true, false) AND MetaData.CreateTime > '2024-01-01'"
    )
    assert select_count("Invoice", one_of("DocNumber", ["1", "2"])) == (
        "SELECT count(*) FROM Invoice WHERE DocNumber IN ('1', '2')"
    )


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("Amy's", r"DisplayName = 'Amy\'s'"),
        ("50% off", "DisplayName = '50% off'"),
        ("Włodarski – Söhne", "DisplayName LIKE 'W%odarski % S%hne'"),
        ("Kimberly O’Neil", "DisplayName LIKE 'Kimberly O%Neil'"),
        ("小鳥遊", "DisplayName LIKE '%'"),
    ],
)
def test_a_query_holds_no_character_outside_ascii(name: str, condition: str) -> None:
    """quickbooks-ruby 54, 309 and 362, PHP SDK 397: QuickBooks refuses it with 4000."""
    assert equals("DisplayName", name) == condition
    assert compare("DisplayName", "LIKE", f"%{name}").isascii()


@STEADY
@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"])))
def test_no_value_breaks_out_of_its_quotes(value: str) -> None:
    text = literal(value)
    inside = re.fullmatch(r"'((?:[^'\\]|\\['\\])*)'", text, re.DOTALL)
    assert inside is not None
    assert re.sub(r"\\(.)", r"\1", inside[1]) == value


def test_what_cannot_be_asked_is_refused() -> None:
    makers: list[Callable[[], object]] = [
        lambda: select("Item; drop"),
        lambda: equals("Name = 'x' AND Id", "1"),
        lambda: compare("Name", "OR", "1"),
        lambda: one_of("Id", []),
        lambda: literal("a\nb"),
        lambda: select("Item", order_by="Id DESC, Name"),
        lambda: next(iterate(lambda call: NotSent("x"), "Item", page_size=1001)),
    ]
    for make in makers:
        with pytest.raises(CallInvalid):
            make()


class Pages:
    """A list of `total` items behind a query, counting what is asked of it."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked: list[str] = []

    def __call__(self, call: Call) -> Outcome:
        assert call.query is not None
        self.asked.append(call.query)
        match = re.search(r"STARTPOSITION (\d+) MAXRESULTS (\d+)$", call.query)
        assert match is not None
        start, most = int(match[1]), int(match[2])
        rows = [{"Id": str(n)} for n in range(start, min(start + most, self.total + 1))]
        return Done({"QueryResponse": {"Item": rows} if rows else {}})


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (9, 1), (10, 2), (11, 2), (25, 3)])
def test_every_row_comes_once_and_a_short_page_is_the_last(total: int, pages: int) -> None:
    send = Pages(total)
    assert [row["Id"] for row in iterate(send, "Item", page_size=10)] == [str(n) for n in range(1, total + 1)]
    assert len(send.asked) == pages


def test_pages_are_asked_for_when_they_are_needed() -> None:
    send = Pages(1000)
    assert len(list(islice(iterate(send, "Item", page_size=10), 15))) == 15
    assert len(send.asked) == 2


def test_a_page_that_does_not_come_is_an_error_with_the_outcome_in_it() -> None:
    throttled = Throttled(60.0)
    with pytest.raises(ReadFailed, match="reading Item from 1 on: Throttled") as caught:
        list(iterate(lambda call: throttled, "Item"))
    assert caught.value.outcome is throttled


def test_count() -> None:
    assert count(lambda call: Done({"QueryResponse": {"totalCount": 6}}), "Item") == 6
