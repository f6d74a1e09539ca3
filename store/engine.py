"""The connection pool, and the first question put to a database: is it there, and is it ours."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from store import json
from store.errors import BadDatabaseUrl, DatabaseUnreachable, NotMigrated
from store.tables import metadata

STATEMENT_TIMEOUT_MS = 30_000
# A lost server is noticed by the socket, not by a worker that waits for ever.
CONNECT_TIMEOUT_S = 5


def open_engine(url: str, *, pool_size: int = 4, application_name: str = "kompass-qbo") -> Engine:
    """Make a pool for ``postgresql://user@host/name`` of at most ``pool_size`` connections; connects on first use.

    Prepared statements are off: PgBouncer in transaction mode hands each transaction another server connection.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BadDatabaseUrl(
            "DATABASE_URL is not a database address; it should read postgresql://user:password@host:5432/name"
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(f"DATABASE_URL names {parsed.get_backend_name()!r}; only postgresql:// is supported")
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=2,
        pool_pre_ping=True,
        pool_timeout=30,
        json_serializer=json.dumps,
        json_deserializer=json.loads,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": application_name,
            "prepare_threshold": None,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )

    @event.listens_for(engine, "begin")
    def _bound_statements(connection):  # type: ignore[no-untyped-def]
        # SET LOCAL, because a pooled server connection may serve somebody else next.
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")

    return engine


def check_database(engine: Engine) -> None:
    """See that the database answers and has every table and column we use.

    Raises
    ------
    DatabaseUnreachable, NotMigrated
    """
    address = engine.url.set(drivername="postgresql").render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            inspector = inspect(connection)
            present = set(inspector.get_table_names())
            missing = sorted(table for table in metadata.tables if table not in present)
            if not missing:
                columns = inspector.get_multi_columns()
                found = {name: {column["name"] for column in found} for (_, name), found in columns.items()}
                missing = sorted(
                    f"{table.name}.{column.name}"
                    for table in metadata.tables.values()
                    for column in table.columns
                    if column.name not in found[table.name]
                )
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else str(error)
        raise DatabaseUnreachable(
            f"the database at {address} does not answer ({reason}); check DATABASE_URL"
        ) from error
    if missing:
        raise NotMigrated(f"the database at {address} lacks {missing[0]}; run: kompass-qbo migrate")
