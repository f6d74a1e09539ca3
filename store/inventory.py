"""What a newly linked company had before us: how far it was looked through, and what was found.

Nothing is made there before that is known, so that nothing is booked twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from schemas.existing import Existing
from store.sql import Statement, insert_rows
from store.tables import existing

CLOCK_SKEW: Final = timedelta(minutes=5)
"""By which our clock and Intuit's may differ."""
ENTITIES: Final = ("Customer", "Invoice", "CreditMemo")


Keyed = tuple[Existing, Collection[str]]
"""With the keys under which it is found (`mapping.matching`)."""


@dataclass(frozen=True, slots=True)
class Page:
    """The next thousand to read."""

    entity: str
    start: int
    since: datetime | None = None
    """By Intuit's clock: what did not change since then is known. None reads everything."""
    begun_at: datetime | None = None
    """By the database's clock, when its reading begins with it; None for a later page."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far some pages took the reading."""

    page: Page
    """The first of them."""
    following: Page | None
    """The next one; None after the last."""
    reads: int
    unreadable: int
    as_of: datetime | None
    """Intuit's clock at the first answer."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """How far a company was looked through."""

    asked: bool
    taken: bool
    reads: int
    unreadable: int
    objects: Mapping[str, int]
    """Entity → how many were found."""
    known_at: datetime | None = None
    """When the last reading began; None before the first."""


def want(db: Connection, realm_id: str) -> None:
    """Have a company looked through before anything is made there; one that has something of ours counts as known from now on."""
    db.execute(
        text(
            "INSERT INTO qbo_inventory (realm_id, begun_at, as_of, taken_at)"
            " SELECT :realm, c.now, c.now - CAST(:skew AS interval), c.now FROM (SELECT CASE WHEN EXISTS ("
            "SELECT 1 FROM qbo_link WHERE realm_id = :realm AND qbo_id IS NOT NULL) THEN now() END AS now) c"
            " ON CONFLICT DO NOTHING"
        ),
        {"realm": realm_id, "skew": CLOCK_SKEW},
    )


def ask(db: Connection, realm_id: str) -> bool:
    """Have it looked through now, even if the Configuration is not enabled; False when it was already."""
    asked = text(
        "INSERT INTO qbo_inventory AS i (realm_id, asked_at) VALUES (:realm, now())"
        " ON CONFLICT (realm_id) DO UPDATE SET asked_at = now() WHERE i.asked_at IS NULL AND i.taken_at IS NULL"
    )
    return db.execute(asked, {"realm": realm_id}).rowcount == 1


def next_page(db: Connection, realm_id: str, *, older_than: timedelta | None = None) -> Page | None:
    """Give what is to be read next of a company; None when it is looked through, or not to be yet.

    :param older_than: what was looked through longer ago than this is looked through again, for what changed since.
    """
    row = db.execute(
        text(
            "SELECT i.entity, i.start, i.since, i.as_of, i.taken_at IS NOT NULL AS taken, now() AS now FROM qbo_inventory i"
            f" WHERE i.realm_id = :realm AND ({_WANTED} OR (i.taken_at IS NOT NULL AND i.begun_at <= now() - CAST(:older AS interval)))"
        ),
        {"realm": realm_id, "older": older_than},
    ).one_or_none()
    if row is None:
        return None
    if row.taken:
        return Page(ENTITIES[0], 1, since=row.as_of, begun_at=row.now)
    first = (row.entity, row.start) == (ENTITIES[0], 1)
    return Page(row.entity, row.start, since=row.since, begun_at=row.now if first else None)


# Enabling is asking, too: what is enabled is about to be sent. What was typed in between the reading and then is read as well.
_WANTED: Final = (
    "((i.taken_at IS NULL AND i.asked_at IS NOT NULL) OR EXISTS (SELECT 1 FROM qbo_configuration c"
    " WHERE c.realm_id = i.realm_id AND c.enabled AND (i.taken_at IS NULL OR i.begun_at < c.enabled_at)))"
)
UNKNOWN: Final = f"EXISTS (SELECT 1 FROM qbo_inventory i WHERE i.realm_id = n.realm_id AND {_WANTED})"
"""SQL: whether the company ``n.realm_id`` has still to be looked through."""
KNOWN_AT: Final = "(SELECT i.begun_at FROM qbo_inventory i WHERE i.realm_id = n.realm_id AND i.taken_at IS NOT NULL)"
"""SQL: when the reading began that it was looked through by; null when it was not."""


def keep(db: Connection, realm_id: str, found: Sequence[Keyed], progress: Progress) -> None:
    """Keep what was on some pages and which one comes next."""
    insert_rows(
        db,
        existing,
        [_row(realm_id, one, keys) for one, keys in found],
        tail="ON CONFLICT (realm_id, entity, qbo_id) DO UPDATE SET (name, parent_id, customer_id, date, total, currency,"
        " kompass_id, keys) = (excluded.name, excluded.parent_id, excluded.customer_id, excluded.date, excluded.total,"
        " excluded.currency, excluded.kompass_id, excluded.keys)",
    )
    following = progress.following
    db.execute(
        text(
            "UPDATE qbo_inventory SET entity = coalesce(:entity, entity), start = coalesce(:start, start), since = :since,"
            " begun_at = coalesce(:begun_at, begun_at),"
            " as_of = CASE WHEN CAST(:begun_at AS timestamptz) IS NULL THEN as_of ELSE :as_of END,"
            " reads = reads + :reads, unreadable = unreadable + :unreadable,"
            " taken_at = CASE WHEN CAST(:entity AS text) IS NULL THEN now() END WHERE realm_id = :realm"
        ),
        {
            "realm": realm_id,
            "entity": None if following is None else following.entity,
            "start": None if following is None else following.start,
            "since": progress.page.since,
            "begun_at": progress.page.begun_at,
            "as_of": progress.as_of,
            "reads": progress.reads,
            "unreadable": progress.unreadable,
        },
    )


def _row(realm_id: str, one: Existing, keys: Collection[str]) -> dict[str, Any]:
    return {
        "realm_id": realm_id,
        "entity": one.entity,
        "qbo_id": one.qbo_id,
        "name": one.name,
        "parent_id": one.parent_id,
        "customer_id": one.customer_id,
        "date": None if one.date is None else one.date.isoformat(),
        "total": one.total,
        "currency": one.currency,
        "kompass_id": one.kompass_id,
        "keys": sorted(keys),
    }


def read_inventory(db: Connection, realm_id: str) -> Inventory | None:
    """Give how far a company was looked through; None where that is not needed."""
    row = db.execute(text("SELECT * FROM qbo_inventory WHERE realm_id = :realm"), {"realm": realm_id}).one_or_none()
    if row is None:
        return None
    counts = db.execute(
        text("SELECT entity, count(*) AS many FROM qbo_existing WHERE realm_id = :realm GROUP BY entity"),
        {"realm": realm_id},
    )
    return Inventory(
        asked=row.asked_at is not None,
        taken=row.taken_at is not None,
        reads=row.reads,
        unreadable=row.unreadable,
        known_at=row.begun_at,
        objects={one.entity: one.many for one in counts},
    )


def find(db: Connection, keys: Collection[str]) -> list[Keyed]:
    """Give what bears one of these keys and no link stands for, each with all its keys."""
    rows = _FIND.rows(db, keys=sorted(keys)) if keys else []
    return [
        (
            Existing(
                entity=row.entity,
                qbo_id=row.qbo_id,
                name=row.name,
                parent_id=row.parent_id,
                customer_id=row.customer_id,
                date=row.date,
                total=row.total,
                currency=row.currency,
                kompass_id=row.kompass_id,
            ),
            frozenset(row.keys),
        )
        for row in rows
    ]


_FIND = Statement(
    "SELECT entity, qbo_id, name, parent_id, customer_id, date, total, currency, kompass_id, keys FROM qbo_existing e"
    " WHERE e.keys && %(keys)s::text[] AND NOT EXISTS (SELECT 1 FROM qbo_link l WHERE l.realm_id = e.realm_id"
    " AND l.entity = e.entity AND l.qbo_id = e.qbo_id) ORDER BY e.id"
)


def forget(db: Connection, realm_id: str, entity: str, qbo_ids: Collection[str]) -> None:
    """Forget what QuickBooks has no more."""
    db.execute(
        text("DELETE FROM qbo_existing WHERE realm_id = :realm AND entity = :entity AND qbo_id = ANY(:ids)"),
        {"realm": realm_id, "entity": entity, "ids": sorted(qbo_ids)},
    )


def customers_of(db: Connection, clients: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Give the customers that these clients (realm, Kompass id) are linked to."""
    rows = _CUSTOMERS.rows(db, realms=[realm for realm, _ in clients], ids=[client for _, client in clients])
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault((row.realm_id, row.kompass_id), set()).add(row.qbo_id)
    return found


