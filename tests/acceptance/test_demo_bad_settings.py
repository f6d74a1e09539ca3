"""Every mistake in the set-up ends every command in one clear line and a documented exit code, never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from consumers.errors import ExitCode
from demo.embedded.broker import EmbeddedBroker
from demo.embedded.ports import free_port

EVENTS = Path(__file__).parents[2] / "demo" / "samples" / "demo.jsonl"
CONSUME = ("consume", "invoices")
ADMIN = ("admin", "--bind", "127.0.0.1:0")


def run(arguments: tuple[str, ...], environ: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and standard error of a command."""
    ours = ("KAFKA_", "INTUIT_", "KOMPASS_QBO_", "DATABASE_URL")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    ended = subprocess.run(
        [sys.executable, "-m", "consumers", *arguments],
        env={**inherited, "METRICS_PORT": "off", "KOMPASS_QBO_START_WAIT_SECONDS": "1", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stderr


def assert_one_line(stderr: str, words: str) -> None:
    assert "Traceback" not in stderr
    # librdkafka writes lines of its own, beginning with % and the level.
    lines = [line for line in stderr.splitlines() if not line.startswith("%")]
    said = [line for line in lines if " INFO " not in line and " WARNING " not in line]
    assert len(said) == 1, stderr
    assert words in said[0]


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


@pytest.mark.parametrize("arguments", [CONSUME, ("migrate",), ADMIN])
def test_a_database_that_does_not_answer(arguments: tuple[str, ...], kafka: str) -> None:
    url = f"postgresql://kompass@127.0.0.1:{free_port()}/kompass_qbo"

    code, stderr = run(arguments, {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": kafka})

    assert code == ExitCode.UNREACHABLE
    assert_one_line(stderr, "check DATABASE_URL")


@pytest.mark.parametrize("arguments", [CONSUME, ADMIN])
def test_a_database_that_is_not_migrated(arguments: tuple[str, ...], database_server: URL, kafka: str) -> None:
    url = database_server.render_as_string(hide_password=False)

    code, stderr = run(arguments, {"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": kafka})

    assert code == ExitCode.NOT_MIGRATED
    assert_one_line(stderr, "run: kompass-qbo migrate")


def test_a_broker_that_does_not_answer(migrated_database: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"

    code, stderr = run(CONSUME, {"DATABASE_URL": migrated_database, "KAFKA_BOOTSTRAP_SERVERS": nobody})

    assert code == ExitCode.UNREACHABLE
    assert_one_line(stderr, f"no Kafka broker answers at {nobody}")
    assert_one_line(stderr, "check KAFKA_BOOTSTRAP_SERVERS")


def test_publishing_to_nobody() -> None:
    code, stderr = run(("publish", str(EVENTS)), {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"})

    assert code == ExitCode.UNREACHABLE
    assert_one_line(stderr, "KAFKA_BOOTSTRAP_SERVERS")


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        *((one, {"DATABASE_URL": "mysql://db/kompass"}, "DATABASE_URL") for one in (CONSUME, ("migrate",), ADMIN)),
        *((one, {"INTUIT_ENVIRONMENT": "production"}, "is not set") for one in (CONSUME, ("migrate",), ADMIN)),
        *((one, {"TOKEN_KEYS": "short"}, "TOKEN_KEYS") for one in (CONSUME, ADMIN)),
        (CONSUME, {"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL"),
        (CONSUME, {"INTUIT_ENVIRONMENT": "htp://x"}, "INTUIT_ENVIRONMENT"),
    ],
)
def test_a_bad_setting(arguments: tuple[str, ...], environ: dict[str, str], words: str) -> None:
    code, stderr = run(arguments, environ)

    assert code == ExitCode.BAD_SETTING
    assert_one_line(stderr, words)


def test_the_doctor_names_a_bad_setting() -> None:
    code, stderr = run(("doctor",), {"INTUIT_ENVIRONMENT": "production"})

    assert code == ExitCode.FAILED
    assert_one_line(stderr, "not sound")


def test_a_port_that_is_taken(migrated_database: str, kafka: str) -> None:
    taken = kafka.rpartition(":")[2]

    code, stderr = run(
        CONSUME,
        {
            "DATABASE_URL": migrated_database,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "METRICS_PORT": f"127.0.0.1:{taken}",
        },
    )

    assert code == ExitCode.BAD_SETTING
    assert_one_line(stderr, "METRICS_PORT")
