"""The first link-up: a company is looked through before anything is made there, and nothing is made that it may have already.

A record that something there may stand for waits for a person, who links it or says that it is another one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from mapping.case import Case, billing_client
from mapping.decisions import Decision, Fail, Write
from mapping.invoice import marked_id
from mapping.matching import Match, Sought, keys_for, keys_of, match
from mapping.problems import label
from mapping.results import Problem
from qbo_client.calls import query
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Refused
from qbo_client.queries import PAGE_SIZE, Send, done, select
from schemas.events import Client, Invoice, Project, Record
from schemas.existing import Existing
from store import inventory
from store.inventory import ENTITIES, Page
from store.links import Link

PAGES_AT_ONCE: Final = 4
"""Pages that are read before they are kept: a process that is killed reads so many again at most."""
SHOWN: Final = 3
"""So many things that a record may stand for are offered."""
EXISTS: Final = frozenset({"customer-exists", "document-exists"})
"""Causes of a record that waits for a person to say whether the company had it already."""


# --- Looking through


@dataclass(slots=True)
class Looked:
    """What was on some pages."""

    found: list[Existing] = field(default_factory=list)
    following: Page | None = None
    reads: int = 0
    unreadable: int = 0


def look_through(send: Send, page: Page) -> Looked:
    """Read some pages of a company, from this one on: a metered call for each thousand. Raises `ReadFailed`."""
    looked = Looked(following=page)
    while looked.following is not None and looked.reads < PAGES_AT_ONCE:
        at = looked.following
        if _read(send, at.entity, at.start, PAGE_SIZE, looked):
            looked.following = replace(at, start=at.start + PAGE_SIZE)
        else:
            later = ENTITIES[ENTITIES.index(at.entity) + 1 :]
            looked.following = Page(later[0], 1) if later else None
    return looked


def _read(send: Send, entity: str, start: int, size: int, looked: Looked) -> bool:
    """Read so many objects from a place on; whether there may be more behind them.

    QuickBooks answers no query with an object whose email address was typed wrongly by hand. So a page that it refuses is asked for in
    halves, down to that object, which is left out and counted.
    """
    outcome = send(query(select(entity, order_by="MetaData.CreateTime", start=start, at_most=size)))
    looked.reads += 1
    if isinstance(outcome, Refused) and FaultCode.QUERY_BROKEN in outcome.codes:
        if size == 1:
            looked.unreadable += 1
            return True
        half = size // 2
        return _read(send, entity, start, half, looked) and _read(send, entity, start + half, size - half, looked)
    rows = done(outcome, f"reading {entity} from {start} on").rows(entity)
    looked.found += [existing_of(entity, row) for row in rows]
    return len(rows) == size


def keep(db: Connection, realm_id: str, looked: Looked) -> None:
    """Keep what was read, and where to go on."""
    found = [(one, keys_of(realm_id, one)) for one in looked.found]
    inventory.keep(db, realm_id, found, looked.following, reads=looked.reads, unreadable=looked.unreadable)


def existing_of(entity: str, row: Mapping[str, Any]) -> Existing:
    """Read what is kept of a customer or document."""
    if entity == "Customer":
        name, parent_id = str(row.get("DisplayName") or ""), _reference(row, "ParentRef")
        return Existing(entity, str(row["Id"]), name, parent_id=parent_id, currency=_reference(row, "CurrencyRef"))
    return Existing(
        entity,
        str(row["Id"]),
        str(row.get("DocNumber") or ""),
        customer_id=_reference(row, "CustomerRef"),
        date=dt.date.fromisoformat(str(row["TxnDate"])),
        total=Decimal(str(row.get("TotalAmt") or 0)),
        currency=_reference(row, "CurrencyRef"),
        kompass_id=marked_id(str(row.get("PrivateNote") or "")) or "",
    )


def _reference(row: Mapping[str, Any], member: str) -> str:
    reference = row.get(member)
    return str(reference.get("value") or "") if isinstance(reference, Mapping) else ""


# --- What a record may stand for


def unless_there(
    db: Connection, of: Mapping[int, Link], cases: Mapping[int, Case], decided: Mapping[int, Decision]
) -> dict[int, Fail]:
    """Give the records that would be made although something in their company may be them already, by link."""
    making = {
        link_id: (cases[link_id], decision)
        for link_id, decision in decided.items()
        if isinstance(decision, Write)
        and decision.operation == "create"
        and _is_to_be_compared(of[link_id], cases[link_id])
    }
    if not making:
        return {}
    clients = {
        (of[link_id].realm_id, billing_client(case.record).id)
        for link_id, (case, _) in making.items()
        if isinstance(case.record, Invoice)
    }
    customers = inventory.customers_of(db, clients) if clients else {}
    wanted = {
        link_id: _sought(case, write, customers.get(_client_key(of[link_id], case.record), set()))
        for link_id, (case, write) in making.items()
    }
    keys = {link_id: keys_for(of[link_id].realm_id, sought) for link_id, sought in wanted.items()}
    found = inventory.find(db, {key for some in keys.values() for key in some})
    by_key: dict[str, list[Existing]] = {}
    for existing, its_keys in found:
        for key in its_keys:
            by_key.setdefault(key, []).append(existing)
    refused = {}
    for link_id, sought in wanted.items():
        candidates = {one.qbo_id: one for key in sorted(keys[link_id]) for one in by_key.get(key, ())}
        matches = [one for existing in candidates.values() if (one := match(sought, existing)) is not None]
        if matches:
            best = tuple(sorted(matches, key=lambda one: -one.score)[:SHOWN])
            refused[link_id] = Fail((_problem(cases[link_id].record, best[0], len(matches)),), matches=best)
    return refused


def _is_to_be_compared(link: Link, case: Case) -> bool:
    """What was there before and deleted is made again on purpose; and who has looked has said that it is another one."""
    return case.inventoried and link.qbo_id is None and not link.overwrite


def _client_key(link: Link, record: Record) -> tuple[str, str]:
    return (link.realm_id, billing_client(record).id if isinstance(record, Invoice) else "")


def _sought(case: Case, write: Write, customers: set[str]) -> Sought:
    record, body = case.record, write.body
    if isinstance(record, Invoice):
        number = str(body.get("DocNumber") or "")
        return Sought(
            write.entity,
            (number,) if number else (),
            record.currency,
            kompass_id=record.id,
            date=record.date,
            total=abs(record.amount_gross),
            customer_ids=frozenset({_reference(body, "CustomerRef"), *customers}),
        )
    names = [str(body.get("DisplayName") or "")]
    if isinstance(record, Client) and not case.standing.name_override:
        names.append(record.name)
    return Sought(
        write.entity,
        tuple(dict.fromkeys(names)),
        write.currency or case.facts.home_currency,
        parent_id=_reference(body, "ParentRef"),
        reference=record.reference if isinstance(record, Project) else "",
    )


def _problem(record: Record, best: Match, many: int) -> Problem:
    there = best.existing
    what = f"{there.entity} {there.name or 'without a number'} (Id {there.qbo_id})"
    more = f", and {many - 1} more" if many > 1 else ""
    but = f": but {'; '.join(best.differs)}" if best.differs else ""
    return Problem(
        cause="document-exists" if isinstance(record, Invoice) else "customer-exists",
        message=f"{label(record)} may be in QuickBooks already, as {what}{more}{but}",
        field="DocNumber" if isinstance(record, Invoice) else "DisplayName",
        value=there.name,
        remedy="Open Already in QuickBooks from Going live: link it, or send it as another one",
    )
