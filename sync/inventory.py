"""The first link-up: a company is looked through before anything is made there, and nothing is made that it may have already.

A record that something there may stand for waits for a person, who links it or says that it is another one. What was typed in since the
company was looked through is read again once it is enabled, and before something goes that was held up.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self

from sqlalchemy import Connection

from mapping.case import Case, billing_client
from mapping.decisions import Decision, Fail, Write
from mapping.invoice import marked_id
from mapping.matching import Match, Sought, customer_keys, keys_for, keys_of, match, under
from mapping.problems import label
from mapping.results import Problem
from qbo_client.calls import Call, query
from qbo_client.outcomes import Outcome
from qbo_client.queries import PAGE_SIZE, Send, compare, done, moment, select
from schemas.events import Client, Invoice, Project, Record
from schemas.existing import Existing
from schemas.link_state import LinkState
from schemas.observed import reference
from store import inventory
from store.inventory import ENTITIES, Page, Progress
from store.links import Link
from sync.companies import Company
from sync.searching import is_broken, parts

PAGES_AT_ONCE: Final = 4
"""Pages that are read before they are kept: a process that is killed reads so many again at most."""
SHOWN: Final = 3
"""So many things that a record may stand for are offered."""
READ_AGAIN_AFTER: Final = timedelta(hours=1)
"""Before something goes that was held up: so long nobody types in what Kompass is about to send."""
_INDEXED_AFTER: Final = timedelta(minutes=2)
"""After so long Intuit's queries find what was changed."""
_DEPENDENCY: Final = "dependency"
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
    as_of: datetime | None = None
    """Intuit's clock at the first answer."""


def look_through(send: Send, page: Page) -> Looked:
    """Read some pages of a company, from this one on: a metered call for each thousand. Raises `ReadFailed`."""
    looked = Looked(following=page)
    while looked.following is not None and looked.reads < PAGES_AT_ONCE:
        at = replace(looked.following, begun_at=None)
        if _read(send, at, looked):
            looked.following = replace(at, start=at.start + PAGE_SIZE)
        else:
            later = ENTITIES[ENTITIES.index(at.entity) + 1 :]
            looked.following = replace(at, entity=later[0], start=1) if later else None
    return looked


def _read(send: Send, at: Page, looked: Looked) -> bool:
    """Read a page; whether there may be more behind it. Objects that no query returns are left out and counted."""
    changed = () if at.since is None else (compare("MetaData.LastUpdatedTime", ">=", moment(at.since)),)

    def page(start: int, size: int) -> Call:
        return query(select(at.entity, *changed, order_by="MetaData.CreateTime", start=start, at_most=size))

    def ask(call: Call) -> Outcome:
        looked.reads += 1
        return send(call)

    for outcome, size in parts(ask, page, at.start):
        if is_broken(outcome):
            looked.unreadable += 1
            continue
        answer = done(outcome, f"reading {at.entity} from {at.start} on")
        if looked.as_of is None:
            looked.as_of = (answer.answered_at or datetime.now(UTC)) - _INDEXED_AFTER
        rows = answer.rows(at.entity)
        looked.found += [existing_of(at.entity, row) for row in rows]
        if len(rows) < size:
            return False
    return True


def keep(db: Connection, realm_id: str, page: Page, looked: Looked) -> None:
    """Keep what was read from this page on, and where to go on."""
    found = [(one, keys_of(realm_id, one)) for one in looked.found]
    progress = Progress(page, looked.following, looked.reads, looked.unreadable, looked.as_of)
    inventory.keep(db, realm_id, found, progress)


def was_held_up(link: Link, company: Company, decision: Decision, *, now: datetime) -> bool:
    """Whether a record is made now that somebody may have typed in since its company was looked through.

    Kompass said it an hour ago, it waited for its company, or a person had to fix something first.
    """
    if company.known_at is None or now - company.known_at <= READ_AGAIN_AFTER:
        return False
    if (
        not (isinstance(decision, Write) and decision.operation == "create")
        or link.qbo_id is not None
        or link.overwrite
    ):
        return False
    waited = link.state == LinkState.FAILED or (link.state == LinkState.WAITING and link.cause != _DEPENDENCY)
    return waited or (link.event_created_at is not None and now - link.event_created_at > READ_AGAIN_AFTER)


def existing_of(entity: str, row: Mapping[str, Any]) -> Existing:
    """Read what is kept of a customer or document."""
    if entity == "Customer":
        name, parent_id = str(row.get("DisplayName") or ""), reference(row, "ParentRef")
        return Existing(entity, str(row["Id"]), name, parent_id=parent_id, currency=reference(row, "CurrencyRef"))
    return Existing(
        entity,
        str(row["Id"]),
        str(row.get("DocNumber") or ""),
        customer_id=reference(row, "CustomerRef"),
        date=dt.date.fromisoformat(str(row["TxnDate"])),
        total=Decimal(str(row.get("TotalAmt") or 0)),
        currency=reference(row, "CurrencyRef"),
        kompass_id=marked_id(str(row.get("PrivateNote") or "")) or "",
    )


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
    near = _Customers.around(
        db, [(of[link_id].realm_id, case.record, write) for link_id, (case, write) in making.items()]
    )
    wanted = {link_id: _sought(case, write, of[link_id].realm_id, near) for link_id, (case, write) in making.items()}
    matches = _matches(db, {link_id: (of[link_id].realm_id, sought) for link_id, sought in wanted.items()})
    return {
        link_id: Fail((_problem(cases[link_id].record, found[0], len(found)),), matches=tuple(found[:SHOWN]))
        for link_id, found in matches.items()
    }


