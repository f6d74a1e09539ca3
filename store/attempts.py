"""Attempts in the database: calls that are being sent, or may have been. Written before the call, deleted when QBO has answered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, select, text, update

from schemas.applied import Applied
from schemas.link_state import LinkState
from store.links import FOLDED_NAME
from store.sql import Statement, insert_rows, unpack_applied
from store.tables import attempt as table
from store.tables import link


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAttempt:
    """What of an attempt is kept from before its call until QuickBooks has answered."""

    phase: Literal["send", "lookup"]
    """``lookup`` once its request id may be forgotten at Intuit."""
    operation: str
    """create | update | void | read"""
    entity: str
    object_id: str | None
    body: str = field(repr=False)
    request_id: str
    applied: Applied | None = field(repr=False)
    """What counts as sent once QuickBooks has answered; None of a read."""
    name: str
    sequence: int
    configuration_version: int
    first_sent_at: datetime
    batch_id: str = ""
    """The batch that it is a member of, which is the request id that all of them go under; empty for a call of its own."""
    voided: bool = False
    """Once QuickBooks has answered, the document counts as voided."""
    temporary: str = ""
    """Set when the name makes way for others: the cause under which the link is due again."""


_LONG_AGO = text("now() - interval '1 year'")

_REPLACE = "ON CONFLICT (link_id) DO UPDATE SET " + ", ".join(
    f"{column.name} = excluded.{column.name}" for column in table.columns if column.name != "link_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt(KeptAttempt):
    """An attempt found at a claim, with what the database's own clock says of it (clocks of processes differ)."""

    link_id: int
    realm_id: str
    attempt: int
    """How often it was sent or looked up."""
    resend_after: datetime
    busy_for: float
    """Seconds until it may be taken over: its owner sends no heartbeats any more, and its call is certainly over."""
    age: float
    """Seconds since it was first sent."""

    @property
    def alive(self) -> bool:
        return self.busy_for > 0


def read_open(db: Connection, link_ids: Collection[int], *, lease: float) -> dict[int, OpenAttempt]:
    if not link_ids:
        return {}
    rows = _READ_OPEN.rows(db, ids=sorted(link_ids), lease=lease)
    return {row.link_id: OpenAttempt(**{**row._asdict(), "applied": unpack_applied(row.applied)}) for row in rows}


_READ_OPEN = Statement(
    f"SELECT {', '.join(name for name in OpenAttempt.__dataclass_fields__ if name in table.c)},"
    " extract(epoch FROM greatest(heartbeat_at + %(lease)s * interval '1 second', resend_after) - now())::float8 AS busy_for,"
    " extract(epoch FROM now() - first_sent_at)::float8 AS age FROM qbo_attempt WHERE link_id = ANY(%(ids)s::bigint[])"
)


def members_of(db: Connection, batches: Mapping[str, str]) -> dict[int, str]:
    """Give the links whose attempts are members of these batches (batch id → realm), each with its batch; no lock."""
    if not batches:
        return {}
    rows = db.execute(
        select(table.c.link_id, table.c.batch_id).where(
            # By realm, for the sake of the index.
            table.c.realm_id.in_(sorted(set(batches.values()))),
            table.c.batch_id.in_(sorted(batches)),
        )
    )
    return {row.link_id: row.batch_id for row in rows}


