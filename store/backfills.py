"""Backfills that new Configurations ask for: which process reads, how far it is, and how far back Kompass's events go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

STALE_S: Final = 60
"""A reader writes its progress with each batch; one that was silent for so long is gone, and another process goes on."""

_CLAIM = text(
    "UPDATE qbo_backfill b SET owner = :owner, beat_at = now() FROM qbo_configuration c WHERE c.id = b.configuration_id"
    " AND b.configuration_id = (SELECT configuration_id FROM qbo_backfill WHERE finished_at IS NULL"
    f" AND (beat_at IS NULL OR beat_at < now() - interval '{STALE_S} seconds')"
    " ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING b.configuration_id, c.org_id, b.asked_at, b.read, b.of_org"
)
_PROGRESS = text(
    "UPDATE qbo_backfill SET total = :total, read = :read, of_org = :of_org, beat_at = now(), problem = '',"
    " oldest_at = least(oldest_at, :oldest), oldest_of_org_at = least(oldest_of_org_at, :oldest_of_org)"
    " WHERE configuration_id = :id AND owner = :owner"
)
_FINISH = text(
    "UPDATE qbo_backfill SET finished_at = now(), problem = '' WHERE configuration_id = :id AND owner = :owner"
)
_GIVE_UP = text(
    "UPDATE qbo_backfill SET problem = :problem, beat_at = now() WHERE configuration_id = :id AND owner = :owner"
)
_RELEASE = text("UPDATE qbo_backfill SET beat_at = NULL WHERE configuration_id = :id AND owner = :owner")


@dataclass(frozen=True, slots=True)
class AskedBackfill:
    """A backfill that this process reads now, with what earlier readers of it came to."""

    configuration_id: int
    org_id: str
    asked_at: datetime
    read: int
    of_org: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is, in records of the topics."""

    total: int
    read: int
    of_org: int
    oldest: datetime | None
    """Of all that the topics still have."""
    oldest_of_org: datetime | None


def claim_backfill(db: Connection, owner: str) -> AskedBackfill | None:
    """Take the backfill that waits longest; None when nobody asked for one, or others read them all."""
    row = db.execute(_CLAIM, {"owner": owner}).one_or_none()
    return None if row is None else AskedBackfill(*row)


def note_progress(db: Connection, asked: AskedBackfill, owner: str, progress: Progress) -> bool:
    """Write how far it is; False when the Configuration is gone, or another process reads."""
    values = {
        "id": asked.configuration_id,
        "owner": owner,
        "total": progress.total,
        "read": progress.read,
        "of_org": progress.of_org,
        "oldest": progress.oldest,
        "oldest_of_org": progress.oldest_of_org,
    }
    return db.execute(_PROGRESS, values).rowcount == 1


def finish_backfill(db: Connection, asked: AskedBackfill, owner: str) -> None:
    db.execute(_FINISH, {"id": asked.configuration_id, "owner": owner})


def give_up_for_now(db: Connection, asked: AskedBackfill, owner: str, problem: str) -> None:
    """Say what is wrong; a process tries again once this one counts as gone."""
    db.execute(_GIVE_UP, {"id": asked.configuration_id, "owner": owner, "problem": problem})


def release_backfill(db: Connection, asked: AskedBackfill, owner: str) -> None:
    """Leave the rest to any process, at once."""
    db.execute(_RELEASE, {"id": asked.configuration_id, "owner": owner})
