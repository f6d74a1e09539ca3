"""`store.tables` and the migrated database are one and the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, MetaData, create_engine, inspect, text

from store.engine import check_database, open_engine
from store.tables import metadata

TABLES = sorted(metadata.tables)


@pytest.fixture(scope="module")
def connection(module_database: str) -> Iterator[Connection]:
    engine = create_engine(module_database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as open_connection:
        yield open_connection
    engine.dispose()


@pytest.fixture(scope="module")
def drawn(connection: Connection) -> Iterator[Connection]:
    """The same connection with `store.tables` created as SQLAlchemy would, in a schema of its own."""
    twin = MetaData(schema="drawn")
    for table in metadata.tables.values():
        table.to_metadata(twin, schema="drawn")
    connection.execute(text("CREATE SCHEMA drawn"))
    twin.create_all(connection)
    yield connection
    connection.rollback()


def _columns(connection: Connection, schema: str, table: str) -> dict[str, tuple[str, bool, bool, bool]]:
    rows = connection.execute(
        text(
            """
            SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, d.oid IS NOT NULL, a.attidentity <> ''
            FROM pg_attribute a
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = CAST(:name AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
            """
        ),
        {"name": f"{schema}.{table}"},
    )
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def _constraints(connection: Connection, schema: str, table: str) -> set[tuple[str, str]]:
    """Primary, unique and foreign keys as text without schema, names and deferral."""
    rows = connection.execute(
        text(
            "SELECT contype::text, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = CAST(:name AS regclass) AND contype IN ('p', 'u', 'f')"
        ),
        {"name": f"{schema}.{table}"},
    )
    return {
        (row[0], row[1].replace("drawn.", "").replace(" DEFERRABLE", "").replace(" INITIALLY DEFERRED", ""))
        for row in rows
    }


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_those_of_the_tables(drawn: Connection, table: str) -> None:
    assert _columns(drawn, "public", table) == _columns(drawn, "drawn", table)


@pytest.mark.parametrize("table", TABLES)
def test_defaults_give_the_same_values(drawn: Connection, table: str) -> None:
    def defaults(schema: str) -> dict[str, object]:
        rows = drawn.execute(
            text(
                "SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
                "ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = CAST(:name AS regclass)"
            ),
            {"name": f"{schema}.{table}"},
        )
        return {name: drawn.execute(text(f"SELECT ({expression})::text")).scalar_one() for name, expression in rows}

    assert defaults("public") == defaults("drawn")


@pytest.mark.parametrize("table", TABLES)
def test_keys_are_those_of_the_tables(drawn: Connection, table: str) -> None:
    assert _constraints(drawn, "public", table) == _constraints(drawn, "drawn", table)


def test_no_table_is_missing_in_store(connection: Connection) -> None:
    found = {name for name in inspect(connection).get_table_names(schema="public") if name.startswith("qbo_")}
    assert found == set(TABLES)


def test_consumers_accept_the_migrated_database(module_database: str) -> None:
    engine = open_engine(module_database)
    check_database(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("index", "definition"),
    [
        ("qbo_link_due_clients", "(realm_id, due_at) WHERE ((due_at IS NOT NULL) AND ((lanes & 1) <> 0))"),
        ("qbo_link_due_projects", "(realm_id, due_at) WHERE ((due_at IS NOT NULL) AND ((lanes & 2) <> 0))"),
        ("qbo_link_due_invoices", "(realm_id, due_at) WHERE ((due_at IS NOT NULL) AND ((lanes & 4) <> 0))"),
        ("qbo_link_dependants", "(depends_on) WHERE (depends_on IS NOT NULL)"),
        ("qbo_link_state_version", "(realm_id, state, decided_version)"),
        ("qbo_link_record", "(org_id, kind, kompass_id)"),
        ("qbo_attempt_realm", "(realm_id)"),
        ("qbo_failure_open", "(org_id, cause) WHERE (closed_at IS NULL)"),
        ("qbo_failure_one_open_per_link", "(link_id) WHERE ((closed_at IS NULL) AND (link_id IS NOT NULL))"),
        ("qbo_failure_last_failed", "(last_failed_at)"),
        ("qbo_history_record", "(org_id, kind, kompass_id, id)"),
        ("qbo_history_at", "(at)"),
        ("qbo_record_reference", "(org_id, kind, reference)"),
    ],
)
def test_indexes(connection: Connection, index: str, definition: str) -> None:
    found = connection.execute(text("SELECT indexdef FROM pg_indexes WHERE indexname = :name"), {"name": index})
    assert found.scalar_one().endswith(definition)


def test_models_and_migrations_agree(module_database: str) -> None:
    import os
    import subprocess
    import sys

    result = subprocess.run(
        [sys.executable, "-m", "admin", "makemigrations", "--check", "--dry-run"],
        env={**os.environ, "DATABASE_URL": module_database},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout
