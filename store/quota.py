"""Quota leases: Intuit's limits for a company, shared by all processes through one row, locked for as long as a claim takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from store.tables import quota_lease as table


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
    db.execute(insert(table).values([{"realm_id": realm_id} for realm_id in wanted]).on_conflict_do_nothing())
    rows = db.execute(
        select(
            table.c.realm_id,
            table.c.window,
            func.extract("epoch", func.clock_timestamp()).label("now"),
            func.greatest(0, func.extract("epoch", table.c.blocked_until - func.clock_timestamp())).label(
                "blocked_for"
            ),
        )
        .where(table.c.realm_id.in_(wanted))
        .order_by(table.c.realm_id)
        .with_for_update()
    )
    return {
        row.realm_id: QuotaLease(row.realm_id, row.window, float(row.now), float(row.blocked_for or 0)) for row in rows
    }


def save_window(db: Connection, realm_id: str, window: Mapping[str, object]) -> None:
    db.execute(update(table).where(table.c.realm_id == realm_id).values(window=window))


def block(db: Connection, realm_id: str, seconds: float) -> None:
    """Keep every process away from a company that answered 429."""
    statement = insert(table).values(realm_id=realm_id, blocked_until=func.now() + timedelta(seconds=seconds))
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["realm_id"],
            set_={"blocked_until": func.greatest(table.c.blocked_until, statement.excluded.blocked_until)},
        )
    )
