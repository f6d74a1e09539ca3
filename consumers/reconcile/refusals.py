"""What Intuit refuses, in words a person can act on: by fault code, never by message, which is localised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mapping.results import Problem
from qbo_client.faults import Fault, FaultCode, colliding_document, colliding_id
from qbo_client.outcomes import Refused
from store.links import Link


@dataclass(frozen=True, slots=True)
class Words:
    cause: str
    what: str
    """Completes "<record>: …"."""
    remedy: str


_BOOKS_CLOSED = Words(
    "books-closed",
    "its date lies in a period for which the books are closed in QuickBooks",
    "Reopen the period in QuickBooks, or date the document after the closing date",
)

_WORDS: Mapping[str, Words] = {
    FaultCode.OBJECT_NOT_FOUND: Words(
        "inactive-or-deleted",
        "something it uses, or the object itself, was deleted or made inactive in QuickBooks",
        "Make it active again in QuickBooks, or choose another one in the mapping",
    ),
    FaultCode.REFERENCE_INVALID: Words(
        "invalid-reference",
        "it refers to something QuickBooks does not have, or that is inactive, or a category",
        "Check the item, class and tax code mappings, and choose ones that are active",
    ),
    FaultCode.ACCOUNT_PERIOD_CLOSED: _BOOKS_CLOSED,
    FaultCode.BOOKS_CLOSED: _BOOKS_CLOSED,
    FaultCode.AMOUNT_CALCULATION: Words(
        "amount-mismatch",
        "QuickBooks calculates another amount from quantity and unit price",
        "Check quantity and unit price of its lines in Kompass",
    ),
}


def problem_for(link: Link, entity: str, refused: Refused) -> Problem:
    """Tell a refusal as a problem: what is wrong with which record, and what to do."""
    fault = refused.faults[0] if refused.faults else Fault(code="", message="", detail="", element=None)
    subject = f"{_noun(link, entity)} {link.reference or link.kompass_id}"
    special = _SPECIAL.get(fault.code)
    if special is not None:
        return special(subject, fault)
    words = _WORDS.get(fault.code)
    if words is not None:
        return Problem(words.cause, f"{subject}: {words.what}{_said(fault)}", fault.element or "", "", words.remedy)
    return Problem(
        cause=f"fault:{fault.code or refused.status}",
        message=f"{subject}: QuickBooks refused it{_said(fault) or f' with HTTP status {refused.status}'}",
        field=fault.element or "",
        value="",
        remedy="Mend what QuickBooks names, in Kompass or in QuickBooks, then press Try again",
    )


def _noun(link: Link, entity: str) -> str:
    return {"Customer": "Customer" if link.kind.value == "client" else "Project", "CreditMemo": "Credit note"}.get(
        entity, entity
    )


def _said(fault: Fault) -> str:
    said = fault.detail or fault.message
    return f" (QuickBooks says: {said.strip()}; code {fault.code})" if said else ""


def _name_taken(subject: str, fault: Fault) -> Problem:
    other = colliding_id(fault)
    return Problem(
        cause="name-taken",
        message=f"{subject}: a customer, vendor or employee of that name is in QuickBooks already"
        + (f" (Id {other})" if other else ""),
        field="DisplayName",
        value=other or "",
        remedy="If it is the same customer, link it by hand under Customers; if not, rename one of the two "
        "or give a DisplayName override",
    )


def _number_taken(subject: str, fault: Fault) -> Problem:
    other = colliding_document(fault)
    held = f", by {other.txn_type} with Id {other.txn_id}" if other is not None else ""
    return Problem(
        cause="number-taken",
        message=f"{subject}: its number is used in QuickBooks already{held}",
        field="DocNumber",
        value="",
        remedy="Renumber one of the two documents, or void the one in QuickBooks if it was typed in by hand",
    )


_SPECIAL: Mapping[str, Callable[[str, Fault], Problem]] = {
    FaultCode.DUPLICATE_NAME: _name_taken,
    FaultCode.DUPLICATE_DOCUMENT_NUMBER: _number_taken,
}
