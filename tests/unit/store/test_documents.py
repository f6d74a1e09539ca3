"""Documents come out of the database as they went in, of any company, and small."""

from __future__ import annotations

from decimal import Decimal

import pytest

from store.sql import dumps, pack, unpack

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
    "USA": {"DisplayName": "Smith & Söhne, Inc. ✓", "CurrencyRef": {"value": "USD"}, "Active": True, "Balance": 0, "#suffix": ""},
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


def test_a_document_of_a_newer_version_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="begins with byte 07: it is of a newer kompass-qbo"):
        unpack(b"\x07{}")


STORED = "0143adb63cfdc27441518d30c7d0c840cfd00077519169a8a001d6a5a9540b00"
