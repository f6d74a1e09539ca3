"""What breaks, how it is broken and fixed, and the alert that must say so."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from confluent_kafka import Producer

from demo.installation import Installation
from demo.processes import Part
from simulator.seeds import IRELAND
from sync.settings.policies import RetentionPolicy
from tests.kafka import Kafka
from tests.kafka_cluster import KafkaCluster
from tests.schema_registry import Guard

FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
TOPIC: Final = "kompass.projects"
STANDING: Final = "kompass.clients"
RETENTION_DAYS: Final = RetentionPolicy().retention_days


@dataclass(frozen=True, slots=True)
class Breakage:
    what: str
    how: str
    alert: str
    runbook: str
    breaks: Callable[[], object]
    repair: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Surroundings:
    installation: Installation
    cluster: KafkaCluster
    kafka: Kafka
    registry: Guard


class OpenTransaction:
    """A transaction of another producer: a consumer of what is committed waits at it, while the topic's other partitions go on."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._producer: Producer | None = None

    def leave_open(self) -> None:
        self._producer = self._kafka.producer(**{"transactional.id": "left-open", "transaction.timeout.ms": 900_000})
        self._producer.init_transactions(60)
        self._producer.begin_transaction()
        self._producer.produce(STANDING, key=b"client/open", partition=1)
        self._producer.flush(60)

    def abort(self) -> None:
        assert self._producer is not None
        self._producer.abort_transaction(60)


def groups(around: Surroundings) -> tuple[tuple[Breakage, ...], ...]:
    """Give what is broken at a time: parts that have nothing to do with each other are broken together."""
    installation, processes = around.installation, around.installation.processes

    def restart_database(environment: Mapping[str, str]) -> None:
        installation.postgres.stop()
        installation.postgres.environment = dict(environment)
        installation.postgres.start()

    def signal_to(name: str, number: signal.Signals) -> Callable[[], None]:
        return lambda: os.kill(processes.process_id(name), number)

    transaction = OpenTransaction(around.kafka)
    # librdkafka does not bear a faked clock: its threads wait for ever. Postgres does.
    ahead = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "+30s"}
    return (
        (
            Breakage(
                "clock", "the database's machine is 30 s ahead (libfaketime)", "ClockOff", "clock-off",
                lambda: restart_database(ahead), lambda: restart_database({}),
            ),
            Breakage(
                "schema registry", "connections are refused", "RegistryAway", "registry-away",
                around.registry.close, around.registry.open,
            ),
            Breakage(
                "SMTP", "the server stands still (SIGSTOP)", "MailServerAway", "mail-server-away",
                signal_to("mail", signal.SIGSTOP), signal_to("mail", signal.SIGCONT),
            ),
            Breakage(
                "one company", "Intuit answers it 503", "CompanyBreakerOpen", "company-breaker-open",
                lambda: trouble(installation, {"kind": "http", "status": 503, "realm": IRELAND}),
                lambda: no_trouble(installation),
            ),
            Breakage(
                "one topic", "it is deleted", "NotConsuming", "not-consuming",
                lambda: around.kafka.delete_topics(TOPIC), lambda: around.kafka.create_topic(TOPIC),
            ),
        ),
        (
            Breakage(
                "database", "the server is stopped (SIGQUIT)", "DatabaseAway", "database-away",
                lambda: installation.postgres.stop(how=signal.SIGQUIT), installation.postgres.start,
            ),
        ),
        (
            Breakage(
                "broker", "the only one stands still (SIGSTOP)", "BrokerAway", "broker-away",
                lambda: around.cluster.halt(1), lambda: around.cluster.resume(1),
            ),
        ),
        (
            Breakage(
                "Intuit", "it stands still (SIGSTOP)", "BreakerOpen", "breaker-open",
                signal_to("simulator", signal.SIGSTOP), signal_to("simulator", signal.SIGCONT),
            ),
            Breakage(
                "notifier", "it is killed (SIGKILL)", "NotifierSilent", "notifier-silent",
                lambda: processes.stop("notify", how=signal.SIGKILL),
                lambda: processes.start(installation.notifier()),
            ),
            Breakage(
                "one partition", "a producer leaves its transaction open", "IngestStuck", "ingest-stuck",
                transaction.leave_open, transaction.abort,
            ),
        ),
        (
            Breakage(
                "tidy", "it has not run: the oldest history is four days over its time", "TidyOverdue", "tidy-overdue",
                lambda: overdue(installation.settings.database_url, days=RETENTION_DAYS + 4),
                lambda: processes.run(Part("tidy", ("consumers", "tidy"), lambda: True)),
            ),
            Breakage(
                "disk", "the database answers 53100 to each write of a record", "DatabaseAway", "database-away",
                lambda: disk_full(installation.settings.database_url),
                lambda: disk_has_room(installation.settings.database_url),
            ),
        ),
    )  # fmt: skip


def trouble(installation: Installation, rule: Mapping[str, object]) -> None:
    _control(installation, "POST", json.dumps(rule).encode())


def no_trouble(installation: Installation) -> None:
    _control(installation, "DELETE", None)


def _control(installation: Installation, method: str, body: bytes | None) -> None:
    request = urllib.request.Request(f"{installation.simulator_url}/_simulator/faults", data=body, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status < 300


def overdue(database: str, *, days: int) -> None:
    """Have a decision of that age in the history."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "INSERT INTO qbo_history (at, org_id, kind, kompass_id, what)"
            " VALUES (now() - make_interval(days => %s), 'org-uk', 'client', 'overdue', 'judged')",
            (days,),
        )


def disk_full(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
        )
        db.execute(
            "CREATE TRIGGER disk_full BEFORE INSERT ON qbo_record FOR EACH STATEMENT EXECUTE FUNCTION disk_full()"
        )


def disk_has_room(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("DROP FUNCTION disk_full CASCADE")
