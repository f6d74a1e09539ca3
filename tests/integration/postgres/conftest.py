"""A PostgreSQL that may be killed, and PgBouncer in transaction mode before it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from demo.embedded.children import end_with_parent
from demo.embedded.ports import HOST, free_port
from demo.embedded.postgres import EmbeddedPostgres
from tests.database import cloned_database, migrate

_SETTINGS = """\
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
server_login_retry = 1
unix_socket_dir =
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of the module's own, with the template `migrated`."""
    with EmbeddedPostgres() as server:
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as db:
            db.execute("CREATE DATABASE migrated")
        migrate(make_url(server.url_of("migrated")))
        yield server


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[str]:
    """The direct address of a fresh, migrated database."""
    with cloned_database(make_url(server.url_of("postgres")), make_url(server.url_of("migrated"))) as url:
        yield url


@pytest.fixture
def bouncer(database: str) -> Iterator[str]:
    """The address of the same database by way of PgBouncer."""
    # Debian keeps it where only root's PATH leads.
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian's package pgbouncer)")
    url, own = make_url(database), free_port()
    with tempfile.TemporaryDirectory(prefix="kqbouncer") as name:
        Path(name).chmod(0o755)
        settings = Path(name) / "pgbouncer.ini"
        settings.write_text(_SETTINGS.format(host=url.host, port=url.port, user=url.username, own=own))
        # It refuses to run as root.
        account = ["-u", "nobody"] if os.geteuid() == 0 else []
        with (Path(name) / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, *account, str(settings)], stdout=log, stderr=log, preexec_fn=end_with_parent()
            )
        try:
            through = url.set(host=HOST, port=own).render_as_string(hide_password=False)
            _wait_until_it_answers(through, process, Path(name) / "log")
            yield through
        finally:
            process.kill()
            process.wait()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert process.poll() is None, f"PgBouncer ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"PgBouncer does not answer: {log.read_text()}"
            time.sleep(0.05)
        else:
            return