_CUSTOMERS = Statement(
    "SELECT l.realm_id, l.kompass_id, l.qbo_id FROM qbo_link l JOIN unnest(%(realms)s::text[], %(ids)s::text[])"
    " AS n(realm_id, kompass_id) USING (realm_id, kompass_id) WHERE l.kind = 'client' AND l.qbo_id IS NOT NULL"
)


def parents_of(db: Connection, customers: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Give the customer above each of these (realm, Id), where there is one."""
    rows = _PARENTS.rows(db, realms=[realm for realm, _ in customers], ids=[one for _, one in customers])
    return {(row.realm_id, row.qbo_id): row.parent_id for row in rows}


_PARENTS = Statement(
    "SELECT e.realm_id, e.qbo_id, e.parent_id FROM qbo_existing e JOIN unnest(%(realms)s::text[], %(ids)s::text[])"
    " AS n(realm_id, qbo_id) USING (realm_id, qbo_id) WHERE e.entity = 'Customer' AND e.parent_id <> ''"
)


def customers_bearing(db: Connection, keys: Collection[str]) -> list[tuple[str, frozenset[str], bool]]:
    """Give the customers that bear one of these keys: Id, all keys, and whether a link stands for it."""
    rows = _BEARING.rows(db, keys=sorted(keys)) if keys else []
    return [(row.qbo_id, frozenset(row.keys), row.linked) for row in rows]


_BEARING = Statement(
    "SELECT e.qbo_id, e.keys, EXISTS (SELECT 1 FROM qbo_link l WHERE l.realm_id = e.realm_id AND l.entity = e.entity"
    " AND l.qbo_id = e.qbo_id) AS linked FROM qbo_existing e WHERE e.keys && %(keys)s::text[] AND e.entity = 'Customer'"
)


def unsent_numbers(db: Connection, numbers: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Give those of these numbers (realm, number) that a document of Kompass has which is not in QuickBooks."""
    rows = _UNSENT.rows(db, realms=[realm for realm, _ in numbers], numbers=[one for _, one in numbers])
    return {(row.realm_id, row.reference) for row in rows}


_UNSENT = Statement(
    "SELECT DISTINCT l.realm_id, l.reference FROM qbo_link l JOIN unnest(%(realms)s::text[], %(numbers)s::text[])"
    " AS n(realm_id, reference) USING (realm_id, reference) WHERE l.kind = 'invoice' AND l.qbo_id IS NULL"
)
