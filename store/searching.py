"""Finding one record among all: by its Kompass id, its reference or name, and everything that is known of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, text

from schemas.events import Kind
from schemas.link_state import Because
from store import differences
from store.history import SENT
from store.links import LINK_COLUMNS, Link, link_of
from store.tables import failure, link, org, record


@dataclass(frozen=True, slots=True)
class Match:
    """A record that a search found."""

    org_id: str
    org_name: str
    kind: Kind
    kompass_id: str
    reference: str
    sequence: int
    deleted: bool
    received_at: datetime


def find_records(db: Connection, kind: Kind, wanted: str, *, org_id: str | None = None, limit: int = 20) -> list[Match]:
    """Give the records whose Kompass id, reference or name is ``wanted``; else those whose name holds it, in any case.

    A client of several Orgs is a record in each of them.
    """
    name = func.coalesce(org.c.name, record.c.org_id).label("org_name")
    own = (record.c[one] for one in ("org_id", "kompass_id", "reference", "sequence", "deleted", "received_at"))
    base = select(*own, name).join_from(record, org, org.c.id == record.c.org_id, isouter=True)
    base = base.where(record.c.kind == kind.value)
    if org_id is not None:
        base = base.where(or_(record.c.org_id == org_id, org.c.name == org_id))
    by_id = base.where(record.c.kompass_id == wanted)
    by_name = base.where(record.c.reference == wanted)
    like = "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    by_part = base.where(record.c.reference.ilike(like))
    for query in (by_id, by_name, by_part):
        rows = db.execute(query.order_by(record.c.org_id, record.c.kompass_id).limit(limit)).all()
        if rows:
            return [Match(kind=kind, **row._mapping) for row in rows]
    return []


def links_of_record(
    db: Connection, *, org_id: str, kind: Kind, kompass_id: str, realm_id: str | None = None
) -> list[Link]:
    """Give the links of a record, in every company it ever had one or in one of them; no lock."""
    query = select(*LINK_COLUMNS).where(
        link.c.org_id == org_id, link.c.kind == kind.value, link.c.kompass_id == kompass_id
    )
    if realm_id is not None:
        query = query.where(link.c.realm_id == realm_id)
    return [link_of(row) for row in db.execute(query.order_by(link.c.id))]


def links_by_id(db: Connection, ids: Collection[int]) -> dict[int, Link]:
    """Give links by their ids; no lock."""
    if not ids:
        return {}
    return {row.id: link_of(row) for row in db.execute(select(*LINK_COLUMNS).where(link.c.id.in_(sorted(ids))))}


@dataclass(frozen=True, slots=True)
class LinkTimes:
    synced_at: datetime | None
    due_at: datetime | None
    qbo_total: Any
    qbo_tax: Any
    applied_sequence: int | None
    difference: str
    """How and probably why QuickBooks' total is another than Kompass's; empty when it is not."""


def link_times(db: Connection, ids: Collection[int]) -> dict[int, LinkTimes]:
    """Give what a claim does not need of links: when they were synced and what QuickBooks came to."""
    if not ids:
        return {}
    rows = db.execute(
        select(
            link.c.id, link.c.synced_at, link.c.due_at, link.c.qbo_total, link.c.qbo_tax, link.c.applied_sequence
        ).where(link.c.id.in_(sorted(ids)))
    )
    texts = differences.messages(db, ids)
    return {row.id: LinkTimes(*(*row[1:], texts.get(row.id, ""))) for row in rows}


def failures_of_record(db: Connection, *, org_id: str, kind: Kind, kompass_id: str) -> list[Any]:
    """Give the `qbo_failure` rows of a record, open and closed, oldest first, without the event's bytes."""
    columns = [column for column in failure.columns if not column.name.startswith("event_")]
    return list(
        db.execute(
            select(*columns)
            .where(failure.c.org_id == org_id, failure.c.kind == kind.value, failure.c.kompass_id == kompass_id)
            .order_by(failure.c.id)
        )
    )


def find_orgs(db: Connection, wanted: str) -> list[tuple[str, str]]:
    """Give (id, name) of the Orgs with this id or name."""
    rows = db.execute(select(org.c.id, org.c.name).where(or_(org.c.id == wanted, org.c.name == wanted)))
    return [(row.id, row.name) for row in rows]


def is_billed(db: Connection, party: Link) -> bool:
    """Say whether a document that we made is billed to a client, or to a project. Reads all documents of the company."""
    client = "coalesce(r.body #>> '{project,billing_client,id}', r.body #>> '{client,id}')"
    of_project = "r.body #>> '{project,id}' = :id AND r.body #>> '{project,billing_client,id}' = :party"
    found = text(
        "SELECT EXISTS (SELECT 1 FROM qbo_link l JOIN qbo_record r USING (org_id, kind, kompass_id) WHERE l.realm_id = :realm"
        f" AND l.kind = 'invoice' AND l.qbo_id IS NOT NULL AND NOT l.{link.c.adopted.name}"
        f" AND {f'{client} = :id' if party.kind is Kind.CLIENT else of_project})"
    )
    asked = {"realm": party.realm_id, "id": party.kompass_id}
    return bool(db.execute(found, asked if party.kind is Kind.CLIENT else {**asked, "party": party.party_id}).scalar())


def was_written_since_linked(db: Connection, one: Link) -> bool:
    """Say whether we changed the object that a person linked a record to."""
    of_it = "{0}.org_id = :org AND {0}.kind = :kind AND {0}.kompass_id = :kompass AND {0}.link_id = :link"
    found = text(
        f"SELECT EXISTS (SELECT 1 FROM qbo_history h WHERE {of_it.format('h')} AND h.what = 'called' AND h.outcome = 'done'"
        f" AND h.detail ->> 'operation' IN ('update', 'void') AND {SENT.format(entry='h')}"
        f" AND h.id > (SELECT coalesce(max(d.id), 0) FROM qbo_history d WHERE {of_it.format('d')} AND d.what = 'due'"
        " AND d.outcome = :linked))"
    )
    asked = {"org": one.org_id, "kind": one.kind.value, "kompass": one.kompass_id, "link": one.id}
    return bool(db.execute(found, {**asked, "linked": Because.LINKED_BY_HAND}).scalar())


def has_newer_record(db: Connection, link_id: int) -> bool:
    """Whether Kompass has said something newer of a record than what its link was decided by last."""
    found = select(record.c.id).where(
        link.c.id == link_id,
        record.c.org_id == link.c.org_id,
        record.c.kind == link.c.kind,
        record.c.kompass_id == link.c.kompass_id,
        record.c.sequence > func.coalesce(link.c.decided_sequence, -1),
    )
    return db.execute(found.limit(1)).scalar() is not None
