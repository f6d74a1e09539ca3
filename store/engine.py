"""The connection pool, short transactions that try again when Postgres asks for it, and the first question put to a database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.pq import ExecStatus
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from store import prepared
from store.address import DatabaseAddress
from store.errors import DatabaseRefuses, DatabaseUnreachable, NotMigrated
from store.sql import dumps, loads
from store.tables import metadata

_READ_ONLY = "25006"
STATEMENT_TIMEOUT_MS = 30_000
# A process that is stopped inside a transaction keeps its locks no longer than this: claims of all companies would wait for them. Ours
# are idle for as long as Python thinks, which is milliseconds.
IDLE_IN_TRANSACTION_MS = 15_000
# A lost server is noticed by the socket, not by a worker that waits for ever.
CONNECT_TIMEOUT_S = 5
ROLE_SETTINGS = {"lock_timeout": "0", "DateStyle": "ISO, MDY", "search_path": '"$user", public'}
"""What an administrator set for our role, or for the database, changes nothing: dates that the driver cannot read, a lock that is given
up, tables that are not found. These are Postgres's own defaults."""
_ROLE_SETTINGS_UNDONE = (
    *(f"SET LOCAL {name} = {value}" for name, value in ROLE_SETTINGS.items()),
    "SET LOCAL TimeZone = 'UTC'",
)
IDLE_S = 1.0
"""A pooled connection that nobody used for so long is asked whether it is still there."""


def open_engine(
    database: str | DatabaseAddress, *, pool_size: int = 4, application_name: str = "kompass-qbo"
) -> Engine:
    """Make a pool for DATABASE_URL, or for its address, of at most ``pool_size`` connections; connects on first use.

    What the address says about timeouts and keepalives is kept.

    Statements are prepared unless a pooler is between (`store.prepared`).
    """
    address = database if isinstance(database, DatabaseAddress) else DatabaseAddress.parse(database)
    defaults = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": application_name,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    engine = create_engine(
        address.for_sqlalchemy(),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=30,
        pool_recycle=prepared.RECYCLE_S,
        json_serializer=dumps,
        json_deserializer=loads,
        connect_args={
            **{name: value for name, value in defaults.items() if name not in address.parameters},
            "prepare_threshold": None,
        },
    )

    @event.listens_for(engine, "connect")
    def _prepare_statements(dbapi_connection, record):  # type: ignore[no-untyped-def]
        if prepared.is_direct(dbapi_connection):
            dbapi_connection.prepare_threshold = prepared.ONLY_STATEMENTS

    @event.listens_for(engine, "checkin")
    def _left_idle(dbapi_connection, record):  # type: ignore[no-untyped-def]
        record.info["idle_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _still_there(dbapi_connection, record, proxy):  # type: ignore[no-untyped-def]
        # As pool_pre_ping, but not at every transaction: one that was used a moment ago is asked by its next statement.
        if time.monotonic() - record.info.get("idle_since", float("inf")) > IDLE_S:
            try:
                engine.dialect.do_ping(dbapi_connection)
            except psycopg.Error as error:
                raise InvalidatePoolError(str(error)) from error

    @event.listens_for(engine, "begin")
    def _bound_statements(connection):  # type: ignore[no-untyped-def]
        # SET LOCAL, because a pooled server connection may serve somebody else next. Together with BEGIN it costs one round trip and
        # 10 µs of CPU, where psycopg's BEGIN and SQLAlchemy's statement take two and 200: as much as a tenth of a settle.
        driver = connection.connection.driver_connection
        bounds = (
            f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}",
            f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS}",
            *_ROLE_SETTINGS_UNDONE,
        )
        if not driver.autocommit and driver.isolation_level is None:
            with suppress(psycopg.Error):
                if driver.pgconn.exec_("; ".join(("BEGIN", *bounds)).encode()).status == ExecStatus.COMMAND_OK:
                    return
        # Out of the ordinary: what is wrong with the connection is raised here, in SQLAlchemy's words.
        for bound in bounds:
            connection.exec_driver_sql(bound)

    @event.listens_for(engine, "handle_error")
    def _leave_a_standby(context):  # type: ignore[no-untyped-def]
        # A server that became read-only (the old primary of a failover) stays so: the pool's connections are given up, and new ones
        # find the server that takes writes, where DATABASE_URL names several.
        if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY or prepared.is_stale(
            context.original_exception
        ):
            context.is_disconnect = True

    return engine


# --- Short transactions ---

Answer = TypeVar("Answer")

AWAY = (DBAPIError, PoolTimeout)
"""What a database raises that is away, or that hangs until all of the pool's connections are busy with it."""

_PASSING_CLASSES = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE after which the very same statement may go through later: a connection lost, a server that became read-only (a
standby, as after a failover), a deadlock, no space or memory, a lock, an operator's intervention, a system error."""


def passes(error: BaseException) -> bool:
    """Say whether to wait for the database and try again; what the database has against a statement itself does not pass."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] in _PASSING_CLASSES


def _lost_a_race(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and isinstance(error.orig, DeadlockDetected | SerializationFailure)


def retrying(engine: Engine, work: Callable[[Connection], Answer]) -> Answer:
    """Run ``work`` in a transaction of its own, again when it lost a deadlock; ``work`` must not have effects elsewhere."""
    for attempt in Retrying(
        retry=retry_if_exception(_lost_a_race),
        stop=stop_after_attempt(6),
        wait=wait_random_exponential(multiplier=0.01, max=0.5),
        reraise=True,
    ):
        with attempt, engine.begin() as db:
            return work(db)
    raise AssertionError("tenacity gives an answer or raises")


# --- Is it there, and is it ours? ---

_COLUMNS = text(
    'SELECT c.relname AS "table", a.attname AS "column" FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid'
    " WHERE c.relkind IN ('r', 'p') AND c.relname LIKE 'qbo\\_%' AND pg_table_is_visible(c.oid)"
    " AND a.attnum > 0 AND NOT a.attisdropped"
)


# Of a connection that failed the driver has only words, one line for each host of the address.
_REFUSES = re.compile(
    r"password authentication failed|(database|role) .* does not exist|no pg_hba.conf entry"
    r"|certificate verify failed|does not match host name|does not support SSL|(certificate|private key) file|certificate authority"
)
_AWAY = re.compile(r"refused|timeout|timed out|starting up|shutting down|recovery|closed the connection")


def check_database(engine: Engine) -> None:
    """See that the database answers and has every table and column we use.

    Raises
    ------
    DatabaseUnreachable, NotMigrated
    """
    address = DatabaseAddress.of(engine)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            # One statement: SQLAlchemy's inspector asks a dozen, which a process that starts waits for.
            present = {(row.table, row.column) for row in connection.execute(_COLUMNS)}
            tables = {table for table, _ in present}
            missing = sorted(table for table in metadata.tables if table not in tables) or sorted(
                f"{table.name}.{column.name}"
                for table in metadata.tables.values()
                for column in table.columns
                if (table.name, column.name) not in present
            )
    except OperationalError as error:
        words = str(error.orig).strip() if error.orig else str(error)
        kind = DatabaseRefuses if _REFUSES.search(words) and not _AWAY.search(words) else DatabaseUnreachable
        raise kind(
            f"the database at {address} does not answer ({words.splitlines()[0]}); check DATABASE_URL"
        ) from error
    if missing:
        raise NotMigrated(f"the database at {address} lacks {missing[0]}; run: kompass-qbo migrate")
