"""Documents come out of the database as they went in, of any company, and small."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from schemas.applied import Applied, Billed, Notes
from store.sql import dumps, pack, pack_applied, unpack, unpack_applied

LINE = {
    "Id": "1", "LineNum": 1, "Description": "Survey work", "Amount": Decimal("100.10"), "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "5", "name": "Surveying"}, "TaxCodeRef": {"value": "1"}},
}  # fmt: skip
DOCUMENTS = {
    "UK": {
        "Id": "145", "SyncToken": "0", "DocNumber": "INV-1", "CurrencyRef": {"value": "GBP", "name": "British Pound Sterling"},
        "PrivateNote": "Kompass invoice i1 (INV-1)", "GlobalTaxCalculation": "TaxExcluded", "Line": [LINE],
        "TxnTaxDetail": {"TotalTax": Decimal("20.02")}, "TotalAmt": Decimal("120.12"), "Balance": Decimal("120.12"),
    },
    "USA": {"DisplayName": "Smith & Söhne, Inc. ✓", "CurrencyRef": {"value": "USD"}, "Active": True, "Balance": 0},
    "Canada": {"DocNumber": "F-1", "ExchangeRate": Decimal("1.3500000000"), "Line": [LINE] * 400, "LinkedTxn": [],
        "TotalAmt": Decimal("99999999999.99")},
}  # fmt: skip


@pytest.mark.parametrize("place", DOCUMENTS)
@pytest.mark.parametrize("small", [True, False])
def test_a_document_keeps_every_member_and_digit(place: str, small: bool) -> None:
    document = DOCUMENTS[place]
    found = unpack(pack(document, small=small))
    assert found == document
    # Decimals compare by value: the digits, too, are those that were sent.
    assert dumps(found) == dumps(document)


def test_an_invoice_takes_a_third_of_its_json() -> None:
    packed, plain = pack(DOCUMENTS["UK"]), dumps(DOCUMENTS["UK"])
    assert packed is not None
    assert len(packed) < len(plain) / 3


def test_a_document_packed_by_the_first_dictionary_stays_readable() -> None:
    """The bytes are those that databases hold: this test is never changed, a better dictionary gets a number of its own."""
    stored = bytes.fromhex(STORED)
    assert unpack(stored) == {
        "DocNumber": "INV-1",
        "TotalAmt": Decimal("120.10"),
        "#mark": "Kompass invoice i1 (INV-1)",
    }


def test_nothing_is_nothing() -> None:
    assert pack(None) is None
    assert unpack(None) is None


@pytest.mark.parametrize("read", [unpack, unpack_applied])
def test_a_document_of_a_newer_version_is_refused_in_words(read: Callable[[bytes], object]) -> None:
    with pytest.raises(ValueError, match="begins with byte 07: it is of a newer kompass-qbo"):
        read(b"\x07{}")


BILLED = Billed(
    Decimal("1500.75"), Decimal("300.15"), lines=2, rates=(Decimal(20), Decimal("5.50")), code_rates=(Decimal(20),),
    low=Decimal("300.14"), high=Decimal("300.16"),
)  # fmt: skip
APPLIED = {
    "UK": Applied(
        DOCUMENTS["UK"],
        Notes(template="{{ invoice.reference }}", party="project/991/4712/GBP", project_customers=True, mark="Kompass", billed=BILLED),
    ),
    "USA": Applied(
        DOCUMENTS["USA"],
        Notes(template="", suffix="", left_out={"WebAddr": "no address"}, refused={"WebAddr": {"URI": "x"}, "A": Decimal("1.50")}),
    ),
    "Canada": Applied(DOCUMENTS["Canada"], Notes(suffix=" (CAD)", second_template="{{ name }} ({{ currency }})")),
    "nothing": Applied(),
}  # fmt: skip


@pytest.mark.parametrize("place", APPLIED)
@pytest.mark.parametrize("small", [True, False])
def test_what_was_sent_keeps_its_members_and_our_notes(place: str, small: bool) -> None:
    found = unpack_applied(pack_applied(APPLIED[place], small=small))
    assert found == APPLIED[place]
    assert found is not None
    assert dumps(found.members) == dumps(APPLIED[place].members)
    assert repr(found.notes.refused) == repr(APPLIED[place].notes.refused)


@pytest.mark.parametrize("small", [True, False])
def test_notes_among_the_members_are_read_apart(small: bool) -> None:
    """So they stood before they had a part of their own."""
    sent = APPLIED["UK"]
    before = {
        **sent.members, "#template": sent.notes.template, "#party": sent.notes.party, "#project_customers": True, "#mark": "Kompass",
        "#billed": {
            "net": Decimal("1500.75"), "tax": Decimal("300.15"), "lines": 2, "rates": [20, Decimal("5.50")], "code_rates": [20],
            "automated": False, "low": Decimal("300.14"), "high": Decimal("300.16"),
        },
        "#voided": True, "#temporary": "name-in-use",
    }  # fmt: skip
    written = pack(before, small=small)
    assert unpack_applied(written) == sent
    customer = {
        "DisplayName": "A",
        "#suffix": "",
        "#second_template": "{{ name }}",
        "#left_out": {"B": "no"},
        "#refused": {"B": 1},
    }
    read = unpack_applied(pack(customer, small=small))
    assert read == Applied(
        {"DisplayName": "A"}, Notes(second_template="{{ name }}", suffix="", left_out={"B": "no"}, refused={"B": 1})
    )


def test_what_was_sent_takes_no_more_in_two_parts() -> None:
    notes = {
        "#template": "{{ invoice.reference }}",
        "#party": "client/1/GBP",
        "#project_customers": True,
        "#mark": "Kompass invoice i1",
    }
    billed = {"net": 1, "tax": 2, "lines": 1, "rates": [20], "code_rates": [20], "automated": False}
    together = pack({**DOCUMENTS["UK"], **notes, "#billed": billed})
    apart = pack_applied(unpack_applied(together))
    assert together is not None
    assert apart is not None
    assert len(apart) <= len(together)


def test_what_was_sent_packed_by_the_first_dictionary_of_two_parts_stays_readable() -> None:
    """As above: these bytes are never changed."""
    found = unpack_applied(bytes.fromhex(STORED_PARTS))
    assert found == Applied(
        {"DocNumber": "INV-1", "TotalAmt": Decimal("120.10")}, Notes(mark="Kompass invoice i1 (INV-1)")
    )


STORED = "0143adb63cfdc27441518d30c7d0c840cfd00077519169a8a001d6a5a9540b00"
STORED_PARTS = "038b46ada03cfdc27441718d30c8d0c840cfd000e4631c2543a6a18206589b2630b50300"
