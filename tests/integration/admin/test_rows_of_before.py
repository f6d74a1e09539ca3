"""Migrations take over the rows that were there, for `store` to read."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.engine import URL

from schemas.applied import Applied, Billed, Notes
from store import attempts
from store.engine import open_engine
from store.sql import pack
from store.tables import difference, link
from tests.database import ROOT

APPLIED = {"DisplayName": "Hafen & Söhne", "#billed": {"net": 1234.50, "tax": 234.50}}
OBSERVED = {"Id": "58", "TotalAmt": 1481.4, "Line": [{"Amount": 1234.5}]}


def migrate(url: str, *to: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "admin", "migrate", "--verbosity", "0", *to],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "admin.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def database_at(server: URL, migration: str) -> str:
    """Make a database as that migration left it."""
    server = server.set(drivername="postgresql")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as db:
        db.execute("DROP DATABASE IF EXISTS packed_rows")
        db.execute(sql.SQL("CREATE DATABASE packed_rows"))
    url = server.set(database="packed_rows").render_as_string(hide_password=False)
    migrate(url, "quickbooks_online", migration)
    return url


def test_documents_of_before_are_read_after_the_migration(database_server: URL) -> None:
    url = database_at(database_server, "0024_remarks")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, state, applied, observed) VALUES "
            "('o', '1', 'client', 'full', 'pending', %s, %s), ('o', '1', 'client', 'bare', 'pending', NULL, NULL)",
            (Jsonb(APPLIED), Jsonb(OBSERVED)),
        )
        linked = "(SELECT id FROM qbo_link WHERE kompass_id = 'full'), 'o', '1'"
        db.execute(
            "INSERT INTO qbo_difference (link_id, org_id, realm_id, cause, kompass_total, kompass_tax, qbo_total, qbo_tax, message)"
            f" VALUES ({linked}, 'difference:net', 12, 2, 10, 0, 'two less')"
        )
        db.execute(
            "INSERT INTO qbo_remark (link_id, org_id, realm_id, cause, message)"
            f" VALUES ({linked}, 'difference:left-out', 'no email')"
        )
    migrate(url)
    engine = open_engine(url, pool_size=1, application_name="kompass-qbo-test")
    with engine.begin() as db:
        rows = db.execute(select(link.c.kompass_id, link.c.applied, link.c.observed)).all()
        differences = db.execute(
            select(difference.c.cause, difference.c.kompass_total, difference.c.message).order_by(difference.c.cause)
        ).all()
    engine.dispose()
    found = {row.kompass_id: (row.applied, row.observed) for row in rows}
    assert found["bare"] == (None, None)
    applied, observed = found["full"]
    assert applied == Applied(
        {"DisplayName": "Hafen & Söhne"}, Notes(billed=Billed(Decimal("1234.50"), Decimal("234.50")))
    )
    assert observed["TotalAmt"] == Decimal("1481.4")
    assert observed["Line"][0]["Amount"] == Decimal("1234.5")
    assert [tuple(row) for row in differences] == [
        ("difference:left-out", None, "no email"),
        ("difference:net", Decimal(12), "two less"),
    ]
    migrate(url, "quickbooks_online", "0032_notes_apart")
    with psycopg.connect(url) as db:
        assert db.execute("SELECT cause, message FROM qbo_remark").fetchall() == [("difference:left-out", "no email")]
        assert db.execute("SELECT cause, qbo_total FROM qbo_difference").fetchall() == [("difference:net", Decimal(10))]


def test_notes_among_the_members_are_read_after_the_migration(database_server: URL) -> None:
    url = database_at(database_server, "0031_inventory_again")
    sent = {"DocNumber": "INV-1", "#mark": "Kompass invoice i1", "#template": "{{ invoice.reference }}"}
    of_attempts = {
        "plain": sent, "void": {**sent, "#voided": True}, "first": {**sent, "#temporary": "name-in-use"}, "read": None,
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as db:
        for kompass_id, applied in of_attempts.items():
            db.execute(
                "WITH made AS (INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, state, applied)"
                " VALUES ('o', '1', 'invoice', %s, 'pending', %s) RETURNING id)"
                " INSERT INTO qbo_attempt (link_id, realm_id, epoch, operation, entity, request_id, applied, sequence,"
                " configuration_version, owner) SELECT id, '1', 1, 'update', 'Invoice', id::text, %s, 1, 1, 'a' FROM made",
                (kompass_id, pack(sent), pack(applied, small=False)),
            )
    migrate(url)
    engine = open_engine(url, pool_size=1, application_name="kompass-qbo-test")
    with engine.begin() as db:
        rows = {row.id: row for row in db.execute(select(link.c.id, link.c.kompass_id, link.c.applied))}
        found = {rows[one].kompass_id: opened for one, opened in attempts.read_open(db, rows, lease=0.0).items()}
    engine.dispose()
    wanted = Applied({"DocNumber": "INV-1"}, Notes(template="{{ invoice.reference }}", mark="Kompass invoice i1"))
    assert [row.applied for row in rows.values()] == [wanted] * 4
    assert {name: one.applied for name, one in found.items()} == {
        name: one and wanted for name, one in of_attempts.items()
    }
    assert {name: (one.voided, one.temporary) for name, one in found.items()} == {
        "plain": (False, ""), "void": (True, ""), "first": (False, "name-in-use"), "read": (False, ""),
    }  # fmt: skip
