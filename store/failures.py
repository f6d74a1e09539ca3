"""Failures: one open row for each record that cannot go, with the original bytes, and its dead letter in the outbox.

A failure closes when its link settles, and grouped by its cause for people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy import insert as plain_insert

from store.records import UNREADABLE, SourceEvent, headers_to_json
from store.sql import Statement, insert_rows
from store.tables import failure, outbox
from store.texts import WORDS_LENGTH, storable

DEAD_LETTERS = "kompass.qbo.dead-letters"


@dataclass(frozen=True, slots=True)
class Failure:
    stage: str
    """decode | map | push | connect"""
    cause: str
    message: str
    remedy: str
    source: SourceEvent | None = field(default=None, repr=False)
    org_id: str = ""
    realm_id: str = ""
    link_id: int | None = None
    kind: str = ""
    kompass_id: str = ""
    reference: str = ""
    sequence: int | None = None
    field: str = ""
    value: str = ""
    intuit_tid: str = ""
    attempts: int = 1
    detail: Mapping[str, object] | None = None


def record_failure(db: Connection, what: Failure) -> None:
    """Open a failure, or bring the link's open one up to date; a new or changed one gets a dead letter.

    The same cause again changes nothing: it counts an attempt and writes no second dead letter.
    """
    known = None
    open_ones = select(failure.c.id, failure.c.cause, failure.c.sequence, failure.c.replay_asked_at)
    open_ones = open_ones.where(failure.c.closed_at.is_(None))
    if what.link_id is not None:
        known = db.execute(open_ones.where(failure.c.link_id == what.link_id)).one_or_none()
    elif what.stage == "connect":
        of_company = (failure.c.realm_id == what.realm_id, failure.c.stage == "connect")
        known = db.execute(open_ones.where(*of_company)).first()
    values = _columns(what)
    if known is not None:
        changed = known.cause != what.cause or known.sequence != what.sequence or known.replay_asked_at is not None
        db.execute(
            update(failure)
            .where(failure.c.id == known.id)
            .values(
                **values,
                attempts=failure.c.attempts + 1,
                last_failed_at=func.now(),
                replay_count=failure.c.replay_count + (0 if known.replay_asked_at is None else 1),
                replay_asked_at=None,
            )
        )
        if changed:
            _send(db, known.id)
        return
    opened = plain_insert(failure).values(**values, attempts=what.attempts)
    _send(db, db.execute(opened.returning(failure.c.id)).scalar_one())


def says_so_already(db: Connection, link_id: int, cause: str, message: str) -> bool:
    """Whether the open failure of a link is this very one."""
    said = select(failure.c.id).where(
        failure.c.link_id == link_id,
        failure.c.closed_at.is_(None),
        failure.c.cause == cause,
        failure.c.message == storable(message, WORDS_LENGTH),
    )
    return db.execute(said).scalar() is not None


_UNLESS_KNOWN = (
    "WHERE NOT EXISTS (SELECT FROM qbo_failure AS f WHERE f.stage = 'decode'"
    ' AND (f.topic, f.partition, f."offset") = (n.topic, n.partition, n."offset")'
    " AND f.event_timestamp IS NOT DISTINCT FROM n.event_timestamp AND f.event_key IS NOT DISTINCT FROM n.event_key"
    " AND f.event_value IS NOT DISTINCT FROM n.event_value) RETURNING *"
)
"""A topic that was deleted and made again has other records in the same places."""


def record_unreadable(db: Connection, found: Iterable[Failure]) -> None:
    """Open a failure, with its dead letter, for each record that cannot be read, in three statements for any number of them.

    One that is delivered again, because its offset was not committed, has its dead letter in the outbox or out already.
    """
    once = {what.source: what for what in found}
    rows = insert_rows(db, failure, [_columns(what) for what in once.values()], tail=_UNLESS_KNOWN, returning=True)
    insert_rows(db, outbox, [_dead_letter(row) for row in rows])


def _columns(what: Failure) -> dict[str, Any]:
    source = {} if what.source is None else what.source.columns()
    # Some of these repeat what a record says, and a failure that cannot be kept would stop the process for good.
    return {
        "org_id": what.org_id,
        "realm_id": what.realm_id,
        "link_id": what.link_id,
        "kind": what.kind,
        "kompass_id": storable(what.kompass_id, WORDS_LENGTH),
        "reference": storable(what.reference),
        "sequence": what.sequence,
        "stage": what.stage,
        "cause": what.cause,
        "message": storable(what.message, WORDS_LENGTH),
        "remedy": storable(what.remedy, WORDS_LENGTH),
        "field": storable(what.field),
        "value": storable(what.value, WORDS_LENGTH),
        "intuit_tid": what.intuit_tid,
        "detail": dict(what.detail or {}),
        **source,
    }


def _send(db: Connection, failure_id: int) -> None:
    """Put the failure's dead letter into the outbox."""
    row = db.execute(select(failure).where(failure.c.id == failure_id)).one()
    db.execute(plain_insert(outbox).values(_dead_letter(row)))


