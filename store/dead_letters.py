"""Failures as an operator looks through them and has them tried again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from store.tables import failure, org

QUARANTINE_AFTER = 5
"""A failure that was replayed so often and came back each time is left out, unless somebody insists."""

_RECENTLY = text("now() - interval '1 hour'")
_WITHOUT_BYTES = tuple(column for column in failure.columns if not column.name.startswith("event_"))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which failures are meant; what is None does not narrow. ``cause`` also means every cause that it heads before a colon."""

    org: str | None = None
    """Id or name; the empty text: those that belong to no Org."""
    kind: str | None = None
    kompass_id: str | None = None
    """Kompass id or reference."""
    cause: str | None = None
    since: datetime | None = None
    """By the last failure."""
    until: datetime | None = None
    failure_id: int | None = None
    closed: bool = False
    """Those that are resolved too."""

    def clauses(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if not self.closed:
            found.append(failure.c.closed_at.is_(None))
        if self.org is not None:
            found.append(
                or_(failure.c.org_id == self.org, failure.c.org_id.in_(select(org.c.id).where(org.c.name == self.org)))
                if self.org
                else failure.c.org_id == ""
            )
        if self.kind is not None:
            found.append(failure.c.kind == self.kind)
        if self.kompass_id is not None:
            found.append(or_(failure.c.kompass_id == self.kompass_id, failure.c.reference == self.kompass_id))
        if self.cause is not None:
            found.append(or_(failure.c.cause == self.cause, func.split_part(failure.c.cause, ":", 1) == self.cause))
        if self.since is not None:
            found.append(failure.c.last_failed_at >= self.since)
        if self.until is not None:
            found.append(failure.c.last_failed_at < self.until)
        if self.failure_id is not None:
            found.append(failure.c.id == self.failure_id)
        return found  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    org_id: str
    org_name: str
    cause: str
    stage: str
    count: int
    oldest: datetime
    newest: datetime
    sample: int
    """The failure that failed last."""
    message: str
    remedy: str
    value: str
    field: str


def grouped(db: Connection, selection: Selection, *, limit: int) -> list[Group]:
    """Give the failures by Org and cause, the largest group first."""
    rows = db.execute(
        select(
            failure.c.org_id, failure.c.cause, failure.c.stage, func.count(), func.min(failure.c.first_failed_at),
            func.max(failure.c.last_failed_at), func.max(failure.c.id),
        )
        .where(*selection.clauses())
        .group_by(failure.c.org_id, failure.c.cause, failure.c.stage)
        .order_by(func.count().desc(), failure.c.org_id, failure.c.cause)
        .limit(limit)
    ).all()  # fmt: skip
    samples = {
        row.id: row
        for row in db.execute(
            select(failure.c.id, failure.c.message, failure.c.remedy, failure.c.value, failure.c.field).where(
                failure.c.id.in_([row[6] for row in rows])
            )
        )
    }
    names = org_names(db, {row[0] for row in rows})
    return [Group(row[0], names.get(row[0], row[0]), *row[1:], *samples[row[6]][1:]) for row in rows]


def org_names(db: Connection, ids: Collection[str]) -> dict[str, str]:
    return {row.id: row.name for row in db.execute(select(org.c.id, org.c.name).where(org.c.id.in_(sorted(ids))))}


def count(db: Connection, selection: Selection) -> int:
    return int(db.execute(select(func.count()).select_from(failure).where(*selection.clauses())).scalar_one())


def listed(db: Connection, selection: Selection, *, limit: int, after: int = 0) -> list[Any]:
    """Give `qbo_failure` rows without their bytes, in the order of their ids, from above ``after`` on."""
    return list(
        db.execute(
            select(*_WITHOUT_BYTES)
            .where(failure.c.id > after, *selection.clauses())
            .order_by(failure.c.id)
            .limit(limit)
        )
    )  # fmt: skip


def read(db: Connection, failure_id: int) -> Any | None:
    """Give one whole row, with the original event."""
    return db.execute(select(failure).where(failure.c.id == failure_id)).one_or_none()


def to_replay(db: Connection, selection: Selection, *, force: bool, limit: int, after: int = 0) -> list[Any]:
    """Give those that a replay would ask for: open, of a record or of bytes, not asked for lately, not in quarantine.

    With ``force`` also those in quarantine or asked for already. A connection is not replayed: it is authorised again.
    """
    clauses = [*selection.clauses(), failure.c.closed_at.is_(None), failure.c.stage != "connect", failure.c.id > after]
    if not force:
        clauses.append(failure.c.replay_count < QUARANTINE_AFTER)
        clauses.append(or_(failure.c.replay_asked_at.is_(None), failure.c.replay_asked_at < _RECENTLY))
    return list(db.execute(select(*_WITHOUT_BYTES).where(*clauses).order_by(failure.c.id).limit(limit)))


@dataclass(frozen=True, slots=True)
class LeftOut:
    connect: int
    quarantined: int
    asked: int


def left_out(db: Connection, selection: Selection) -> LeftOut:
    """Count what a replay without ``force`` leaves alone, and why."""
    quarantined = and_(failure.c.stage != "connect", failure.c.replay_count >= QUARANTINE_AFTER)
    asked = and_(
        failure.c.stage != "connect",
        failure.c.replay_count < QUARANTINE_AFTER,
        failure.c.replay_asked_at >= _RECENTLY,
    )
    row = db.execute(
        select(
            func.count().filter(failure.c.stage == "connect"), func.count().filter(quarantined), func.count().filter(asked)
        ).where(*selection.clauses(), failure.c.closed_at.is_(None))
    ).one()  # fmt: skip
    return LeftOut(*row)


def asked(db: Connection, ids: Collection[int]) -> None:
    """Note that somebody asked to have these failures replayed."""
    db.execute(update(failure).where(failure.c.id.in_(sorted(ids))).values(replay_asked_at=func.now()))


def ingested(db: Connection, failure_id: int, *, because: str) -> None:
    """Close a failure whose bytes could be read this time."""
    db.execute(
        update(failure)
        .where(failure.c.id == failure_id, failure.c.closed_at.is_(None))
        .values(closed_at=func.now(), closed_because=because, replay_asked_at=None)
    )


def still_undecodable(db: Connection, failure_id: int, *, cause: str, message: str) -> None:
    """Count a replay of bytes that cannot be read this time either."""
    db.execute(
        update(failure)
        .where(failure.c.id == failure_id)
        .values(
            cause=cause,
            message=message,
            attempts=failure.c.attempts + 1,
            replay_count=failure.c.replay_count + 1,
            replay_asked_at=None,
            last_failed_at=func.now(),
        )
    )


def asked_to_ingest(db: Connection, *, limit: int = 100) -> list[int]:
    """Give the open failures of bytes that somebody asked to have read again."""
    return list(
        db.execute(
            select(failure.c.id)
            .where(failure.c.stage == "decode", failure.c.closed_at.is_(None), failure.c.replay_asked_at.is_not(None))
            .order_by(failure.c.id)
            .limit(limit)
        ).scalars()
    )
