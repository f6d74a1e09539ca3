"""Two servers, one primary: the address names both, and a failover in the middle loses nothing and makes nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from demo.embedded.ports import HOST, free_port
from demo.embedded.postgres import USER, EmbeddedPostgres
from tests import builders
from tests.chaos.surroundings import ORGS, REALMS, Surroundings
from tests.database import migrate
from tests.integration.broker.members import eventually
from tests.standby import Standby

NAME = "failover"


@pytest.fixture
def servers() -> Iterator[tuple[EmbeddedPostgres, Standby]]:
    """A primary with an empty database, and its standby."""
    with EmbeddedPostgres() as primary:
        with psycopg.connect(primary.url_of("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {NAME}")
        with Standby(primary) as standby:
            yield primary, standby


def address(*servers: EmbeddedPostgres, options: str = "?target_session_attrs=read-write") -> str:
    return f"postgresql://{USER}@{','.join(f'{HOST}:{one.port}' for one in servers)}/{NAME}{options}"


def run(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "consumers", *arguments],
        env={**os.environ, "DATABASE_URL": url, "PGHOST": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_migrate_finds_the_primary_wherever_it_is_named(servers: tuple[EmbeddedPostgres, Standby]) -> None:
    primary, standby = servers

    done = run("migrate", url=address(standby, primary))

    assert done.returncode == 0, done.stderr
    assert "Applying" in done.stdout
    again = run("migrate", url=address(primary, standby))
    assert "No migrations to apply" in again.stdout, again.stderr
    with psycopg.connect(address(standby, options="")) as db:
        assert db.execute("SELECT count(*) FROM qbo_link").fetchone() == (0,)


def test_migrate_never_goes_elsewhere_than_to_the_hosts_of_the_address(
    servers: tuple[EmbeddedPostgres, Standby],
) -> None:
    primary, standby = servers
    lists = f"postgresql://{USER}@/{NAME}?host={HOST},{HOST}&port={standby.port},{primary.port}&target_session_attrs=primary"

    done = run("migrate", url=lists)
    assert done.returncode == 0, done.stderr

    only_standby = run("migrate", url=address(standby))
    assert only_standby.returncode == 4
    (line,) = only_standby.stderr.strip().splitlines()
    assert f"postgresql://{USER}@{HOST}:{standby.port}/{NAME} does not answer" in line
    without_host = run("migrate", url=f"postgresql:///{NAME}")
    assert without_host.returncode == 3
    assert without_host.stderr.startswith("Error: DATABASE_URL names no host; ")


def test_a_failover_in_the_middle_loses_nothing_and_makes_nothing_twice(
    servers: tuple[EmbeddedPostgres, Standby], tmp_path: Path
) -> None:
    primary, standby = servers
    url = address(primary, standby)
    migrate(make_url(primary.url_of(NAME)))
    with Surroundings(primary, url, tmp_path) as surroundings, admin_site(surroundings, url, tmp_path) as site:
        customers = count_of_customers(surroundings)
        processes = [surroundings.start("client"), surroundings.start("client")]
        publish(surroundings, "before")
        eventually(lambda: count_of_customers(surroundings) > customers + 5, "customers in QuickBooks", timeout=60)

        primary.stop(how=signal.SIGQUIT)
        publish(surroundings, "between")
        eventually(lambda: answer_of(site) == 503, "the admin says that the database is away")
        standby.promote()
        publish(surroundings, "after")

        eventually(
            lambda: count_of_customers(surroundings) == customers + 60, "60 customers in QuickBooks", timeout=120
        )
        eventually(lambda: answer_of(site) == 200, "the admin works on the new primary")
        surroundings.wait_until_at_rest()
        assert surroundings.differences() == []
        assert all(process.is_alive() for process in processes)
        assert [surroundings.stop(process) for process in processes] == [0, 0]
        assert surroundings.pipeline.rows("qbo_failure") == []


def publish(surroundings: Surroundings, name: str) -> None:
    surroundings.publish([builders.event(builders.client(f"{name}-{number}", org=ORGS[0])) for number in range(20)])


def count_of_customers(surroundings: Surroundings) -> int:
    return len(surroundings.pipeline.objects("Customer", REALMS[ORGS[0].id]))


@contextmanager
def admin_site(surroundings: Surroundings, url: str, directory: Path) -> Iterator[str]:
    """Serve the admin on the same address; gives where its readiness is asked."""
    port, probes = free_port(), free_port()
    environ = {**os.environ, "DATABASE_URL": url, "METRICS_PORT": f"{HOST}:{probes}"}
    with (directory / "admin.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", "admin", "--bind", f"{HOST}:{port}", "--workers", "1"],
            env=environ, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        ready = f"http://{HOST}:{probes}/readyz"
        eventually(lambda: answer_of(ready) == 200, "the admin is ready", timeout=60)
        yield ready
    finally:
        process.terminate()
        process.wait(60)


def answer_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert json.load(answer)["ok"]
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
