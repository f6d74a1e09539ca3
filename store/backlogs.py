"""Backlogs: which companies have more due than goes one by one, and which of their links are due."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text


def with_backlog(db: Connection, realm_ids: Collection[str], *, lane: int, more_than: int) -> set[str]:
    """Tell which of these companies have more than so many links due in a lane; reads no more of them than that."""
    if not realm_ids:
        return set()
    rows = db.execute(
        text(
            "SELECT r.realm_id FROM unnest(CAST(:realms AS text[])) AS r(realm_id) CROSS JOIN LATERAL ("
            f" SELECT 1 FROM qbo_link l WHERE l.realm_id = r.realm_id AND {_due(lane)} ORDER BY l.due_at OFFSET :more_than LIMIT 1) d"
        ),
        {"realms": sorted(realm_ids), "more_than": more_than},
    )
    return {row.realm_id for row in rows}


def due_of(db: Connection, realm_id: str, *, lane: int, limit: int) -> list[int]:
    """Give the links of a company that have been due for longest in a lane."""
    rows = db.execute(
        text(f"SELECT l.id FROM qbo_link l WHERE l.realm_id = :realm AND {_due(lane)} ORDER BY l.due_at LIMIT :limit"),
        {"realm": realm_id, "limit": limit},
    )
    return [row.id for row in rows]


def _due(lane: int) -> str:
    # The lane is written into the statement: only so does the partial index of that lane match.
    return f"l.due_at IS NOT NULL AND (l.lanes & {lane:d}) <> 0 AND l.due_at <= now()"
