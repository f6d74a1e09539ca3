"""Daily probes: of all records that wait for something only QuickBooks knows to be mended, one a day is tried again.

Records of one company that failed for the same cause, about the same thing, stand and fall together: when the one that is tried goes
through, the others become due. A row for each such group that was ever probed; gone when its probe went through.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from store import history, links
from store.history import Entry

ABOUT = 200
"""Characters of a failure's value by which groups of a cause are told apart (an item's name)."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One record that is tried for all those that wait for the same."""

    link_id: int
    org_id: str
    realm_id: str
    kind: str
    kompass_id: str
    cause: str
    waiting: int
    """Records of the group, this one among them."""


def take(db: Connection, *, causes: Collection[str], now: datetime, period: timedelta, most: int) -> list[Probe]:
    """Make one record of each group due of which none was tried for a period; at most so many of a company in a period.

    The newest document of a group is tried: a period that is reopened opens at its end first. A record that fails anew in the
    ordinary way is as good as a probe. Two processes that ask at once never take the same group.
    """
    rows = db.execute(
        text(
            "WITH waiting AS ("
            f" SELECT f.realm_id, f.cause, left(f.value, {ABOUT}) AS about, count(*) AS waiting, max(f.last_failed_at) AS tried_at,"
            " bool_or(l.due_at IS NOT NULL) AS busy,"
            " (array_agg(l.id ORDER BY r.body ->> 'date' DESC NULLS LAST, l.id))[1] AS link_id"
            " FROM qbo_failure f JOIN qbo_link l ON l.id = f.link_id AND l.state = 'failed'"
            " JOIN qbo_configuration c ON c.realm_id = f.realm_id AND c.org_id = f.org_id AND c.enabled"
            " JOIN qbo_connection n ON n.realm_id = f.realm_id AND n.state = 'connected'"
            " LEFT JOIN qbo_record r ON r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"
            " WHERE f.closed_at IS NULL AND f.stage = 'push' AND f.cause = ANY(CAST(:causes AS text[]))"
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
            "), due AS ("
            " UPDATE qbo_link SET due_at = now(), again = true, due_since = coalesce(due_since, now())"
            " WHERE id IN (SELECT l.id FROM qbo_link l JOIN taken t ON t.link_id = l.id ORDER BY l.id FOR NO KEY UPDATE OF l)"
            " RETURNING id, org_id, realm_id, kind, kompass_id"
            ") SELECT d.id, d.org_id, d.realm_id, d.kind, d.kompass_id, t.cause, t.waiting FROM due d JOIN taken t ON t.link_id = d.id"
        ),
        {"causes": sorted(causes), "now": now, "before": now - period, "most": most},
    )
    taken = [Probe(*row) for row in rows]
    history.append(
        db,
        [
            _entry(one, "asked", "probe", f"tried again for the {one.waiting:,} that wait for the same ({one.cause})")
            for one in taken
        ],
    )
    if taken:
        links.notify(db)
    return taken


def went_through(db: Connection, link_ids: Collection[int]) -> int:
    """Make those due that wait for the same as these links did, where these were its probes; gives how many.

    Those that somebody holds at this moment are judged by whoever does.
    """
    if not link_ids:
        return 0
    rows = db.execute(
        text(
            "WITH over AS ("
            " DELETE FROM qbo_probe p USING qbo_link l WHERE p.link_id = ANY(CAST(:ids AS bigint[])) AND l.id = p.link_id"
            " RETURNING p.realm_id, p.cause, p.about, p.link_id, l.org_id, l.kind, l.kompass_id"
            "), due AS ("
            " UPDATE qbo_link SET due_at = now(), again = true, due_since = coalesce(due_since, now())"
            " WHERE id IN (SELECT l.id FROM over o JOIN qbo_failure f ON f.realm_id = o.realm_id AND f.cause = o.cause"
            f" AND left(f.value, {ABOUT}) = o.about AND f.closed_at IS NULL AND f.link_id <> o.link_id"
            " JOIN qbo_link l ON l.id = f.link_id AND l.state = 'failed'"
            " ORDER BY l.id FOR NO KEY UPDATE OF l SKIP LOCKED) RETURNING id"
            ") SELECT o.link_id, o.org_id, o.realm_id, o.kind, o.kompass_id, o.cause, (SELECT count(*) FROM due) FROM over o"
        ),
        {"ids": sorted(link_ids)},
    )
    over = [Probe(*row) for row in rows]
    history.append(
        db,
        [
            _entry(
                one,
                "recovered",
                "mended",
                f"QuickBooks takes it again ({one.cause}): the {one.waiting:,} others are due",
            )
            for one in over
        ],
    )
    return max((one.waiting for one in over), default=0)


def _entry(one: Probe, what: str, outcome: str, message: str) -> Entry:
    return Entry(
        org_id=one.org_id,
        realm_id=one.realm_id,
        kind=one.kind,
        kompass_id=one.kompass_id,
        link_id=one.link_id,
        what=what,
        outcome=outcome,
        message=message,
        detail={"cause": one.cause, "waiting": one.waiting},
    )
