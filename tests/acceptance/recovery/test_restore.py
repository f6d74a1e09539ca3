"""A database restored from a backup is behind Kafka and QuickBooks: it refuses to send, then catches up, and makes nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from consumers.errors import ExitCode
from consumers.restoring.places import find_behind
from demo.embedded.postgres import EmbeddedPostgres
from schemas.events import Event, Kind, Step
from tests.builders import client, event, invoice, line, project
from tests.chaos.surroundings import ORGS, REALMS, Surroundings
from tests.integration.broker.members import eventually
from tests.point_in_time import PointInTime

ORG = ORGS[0]
FIRST, SECOND = client("c1", org=ORG), client("c2", org=ORG)
SURVEY = project("p1", of=FIRST, org=ORG)
THIRD = client("c3", org=ORG)
SITE = project("p2", of=THIRD, org=ORG)
DUE = invoice("due", of=SURVEY, org=ORG)

BEFORE = [
    FIRST,
    SECOND,
    SURVEY,
    invoice("lines", of=SURVEY, org=ORG),
    invoice("void", of=SURVEY, org=ORG),
    invoice("still", of=SURVEY, org=ORG),
    invoice("credit", of=SURVEY, org=ORG, lines=(line("-50.00"),)),
]
RENUMBERED = invoice("renumbered", of=SURVEY, org=ORG)
VOIDED = invoice("new-and-void", of=SITE, org=ORG)
AFTER = [
    THIRD,
    SITE,
    invoice("new", of=SITE, org=ORG),
    invoice("new", of=SITE, org=ORG, sequence=2, details="Changed after it was made"),
    RENUMBERED,
    replace(RENUMBERED, sequence=2, reference="INV-other"),
    invoice("same-number", of=SURVEY, org=ORG, reference="INV-still"),
    invoice("new-credit", of=SITE, org=ORG, lines=(line("-70.00"),)),
    VOIDED,
    replace(VOIDED, sequence=2, step=Step.VOIDED),
    invoice("euro", of=SITE, org=ORG, currency="EUR"),
    invoice("lines", of=SURVEY, org=ORG, sequence=2, lines=(line("10.00"), line("20.00", position=2))),
    invoice("void", of=SURVEY, org=ORG, sequence=2, step=Step.VOIDED),
    client("c1", org=ORG, sequence=2, email="new@example.com"),
    client("c2", org=ORG, sequence=2, name="Quayside Hire"),
    project("p2", of=THIRD, org=ORG, sequence=2, name="Survey of the other side"),
]
MEANWHILE = [
    invoice("new-credit", of=SITE, org=ORG, sequence=2, lines=(line("-75.00"),)),
    invoice("still", of=SURVEY, org=ORG, sequence=2, lines=(line("30.00"),)),
    invoice("latest", of=SITE, org=ORG),
    client("c3", org=ORG, sequence=2, notes="Written while nothing ran", email=None),
]


@pytest.fixture
def surroundings(postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path) -> Iterator[Surroundings]:
    with Surroundings(postgres, restartable_database, tmp_path) as made:
        yield made


@pytest.fixture(params=["dump", "point-in-time"])
def backup(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path
) -> Iterator[Callable[[], Callable[[], None]]]:
    """Back the database up, as operators do; gives what restores it."""
    if request.param == "dump":
        yield dumped(postgres, restartable_database, tmp_path / "backup.dump")
        return
    with PointInTime(postgres) as kept:
        yield kept.take


def dumped(postgres: EmbeddedPostgres, url: str, archive: Path) -> Callable[[], Callable[[], None]]:
    """With pg_dump, the one database."""
    name = make_url(url).database
    assert name is not None

    def run(program: str, *arguments: str) -> None:
        command = [str(postgres._binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def restore() -> None:
        with psycopg.connect(postgres.url_of("postgres"), autocommit=True) as db:
            db.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        run("pg_restore", "--exit-on-error", "-d", url, str(archive))

    def dump() -> Callable[[], None]:
        run("pg_dump", "-Fc", "-f", str(archive), url)
        return restore

    return dump


def start_all(surroundings: Surroundings) -> list[object]:
    return [surroundings.start(kind.value) for kind in Kind]


def say(surroundings: Surroundings, records: list[object]) -> None:
    """Publish, each record's later states after the earlier ones are in QuickBooks."""
    latest: dict[tuple[str, str], int] = {}
    events: list[Event] = []
    for record in records:
        key = (type(record).__name__, record.id)  # type: ignore[attr-defined]
        if key in latest:
            surroundings.publish(events)
            surroundings.wait_until_at_rest()
            events, latest = [], {}
        latest[key] = record.sequence  # type: ignore[attr-defined]
        events.append(event(record))  # type: ignore[arg-type]
    surroundings.publish(events)
    surroundings.wait_until_at_rest()


def requests(surroundings: Surroundings) -> int:
    return len(surroundings.pipeline.requests())


@pytest.mark.timeout(280)
def test_after_a_restore_nothing_is_made_twice(
    surroundings: Surroundings,
    backup: Callable[[], Callable[[], None]],
) -> None:
    # Keeping an archive took a restart of the server, which closed what the test itself had open.
    surroundings.pipeline.engine.dispose()
    processes = start_all(surroundings)
    say(surroundings, BEFORE)  # type: ignore[arg-type]
    # One that was being sent when the backup was taken: Intuit makes it, and its answer is not in the backup.
    surroundings.trouble(kind="no_answer", entity="Invoice", operation="create", count=1)
    surroundings.publish([event(DUE)])
    eventually(lambda: surroundings.pipeline.rows("qbo_attempt") != [], "a call is under way")
    restore = backup()
    say(surroundings, AFTER)  # type: ignore[arg-type]
    assert surroundings.differences() == []
    for process in processes:
        assert surroundings.stop(process) == 0  # type: ignore[arg-type]
    surroundings.publish([event(record) for record in MEANWHILE])  # type: ignore[type-var]
    made = requests(surroundings)

    surroundings.pipeline.engine.dispose()
    restore()
    kafka = {"bootstrap.servers": surroundings.broker.bootstrap_servers}
    assert find_behind(surroundings.pipeline.engine, kafka)
    refusing = surroundings.start("invoice")
    refusing.join(30)
    assert refusing.exitcode == ExitCode.FAILED
    assert "kompass-qbo restored" in surroundings.log("invoice")
    assert requests(surroundings) == made

    catching_up = subprocess.run(
        [sys.executable, "-c", "from consumers.cli import main; main()", "restored"],
        env={**os.environ, **surroundings._environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert catching_up.returncode == 0, catching_up.stderr
    assert "1 call was under way then" in catching_up.stdout
    assert requests(surroundings) == made
    start_all(surroundings)
    surroundings.wait_until_at_rest(timeout=90)
    assert surroundings.differences() == []
    assert find_behind(surroundings.pipeline.engine, kafka) == []
    assert surroundings.pipeline.rows("qbo_failure") == []
    assert len(surroundings.pipeline.objects("Invoice", REALMS[ORG.id])) == 10
