"""Prepared statements, where the server's process at the other end is ours alone.

Without them Postgres parses and plans each statement of a push again: 0.44 ms of the 0.84 ms that it takes for a link. A pooler in
transaction mode, such as PgBouncer, hands each transaction another process, which has not prepared what the last one has; so behind one
there are none.
"""

from __future__ import annotations

from typing import Final

import psycopg

ONLY_STATEMENTS: Final = 1_000_000_000
"""psycopg's threshold: it prepares what asks for it, which is `store.sql` alone. What SQLAlchemy writes has a text for each length
of a list, and runs seldom."""

RECYCLE_S: Final = 60
"""A connection is replaced after so long: a plan that Postgres keeps was made for the tables as they were, and an empty table is scanned.
So the first minute of a backfill may be slow, and no more."""

_CHANGED: Final = "0A000"
"""feature_not_supported: with "cached plan must not change result type", after a migration changed a column."""
_UNKNOWN: Final = ("26000", "42P05")
"""invalid_sql_statement_name and duplicate_prepared_statement: another process of the server answers than prepared it."""


def is_direct(connection: psycopg.Connection) -> bool:
    """Whether the server itself is at the other end: a pooler says a process id of its own when we connect."""
    result = connection.pgconn.exec_(b"SELECT pg_backend_pid()")
    said = result.get_value(0, 0) if result.ntuples else None
    return said is not None and int(said) == connection.info.backend_pid


def is_stale(error: BaseException | None) -> bool:
    """Whether what the connection has prepared is of no use any more: it is given up, and another one prepares again."""
    state = getattr(error, "sqlstate", None)
    return state in _UNKNOWN or (state == _CHANGED and "cached plan" in str(error))
