"""Is the database there, does it take writes, and does its clock agree with ours."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, text

_ASK = text(
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,"
    " extract(epoch FROM clock_timestamp()) AS now"
)


@dataclass(frozen=True, slots=True)
class Presence:
    read_only: bool
    clock_ahead: float
    """Seconds by which the database's clock is ahead of this machine's, to half of the time that the answer took."""


def ask(engine: Engine) -> Presence:
    """Ask the database. Raises its errors when it does not answer."""
    with engine.connect() as db:
        before = time.time()
        row = db.execute(_ASK).one()
        after = time.time()
    return Presence(bool(row.read_only), float(row.now) - (before + after) / 2)
