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

from store.engine import open_engine
from store.tables import difference, link
from tests.database import ROOT

APPLIED = {"DisplayName": "Hafen & Söhne", "#billed": {"net": "1234.50"}}
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


def test_documents_of_before_are_read_after_the_migration(database_server: URL) -> None:
    server = database_server.set(drivername="postgresql")
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as db:
        db.execute("DROP DATABASE IF EXISTS packed_rows")
        db.execute(sql.SQL("CREATE DATABASE packed_rows"))
    url = server.set(database="packed_rows").render_as_string(hide_password=False)
    migrate(url, "quickbooks_online", "0024_remarks")
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
    assert applied == APPLIED
    assert observed["TotalAmt"] == Decimal("1481.4")
    assert observed["Line"][0]["Amount"] == Decimal("1234.5")
    assert [tuple(row) for row in differences] == [
        ("difference:left-out", None, "no email"),
        ("difference:net", Decimal(12), "two less"),
    ]
    migrate(url, "quickbooks_online", "0031_inventory_again")
    with psycopg.connect(url) as db:
        assert db.execute("SELECT cause, message FROM qbo_remark").fetchall() == [("difference:left-out", "no email")]
        assert db.execute("SELECT cause, qbo_total FROM qbo_difference").fetchall() == [("difference:net", Decimal(10))]
