"""The doctor on real parts: sound ones, and each unsound one named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest

from consumers import cli
from consumers.doctor import Finding, Verdict, examine
from demo.embedded.broker import TOPICS, EmbeddedBroker
from demo.embedded.mail import EmbeddedMail
from demo.embedded.ports import free_port


@pytest.fixture
def environ(migrated_database: str, mail: EmbeddedMail) -> Iterator[dict[str, str]]:
    with EmbeddedBroker(topics=TOPICS) as broker:
        yield {
            "DATABASE_URL": migrated_database,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SMTP_URL": mail.url,
            "INTUIT_ENVIRONMENT": f"http://127.0.0.1:{free_port()}",
        }


def findings(environ: Mapping[str, str]) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(environ)}


def test_a_sound_set_up(environ: dict[str, str]) -> None:
    found = findings(environ)

    assert [one for one in found.values() if one.verdict is Verdict.UNSOUND] == []
    assert found["database"].verdict is Verdict.SOUND
    assert found["kafka"].verdict is Verdict.SOUND
    assert found["mail"].verdict is Verdict.SOUND
    assert set(TOPICS) <= found.keys()
    # The demo's key guards nothing, and an Org without a Configuration is not there.
    assert found["settings"].verdict is Verdict.DOUBTFUL
    assert found["companies"].verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("variable", "what", "words"),
    [
        ("DATABASE_URL", "database", "does not answer"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "no broker answers"),
        ("SMTP_URL", "mail", "check SMTP_URL"),
        ("SCHEMA_REGISTRY_URL", "schema registry", "does not answer"),
    ],
)
def test_a_part_that_is_away_is_named(
    environ: dict[str, str], variable: str, what: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = {
        "DATABASE_URL": "postgresql://kompass@127.0.0.1:{port}/kompass",
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:{port}",
        "SMTP_URL": "smtp://127.0.0.1:{port}",
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:{port}",
    }[variable].format(port=free_port())
    monkeypatch.setattr("consumers.doctor._TIMEOUT_S", 1.0)

    finding = findings({**environ, variable: nobody})[what]

    assert finding.verdict is Verdict.UNSOUND
    assert words in finding.words


def test_a_topic_that_is_missing_is_named(environ: dict[str, str]) -> None:
    topics = {name: partitions for name, partitions in TOPICS.items() if name != "kompass.projects"}
    with EmbeddedBroker(topics=topics) as broker:
        found = findings({**environ, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers})

    assert found["kompass.projects"].verdict is Verdict.UNSOUND
    assert found["kompass.clients"].verdict is not Verdict.UNSOUND


def test_an_unmigrated_database_is_named(environ: dict[str, str]) -> None:
    with psycopg.connect(environ["DATABASE_URL"]) as db:
        db.execute("DROP TABLE qbo_history")

    finding = findings(environ)["database"]

    assert finding.verdict is Verdict.UNSOUND
    assert finding.words.endswith("run: kompass-qbo migrate")


def test_a_bad_key_is_met_with_a_good_one() -> None:
    (finding,) = examine({"TOKEN_KEYS": "short"})

    assert finding.verdict is Verdict.UNSOUND
    key = finding.words.rpartition(" ")[2]
    (other,) = examine({"TOKEN_KEYS": key, "LOG_FORMAT": "xml"})
    assert other.words.startswith("LOG_FORMAT")


def test_the_command_says_so_and_fails(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert cli.run(["doctor"]) == 0
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{free_port()}")
    assert cli.run(["doctor"]) == 1

    shown = capsys.readouterr()
    assert "FAIL  mail" in shown.out
    assert shown.err == "kompass-qbo: the set-up is not sound: see the lines that begin with FAIL\n"
