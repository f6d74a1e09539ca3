"""The exchange rates of companies by currency and day, read from QuickBooks once a day at most and shared by all processes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from store.tables import exchange_rate

NO_RATE_AGAIN = timedelta(hours=1)
"""A day without a rate is asked for again after this, if a document needs it."""
RATE_AGAIN = timedelta(hours=24)
"""A rate is asked for again after this, if a document needs it: somebody may have corrected it in QuickBooks."""
Key = tuple[str, dt.date]
"""(currency, day)"""


def _old() -> ColumnElement[bool]:
    asked = exchange_rate.c.fetched_at
    return or_(
        asked < func.now() - RATE_AGAIN, and_(exchange_rate.c.rate.is_(None), asked < func.now() - NO_RATE_AGAIN)
    )


def _unread() -> ColumnElement[bool]:
    return exchange_rate.c.fetched_at.is_(None)


def read_rates(
    db: Connection, realm_id: str, keys: Iterable[Key], *, however_old: bool = False
) -> dict[Key, Decimal | None]:
    """Give the rates that are known, None for a day of which QuickBooks has none.

    ``however_old``: those that should be asked for again, too, since nothing may be asked now.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    known = not_(or_(_unread(), _old()))
    rows = db.execute(
        select(exchange_rate.c.currency, exchange_rate.c.day, exchange_rate.c.rate).where(
            exchange_rate.c.realm_id == realm_id,
            or_(known, exchange_rate.c.rate.is_not(None)) if however_old else known,
            tuple_(exchange_rate.c.currency, exchange_rate.c.day).in_(wanted),
        )
    )
    return {(row.currency, row.day): row.rate for row in rows}


def want_rates(db: Connection, realm_id: str, keys: Iterable[Key]) -> None:
    """Note that these rates are to be read; the preparation of the company reads them."""
    rows = [{"realm_id": realm_id, "currency": currency, "day": day} for currency, day in sorted(set(keys))]
    if rows:
        key = ["realm_id", "currency", "day"]
        again = insert(exchange_rate).values(rows)
        db.execute(again.on_conflict_do_update(index_elements=key, set_={"fetched_at": None}, where=_old()))


def take_wanted(db: Connection, realm_id: str, *, seconds: float) -> tuple[list[Key], bool]:
    """Give the rates that the caller alone is to read now, and whether somebody else reads others."""
    unread = (exchange_rate.c.realm_id == realm_id, _unread())
    taken = db.execute(
        update(exchange_rate)
        .where(*unread, or_(exchange_rate.c.lease_until.is_(None), exchange_rate.c.lease_until < func.now()))
        .values(lease_until=func.now() + timedelta(seconds=seconds))
        .returning(exchange_rate.c.currency, exchange_rate.c.day)
    ).all()
    others = db.execute(select(func.count()).select_from(exchange_rate).where(*unread)).scalar_one()
    return sorted((row.currency, row.day) for row in taken), others > len(taken)


def release_wanted(db: Connection, realm_id: str, keys: Iterable[Key]) -> None:
    """Let somebody else read them: they could not be read."""
    wanted = sorted(set(keys))
    if wanted:
        db.execute(
            update(exchange_rate)
            .where(
                exchange_rate.c.realm_id == realm_id,
                tuple_(exchange_rate.c.currency, exchange_rate.c.day).in_(wanted),
                _unread(),
            )
            .values(lease_until=None)
        )


def keep_rates(db: Connection, realm_id: str, rates: Mapping[Key, Decimal | None]) -> None:
    """Keep what QuickBooks answered. A rate that it knew of a day stays where it says no other."""
    for (currency, day), rate in rates.items():
        made = insert(exchange_rate).values(
            realm_id=realm_id, currency=currency, day=day, rate=rate, fetched_at=func.now(), lease_until=None
        )
        answered = {
            "rate": func.coalesce(made.excluded.rate, exchange_rate.c.rate),
            "fetched_at": func.now(),
            "lease_until": None,
        }
        db.execute(made.on_conflict_do_update(index_elements=["realm_id", "currency", "day"], set_=answered))
