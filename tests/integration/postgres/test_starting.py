"""A process that is started while its database is away, and a database whose administrator set things for our role."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from consumers.errors import ExitCode
from demo.embedded.broker import EmbeddedBroker
from demo.embedded.ports import free_port
from demo.embedded.postgres import EmbeddedPostgres
from store.engine import check_database, open_engine
from store.errors import DatabaseRefuses, DatabaseUnreachable
from tests.integration.broker.members import eventually

ROOT = Path(__file__).parents[3]


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextmanager
def started(*command: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = free_port()
    ours = ("KAFKA_", "INTUIT_", "KOMPASS_QBO_", "DATABASE_URL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    process = subprocess.Popen(
        [sys.executable, "-m", "consumers", *command], cwd=ROOT, text=True, stderr=subprocess.PIPE,
        env={**inherited, "METRICS_PORT": f"127.0.0.1:{port}", "LOG_FORMAT": "json", **environ},
    )  # fmt: skip
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("command", [("consume", "clients"), ("notify",)])
def test_a_process_waits_for_its_database(server: EmbeddedPostgres, database: str, command: tuple[str, ...]) -> None:
    server.stop(how=signal.SIGQUIT)
    try:
        with (
            EmbeddedBroker() as broker,
            started(*command, DATABASE_URL=database, KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers) as (
                process,
                port,
            ),
        ):
            eventually(lambda: "does not answer" in ask(port, "/readyz")[1])
            assert ask(port, "/readyz")[0] == 503
            assert ask(port, "/livez")[0] == 200
            eventually(lambda: 'kompass_qbo_dependency_up{what="database"} 0.0' in ask(port, "/metrics")[1])
            server.start()
            eventually(lambda: ask(port, "/readyz")[0] == 200)
            process.terminate()
            _, said = process.communicate(timeout=60)
            assert process.returncode == 0, said
            waited = [
                line for line in map(json.loads, said.splitlines()) if "waiting up to 120 s to start" in line["message"]
            ]
            assert len(waited) == 1, "said once, and every line is JSON"
    finally:
        server.stop()
        server.start()


def turned(port: int, loop: str) -> float:
    found = re.search(rf'kompass_qbo_loop_last_turn_timestamp_seconds{{loop="{loop}"}} (\S+)', ask(port, "/metrics")[1])
    return float(found[1]) if found is not None else 0.0


def test_each_loop_says_once_that_it_waits_and_once_that_it_goes_on(server: EmbeddedPostgres, database: str) -> None:
    with (
        EmbeddedBroker() as broker,
        started("consume", "clients", DATABASE_URL=database, KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers) as (
            process,
            port,
        ),
    ):
        eventually(lambda: ask(port, "/readyz")[0] == 200)
        server.stop(how=signal.SIGQUIT)
        try:
            gone = time.time()
            eventually(lambda: ask(port, "/readyz")[0] == 503)
            for loop in ("dispatcher", "outbox"):
                eventually(lambda loop=loop: turned(port, loop) > gone + 3, f"the {loop} turns several times")
        finally:
            server.start()
        eventually(lambda: ask(port, "/readyz")[0] == 200)
        back = time.time()
        for loop in ("dispatcher", "outbox"):
            eventually(lambda loop=loop: turned(port, loop) > back + 0.5, f"the {loop} works again")
        process.terminate()
        _, logged = process.communicate(timeout=60)
    lines = [line for line in map(json.loads, logged.splitlines()) if line["logger"] != "librdkafka"]
    begun = [line["message"].split(":")[0] for line in lines if line["level"] == "warning"]
    ended = [line["message"] for line in lines if ", after " in line["message"]]
    assert sorted(begun) == sorted(set(begun)), "one line for each wait"
    assert {"the claim of due links waits", "reading the outbox waits"} <= set(begun)
    for sentence in ("the claim of due links goes on", "reading the outbox goes on"):
        assert len([one for one in ended if one.startswith(sentence)]) == 1


def test_a_process_that_is_stopped_while_it_waits_ends_well(database: str) -> None:
    nobody = f"postgresql://kompass@127.0.0.1:{free_port()}/kompass_qbo"
    with (
        EmbeddedBroker() as broker,
        started("consume", "clients", DATABASE_URL=nobody, KAFKA_BOOTSTRAP_SERVERS=broker.bootstrap_servers) as (
            process,
            port,
        ),
    ):
        eventually(lambda: "does not answer" in ask(port, "/readyz")[1])
        process.terminate()
        assert process.wait(30) == ExitCode.OK


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://nobody@{host}/migrated",
        "postgresql://kompass@{host}/no_such_database",
        "postgresql://kompass@{host}/migrated?sslmode=require",
        "postgresql://kompass@{host}/migrated?sslmode=verify-full&sslrootcert=/no/authority.pem",
    ],
)
def test_a_server_that_does_not_let_us_in_is_not_waited_for(server: EmbeddedPostgres, wrong: str) -> None:
    engine = open_engine(wrong.format(host=f"127.0.0.1:{server.port}"))
    with pytest.raises(DatabaseRefuses):
        check_database(engine)
    server.stop()
    with pytest.raises(DatabaseUnreachable) as away:
        check_database(engine)
    server.start()
    assert not isinstance(away.value, DatabaseRefuses)
    engine.dispose()


def set_for_our_role(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        name = db.info.dbname
        for setting in (
            "DateStyle = 'German'",
            "TimeZone = 'America/New_York'",
            "search_path = 'elsewhere'",
            "lock_timeout = '1ms'",
        ):
            db.execute(f'ALTER DATABASE "{name}" SET {setting}')


def test_what_is_set_for_our_role_changes_nothing(database: str) -> None:
    set_for_our_role(database)
    engine = open_engine(database, pool_size=1)
    try:
        check_database(engine)
        with engine.begin() as db:
            db.exec_driver_sql(
                "INSERT INTO qbo_history (org_id, kind, kompass_id, what) VALUES ('o', 'client', 'c', 'event')"
            )
            at = db.exec_driver_sql("SELECT at FROM qbo_history").scalar_one()
            assert at.utcoffset().total_seconds() == 0
            shown = [db.exec_driver_sql(f"SHOW {name}").scalar_one() for name in ("lock_timeout", "search_path")]
            assert shown == ["0", '"$user", public']
        with engine.connect() as db:
            # Reads that begin by themselves are no different.
            assert db.exec_driver_sql("SELECT at FROM qbo_history").scalar_one() == at
    finally:
        engine.dispose()


def test_what_is_set_for_our_role_changes_nothing_for_django(database: str) -> None:
    set_for_our_role(database)
    script = (
        "from django.contrib.auth.models import User; from django.db import connection, transaction\n"
        "User.objects.create(username='ada')\n"
        "cursor = connection.cursor()\n"
        "for name in ('lock_timeout', 'search_path', 'DateStyle'):\n"
        "    cursor.execute(f'SHOW {name}')\n"
        "    print(cursor.fetchone()[0])\n"
        "with transaction.atomic():\n"
        "    print(User.objects.select_for_update().get().date_joined.utcoffset())\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "admin", "shell", "--no-imports", "-c", script],
        cwd=ROOT, env={**os.environ, "DATABASE_URL": database}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["0", '"$user", public', "ISO, MDY", "0:00:00"]
