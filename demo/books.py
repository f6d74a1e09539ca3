"""What stands in a QuickBooks company, read through its API, without ids: the same books have the same value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from qbo_client.queries import ACTIVE_OR_NOT, Send, iterate

DOCUMENTS = ("Invoice", "CreditMemo")


@dataclass(frozen=True, slots=True)
class BookedLine:
    amount: Decimal
    item: str
    description: str
    tax_code: str | None
    class_name: str | None
    quantity: Decimal | None
    unit_price: Decimal | None


@dataclass(frozen=True, slots=True)
class BookedDocument:
    entity: str
    number: str
    note: str
    customer: str
    date: dt.date
    due_date: dt.date | None
    currency: str
    total: Decimal
    tax: Decimal
    lines: tuple[BookedLine, ...]
    memo: str | None
    custom_fields: tuple[tuple[str, str], ...]

    @property
    def voided(self) -> bool:
        # A credit memo has no void of its own: ours is every amount at zero.
        return not self.total and not any(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class BookedCustomer:
    name: str
    currency: str
    parent: str | None
    email: str | None
    active: bool
    address: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Books:
    """Customers by DisplayName; documents by entity and number, all of them, since nothing keeps a number unique for sure."""

    customers: dict[str, BookedCustomer] = field(default_factory=dict)
    documents: dict[tuple[str, str], list[BookedDocument]] = field(default_factory=dict)

    def standing(self) -> Books:
        """The same without voided documents: one that was voided and one that never came are the same to a bookkeeper."""
        kept = {key: [one for one in found if not one.voided] for key, found in self.documents.items()}
        return Books(self.customers, {key: found for key, found in kept.items() if found})


def read_books(send: Send) -> Books:
    """Read a company's customers, invoices and credit memos: some six metered calls.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    names = {
        entity: {str(row["Id"]): str(row["Name"]) for row in iterate(send, entity, ACTIVE_OR_NOT)}
        for entity in ("Item", "Class", "TaxCode")
    }
    rows: list[Mapping[str, Any]] = list(iterate(send, "Customer", ACTIVE_OR_NOT))
    by_id = {str(row["Id"]): str(row["DisplayName"]) for row in rows}
    books = Books(customers={str(row["DisplayName"]): _customer(row, by_id) for row in rows})
    for entity in DOCUMENTS:
        for row in iterate(send, entity):
            document = _document(entity, row, by_id, names)
            books.documents.setdefault((entity, document.number), []).append(document)
    for found in books.documents.values():
        found.sort(key=repr)
    return books


def _customer(row: Mapping[str, Any], by_id: Mapping[str, str]) -> BookedCustomer:
    return BookedCustomer(
        name=row["DisplayName"],
        currency=_ref(row, "CurrencyRef") or "",
        parent=by_id.get(_ref(row, "ParentRef") or ""),
        email=row.get("PrimaryEmailAddr", {}).get("Address"),
        active=bool(row.get("Active", True)),
        address=tuple(
            sorted(
                (key, str(value)) for key, value in row.get("BillAddr", {}).items() if key not in ("Id", "Lat", "Long")
            )
        ),
    )


def _document(
    entity: str, row: Mapping[str, Any], by_id: Mapping[str, str], names: Mapping[str, Mapping[str, str]]
) -> BookedDocument:
    return BookedDocument(
        entity=entity,
        number=row.get("DocNumber") or "",
        note=row.get("PrivateNote") or "",
        customer=by_id.get(_ref(row, "CustomerRef") or "", "?"),
        date=dt.date.fromisoformat(row["TxnDate"]),
        due_date=dt.date.fromisoformat(row["DueDate"]) if row.get("DueDate") else None,
        currency=_ref(row, "CurrencyRef") or "",
        total=Decimal(row["TotalAmt"]),
        tax=Decimal(row.get("TxnTaxDetail", {}).get("TotalTax", 0)),
        lines=tuple(_line(line, names) for line in row["Line"] if line["DetailType"] == "SalesItemLineDetail"),
        memo=row.get("CustomerMemo", {}).get("value"),
        custom_fields=tuple(
            sorted(
                (one["DefinitionId"], one["StringValue"])
                for one in row.get("CustomField", ())
                if one.get("StringValue")
            )
        ),
    )


def _line(line: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> BookedLine:
    detail = line["SalesItemLineDetail"]

    def named(entity: str, member: str) -> str | None:
        found = _ref(detail, member)
        return None if found is None else names[entity].get(found, found)

    return BookedLine(
        amount=Decimal(line.get("Amount", 0)),
        item=named("Item", "ItemRef") or "",
        description=line.get("Description") or "",
        tax_code=named("TaxCode", "TaxCodeRef"),
        class_name=named("Class", "ClassRef"),
        quantity=None if detail.get("Qty") is None else Decimal(detail["Qty"]),
        unit_price=None if detail.get("UnitPrice") is None else Decimal(detail["UnitPrice"]),
    )


def _ref(row: Mapping[str, Any], member: str) -> str | None:
    found = row.get(member)
    return None if found is None else str(found["value"])
