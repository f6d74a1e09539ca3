"""What we sent and what QuickBooks answered, packed: these two are most of what the database keeps of an invoice.

As `jsonb` both took 2.2 kB of an invoice, out of line besides; packed they take 0.5 kB and stay in the row. The members of Intuit's objects
are the same in each of them, so each is deflated against a text that has them all. SQL cannot look into a document: what it filters by has
a column of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Dialect, LargeBinary
from sqlalchemy.types import TypeDecorator

from schemas.applied import Applied, Billed, Notes
from store import json

# The first byte says how the rest is to be read. A number once written is readable for ever: a better dictionary gets the next one.
_PLAIN: Final = b"\x00"
"""JSON as it is: what the migration made of the rows that were there."""
_PACKED: Final = b"\x01"
_PLAIN_PARTS: Final = b"\x02"
_PACKED_PARTS: Final = b"\x03"
"""What we sent, in two parts: the members, and our notes."""
_LEVEL, _WINDOW, _MEMORY = 6, -13, 5
"""The dictionary fits the window, and so little memory is ready sooner: 25 µs for a document, of which level 1 would spare four."""

_DICTIONARY: Final = (
    # Members that some objects have.
    b'"Notes":"","Title":"","GivenName":"","MiddleName":"","FamilyName":"","Suffix":"","Mobile":{"FreeFormNumber":""},'
    b'"PrimaryPhone":{"FreeFormNumber":""},"WebAddr":{"URI":"https://www."},"PrimaryTaxIdentifier":"","ResaleNum":"",'
    b'"ShipAddr":{"Id":"","Line1":"","Line2":"","City":"","Country":"","CountrySubDivisionCode":"","PostalCode":"","Lat":"","Long":""},'
    b'"DefaultTaxCodeRef":{"value":""},"ClientEntityId":"0","PaymentMethodRef":{"value":""},"DepartmentRef":{"value":"","name":""},'
    b'"SalesTermRef":{"value":"","name":"Net 30"},"CustomerMemo":{"value":""},"Deposit":0,"RemainingCredit":,'
    b'"TxnTaxDetail":{"TxnTaxCodeRef":{"value":""},"TotalTax":,"DiscountLineDetail":{"PercentBased":false},'
    b'"LinkedTxn":[{"TxnId":"","TxnType":"Payment"}],"TxnType":"CreditMemo","status":"Deleted",'
    b'"CurrencyRef":{"value":"CAD","name":"Canadian Dollar"},"CurrencyRef":{"value":"USD","name":"United States Dollar"},'
    b'"CurrencyRef":{"value":"EUR","name":"Euro"},"GlobalTaxCalculation":"NotApplicable","PrivateNote":"Kompass credit note ",'
    # A customer, as we send it and as it is answered.
    b'{"DisplayName":"","CompanyName":"","PrimaryEmailAddr":{"Address":""},"BillAddr":{"Line1":"","City":"","PostalCode":"",'
    b'"Country":"United Kingdom"},"Job":true,"ParentRef":{"value":""},"BillWithParent":true,"CurrencyRef":{"value":"GBP"},'
    b'"#template":"{{ project.reference }} {{ project.name }}","#template":"{{ client.name }}","#suffix":""}'
    b'"Job":false,"BillWithParent":false,"Level":1,"IsProject":false,"Active":true,"FullyQualifiedName":"","Id":"","SyncToken":"0",'
    b'"Balance":0}'
    # An invoice, as we send it and as it is answered.
    b'{"DocNumber":"","CustomerRef":{"value":""},"TxnDate":"202","DueDate":"202","CurrencyRef":{"value":"GBP"},"ExchangeRate":,'
    b'"PrivateNote":"Kompass invoice  ()\\nProject ","BillEmail":{"Address":""},"BillAddr":{"Line1":"","Line2":"","City":"",'
    b'"PostalCode":"","Country":""},"CustomField":[{"DefinitionId":"1","StringValue":""}],"GlobalTaxCalculation":"TaxExcluded",'
    b'"Line":[{"LineNum":1,"Description":"","Amount":,"DetailType":"SalesItemLineDetail","SalesItemLineDetail":{"ItemRef":{"value":""},'
    b'"Qty":,"UnitPrice":,"ClassRef":{"value":""},"TaxCodeRef":{"value":""}}}],"#template":"{{ invoice.reference }}",'
    b'"#party":"client/","#party":"project/","#project_customers":true,"#project_customers":false,"#mark":"Kompass invoice ",'
    b'"#billed":{"net":,"tax":,"lines":1,"rates":[20],"code_rates":[20],"automated":false,"low":,"high":}}'
    b'"CurrencyRef":{"value":"GBP","name":"British Pound Sterling"},"CustomField":[{"DefinitionId":"1","Name":"","Type":"StringType"},'
    b'{"DefinitionId":"2","Name":"","Type":"StringType"},{"DefinitionId":"3","Name":"","Type":"StringType"}],"TxnTaxDetail":{"TotalTax":,'
    b'"TaxLine":[{"Amount":,"DetailType":"TaxLineDetail","TaxLineDetail":{"TaxRateRef":{"value":""},"PercentBased":true,"TaxPercent":20,'
    b'"NetAmountTaxable":}}]},"Line":[{"Id":"1","LineNum":1,"Description":"","Amount":,"DetailType":"SalesItemLineDetail",'
    b'"SalesItemLineDetail":{"ItemRef":{"value":"","name":""},"ClassRef":{"value":"","name":""},"UnitPrice":,"Qty":,'
    b'"ItemAccountRef":{"value":"","name":"Sales of Services"},"TaxCodeRef":{"value":""}}},{"Amount":,"DetailType":"SubTotalLineDetail",'
    b'"SubTotalLineDetail":{}}],"CustomerRef":{"value":"","name":""},"TotalAmt":,"LinkedTxn":[],"Balance":,"HomeTotalAmt":,"HomeBalance":,'
    b'"Id":"","SyncToken":"0"}'
)
_PARTS_DICTIONARY: Final = (
    _DICTIONARY.replace(b',"#template"', b'},{"template"').replace(b'"automated":false,', b"").replace(b'"#', b'"')
)
"""The notes follow the members, have names without a mark, and are left out where they say nothing."""


def pack(document: Mapping[str, Any] | None, *, small: bool = True) -> bytes | None:
    """Give a document as its column holds it; ``small`` is worth the time for what is kept."""
    if document is None:
        return None
    written = json.dumps(document).encode()
    return _PACKED + _deflated(written, _DICTIONARY) if small else _PLAIN + written


def unpack(stored: bytes | None) -> dict[str, Any] | None:
    """Give the document that a column holds, its numbers as `Decimal` or int."""
    if stored is None:
        return None
    _begins_with(stored, _PLAIN, _PACKED)
    found: dict[str, Any] = json.loads(_written(stored))
    return found


def pack_applied(applied: Applied | None, *, small: bool = True) -> bytes | None:
    """Give what was sent, with our notes, as its column holds it; ``small`` is worth the time for what is kept."""
    if applied is None:
        return None
    written = json.dumps((applied.members, _noted(applied.notes))).encode()
    return _PACKED_PARTS + _deflated(written, _PARTS_DICTIONARY) if small else _PLAIN_PARTS + written


def unpack_applied(stored: bytes | None) -> Applied | None:
    """Give what a column holds of what was sent, its numbers as `Decimal` or int; of any version."""
    if stored is None:
        return None
    if stored[:1] in (_PLAIN, _PACKED):
        return _of_one_part(json.loads(_written(stored)))
    _begins_with(stored, _PLAIN_PARTS, _PACKED_PARTS)
    return Applied(*_PARTS.decode(_written(stored)))


_PARTS: Final = msgspec.json.Decoder(tuple[dict[str, Any], Notes], float_hook=Decimal)
_NOTES: Final = {one.name: {} if one.default is MISSING else one.default for one in fields(Notes)}
_BILLED: Final = {one.name: one.default for one in fields(Billed)}


def _noted(notes: Notes) -> dict[str, object]:
    """Give the notes that say something."""
    said = {name: value for name, usual in _NOTES.items() if (value := getattr(notes, name)) != usual}
    if notes.billed is not None:
        billed = notes.billed
        said["billed"] = {name: value for name, usual in _BILLED.items() if (value := getattr(billed, name)) != usual}
    return said


_NOTES_BEFORE: Final = {
    "#template": "template", "#second_template": "second_template", "#suffix": "suffix", "#left_out": "left_out",
    "#refused": "refused", "#party": "party", "#project_customers": "project_customers", "#mark": "mark", "#billed": "billed",
}  # fmt: skip
_OF_ATTEMPTS_BEFORE: Final = frozenset({"#voided", "#temporary"})
"""Columns of an attempt by now."""


def _of_one_part(document: dict[str, Any]) -> Applied:
    """Read what an earlier version wrote: the notes stood among the members."""
    notes = {name: document[key] for key, name in _NOTES_BEFORE.items() if key in document}
    ours = {*_NOTES_BEFORE, *_OF_ATTEMPTS_BEFORE}
    members = {name: value for name, value in document.items() if name not in ours}
    return Applied(members, msgspec.convert(notes, Notes))


def _deflated(written: bytes, dictionary: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflate.compress(written) + deflate.flush()


def _written(stored: bytes) -> bytes:
    """Give the JSON in a column's bytes."""
    how, rest = stored[:1], stored[1:]
    if how in (_PACKED, _PACKED_PARTS):
        return zlib.decompressobj(_WINDOW, _DICTIONARY if how == _PACKED else _PARTS_DICTIONARY).decompress(rest)
    return rest


def _begins_with(stored: bytes, *known: bytes) -> None:
    if stored[:1] not in known:
        how = stored[:1].hex()
        raise ValueError(
            f"a document in the database begins with byte {how}: it is of a newer kompass-qbo; upgrade this one"
        )


class Document(TypeDecorator[Mapping[str, Any]]):
    """The column of a document: `bytea` in the database, a mapping in Python."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, *, small: bool = True) -> None:
        super().__init__()
        self.small = small

    def packed(self, value: Any) -> bytes | None:
        return pack(value, small=self.small)

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return self.packed(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return unpack(None if value is None else bytes(value))


class Sent(Document):
    """The column of what was sent: `bytea` in the database, an `Applied` in Python."""

    cache_ok = True

    def packed(self, value: Any) -> bytes | None:
        return pack_applied(value, small=self.small)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return unpack_applied(None if value is None else bytes(value))
