"""Where Kompass and a bookkeeper's hand disagree: nothing is overwritten, both sides are named, a person decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mapping.difference import OWN_NOTE
from mapping.problems import label
from mapping.results import Problem
from schemas.events import Invoice, Record

APPLIED_TO = OWN_NOTE + "applied_to"
"""A note in what was read of a credit note: the invoices it is applied to, by name."""
_CHOOSE = "Open it under Sync errors, compare both sides, and choose which one is right"


def voided_before(invoice: Invoice) -> Problem:
    return Problem(
        cause="conflict:voided-before",
        message=f"{label(invoice)} was voided, its document in QuickBooks too; now Kompass says step {invoice.step.value}",
        field="step",
        value=invoice.step.value,
        remedy="Raise a new invoice in Kompass: a voided document in QuickBooks cannot be brought back",
    )


def voided_in_qbo(invoice: Invoice) -> Problem:
    return Problem(
        cause="conflict:voided-in-qbo",
        message=f"{label(invoice)} was voided by hand in QuickBooks and has changed in Kompass since",
        field="step",
        value=invoice.step.value,
        remedy="Void it in Kompass too, or raise a new invoice there",
    )


def paid_in_qbo(invoice: Invoice, observed: Mapping[str, object], entity: str) -> Problem:
    what = "applied to an invoice" if entity == "CreditMemo" else "paid, in full or in part,"
    linked = observed.get("LinkedTxn")
    links = [
        f"{entry.get('TxnType')} {entry.get('TxnId')}"
        for entry in (linked if isinstance(linked, list | tuple) else ())
        if isinstance(entry, Mapping)
    ]
    holder = f" by {', '.join(links)}" if links else ""
    applied = observed.get(APPLIED_TO)
    if entity == "CreditMemo" and isinstance(applied, list | tuple) and applied:
        what, holder = f"applied to {', '.join(map(str, applied))}", holder and f" ({holder.strip()})"
    return Problem(
        cause="conflict:credit-applied" if entity == "CreditMemo" else "conflict:paid",
        message=f"{label(invoice)} has been {what} in QuickBooks{holder}; its amounts changed in Kompass afterwards",
        field="amount_gross",
        value=str(invoice.amount_gross),
        remedy="Undo the payment or application in QuickBooks and press Try again, or correct it with a credit note",
    )


def edited_in_qbo(invoice: Invoice, members: Sequence[str]) -> Problem:
    return Problem(
        cause="conflict:edited-in-qbo",
        message=f"{label(invoice)}: somebody changed {', '.join(members)} in QuickBooks, and Kompass changed them too",
        field=", ".join(members),
        value="",
        remedy=_CHOOSE,
    )


def currency_changed(record: Record, before: object) -> Problem:
    old = before.get("value") if isinstance(before, Mapping) else "the home currency"
    return Problem(
        cause="currency-changed",
        message=f"{label(record)} is in QuickBooks in {old}; its currency changed in Kompass, and QuickBooks cannot follow",
        field="currency",
        value=str(old),
        remedy="Void it in Kompass and raise a new invoice in the other currency",
    )


def adopted_currency(record: Record, observed: str, ours: str) -> Problem:
    return Problem(
        cause="conflict:currency",
        message=f"{label(record)} was linked by hand to a QuickBooks customer in {observed}; Kompass bills in {ours}",
        field="currency",
        value=observed,
        remedy="Link it to a customer of the right currency, or remove the link and let Kompass create one",
    )


def name_held(record: Record, name: str, kind: str, holder: str) -> Problem:
    return Problem(
        cause="name-held-by-another",
        message=f"{label(record)} would be “{name}” in QuickBooks, and so is {kind} “{holder}” of Kompass already",
        field="DisplayName",
        value=name,
        remedy="Give one of the two another name in Kompass, or a DisplayName override in the admin",
    )


def party_not_synced(record: Record, kind: str, reason: str) -> Problem:
    return Problem(
        cause="party-not-synced",
        message=f"{label(record)} is billed to a {kind} that is not synced: {reason}",
        field="client",
        value="",
        remedy="Bill it to another client in Kompass, or bring that one back there",
    )
