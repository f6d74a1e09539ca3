"""What QuickBooks answered last about one object: decides what is true in the books."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

_DELETED: Final = "Deleted"
_APPLIED_TO: Final = "#applied_to"
"""No member of Intuit's begins so."""
# Of no use to any decision or page, and a third of the bytes of an invoice.
_DROPPED: Final = frozenset(
    {
        "domain", "sparse", "MetaData", "PrintStatus", "EmailStatus", "AllowIPNPayment", "AllowOnlinePayment",
        "AllowOnlineCreditCardPayment", "AllowOnlineACHPayment", "ApplyTaxAfterDiscount", "InvoiceLink",
        "PreferredDeliveryMethod", "PrintOnCheckName", "Taxable", "BalanceWithJobs", "V4IDPseudonym",
    }
)  # fmt: skip
# Transactions that settle a document. Others, such as an Estimate or a billable expense, only stand beside it.
_SETTLING: Final = frozenset({"Payment", "CreditMemo", "Invoice", "JournalEntry", "Deposit", "RefundReceipt", "Check"})


@dataclass(frozen=True, slots=True)
class Observed:
    """One object of QuickBooks as an answer showed it: a create, update, void, read or look-up.

    ``document`` has Intuit's own members; numbers are `Decimal` or int. Amounts are in the document's currency.
    """

    document: Mapping[str, object] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.document.get("Id", ""))

    @property
    def sync_token(self) -> str:
        return str(self.document.get("SyncToken", ""))

    @property
    def deleted(self) -> bool:
        """Whether QuickBooks has the object no more, or has made it inactive."""
        return self.document.get("status") == _DELETED or self.document.get("Active") is False

    @property
    def voided(self) -> bool:
        note = self.document.get("PrivateNote")
        return self.document.get("TotalAmt") == 0 and isinstance(note, str) and note.startswith("Voided")

    @property
    def gone(self) -> bool:
        """Whether the books have nothing of the document any more."""
        return self.deleted or self.voided

    @property
    def total(self) -> Decimal | None:
        return amount(self.document, "TotalAmt")

    @property
    def tax(self) -> Decimal | None:
        return amount(part(self.document, "TxnTaxDetail"), "TotalTax")

    @property
    def exchange_rate(self) -> Decimal | None:
        return amount(self.document, "ExchangeRate")

    @property
    def settled(self) -> Decimal:
        """How much of it has been paid or applied."""
        total, left = self.total, amount(self.document, "RemainingCredit")
        if left is None:
            left = amount(self.document, "Balance")
        return total - left if total is not None and left is not None else Decimal(0)

    @property
    def settled_by(self) -> tuple[str, ...]:
        """The payments and credits on it, as ``Payment 145``."""
        return tuple(
            f"{entry['TxnType']} {entry.get('TxnId')}"
            for entry in rows(self.document.get("LinkedTxn"))
            if entry.get("TxnType") in _SETTLING
        )

    @property
    def is_settled(self) -> bool:
        """Whether a payment or credit is applied to it, in full or in part."""
        return self.settled != 0 or bool(self.settled_by)

    @property
    def date(self) -> dt.date | None:
        value = self.document.get("TxnDate")
        try:
            return dt.date.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """The DisplayName or DocNumber."""
        return str(self.document.get("DisplayName") or self.document.get("DocNumber") or "")

    @property
    def applied_to(self) -> tuple[str, ...]:
        """The invoices that a credit memo is applied to, by name, where that was asked."""
        named = self.document.get(_APPLIED_TO)
        return tuple(map(str, named)) if isinstance(named, list | tuple) else ()

    def as_deleted(self) -> Observed:
        return Observed({**self.document, "status": _DELETED})


def with_applied_to(answer: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Put the names of the invoices that a credit memo is applied to beside Intuit's members, as `Observed.applied_to` gives them."""
    return {**answer, _APPLIED_TO: list(names)}


def kept(answer: Mapping[str, object]) -> dict[str, object]:
    """Give what is kept of an answer: everything that a decision, a page or the sheet reads."""
    return {name: value for name, value in answer.items() if name not in _DROPPED}


def figures(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a link keeps of an object as QuickBooks answered it, by the link's columns."""
    observed = Observed(answer)
    return {
        "observed": kept(answer),
        "sync_token": observed.sync_token,
        "line_ids": [str(line["Id"]) for line in own_lines(answer) if "Id" in line],
        "qbo_total": observed.total,
        "qbo_tax": observed.tax,
    }


def own_lines(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Give a document's lines without those that QuickBooks adds (the subtotal)."""
    return [line for line in rows(document.get("Line")) if line.get("DetailType") != "SubTotalLineDetail"]


def amount(document: Mapping[str, object], member: str) -> Decimal | None:
    """Give a member as an amount; None when it is missing or no number."""
    value = document.get(member)
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def reference(document: Mapping[str, object], member: str) -> str:
    """Give the Id or code that a member refers to; empty when it is missing."""
    return str(part(document, member).get("value") or "")


def part(document: Mapping[str, object], member: str) -> Mapping[str, object]:
    """Give a member that has members of its own; none of them when it is missing."""
    found = document.get(member)
    return found if isinstance(found, Mapping) else {}


def rows(value: object) -> list[Mapping[str, object]]:
    """Give the objects of a member that is a list of them, such as lines; none when it is missing."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []
