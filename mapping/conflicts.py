"""Where Kompass and a bookkeeper's hand disagree, or two records of Kompass: both sides are named, a person decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mapping.books import NotTaken
from mapping.problems import label, money
from mapping.results import Problem
from schemas.company import CompanyFacts
from schemas.events import Invoice, Record, Step
from schemas.observed import Observed

TYPE_CHANGED = "conflict:type-changed"
PAID = "conflict:paid"
CREDIT_APPLIED = "conflict:credit-applied"
BOOKS_CLOSED = "books-closed"
PROTECTED = frozenset({PAID, CREDIT_APPLIED, BOOKS_CLOSED})
"""A payment or credit is applied, or the period is closed: the document stays as it is until a person has chosen."""
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
        message=f"{label(invoice)} was voided by hand in QuickBooks, and in Kompass it is not void",
        field="step",
        value=invoice.step.value,
        remedy="Void it in Kompass too, and raise a new invoice there if one is due. "
        "To leave it void in QuickBooks alone, press Keep what QuickBooks says under Sync errors",
    )


def paid_in_qbo(invoice: Invoice, observed: Observed, entity: str, members: Sequence[str]) -> Problem:
    """A payment or credit is applied, and Kompass changes what it rests on."""
    what = "applied to an invoice" if entity == "CreditMemo" else "paid, in full or in part,"
    holder = f" by {', '.join(observed.settled_by)}" if observed.settled_by else ""
    if entity == "CreditMemo" and observed.applied_to:
        what, holder = f"applied to {', '.join(observed.applied_to)}", holder and f" ({holder.strip()})"
    return Problem(
        cause=CREDIT_APPLIED if entity == "CreditMemo" else PAID,
        message=f"{label(invoice)} has been {what} in QuickBooks{holder}; its {_named(invoice, members)} in Kompass "
        "afterwards",
        field=", ".join(members),
        value=str(invoice.amount_gross),
        remedy="Undo the payment or application in QuickBooks and press Try again, or correct it with a credit note",
    )


_MEMBER_NAMES: Mapping[str, str] = {
    "Line": "amounts", "TxnDate": "date", "CustomerRef": "customer", "CurrencyRef": "currency", "ExchangeRate": "exchange rate",
    "TxnTaxDetail": "tax", "DocNumber": "number", "Type": "type",
}  # fmt: skip


def _named(invoice: Invoice, members: Sequence[str]) -> str:
    """Say in words what happened: "amounts and customer changed", or "document was voided"."""
    if invoice.step is Step.VOIDED:
        return "document was voided"
    return f"{' and '.join(dict.fromkeys(_MEMBER_NAMES.get(one, one) for one in members))} changed"


CLOSED = (
    "Type the difference into QuickBooks, as a credit note or an invoice dated in the open period{moved}. Then open it under Sync errors "
    "and press Keep what QuickBooks says. Or reopen the period in QuickBooks and press Try again"
)
"""The remedy for a change or a void of what lies in a closed period. What Kompass bills has changed already: only QuickBooks lacks it."""
CLOSED_TO_VOIDS = (
    "Type the opposite into QuickBooks, as a credit note or an invoice dated in the open period. Then open it under Sync errors and press "
    "Keep what QuickBooks says. Or approve it again in Kompass. Or reopen the period in QuickBooks, void it there, and press Try again"
)
CLOSED_TO_TEXTS = (
    "What it bills has not changed, so there is nothing to type into QuickBooks: open it under Sync errors and press Keep what QuickBooks "
    "says. "
    "Or reopen the period in QuickBooks and press Try again"
)


def books_closed(
    invoice: Invoice, facts: CompanyFacts, there: Observed, *, members: Sequence[str] = (), taken_back: str = ""
) -> Problem:
    """The document lies in a closed period, or is to be moved into one, and Kompass changes what the books say."""
    closed = facts.book_close_date
    if taken_back:
        return Problem(
            cause=BOOKS_CLOSED,
            message=f"{label(invoice)} lies in a period that is closed in QuickBooks (to {closed}); in Kompass it was taken back: "
            f"{taken_back}",
            field="step",
            value=invoice.step.value,
            remedy=CLOSED_TO_VOIDS,
        )
    if closed is not None and there.date is not None and there.date > closed:
        return Problem(
            cause=BOOKS_CLOSED,
            message=f"{label(invoice)}: its new date {invoice.date} lies in a period that is closed in QuickBooks (to {closed}); "
            f"in QuickBooks it is dated {there.date}",
            field="TxnDate",
            value=str(invoice.date),
            remedy=f"Date it after {closed} in Kompass; or reopen the period in QuickBooks and press Try again; or leave it in its month: "
            "open it under Sync errors and press Keep what QuickBooks says",
        )
    moved = "; QuickBooks does not move a document out of a closed period" if "TxnDate" in members else ""
    return Problem(
        cause=BOOKS_CLOSED,
        message=f"{label(invoice)} lies in a period that is closed in QuickBooks (to {facts.book_close_date}); "
        f"its {_named(invoice, members or ('Line',))} in Kompass",
        field=", ".join(members) or "TxnDate",
        value=str(facts.book_close_date),
        remedy=CLOSED.format(moved=moved),
    )


def type_changed(invoice: Invoice, entity: str, there: Observed) -> Problem:
    """Sent as the one, it is the other by now: the sum of the former still stands in the books."""
    settled = (
        f". {', '.join(there.settled_by) or 'A payment or credit'} is on it in QuickBooks" if there.is_settled else ""
    )
    first = "Undo that in QuickBooks first. Then open" if settled else "Open"
    was = "a credit note" if entity == "CreditMemo" else "an invoice"
    now = invoice.type.value.lower().replace("_", " ")
    return Problem(
        cause=TYPE_CHANGED,
        message=f"{label(invoice)} is in QuickBooks as {was}; in Kompass it is {'an' if now[0] in 'aeiou' else 'a'} {now} now{settled}",
        field="type",
        value=invoice.type.value,
        remedy=f"{first} it under Sync errors and press Send what Kompass says: the old document is voided and the new one is created; "
        "or delete the old document in QuickBooks and press Try again",
    )


def deleted_in_qbo(record: Record, entity: str, object_id: str | None) -> Problem:
    return Problem(
        cause="deleted-in-qbo",
        message=f"{label(record)}: {entity} {object_id} was deleted or made inactive in QuickBooks",
        field="",
        value=object_id or "",
        remedy="Make it active again in QuickBooks and press Try again, or press Recreate under Sync errors",
    )


def edited_in_qbo(invoice: Invoice, members: Sequence[str]) -> Problem:
    return Problem(
        cause="conflict:edited-in-qbo",
        message=f"{label(invoice)}: changed by hand in QuickBooks, and different from Kompass: "
        f"{', '.join(dict.fromkeys(_MEMBER_NAMES.get(one, one) for one in members))}",
        field=", ".join(members),
        value="",
        remedy=_CHOOSE,
    )


def brought_back(invoice: Invoice, observed: Observed) -> Problem:
    """It was voided in Kompass and in QuickBooks, and somebody typed amounts into the voided document."""
    return Problem(
        cause="conflict:edited-in-qbo",
        message=f"{label(invoice)}: changed by hand in QuickBooks, and different from Kompass: it was voided, and comes to "
        f"{money(observed.total or Decimal(0))} again",
        field="Line",
        value=str(observed.total),
        remedy=_CHOOSE,
    )


def over_customer(problems: Sequence[Problem]) -> bool:
    """Whether it is about the customer: the client or project may be linked by hand to the one that the document has."""
    return any("CustomerRef" in one.field.split(", ") for one in problems)


def not_taken(record: Record, members: Sequence[NotTaken]) -> Problem:
    """QuickBooks answered "done", and says something else than it was asked for."""
    first = members[0]
    return Problem(
        cause=first.cause,
        message=f"{label(record)}: QuickBooks has "
        + "; ".join(f"{one.member} {one.answered} instead of {one.asked}" for one in members)
        + f", probably because {first.reason}",
        field=first.member,
        value=first.answered,
        remedy="Check that setting in QuickBooks. Then open it under Sync errors and press Send what Kompass says, or keep what QuickBooks "
        "says",
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


def currency_linked_by_hand(record: Record, observed: str, ours: str) -> Problem:
    return Problem(
        cause="conflict:currency",
        message=f"{label(record)} was linked by hand to a QuickBooks customer in {observed}; Kompass bills in {ours}",
        field="currency",
        value=observed,
        remedy="Link it to a customer of the right currency, or remove the link and let Kompass create one",
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """The record of ours that has a name or number, as it is called now."""

    kind: str
    reference: str
    name: str

    def __str__(self) -> str:
        shown = f"{self.kind} “{self.reference}”"
        return shown if self.name == self.reference else f"{shown} (in QuickBooks “{self.name}”)"


RENAME_ONE = "Give one of the two another name in Kompass, or a DisplayName override in the admin"
NAME_HELD = "name-held-by-another"
NAME_IN_USE = "name-in-use"
NUMBER_IN_USE = "number-in-use"


def name_held(record: Record, name: str, holder: Holder) -> Problem:
    """Another record of ours has the name or number, and keeps it."""
    if isinstance(record, Invoice):
        return Problem(
            cause="number-taken",
            message=f"{label(record)} would have the number “{name}” in QuickBooks, and {holder} of Kompass has it already",
            field="DocNumber",
            value=name,
            remedy="Give one of the two another number in Kompass: this one goes then",
        )
    return Problem(
        cause=NAME_HELD,
        message=f"{label(record)} would be “{name}” in QuickBooks, and so is {holder} of Kompass already",
        field="DisplayName",
        value=name,
        remedy=RENAME_ONE,
    )


def in_use(record: Record, name: str, holder: Holder) -> tuple[str, str]:
    """Give the cause and the reason why a record waits for another of ours that gives its name or number up."""
    if isinstance(record, Invoice):
        return NUMBER_IN_USE, f"waits for {holder} to give up the number “{name}” in QuickBooks"
    return NAME_IN_USE, f"waits for {holder} to give up the name “{name}” in QuickBooks"


def party_not_synced(record: Record, kind: str, reason: str) -> Problem:
    return Problem(
        cause="party-not-synced",
        message=f"{label(record)} is billed to a {kind} that is not synced: {reason}",
        field="client",
        value="",
        remedy="Bill it to another client in Kompass, or bring that one back there",
    )
