"""Every change that a payload may depend on raises the configuration's version, for every writer, and is announced."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture
def db(migrated_database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        connection.execute("INSERT INTO qbo_org (id, name) VALUES ('a', 'Acme'), ('b', 'Bravo')")
        connection.execute("INSERT INTO qbo_configuration (org_id, realm_id) VALUES ('a', '1'), ('b', '2')")
        connection.execute(
            "INSERT INTO qbo_service (org_id, kompass_id, name) VALUES ('a', 's1', 'x'), ('a', 's2', 'y')"
        )
        connection.execute("INSERT INTO qbo_department (org_id, kompass_id, name) VALUES ('a', 'd1', 'x')")
        connection.execute("INSERT INTO qbo_vat_rate (org_id, kompass_id, name) VALUES ('a', 'v1', 'x')")
        connection.execute(
            "INSERT INTO qbo_connection (configuration_id, realm_id) SELECT id, realm_id FROM qbo_configuration"
        )
        yield connection


def version(db: psycopg.Connection, org: str = "a") -> int:
    row = db.execute("SELECT version FROM qbo_configuration WHERE org_id = %s", (org,)).fetchone()
    assert row
    return int(row[0])


CONFIGURATION = "(SELECT id FROM qbo_configuration WHERE org_id = 'a')"
INSERTS = {
    "qbo_item_service": f"(configuration_id, realm_id, service_id, item_id) SELECT {CONFIGURATION}, '1', id, '7' "
    "FROM qbo_service",
    "qbo_department_class": f"(configuration_id, realm_id, department_id, class_id) SELECT {CONFIGURATION}, '1', id, '7' "
    "FROM qbo_department",
    "qbo_tax_code_vat_rate": f"(configuration_id, realm_id, vat_rate_id, tax_code_id) SELECT {CONFIGURATION}, '1', id, '7' "
    "FROM qbo_vat_rate",
    "qbo_custom_field": f"(configuration_id, realm_id, definition_id, template) VALUES ({CONFIGURATION}, '1', '1', 'x')",
}


@pytest.mark.parametrize("table", sorted(INSERTS))
def test_mappings_raise_the_version_once_per_statement(db: psycopg.Connection, table: str) -> None:
    before, other = version(db), version(db, "b")
    db.execute(f"INSERT INTO {table} {INSERTS[table]}")
    assert version(db) == before + 1
    db.execute(f"UPDATE {table} SET realm_id = '9'")
    assert version(db) == before + 2
    db.execute(f"UPDATE {table} SET realm_id = '9'")
    assert version(db) == before + 2, "nothing changed"
    db.execute(f"DELETE FROM {table}")
    assert version(db) == before + 3
    assert version(db, "b") == other


def test_a_mapping_moved_to_another_configuration_counts_for_both(db: psycopg.Connection) -> None:
    db.execute(f"INSERT INTO qbo_custom_field {INSERTS['qbo_custom_field']}")
    before, other = version(db), version(db, "b")
    db.execute("UPDATE qbo_custom_field SET configuration_id = (SELECT id FROM qbo_configuration WHERE org_id = 'b')")
    assert (version(db), version(db, "b")) == (before + 1, other + 1)


def test_a_stale_version_does_no_harm(db: psycopg.Connection) -> None:
    db.execute("UPDATE qbo_configuration SET locale = 'USA' WHERE org_id = 'a'")
    before = version(db)
    db.execute("UPDATE qbo_configuration SET locale = 'EU', version = 1 WHERE org_id = 'a'")
    assert version(db) == before + 1


def test_an_update_that_changes_nothing_does_not_count(db: psycopg.Connection) -> None:
    before = version(db)
    db.execute("UPDATE qbo_configuration SET locale = locale")
    assert version(db) == before


def test_facts_count_when_their_body_changes(db: psycopg.Connection) -> None:
    before = version(db)
    db.execute("INSERT INTO qbo_company_facts (realm_id, body) VALUES ('1', '{}')")
    assert version(db) == before + 1
    db.execute("UPDATE qbo_company_facts SET fetched_at = now() + interval '1 hour', lease_until = now(), body = '{}'")
    assert version(db) == before + 1
    db.execute('UPDATE qbo_company_facts SET body = \'{"country": "FR"}\'')
    assert version(db) == before + 2
    db.execute("DELETE FROM qbo_company_facts")
    assert version(db) == before + 3


def test_a_connection_counts_when_its_state_or_company_changes(db: psycopg.Connection) -> None:
    before = version(db)
    db.execute("UPDATE qbo_connection SET access_token = 'x', version = version + 1 WHERE realm_id = '1'")
    assert version(db) == before, "a refresh of tokens changes no payload"
    db.execute("UPDATE qbo_connection SET state = 'disconnected' WHERE realm_id = '1'")
    assert version(db) == before + 1
    db.execute("UPDATE qbo_connection SET realm_id = '3' WHERE realm_id = '1'")
    assert version(db) == before + 2
    db.execute("DELETE FROM qbo_connection WHERE realm_id = '3'")
    assert version(db) == before + 3


def test_changes_are_announced(db: psycopg.Connection, migrated_database: str) -> None:
    with psycopg.connect(migrated_database, autocommit=True) as listener:
        listener.execute("LISTEN kompass_qbo")
        db.execute(f"INSERT INTO qbo_custom_field {INSERTS['qbo_custom_field']}")
        assert [note.payload for note in listener.notifies(timeout=60, stop_after=1)] == ["configuration"]


def test_deleting_a_configuration_takes_everything_of_it_along(db: psycopg.Connection) -> None:
    for table, values in INSERTS.items():
        db.execute(f"INSERT INTO {table} {values}")
    db.execute("DELETE FROM qbo_configuration WHERE org_id = 'a'")
    for table in (*INSERTS, "qbo_connection"):
        assert db.execute(f"SELECT count(*) FROM {table} WHERE realm_id = '1'").fetchone() == (0,)
