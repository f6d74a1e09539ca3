"""The members of a sparse update, and what a stranger's write means for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.difference import changed_members, holds, same, touched_by_others, with_line_ids
from schemas.observed import own_lines

SCALARS = st.one_of(st.text(max_size=5), st.integers(-99, 99), st.booleans(), st.decimals(-99, 99, places=2))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
PAYLOADS = st.dictionaries(st.sampled_from(["DisplayName", "Notes", "TxnDate", "Line", "BillAddr"]), VALUES)


def line(number: int, amount: str = "100.00", **more: object) -> dict[str, object]:
    return {
        "LineNum": number,
        "Amount": Decimal(amount),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "TaxCodeRef": {"value": "5"}},
        **more,
    }


def test_numbers_are_compared_by_value_and_never_with_booleans() -> None:
    assert same(Decimal("10.50"), Decimal("10.5"))
    assert same(10, Decimal("10.00"))
    assert not same(1, True)
    assert not same("1", 1)
    assert same([{"a": 1}], [{"a": Decimal("1.0")}])
    assert not same({"a": 1}, {"a": 1, "b": None})


def test_what_did_not_change_is_not_sent() -> None:
    assert changed_members({"DisplayName": "A", "Notes": "n"}, {"DisplayName": "A", "Notes": "n"}) == {}
    assert changed_members({"DisplayName": "A", "Notes": "n"}, {"DisplayName": "B", "Notes": "n"}) == {
        "DisplayName": "B"
    }


@pytest.mark.parametrize(
    ("member", "before", "blank"),
    [
        ("Notes", "old", ""),
        ("PrimaryEmailAddr", {"Address": "a@example.com"}, {"Address": ""}),
        ("BillEmail", {"Address": "a@example.com"}, {"Address": ""}),
        ("PrimaryPhone", {"FreeFormNumber": "1"}, {"FreeFormNumber": ""}),
        ("WebAddr", {"URI": "http://a.example"}, {"URI": ""}),
        ("CustomerMemo", {"value": "old"}, {"value": ""}),
        ("BillAddr", {"Line1": "1 Quay", "City": "Hull"}, {"Line1": "", "City": ""}),
        ("ShipAddr", {"Line1": "1 Quay"}, {"Line1": ""}),
        ("ClassRef", {"value": "3"}, {"value": ""}),
    ],
)
def test_a_member_that_is_gone_is_cleared_in_words_qbo_understands(member: str, before: object, blank: object) -> None:
    assert changed_members({member: before}, {}) == {member: blank}


def test_an_address_travels_whole_with_blanks_for_what_it_lost() -> None:
    before = {"Line1": "1 Quay", "Line2": "Dock", "City": "Hull"}
    assert changed_members({"BillAddr": before}, {"BillAddr": {"Line1": "2 Quay", "City": "Hull"}}) == {
        "BillAddr": {"Line1": "2 Quay", "Line2": "", "City": "Hull"}
    }


def test_a_custom_field_that_is_gone_is_sent_empty_beside_those_that_stay() -> None:
    one = {"DefinitionId": "1", "Type": "StringType", "StringValue": "a"}
    two = {"DefinitionId": "2", "Type": "StringType", "StringValue": "b"}
    assert changed_members({"CustomField": [one, two]}, {"CustomField": [two]}) == {
        "CustomField": [two, {**one, "StringValue": ""}]
    }
    assert changed_members({"CustomField": [one]}, {}) == {"CustomField": [{**one, "StringValue": ""}]}
    assert changed_members({"CustomField": [one]}, {"CustomField": [{**one, "StringValue": "c"}]}) == {
        "CustomField": [{**one, "StringValue": "c"}]
    }


def test_the_currency_is_never_sent() -> None:
    sent = {"CurrencyRef": {"value": "EUR"}}
    assert changed_members(sent, {"CurrencyRef": {"value": "GBP"}}) == {}
    assert changed_members(sent, {}) == {}


def test_lines_travel_whole_with_their_ids_and_the_tax_mode() -> None:
    sent = {"Line": [line(1), line(2)], "GlobalTaxCalculation": "TaxExcluded", "TxnDate": "2025-01-01"}
    now = {**sent, "Line": [line(1), line(2, "5.00"), line(3)]}
    assert changed_members(sent, now, line_ids=["11", "12"]) == {
        "Line": [{"Id": "11", **line(1)}, {"Id": "12", **line(2, "5.00")}, line(3)],
        "GlobalTaxCalculation": "TaxExcluded",
    }


def test_fewer_lines_than_ids_leave_the_last_ones_out() -> None:
    assert with_line_ids([line(1)], ["11", "12"]) == [{"Id": "11", **line(1)}]


def test_qbo_may_add_members_but_not_change_or_drop_ours() -> None:
    ours = {"ItemRef": {"value": "1"}, "Amount": Decimal("10.50")}
    assert holds({"ItemRef": {"value": "1", "name": "Surveying"}, "Amount": Decimal("10.5"), "Id": "3"}, ours)
    assert not holds({"ItemRef": {"value": "2"}, "Amount": Decimal("10.5")}, ours)
    assert not holds({"Amount": Decimal("10.5")}, ours)
    assert holds({"Line1": "x"}, {"Line1": "x", "Line2": ""})
    assert not holds([{"a": 1}, {"a": 2}], [{"a": 1}])


def test_the_subtotal_line_is_nobodys_edit() -> None:
    observed = {"Line": [{"Id": "1", **line(1)}, {"Amount": 100, "DetailType": "SubTotalLineDetail"}]}
    assert len(own_lines(observed)) == 1
    assert touched_by_others(observed, {"Line": [line(1)]}, {"Line": None}) == ()


@pytest.mark.parametrize(
    "observed",
    [
        [line(1, "99.00")],
        [line(1), line(2)],
        [],
        [line(1, Description="by hand", SalesItemLineDetail={"ItemRef": {"value": "9"}})],
    ],
)
def test_a_line_edited_added_or_removed_by_hand_shows(observed: list[object]) -> None:
    assert touched_by_others({"Line": observed}, {"Line": [line(1)]}, {"Line": None, "Notes": None}) == ("Line",)


def test_a_line_renumbered_by_qbo_is_nobodys_edit() -> None:
    assert touched_by_others({"Line": [{**line(1), "LineNum": 4}]}, {"Line": [line(1)]}, {"Line": None}) == ()


@given(PAYLOADS, PAYLOADS)
def test_a_difference_is_empty_exactly_when_nothing_differs(sent: dict[str, Any], payload: dict[str, Any]) -> None:
    changed = changed_members(sent, payload)
    assert (not changed) == same(sent, payload)
    assert set(changed) == {name for name in {*sent, *payload} if not same(sent.get(name), payload.get(name))}


@given(PAYLOADS)
def test_what_we_sent_is_held_by_what_we_sent(payload: dict[str, Any]) -> None:
    assert holds(payload, payload)
    assert touched_by_others(payload, payload, dict.fromkeys(set(payload) - {"Line"})) == ()
