"""What Intuit refuses, in words a person can act on: by fault code, never by message, which is localised.

The words are those of the one table (`mapping.causes`); here they are put to a record and to what QuickBooks said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from mapping.books import in_closed_period
from mapping.causes.table import BY_CODE, words_of
from mapping.conflicts import CLOSED, CLOSED_TO_TEXTS
from mapping.problems import quoted
from mapping.results import Problem
from qbo_client.faults import Fault, FaultCode, colliding_document, colliding_id
from qbo_client.outcomes import Refused
from schemas.events import Kind
from schemas.observed import Observed
from store import companies
from store.links import Link
from store.references import Reference, kind_of
from store.sql import loads
from sync.attempt import Attempt
from sync.contact_details import stands_in_quickbooks
from sync.explaining import Learned

Used = Callable[[], Sequence[Reference]]
"""Gives what the refused body refers to, by name; asked only where the fault is about that."""

_ELEMENT_ID = re.compile(r"element id\D{0,3}([0-9]+)", re.ASCII | re.IGNORECASE)
_ADDRESS_IN_QUICKBOOKS = (
    "Correct the address of the record in QuickBooks, where it was typed wrongly, then press Try again"
)
# Causes in which the code says what to look for.
_WITH_CODE = frozenset({"request-refused"})


@dataclass(frozen=True, slots=True)
class _Subject:
    """The record that was refused."""

    words: str
    kind: Kind

    def __str__(self) -> str:
        return self.words

    @property
    def link_by_hand(self) -> str:
        """What to do when QuickBooks has it already: a project's sub-customer is linked on another page than a client's customer."""
        if self.kind is Kind.PROJECT:
            return "If it is the same sub-customer, link it by hand under Projects; if not, rename one of the two"
        return "If it is the same customer, link it by hand under Customers; if not, rename one of the two"


def problem_for(
    link: Link,
    entity: str,
    refused: Refused,
    *,
    used: Used = tuple,
    learned: Learned | None = None,
    texts_alone: bool = False,
) -> Problem:
    """Tell a refusal as a problem: what is wrong with which record, and what to do.

    :param learned: what was read about it in QuickBooks.
    :param texts_alone: the refused update changes nothing that the books say.
    """
    fault = refused.faults[0] if refused.faults else Fault(code="", message="", detail="", element=None)
    subject = _Subject(f"{_noun(link, entity)} {link.reference or link.kompass_id}", link.kind)
    special = _SPECIAL.get(fault.code)
    if special is not None:
        return special(subject, fault, used, learned or Learned())
    # What else of 5010 comes here is a period that is closed (`sync.settle.refused`).
    closed = fault.code == FaultCode.STALE_OBJECT and entity != "Customer"
    words = BY_CODE.get(FaultCode.BOOKS_CLOSED if closed else fault.code) or words_of("fault")
    cause = words.cause
    if cause == "fault" or words.who.name == "NOBODY":
        # With a code that should have passed, and did not, nothing better can be said than what QuickBooks says.
        words = words_of("fault")
        cause = f"fault:{fault.code or refused.status}"
    elif cause in _WITH_CODE:
        cause = f"{cause}:{fault.code}"
    said = _said(refused) or f" with HTTP status {refused.status}"
    # What is in QuickBooks cannot be dated out of a closed period.
    there = cause == "books-closed" and link.qbo_id is not None
    remedy = words.remedy
    if there:
        another_date = "If Kompass changed its date, date it after the closing date"
        remedy = CLOSED_TO_TEXTS if texts_alone else f"{CLOSED.format(moved='')}. {another_date}"
    if link.qbo_id is not None and stands_in_quickbooks(refused):
        remedy = _ADDRESS_IN_QUICKBOOKS
    return Problem(
        cause, f"{subject}: {words.refused or words.what.rstrip('.')}{said}", fault.element or "", "", remedy
    )


def _noun(link: Link, entity: str) -> str:
    return {"Customer": "Customer" if link.kind.value == "client" else "Project", "CreditMemo": "Credit note"}.get(
        entity, entity
    )


def _said(refused: Refused) -> str:
    """What QuickBooks says, each of its faults once: several may come together (2050 with 2020)."""
    words = [
        f"{said}; code {fault.code}"
        for fault in refused.faults[:3]
        if (said := (fault.detail or fault.message).strip())
    ]  # fmt: skip
    return f" (QuickBooks says: {'; and '.join(dict.fromkeys(words))})" if words else ""


def _one_said(fault: Fault) -> str:
    said = (fault.detail or fault.message).strip()
    return f" (QuickBooks says: {said}; code {fault.code})" if said else f" (code {fault.code})"


def _name_taken(subject: _Subject, fault: Fault, used: Used, learned: Learned) -> Problem:
    other = colliding_id(fault)
    if (holder := learned.holder) is not None:
        kind = holder.entity.lower()
        inactive = "" if holder.active else ", which is inactive"
        remedy = f"Rename one of the two, or give a DisplayName override: customers and {kind}s cannot share a name"
        if kind == "customer":
            remedy = subject.link_by_hand
        return Problem(
            cause="name-taken",
            message=f"{subject}: QuickBooks already has {'an' if kind[0] in 'aeiou' else 'a'} {kind} of that name "
            f"({quoted(holder.name)}, Id {holder.id}){inactive}",
            field="DisplayName",
            value=holder.id,
            remedy=remedy,
        )
    return Problem(
        cause="name-taken",
        message=f"{subject}: a customer, vendor or employee of that name is in QuickBooks already"
        + (f" (Id {other}, perhaps inactive)" if other else ""),
        field="DisplayName",
        value=other or "",
        remedy=f"{subject.link_by_hand} or give a DisplayName override",
    )


def _number_taken(subject: _Subject, fault: Fault, used: Used, learned: Learned) -> Problem:
    other = colliding_document(fault)
    held = f", by {other.txn_type or 'a document'} with Id {other.txn_id}" if other is not None else ""
    return Problem(
        cause="number-taken",
        message=f"{subject}: its number is used in QuickBooks already{held}",
        field="DocNumber",
        value=other.txn_id if other is not None else "",
        remedy=words_of("number-taken").remedy,
    )


def _reference_refused(subject: _Subject, fault: Fault, used: Used, learned: Learned) -> Problem:
    """Name what is inactive by its name: by the Id where QuickBooks gives one, else all that it could be."""
    words = BY_CODE[fault.code]
    suspects = [_named(one, learned) for one in used()]
    # What was read and found inactive is no suspect any more.
    inactive = {known.id for known in learned.names.values() if not known.active}
    suspects = [one for one in suspects if one.id in inactive] or suspects
    kind = kind_of(fault.element or "") or kind_of(fault.detail)
    suspects = [one for one in suspects if one.what == kind] or suspects
    match = _ELEMENT_ID.search(fault.detail)
    if match is not None:
        suspects = [one for one in suspects if one.id == match[1]]
    if match is not None and not suspects:
        what = f"it refers to Id {match[1]}, which QuickBooks does not have, or which is inactive"
        value = match[1]
    elif suspects:
        names = [f"{one.what} {quoted(one.name)} (Id {one.id})" for one in suspects[:6]]
        verb = "is" if len(names) == 1 else "one of these is"
        what = f"{verb} deleted, merged or inactive in QuickBooks: " + ", ".join(names)
        if len(names) == 1:
            what = f"its {names[0]} is deleted, merged or inactive in QuickBooks"
        value = ", ".join(one.name for one in suspects[:3])
    else:
        what, value = words.refused, ""
    return Problem(words.cause, f"{subject}: {what}{_one_said(fault)}", fault.element or "", value, words.remedy)


def _named(one: Reference, learned: Learned) -> Reference:
    """A reference by the name that it has in QuickBooks, where nobody here has one."""
    known = learned.names.get(one.id)
    return one if known is None else replace(one, name=known.name.removesuffix(" (deleted)"))


_SPECIAL: Mapping[str, Callable[[_Subject, Fault, Used, Learned], Problem]] = {
    FaultCode.DUPLICATE_NAME: _name_taken,
    FaultCode.DUPLICATE_DOCUMENT_NUMBER: _number_taken,
    FaultCode.OBJECT_NOT_FOUND: _reference_refused,
    FaultCode.REFERENCE_INVALID: _reference_refused,
    FaultCode.CUSTOMER_INVALID: _reference_refused,
}


def keeps_changing(link: Link, entity: str, *, tries: int) -> Problem:
    return Problem(
        cause="conflict:keeps-changing",
        message=f"{entity} {link.reference}: a person in QuickBooks changed it at each of {tries} tries",
        field="",
        value="",
        remedy="See who works on it in QuickBooks, then press Try again",
    )


def says_closed(attempt: Attempt, learned: Learned | None) -> bool:
    """Whether 5010 can only mean a closed period: a document that is new, or that nobody wrote to, is not stale.

    So it is reported (python-quickbooks 208), and passes like any refusal of which the company's closing date says nothing.
    """
    if attempt.operation == "create":
        return attempt.entity != "Customer"
    return learned is not None and learned.unchanged


def books_are_closed(db: Connection, attempt: Attempt, row: Any) -> bool:
    """Whether the company's facts say that the books are closed where the document is, or where it was to be."""
    facts = companies.read_facts(db, [attempt.link.realm_id]).get(attempt.link.realm_id)
    there = None if row.observed is None else Observed(row.observed).date
    return facts is not None and in_closed_period(facts, there, Observed(loads(attempt.body)).date)
