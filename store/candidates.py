"""Which links are due, company by company, and when the next one will be."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from sqlalchemy import Connection

from store.sql import Statement


def due_candidates(
    db: Connection, *, lane: int, after_realm: str, blocked: Collection[str], per_company: int, limit: int
) -> list[tuple[str, int]]:
    """Give (realm, link id) of due links, going round the companies from ``after_realm`` on: at most ``per_company`` of each.

    The recursive part hops over the index from company to company, so that it costs one index lookup a company, however many links are
    due. The lane is written into the statement: only so does the partial index of that lane match.
    """
    rows = _due_candidates(lane).rows(
        db, after=after_realm, per_company=per_company, blocked=list(blocked), limit=limit
    )
    return [(row.realm_id, row.id) for row in rows]


@cache
def _due_candidates(lane: int) -> Statement:
    lane_filter = f"due_at IS NOT NULL AND (lanes & {lane:d}) <> 0"
    return Statement(
        "WITH RECURSIVE realms(realm_id) AS ("
        f" (SELECT realm_id FROM qbo_link WHERE {lane_filter} AND realm_id > %(after)s ORDER BY realm_id LIMIT 1)"
        " UNION ALL"
        f" SELECT (SELECT l.realm_id FROM qbo_link l WHERE {lane_filter} AND l.realm_id > r.realm_id"
        " ORDER BY l.realm_id LIMIT 1) FROM realms r WHERE r.realm_id IS NOT NULL"
        ") SELECT r.realm_id, d.id FROM realms r CROSS JOIN LATERAL ("
        f" SELECT l.id FROM qbo_link l WHERE l.realm_id = r.realm_id AND {lane_filter} AND l.due_at <= now()"
        " ORDER BY l.due_at LIMIT %(per_company)s) d"
        " WHERE r.realm_id <> ALL(%(blocked)s::text[]) LIMIT %(limit)s"
    )


def next_due_in(db: Connection, *, lane: int) -> float | None:
    """Give the seconds until the next link of this lane becomes due; None when none is scheduled.

    Those that are due already are not meant: who finds none to claim is waiting for a gate to open. One index lookup a company, as for
    the candidates, however many links are due.
    """
    (row,) = _next_due_in(lane).rows(db)
    return None if row.seconds is None else float(row.seconds)


@cache
def _next_due_in(lane: int) -> Statement:
    lane_filter = f"due_at IS NOT NULL AND (lanes & {lane:d}) <> 0"
    return Statement(
        "WITH RECURSIVE realms(realm_id) AS ("
        f" (SELECT realm_id FROM qbo_link WHERE {lane_filter} ORDER BY realm_id LIMIT 1)"
        " UNION ALL"
        f" SELECT (SELECT l.realm_id FROM qbo_link l WHERE {lane_filter} AND l.realm_id > r.realm_id"
        " ORDER BY l.realm_id LIMIT 1) FROM realms r WHERE r.realm_id IS NOT NULL"
        ") SELECT extract(epoch FROM min(d.due_at) - now()) AS seconds FROM realms r CROSS JOIN LATERAL ("
        f" SELECT l.due_at FROM qbo_link l WHERE l.realm_id = r.realm_id AND {lane_filter} AND l.due_at > now()"
        " ORDER BY l.due_at LIMIT 1) d"
    )
