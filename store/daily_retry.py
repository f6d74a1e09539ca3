"""Daily retries: once a day, try one record for all that wait for the same change inside QuickBooks.

Records of one company that failed for the same cause, about the same thing, stand and fall together: when the one that is tried goes
through, the others become due. A row for each such group that was ever tried; gone when the record that was tried went through.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from schemas.link_state import LinkState

ABOUT = 200
"""Characters of a failure's value that distinguish the groups of a cause (an item's name)."""


@dataclass(frozen=True, slots=True)
class DailyRetry:
    """One record that is tried for all those that wait for the same."""

    link_id: int
    org_id: str
    realm_id: str
    kind: str
    kompass_id: str
    cause: str
    waiting: int
    """Records of the group, this one among them."""


def take(db: Connection, *, causes: Collection[str], now: datetime, period: timedelta, most: int) -> list[DailyRetry]:
    """Choose one record of each group of which none was tried for a period; at most so many of a company in a period.

    The newest document of a group is tried: a period that is reopened opens at its end first. A record that fails again in the
    ordinary way counts as a try. Two processes that ask at once never take the same group.
    """
    rows = db.execute(
        text(
            "WITH waiting AS ("
            f" SELECT f.realm_id, f.cause, left(f.value, {ABOUT}) AS about, count(*) AS waiting, max(f.last_failed_at) AS tried_at,"
            " bool_or(l.due_at IS NOT NULL) AS busy,"
            " (array_agg(l.id ORDER BY r.body ->> 'date' DESC NULLS LAST, l.id))[1] AS link_id"
            f" FROM qbo_failure f JOIN qbo_link l ON l.id = f.link_id AND l.state = '{LinkState.FAILED}'"
            " JOIN qbo_configuration c ON c.realm_id = f.realm_id AND c.org_id = f.org_id AND c.enabled"
            " JOIN qbo_connection n ON n.realm_id = f.realm_id AND n.state = 'connected'"
            " LEFT JOIN qbo_record r ON r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"
            " WHERE f.closed_at IS NULL AND f.stage IN ('push', 'map') AND f.cause = ANY(CAST(:causes AS text[]))"
            f" GROUP BY f.realm_id, f.cause, left(f.value, {ABOUT})"
            "), ripe AS ("
            " SELECT w.*, (SELECT count(*) FROM qbo_probe o WHERE o.realm_id = w.realm_id AND o.probed_at > :before) + row_number()"
            " OVER (PARTITION BY w.realm_id ORDER BY p.probed_at NULLS FIRST, w.tried_at) AS place"
            " FROM waiting w LEFT JOIN qbo_probe p ON p.realm_id = w.realm_id AND p.cause = w.cause AND p.about = w.about"
            " WHERE NOT w.busy AND w.tried_at <= :before AND coalesce(p.probed_at <= :before, true)"
            "), taken AS ("
            " INSERT INTO qbo_probe (realm_id, cause, about, link_id, waiting, probed_at)"
            " SELECT realm_id, cause, about, link_id, waiting, :now FROM ripe WHERE place <= :most"
            " ON CONFLICT (realm_id, cause, about) DO UPDATE SET link_id = excluded.link_id, waiting = excluded.waiting,"
            " probed_at = excluded.probed_at WHERE qbo_probe.probed_at <= :before RETURNING link_id, cause, waiting"
            ") SELECT l.id, l.org_id, l.realm_id, l.kind, l.kompass_id, t.cause, t.waiting"
            " FROM taken t JOIN qbo_link l ON l.id = t.link_id"
        ),
        {"causes": sorted(causes), "now": now, "before": now - period, "most": most},
    )
    return [DailyRetry(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Passed:
    """A record that was tried and went through, with the links of its group that failed for the same."""

    retry: DailyRetry
    others: frozenset[int]


def passed(db: Connection, link_ids: Collection[int]) -> list[Passed]:
    """Close the groups for which these links were tried, and give the links that wait for the same."""
    if not link_ids:
        return []
    rows = db.execute(
        text(
            "WITH over AS ("
            " DELETE FROM qbo_probe p USING qbo_link l WHERE p.link_id = ANY(CAST(:ids AS bigint[])) AND l.id = p.link_id"
            " RETURNING p.realm_id, p.cause, p.about, p.link_id, l.org_id, l.kind, l.kompass_id"
            ") SELECT o.link_id, o.org_id, o.realm_id, o.kind, o.kompass_id, o.cause, coalesce((SELECT array_agg(l.id)"
            f" FROM qbo_failure f JOIN qbo_link l ON l.id = f.link_id AND l.state = '{LinkState.FAILED}'"
            f" WHERE f.realm_id = o.realm_id AND f.cause = o.cause AND left(f.value, {ABOUT}) = o.about AND f.closed_at IS NULL"
            " AND f.link_id <> o.link_id), '{}') AS others FROM over o"
        ),
        {"ids": sorted(link_ids)},
    )
    return [
        Passed(
            DailyRetry(row.link_id, row.org_id, row.realm_id, row.kind, row.kompass_id, row.cause, len(row.others)),
            frozenset(row.others),
        )
        for row in rows
    ]
