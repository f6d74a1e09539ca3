"""Is the database there, does it take writes, and does its clock agree with ours."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

_QUESTION = text(
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
    try:
        return _ask(engine)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        # The connection was closed while it was idle, which says nothing of now: a new one does.
        return _ask(engine)


def _ask(engine: Engine) -> Presence:
    with engine.connect() as db:
        before = time.time()
        row = db.execute(_QUESTION).one()
        after = time.time()
    return Presence(bool(row.read_only), float(row.now) - (before + after) / 2)