def _matches(db: Connection, wanted: Mapping[int, tuple[str, Sought]]) -> dict[int, list[Match]]:
    """Give what each record may stand for, the likeliest first; those that match nothing are left out."""
    keys = {link_id: keys_for(realm_id, sought) for link_id, (realm_id, sought) in wanted.items()}
    by_key: dict[str, list[Existing]] = {}
    for existing, its_keys in inventory.find(db, {key for some in keys.values() for key in some}):
        for key in its_keys:
            by_key.setdefault(key, []).append(existing)
    found: dict[int, list[Match]] = {}
    for link_id, (_, sought) in wanted.items():
        candidates = {one.qbo_id: one for key in sorted(keys[link_id]) for one in by_key.get(key, ())}
        matches = [one for existing in candidates.values() if (one := match(sought, existing)) is not None]
        found[link_id] = sorted(matches, key=lambda one: -one.score)
    # What bears the number of another document of Kompass that is not sent yet is that one.
    numbered = {
        (wanted[link_id][0], one.existing.name) for link_id, some in found.items() for one in some if one.by_total
    }
    others = (
        inventory.unsent_numbers(db, numbered - {(realm_id, "") for realm_id, _ in numbered}) if numbered else set()
    )
    kept = {
        link_id: [one for one in some if not (one.by_total and (wanted[link_id][0], one.existing.name) in others)]
        for link_id, some in found.items()
    }
    return {link_id: some for link_id, some in kept.items() if some}


_Payer = tuple[str, str]
"""(realm, Kompass id) of a client who is billed."""


@dataclass(frozen=True, slots=True)
class _Customers:
    """Where in QuickBooks the documents of clients may be."""

    linked: Mapping[_Payer, set[str]]
    near: Mapping[_Payer, set[str]]
    """The customers above, below and beside these, and those with a similar name that nothing is linked to."""

    @classmethod
    def around(cls, db: Connection, documents: Sequence[tuple[str, Record, Write]]) -> Self:
        payers = {
            (realm_id, billing_client(record).id): (billing_client(record).name, reference(write.body, "CustomerRef"))
            for realm_id, record, write in documents
            if isinstance(record, Invoice)
        }
        if not payers:
            return cls({}, {})
        linked = inventory.customers_of(db, payers)
        start = {payer: {*linked.get(payer, ()), customer} for payer, (_, customer) in payers.items()}
        above = inventory.parents_of(db, {(realm_id, one) for (realm_id, _), ids in start.items() for one in ids})
        near = {
            payer: {above[payer[0], one] for one in ids if (payer[0], one) in above} for payer, ids in start.items()
        }
        jobs: defaultdict[str, set[_Payer]] = defaultdict(set)
        named: defaultdict[str, set[_Payer]] = defaultdict(set)
        for payer, (name, _) in payers.items():
            for one in start[payer] | near[payer]:
                jobs[under(payer[0], one)].add(payer)
            for key in customer_keys(payer[0], name):
                named[key].add(payer)
        for qbo_id, keys, is_linked in inventory.customers_bearing(db, {*jobs, *named}):
            # A customer that a link stands for is another client's, though its name is similar.
            for payer in {
                one for key in keys for one in (*jobs.get(key, ()), *(() if is_linked else named.get(key, ())))
            }:
                near[payer].add(qbo_id)
        return cls(linked, near)


def _is_to_be_compared(link: Link, case: Case) -> bool:
    """What was there before and deleted is made again on purpose; and who has looked has said that it is another one."""
    return case.inventoried and link.qbo_id is None and not link.overwrite


def _sought(case: Case, write: Write, realm_id: str, customers: _Customers) -> Sought:
    record, body = case.record, write.body
    if isinstance(record, Invoice):
        number = str(body.get("DocNumber") or "")
        payer = (realm_id, billing_client(record).id)
        own = {reference(body, "CustomerRef"), *customers.linked.get(payer, ())}
        return Sought(
            write.entity,
            (number,) if number else (),
            record.currency,
            kompass_id=record.id,
            date=record.date,
            total=abs(record.amount_gross),
            customer_ids=frozenset(own),
            near_customer_ids=frozenset(customers.near.get(payer, set()) - own),
        )
    names = [str(body.get("DisplayName") or "")]
    if isinstance(record, Client) and not case.standing.name_override:
        names.append(record.name)
    return Sought(
        write.entity,
        tuple(dict.fromkeys(names)),
        write.currency or case.facts.home_currency,
        parent_id=reference(body, "ParentRef"),
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
