"""A database that was restored: how to tell, and what is known of QuickBooks meanwhile.

The restored links know nothing of what was sent after the backup was taken. So each company is looked through before anything is made
there, and what was found waits here until the link that made it, in the life that was lost, takes it up again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text

from store.inventory import CLOCK_SKEW, KNOWN_AT, UNKNOWN
from store.sql import insert_rows
from store.tables import attempt, history, reached, restore, stock, stocktaking

Place = tuple[str, int]
"""Topic, partition."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object that QBO got after the backup."""

    entity: str
    qbo_id: str
    name: str
    kompass_id: str
    body: Mapping[str, Any] = field(repr=False)


def note_reached(db: Connection, places: Mapping[Place, int]) -> None:
    """Note how far partitions are read (offset of the next record), in the transaction that writes what was read."""
    insert_rows(
        db,
        reached,
        [
            {"topic": topic, "partition": partition, "offset": offset}
            for (topic, partition), offset in sorted(places.items())
        ],
        # A process that lost the partition meanwhile may be late.
        tail='ON CONFLICT (topic, partition) DO UPDATE SET "offset" = greatest(qbo_reached."offset", excluded."offset")',
    )


def read_reached(db: Connection) -> dict[Place, int]:
    return {(row.topic, row.partition): row.offset for row in db.execute(select(reached))}


def last_moment(db: Connection) -> datetime | None:
    """Give when this database was last written to: nothing that happened later is in it."""
    return db.execute(select(func.max(history.c.at))).scalar()


def begin(db: Connection, since: datetime) -> list[int]:
    """Note a restore: from now on each company is looked through first, and nothing that was being sent is sent again.

    Gives the links whose calls were under way when the backup was taken, for `sync.link` to make due: what a create made shows when the
    company is looked through, and an update that arrived when its SyncToken is refused.
    """
    earliest = db.execute(select(func.min(attempt.c.first_sent_at))).scalar()
    db.execute(insert(restore).values(since=since if earliest is None else min(since, earliest - CLOCK_SKEW)))
    return list(db.execute(delete(attempt).returning(attempt.c.link_id)).scalars())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stocktaking that has to be made before anything is made in the company."""

    restore_id: int
    since: datetime


def wanted_stocktaking(db: Connection, realm_id: str) -> Wanted | None:
    row = db.execute(
        text(
            "SELECT max(r.id) AS id, min(r.since) AS since FROM qbo_restore r"
            " WHERE r.id > coalesce((SELECT restore_id FROM qbo_stocktaking WHERE realm_id = :realm), 0)"
        ),
        {"realm": realm_id},
    ).one()
    return None if row.id is None else Wanted(row.id, row.since)


def unknown_companies(db: Connection) -> list[str]:
    """Give the linked companies that have still to be looked through."""
    return list(
        db.execute(
            text(
                "SELECT c.realm_id FROM qbo_connection c LEFT JOIN qbo_stocktaking s ON s.realm_id = c.realm_id"
                " WHERE (SELECT max(id) FROM qbo_restore) > coalesce(s.restore_id, 0) ORDER BY c.realm_id"
            )
        ).scalars()
    )


def keep_stock(db: Connection, realm_id: str, wanted: Wanted, found: Sequence[Found]) -> None:
    """Keep what a stocktaking found, and that it was made."""
    insert_rows(
        db,
        stock,
        [
            {
                "realm_id": realm_id,
                "entity": one.entity,
                "qbo_id": one.qbo_id,
                "name": one.name,
                "kompass_id": one.kompass_id,
                "body": dict(one.body),
            }
            for one in found
        ],
        tail="ON CONFLICT (realm_id, entity, qbo_id) DO UPDATE SET name = excluded.name,"
        " kompass_id = excluded.kompass_id, body = excluded.body",
    )
    insert_rows(
        db,
        stocktaking,
        [{"realm_id": realm_id, "restore_id": wanted.restore_id}],
        tail="ON CONFLICT (realm_id) DO UPDATE SET restore_id = excluded.restore_id, taken_at = now()",
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What a restore, or a first link-up, means for a company now."""

    unknown: bool
    """It has still to be looked through."""
    stocked: bool
    """Something was found there that no link stands for."""
    known_at: datetime | None
    """When it was looked through last, because it was linked (`store.inventory`); None when it was not."""


def standings(db: Connection, realm_ids: Collection[str]) -> dict[str, Standing]:
    """Give how each of these companies stands, in one query."""
    rows = db.execute(
        text(
            "SELECT n.realm_id,"
            f" ((SELECT max(id) FROM qbo_restore) > coalesce(s.restore_id, 0)) IS TRUE OR {UNKNOWN} AS unknown,"
            " EXISTS (SELECT 1 FROM qbo_stock o WHERE o.realm_id = n.realm_id) AS stocked,"
            f" {KNOWN_AT} AS known_at"
            " FROM unnest(CAST(:realms AS text[])) AS n(realm_id) LEFT JOIN qbo_stocktaking s ON s.realm_id = n.realm_id"
        ),
        {"realms": sorted(realm_ids)},
    )
    return {row.realm_id: Standing(row.unknown, row.stocked, row.known_at) for row in rows}


def find_document(db: Connection, realm_id: str, kompass_id: str) -> list[Found]:
    """Give the documents that bear the mark of a Kompass invoice."""
    return _found(db, stock.c.realm_id == realm_id, stock.c.entity != "Customer", stock.c.kompass_id == kompass_id)


def find_customers(db: Connection, realm_id: str) -> list[Found]:
    """Give the customers and jobs that are not reattached yet."""
    return _found(db, stock.c.realm_id == realm_id, stock.c.entity == "Customer")


def take(db: Connection, realm_id: str, found: Found) -> None:
    """Take an object out of the stock: a link stands for it now."""
    db.execute(
        delete(stock).where(
            stock.c.realm_id == realm_id, stock.c.entity == found.entity, stock.c.qbo_id == found.qbo_id
        )
    )


def _found(db: Connection, *conditions: Any) -> list[Found]:
    rows = db.execute(
        select(stock)
        .where(
            *conditions,
            text(
                "NOT EXISTS (SELECT 1 FROM qbo_link l WHERE l.realm_id = qbo_stock.realm_id"
                " AND l.entity = qbo_stock.entity AND l.qbo_id = qbo_stock.qbo_id)"
            ),
        )
        .order_by(stock.c.id)
    )
    return [Found(row.entity, row.qbo_id, row.name, row.kompass_id, row.body) for row in rows]