def write(db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write attempts of links that this transaction has locked; replaces one that is being recovered."""
    insert_rows(db, table, rows, tail=_REPLACE)


@dataclass(frozen=True, slots=True)
class InFlight:
    """Calls of a company that may be under way, in every process. A batch is one call."""

    calls: int = 0
    names: int = 0
    """Those among them that write customers."""


def in_flight(db: Connection, realm_ids: Collection[str], *, lease: float) -> dict[str, InFlight]:
    rows = _IN_FLIGHT.rows(db, realms=sorted(realm_ids), lease=lease)
    return {row.realm_id: InFlight(row.calls, row.names) for row in rows}


_IN_FLIGHT = Statement(
    "SELECT realm_id, count(DISTINCT coalesce(nullif(batch_id, ''), link_id::text)) AS calls,"
    " count(DISTINCT coalesce(nullif(batch_id, ''), link_id::text)) FILTER"
    " (WHERE entity = 'Customer' AND phase = 'send' AND operation <> 'read') AS names FROM qbo_attempt"
    " WHERE realm_id = ANY(%(realms)s::text[]) AND heartbeat_at > now() - %(lease)s * interval '1 second' GROUP BY realm_id"
)


def retire(db: Connection, link_ids: Collection[int]) -> None:
    """Forget attempts whose outcome is known: their request ids are never used again."""
    if link_ids:
        _RETIRE.count(db, ids=sorted(link_ids))


_RETIRE = Statement("DELETE FROM qbo_attempt WHERE link_id = ANY(%(ids)s::bigint[])")


def heartbeat(db: Connection, owner: str, link_ids: Collection[int]) -> None:
    """Say that these calls are still being worked on; one that is locked is being written to at this moment, which says so too."""
    if link_ids:
        _HEARTBEAT.count(db, owner=owner, ids=sorted(link_ids))


_HEARTBEAT = Statement(
    # Waits for nobody, so that it never waits for a settle that waits for it.
    "WITH beating AS (SELECT link_id FROM qbo_attempt WHERE link_id = ANY(%(ids)s::bigint[]) AND owner = %(owner)s"
    " FOR NO KEY UPDATE SKIP LOCKED)"
    " UPDATE qbo_attempt i SET heartbeat_at = now() FROM beating WHERE i.link_id = beating.link_id"
)


def confirm(db: Connection, epochs: Mapping[int, int], *, over_after: float) -> set[int]:
    """Give those of these links (link → epoch) that are still claimed so; their calls, sent from now on, are over so much later."""
    ids = sorted(epochs)
    rows = _CONFIRM.rows(db, ids=ids, epochs=[epochs[one] for one in ids], over_after=over_after)
    return {row.link_id for row in rows}


_CONFIRM = Statement(
    "WITH mine AS (SELECT i.link_id FROM qbo_attempt i"
    " JOIN unnest(%(ids)s::bigint[], %(epochs)s::bigint[]) AS claimed(link_id, epoch) USING (link_id, epoch)"
    " JOIN qbo_link l ON l.id = i.link_id AND l.epoch = i.epoch"
    # In the order in which claims lock them.
    " ORDER BY i.link_id FOR UPDATE OF i)"
    " UPDATE qbo_attempt i SET resend_after = now() + %(over_after)s * interval '1 second' FROM mine"
    " WHERE i.link_id = mine.link_id RETURNING i.link_id"
)


def to_lookup(db: Connection, link_id: int) -> None:
    """Never send this attempt again, nor as a member of its batch: look up what became of it."""
    db.execute(
        update(table).where(table.c.link_id == link_id).values(phase="lookup", heartbeat_at=_LONG_AGO, batch_id="")
    )


def release(db: Connection, link_ids: Collection[int], *, over: bool = False) -> None:
    """Let go of attempts whose outcome is not known: nobody beats for them, anybody may take them over when their time has come.

    ``over``: no call of theirs can still be under way, so their time has come.
    """
    if link_ids:
        moments = {"heartbeat_at": _LONG_AGO} | ({"resend_after": func.now()} if over else {})
        db.execute(update(table).where(table.c.link_id.in_(sorted(link_ids))).values(**moments))


def others_writing(db: Connection, *, realm_id: str, entity: str, name: str, other_than: int) -> bool:
    """Whether a call of another link, under the same name, has no answer yet; neither case nor inner spaces count."""
    found = text(
        "SELECT 1 FROM qbo_attempt WHERE realm_id = :realm AND entity = :entity AND link_id <> :link"
        f" AND {FOLDED_NAME.format(column='name')} = {FOLDED_NAME.format(column='CAST(:name AS text)')} LIMIT 1"
    )
    asked = {"realm": realm_id, "entity": entity, "link": other_than, "name": name}
    return db.execute(found, asked).scalar() is not None


def others_creating(db: Connection, *, realm_id: str, entity: str, name: str, other_than: int) -> bool:
    """Whether a create of another link, under the same name, has no answer yet. One of which a person is asked is left to them."""
    return (
        db.execute(
            select(table.c.link_id)
            .join(link, link.c.id == table.c.link_id)
            .where(
                link.c.state != LinkState.FAILED,
                table.c.realm_id == realm_id,
                table.c.entity == entity,
                table.c.operation == "create",
                table.c.name == name,
                table.c.link_id != other_than,
            )
            .limit(1)
        ).scalar()
        is not None
    )
