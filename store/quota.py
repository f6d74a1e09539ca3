"""Quota leases: Intuit's limits for a company, shared by all processes through one row, locked for as long as a claim takes.

The row of no company holds what Intuit limits for the app as a whole: the metered calls of the month.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, text
from sqlalchemy.dialects.postgresql import insert

from store.sql import Statement, dumps
from store.tables import quota_lease as table

APP = ""
"""In place of a realm: the app as a whole."""


@dataclass(frozen=True, slots=True)
class QuotaLease:
    realm_id: str
    window: Mapping[str, object]
    """As `qbo_client.quota.Window` writes it."""
    now: float
    """Epoch seconds by the database's clock, the one clock that all processes share."""
    blocked_for: float
    """Seconds for which Intuit asked us to stay away; 0 when it did not."""


def lock_leases(db: Connection, realm_ids: Collection[str]) -> dict[str, QuotaLease]:
    """Lock the leases of these companies, in the order of their realm ids."""
    wanted = sorted(realm_ids)
    if not wanted:
        return {}
    found = _LOCK_LEASES.rows(db, realms=wanted)
    if len(found) < len(wanted):
        _MAKE_LEASES.count(db, realms=wanted)
        found = _LOCK_LEASES.rows(db, realms=wanted)
    return {
        row.realm_id: QuotaLease(row.realm_id, row.window, float(row.now), float(row.blocked_for or 0)) for row in found
    }


_LOCK_LEASES = Statement(
    'SELECT realm_id, "window", extract(epoch FROM clock_timestamp()) AS now,'
    " greatest(0, extract(epoch FROM blocked_until - clock_timestamp())) AS blocked_for"
    " FROM qbo_quota_lease WHERE realm_id = ANY(%(realms)s::text[]) ORDER BY realm_id FOR UPDATE"
)
_MAKE_LEASES = Statement(
    "INSERT INTO qbo_quota_lease (realm_id) SELECT unnest(%(realms)s::text[]) ON CONFLICT DO NOTHING"
)


def save_windows(db: Connection, windows: Mapping[str, Mapping[str, object]]) -> None:
    """Keep the windows of companies whose leases this transaction has locked: one round trip for all of a claim's."""
    if windows:
        _SAVE_WINDOWS.count(
            db, rows=dumps([{"realm_id": realm_id, "window": window} for realm_id, window in windows.items()])
        )


_SAVE_WINDOWS = Statement(
    'UPDATE qbo_quota_lease AS lease SET "window" = n."window"'
    ' FROM json_to_recordset(%(rows)s::json) AS n(realm_id text, "window" jsonb) WHERE lease.realm_id = n.realm_id'
)


def block(db: Connection, realm_id: str, seconds: float) -> None:
    """Keep every process away from a company that answered 429."""
    statement = insert(table).values(realm_id=realm_id, blocked_until=func.now() + timedelta(seconds=seconds))
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["realm_id"],
            set_={"blocked_until": func.greatest(table.c.blocked_until, statement.excluded.blocked_until)},
        )
    )


def count_metered(db: Connection, calls: int) -> int:
    """Add successful metered calls to those of this calendar month (UTC); gives the month's count.

    Intuit allows them by the month for all companies together and publishes no count that could be asked for: this is ours.
    """
    return int(
        db.execute(
            text(
                'INSERT INTO qbo_quota_lease AS lease (realm_id, "window")'
                " VALUES (:app, jsonb_build_object('month', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'),"
                " 'metered', CAST(:calls AS bigint)))"
                ' ON CONFLICT (realm_id) DO UPDATE SET "window" = jsonb_set(excluded."window", \'{metered}\','
                " to_jsonb(CASE WHEN lease.\"window\"->>'month' = excluded.\"window\"->>'month'"
                " THEN CAST(lease.\"window\"->>'metered' AS bigint) ELSE 0 END + CAST(:calls AS bigint)))"
                " RETURNING CAST(\"window\"->>'metered' AS bigint)"
            ).bindparams(app=APP, calls=calls)
        ).scalar_one()
    )


def metered_this_month(db: Connection) -> int:
    """Give the successful metered calls of this calendar month (UTC)."""
    return int(
        db.execute(
            text(
                "SELECT coalesce(sum(CAST(\"window\"->>'metered' AS bigint)), 0) FROM qbo_quota_lease WHERE realm_id = :app"
                " AND \"window\"->>'month' = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')"
            ).bindparams(app=APP)
        ).scalar_one()
    )
