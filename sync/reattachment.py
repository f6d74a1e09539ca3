"""After a restore: a link that has nothing in QuickBooks is connected again to what it had made there, instead of making a second one.

A document is known by the mark in its note. A customer or job bears none: it is known by its name, a job also by its project's reference
under the same parent; one that only looks like it is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from mapping.case import entity_of
from mapping.decisions import Decision, Write
from mapping.difference import touched_by_others
from mapping.results import Problem
from schemas.applied import NOTHING_SENT, Applied
from schemas.events import Client, Invoice, Kind, Project
from schemas.observed import Observed, figures, kept, own_lines
from store import restores
from store.links import Link
from store.restores import Found
from sync.attempt import AS_MADE
from sync.case_loader import RecordCase
from sync.looking_up import in_doubt

_OURS: Final = {
    "Customer": (
        "DisplayName", "CompanyName", "PrimaryEmailAddr", "PrimaryPhone", "WebAddr", "BillAddr", "ShipAddr", "Notes",
        "CurrencyRef", "ParentRef", "Job", "BillWithParent",
    ),
    "Invoice": (
        "DocNumber", "CustomerRef", "TxnDate", "DueDate", "CurrencyRef", "PrivateNote", "CustomerMemo", "BillEmail", "BillAddr",
        "CustomField", "GlobalTaxCalculation", "ClassRef", "Line",
    ),
}  # fmt: skip
_CLEARED: Final = {
    Client: frozenset({"CompanyName", "PrimaryEmailAddr", "PrimaryPhone", "WebAddr", "BillAddr", "Notes"}),
    Project: frozenset({"ShipAddr", "Notes"}),
    Invoice: frozenset({"CustomerMemo"}),
}
"""What Kompass may have cleared since; the rest of what it does not say, QuickBooks fills in."""


@dataclass(frozen=True, slots=True)
class Reattached:
    entity: str
    qbo_id: str
    changes: Mapping[str, Any] = field(repr=False)
    """Of the link."""


def has_nothing_there(link: Link, decision: Decision) -> bool:
    """Whether a link stands for nothing in QuickBooks: it never did, it makes another object now, or what it stood for is void or deleted.

    In the time that was lost, a person may have had that one made again, or its type may have changed.
    """
    if link.qbo_id is None or (isinstance(decision, Write) and decision.operation == "create"):
        return True
    return link.kind is Kind.INVOICE and link.observed is not None and Observed(link.observed).gone


@dataclass(frozen=True, slots=True)
class InDoubt:
    problem: Problem
    observed: Mapping[str, Any] = field(repr=False)
    """What is shown to the person who decides."""


def reattach(db: Connection, link: Link, case: RecordCase, decision: Decision) -> Reattached | InDoubt | Decision:
    """Give what the link stands for from now on; else the decision, or in its place the question for a person."""
    record = case.case.record
    if isinstance(record, Invoice):
        marked = restores.find_document(db, link.realm_id, link.kompass_id)
        if link.qbo_id is not None:
            # One void document is as good as another.
            marked = [one for one in marked if not Observed(one.body).voided]
        found = min(marked, key=lambda one: _preferred(one, record), default=None)
    elif isinstance(decision, Write):
        candidates = [one for one in restores.find_customers(db, link.realm_id) if _same_place(one, decision.body)]
        found = next((one for one in candidates if _same_name(one, decision) or _same_project(one, record)), None)
        if found is None and (alike := next((one for one in candidates if _alike(one, decision)), None)) is not None:
            if not link.overwrite:
                return InDoubt(_in_doubt(link, alike), kept(alike.body))
            # A person has said that it is another one.
            restores.take(db, link.realm_id, alike)
    else:
        found = None
    if found is None:
        return decision
    restores.take(db, link.realm_id, found)
    write = decision if isinstance(decision, Write) else None
    observed = found.body
    untouched = Observed(observed).sync_token == AS_MADE
    applied = _sent(record, observed, write, untouched=untouched)
    return Reattached(
        found.entity,
        found.qbo_id,
        {
            "entity": found.entity,
            "qbo_id": found.qbo_id,
            "applied": applied,
            # What a person chose, they chose of what the link stood for before.
            "kept": [],
            "overwrite": False,
            "name": Observed(observed).name,
            "voided": isinstance(record, Invoice) and Observed(observed).voided,
            **figures(observed),
            # Nobody knows whether we or a bookkeeper changed these lines: a person is asked.
            "by_hand": ["Line"] if applied.members.get("Line") == [] else [],
        },
    )


def _preferred(found: Found, invoice: Invoice) -> tuple[bool, bool, int]:
    """Order what bears the mark of one invoice: what is not void, then what is of its type, then what was made last."""
    entity = entity_of(invoice)
    return Observed(found.body).voided, found.entity != entity, -int(found.qbo_id)


def _sent(
    record: Client | Project | Invoice, observed: Mapping[str, Any], write: Write | None, *, untouched: bool
) -> Applied:
    """Give what counts as sent: what is there, so that what Kompass says by now is the difference."""
    wanted = write.body if write is not None else {}
    sent: dict[str, object] = {}
    for member in _OURS["Invoice" if isinstance(record, Invoice) else "Customer"]:
        there = observed.get(member)
        if member in wanted and not touched_by_others(observed, wanted, {member: None}):
            sent[member] = wanted[member]
        elif not there or (write is not None and member not in wanted and member not in _CLEARED[type(record)]):
            continue
        elif member == "Line" and write is not None and not untouched:
            sent[member] = []
        else:
            sent[member] = own_lines(observed) if member == "Line" else _plain(there)
    return Applied(sent, (write.applied if write is not None else NOTHING_SENT).notes)


def _plain(value: object) -> object:
    """Without what QuickBooks adds: a reference's name, an address's Id."""
    if not isinstance(value, Mapping):
        return value
    return {"value": value["value"]} if "value" in value else {key: one for key, one in value.items() if key != "Id"}


def _same_place(found: Found, body: Mapping[str, object]) -> bool:
    """Whether it stands under the same parent, if any; and a customer in another currency is another customer."""
    return all(
        member not in body or not touched_by_others(found.body, body, {member: None})
        for member in ("ParentRef", "CurrencyRef")
    ) and ("ParentRef" in body) == ("ParentRef" in found.body)


def _same_name(found: Found, decision: Write) -> bool:
    return found.name.casefold() == str(decision.body.get("DisplayName", "")).casefold()


def _same_project(found: Found, record: object) -> bool:
    return isinstance(record, Project) and bool(record.reference) and record.reference in found.name.split()


def _alike(found: Found, decision: Write) -> bool:
    """Whether it says the same email or phone: a customer that was renamed since, perhaps."""
    return any(
        member in decision.body and not touched_by_others(found.body, decision.body, {member: None})
        for member in ("PrimaryEmailAddr", "PrimaryPhone")
    )


def _in_doubt(link: Link, found: Found) -> Problem:
    return in_doubt(
        found.entity,
        found.qbo_id,
        f"Customer {link.reference}: QuickBooks got {found.name!r} (Id {found.qbo_id}), with the same email or phone, in the "
        "time that was lost when the database was restored: it may be this one under an earlier name",
    )