def _dead_letter(row: Any) -> dict[str, Any]:
    """Give the outbox's row for a failure: the original key, value and headers untouched, ours beside them."""
    own: list[tuple[str, object]] = [
        ("dlq.topic", row.topic),
        ("dlq.partition", row.partition),
        ("dlq.offset", row.offset),
        ("dlq.timestamp", row.event_timestamp.isoformat() if row.event_timestamp else ""),
        ("dlq.stage", row.stage),
        ("dlq.cause", row.cause),
        ("dlq.message", row.message),
        ("dlq.org", row.org_id),
        ("dlq.kind", row.kind),
        ("dlq.id", row.kompass_id),
        ("dlq.sequence", "" if row.sequence is None else row.sequence),
        ("dlq.intuit-tid", row.intuit_tid),
        ("dlq.attempts", row.attempts),
        ("dlq.first-failure", row.first_failed_at.isoformat()),
        ("dlq.last-failure", row.last_failed_at.isoformat()),
        ("dlq.replay-count", row.replay_count),
        ("dlq.failure", row.id),
    ]
    # Headers of an earlier passage through the dead letters do not pile up.
    original = [pair for pair in row.event_headers if not str(pair[0]).startswith("dlq.") or pair[0] == UNREADABLE]
    headers = original + headers_to_json([(name, str(value).encode()) for name, value in own])
    return {
        "topic": DEAD_LETTERS,
        "key": row.event_key,
        "value": row.event_value,
        "headers": headers,
        "failure_id": row.id,
    }


def close_for_links(db: Connection, link_ids: Collection[int], because: str) -> int:
    """Close the open failures of links that are well again."""
    if not link_ids:
        return 0
    return _CLOSE_FOR_LINKS.count(db, ids=sorted(link_ids), because=because)


_CLOSE_FOR_LINKS = Statement(
    "UPDATE qbo_failure SET closed_at = now(), closed_because = %(because)s"
    " WHERE link_id = ANY(%(ids)s::bigint[]) AND closed_at IS NULL"
)


def close_connect(db: Connection, realm_id: str, because: str) -> int:
    return db.execute(
        update(failure)
        .where(failure.c.realm_id == realm_id, failure.c.stage == "connect", failure.c.closed_at.is_(None))
        .values(closed_at=func.now(), closed_because=because)
    ).rowcount


def take_outbox(db: Connection, limit: int = 100) -> list[Any]:
    """Lock the oldest dead letters that nobody else is publishing."""
    return list(db.execute(select(outbox).order_by(outbox.c.id).limit(limit).with_for_update(skip_locked=True)))


def published(db: Connection, ids: Collection[int]) -> None:
    db.execute(text("DELETE FROM qbo_outbox WHERE id = ANY(CAST(:ids AS bigint[]))"), {"ids": sorted(ids)})
