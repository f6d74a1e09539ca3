"""What happened to each record: events seen, decisions, calls with their `intuit_tid`, failures, mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, text

from store.links import Link
from store.records import SeenRecord
from store.sql import Statement, dumps, insert_rows
from store.tables import history

DECIDED: Final = "judged"
"""What the database calls an entry about a decision; people read "decided"."""


@dataclass(frozen=True, slots=True)
class Entry:
    org_id: str
    kind: str
    kompass_id: str
    what: str
    """`event | due | judged | called | failed | recovered | asked | mailed`"""
    outcome: str = ""
    message: str = ""
    realm_id: str = ""
    link_id: int | None = None
    intuit_tid: str = ""
    detail: Mapping[str, object] = field(default_factory=dict)


def about(
    link: Link,
    what: str,
    outcome: str,
    message: str,
    *,
    intuit_tid: str = "",
    detail: Mapping[str, object] | None = None,
) -> Entry:
    """Give the entry of something that happened to the record of a link, in its company."""
    return Entry(
        org_id=link.org_id,
        realm_id=link.realm_id,
        kind=link.kind.value,
        kompass_id=link.kompass_id,
        link_id=link.id,
        what=what,
        outcome=outcome,
        message=message,
        intuit_tid=intuit_tid,
        detail=detail or {},
    )


@dataclass(frozen=True, slots=True)
class Happening:
    at: datetime
    what: str
    outcome: str
    message: str
    intuit_tid: str
    detail: Mapping[str, object]


# What nearly every entry of a kind says is not written down: it is two rows an invoice.
_USUAL: Mapping[str, Mapping[str, object]] = {
    "event": {"deleted": False, "user": "", "carried": False, "changed": {}},
    "called": {"phase": "send", "attempt": 1},
}

SENT: Final = "coalesce({entry}.detail ->> 'phase', 'send') = 'send'"
"""In SQL: an entry of a call that was sent, and not of a look-up. What is usual is not in the detail, so ask for it only this way."""


def append(db: Connection, entries: Sequence[Entry]) -> None:
    if not entries:
        return
    insert_rows(
        db,
        history,
        [
            {name: getattr(entry, name) for name in Entry.__dataclass_fields__} | {"detail": _unusual(entry)}
            for entry in entries
        ],
    )


def carried_before(db: Connection, events: Sequence[SeenRecord]) -> list[SeenRecord]:
    """Give those events whose version is known only from inside another record's event."""
    if not events:
        return []
    keys = [
        {"org": one.org_id, "kind": one.kind.value, "id": one.kompass_id, "sequence": one.sequence} for one in events
    ]
    found = {(row.org, row.kind, row.id) for row in _CARRIED_BEFORE.rows(db, keys=dumps(keys))}
    return [one for one in events if one.key in found]


_CARRIED_BEFORE = Statement(
    "SELECT k.org, k.kind, k.id FROM json_to_recordset(CAST(%(keys)s AS json)) AS k(org text, kind text, id text, sequence bigint)"
    " JOIN qbo_history h ON h.org_id = k.org AND h.kind = k.kind AND h.kompass_id = k.id AND h.what = 'event'"
    " AND h.detail -> 'sequence' = to_jsonb(k.sequence)"
    " GROUP BY k.org, k.kind, k.id HAVING bool_and(h.detail ? 'carried')"
)


def _unusual(entry: Entry) -> Mapping[str, object]:
    usual = _USUAL.get(entry.what)
    if usual is None:
        return entry.detail
    return {name: value for name, value in entry.detail.items() if name not in usual or value != usual[name]}


def last_answered_otherwise(db: Connection, link: Link, *, code: str | None) -> datetime | None:
    """Give when a link's last call that was not refused was sent, or not with this code; None when all were. Look-ups do not count."""
    otherwise = "h.outcome <> 'refused'"
    if code is not None:
        otherwise = f"({otherwise} OR NOT coalesce(h.detail -> 'codes', '[]'::jsonb) ? :code)"
    statement = (
        "SELECT max(h.at) FROM qbo_history h WHERE h.org_id = :org AND h.kind = :kind AND h.kompass_id = :kompass"
        f" AND h.link_id = :link AND h.what = 'called' AND {SENT.format(entry='h')} AND {otherwise}"
    )
    asked = {"org": link.org_id, "kind": link.kind.value, "kompass": link.kompass_id, "link": link.id}
    found: datetime | None = db.execute(text(statement), asked if code is None else asked | {"code": code}).scalar()
    return found


def read(db: Connection, *, org_id: str, kind: str, kompass_id: str, limit: int = 500) -> list[Happening]:
    """Give what happened to one record, oldest first."""
    rows = db.execute(
        select(
            history.c.at, history.c.what, history.c.outcome, history.c.message, history.c.intuit_tid, history.c.detail
        )
        .where(history.c.org_id == org_id, history.c.kind == kind, history.c.kompass_id == kompass_id)
        .order_by(history.c.id.desc())
        .limit(limit)
    )
    return [
        Happening(
            row.at, row.what, row.outcome, row.message, row.intuit_tid, {**_USUAL.get(row.what, {}), **row.detail}
        )
        for row in reversed(rows.all())
    ]
