"""Consumer processes to kill, on a real PostgreSQL, librdkafka's broker and the simulator.

The processes come from a fork server that has imported everything already, so that one is up in a fraction of a second.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from sqlalchemy import text

from consumers.errors import ExitCode
from demo.embedded.postgres import EmbeddedPostgres
from schemas.events import Event, OrgRef, kind_of
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Simulator
from simulator.seeds import UK
from simulator.settings import Settings
from simulator.world import World, company_shown
from tests import pipeline as pipelines
from tests.chaos import oracle, plight
from tests.kafka import chosen_broker
from tests.pipeline import Pipeline, open_pipeline

ORGS = tuple(OrgRef(f"org-{number}", f"Company {number}") for number in range(1, 7))
REALMS = {org.id: f"913034700000001000{number}" for number, org in enumerate(ORGS, 1)}

TIMINGS = {
    "LEASE_SECONDS": "0.6",
    "HEARTBEAT_SECONDS": "0.15",
    "CALL_DEADLINE_SECONDS": "0.8",
    "SERVER_TIMEOUT_SECONDS": "1.0",
    "POLL_SECONDS": "0.3",
    "SWEEP_SECONDS": "0.5",
    "OUTBOX_SECONDS": "0.1",
    "DRAIN_SECONDS": "3",
    "BACKOFF_FIRST_SECONDS": "0.05",
    "BACKOFF_LONGEST_SECONDS": "0.4",
    "REJECT_AFTER_ATTEMPTS": "1000",
    "WORKERS": "4",
    # Whenever two are due they go in a batch: single calls and batches, side by side and after one another.
    "BACKLOG_LINKS": "1",
    "REFRESH_LEASE_SECONDS": "3",
}

GROUP = {
    # The embedded broker, librdkafka's mock cluster, has those who join wait for a second less than a session, or for all of it when
    # it is not longer than a second; and a member that has been silent for a session, as those that wait are, it strikes out without the
    # answer that they wait for, and reads nothing more from them. So a session of a second is a race between its two timers.
    "KAFKA_SESSION_TIMEOUT_MS": "1300",
    "KAFKA_HEARTBEAT_INTERVAL_MS": "100",
    # How long librdkafka waits for that answer before it connects and joins again, less three seconds.
    "KAFKA_MAX_POLL_INTERVAL_MS": "15000",
}

REPEAT = ".venv/bin/python -m pytest"

STOPPED_S = 1.6
"""More than twice the lease above, and more than a call may last."""


def consume(environment: dict[str, str], kind: str, log: str) -> None:
    """Be `kompass-qbo consume <kind>s`."""
    with Path(log).open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    from consumers.cli import known_error
    from consumers.logs import configure_logs
    from consumers.process import run
    from schemas.events import Kind
    from sync import crash_points
    from sync.settings import settings_from

    faulthandler.enable()
    # A thread of librdkafka's blocks the signals of a crash, and leaves no stack: a core does, beside the log, where the system writes one.
    os.chdir(Path(log).parent)
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    configure_logs("text")
    crash_points.arm(environment.get(crash_points.VARIABLE, ""))
    try:
        run(settings_from(os.environ), Kind(kind))
    except Exception as error:
        if (known := known_error(error)) is None:
            raise
        print(known[0])
        sys.exit(known[1])
    sys.exit(0)


class Surroundings:
    """Everything but the consumers. A context manager; ends every process it started."""

    def __init__(self, postgres: EmbeddedPostgres, database_url: str, directory: Path) -> None:
        self._postgres = postgres
        self._database_url = database_url
        self._directory = directory
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["consumers.process", "tests.chaos.surroundings"])
        self._open = ExitStack()
        self._running: list[BaseProcess] = []
        self._started: list[tuple[str, BaseProcess, Path]] = []
        self.published: list[Event] = []
        self._places: dict[tuple[str, str, int], str] = {}

    def __enter__(self) -> Self:
        topics = dict.fromkeys(
            ("kompass.clients", "kompass.projects", "kompass.invoices", "kompass.qbo.dead-letters"), 4
        )
        self.broker = self._open.enter_context(chosen_broker(topics))
        self.simulator = self._open.enter_context(Simulator(settings=Settings.from_environment(throttle_retry_after=1)))
        self.pipeline: Pipeline = open_pipeline(self._database_url, self.simulator)
        self._open.callback(self.pipeline.engine.dispose)
        self._open.callback(self.pipeline.close)
        self._open.callback(self._end_all)
        self._producer = Producer({"bootstrap.servers": self.broker.bootstrap_servers})
        for org in ORGS:
            self._link(org, REALMS[org.id])
        self.simulator.call(lambda world: world.journal.clear())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def _link(self, org: OrgRef, realm: str) -> None:
        pipelines.LOCALES[realm] = "EU"

        def add(world: World) -> None:
            # Lets two documents have one number: nothing but the pipeline stands between a lost answer and a second one.
            world.add_company(realm=realm, name=org.name, like=UK, changes={"warn_duplicate_numbers": False})

        self.simulator.call(add)
        self.pipeline.link(org.id, org.name, realm=realm)
        self.pipeline.map_vat_rate("vat-20", "20.0% S", org_id=org.id, realm=realm)

    # Processes

    def start(self, kind: str, **environment: str) -> BaseProcess:
        """Start one consumer; more environment goes on top of the shortened timings."""
        number = len(self._started)
        log = self._directory / f"{kind}-{number}.log"
        process = self._context.Process(
            target=consume,
            args=({**self._environment(), **environment}, kind, str(log)),
            name=kind,
            daemon=True,
        )
        process.start()
        self._running.append(process)
        self._started.append((f"{kind} {number}", process, log))
        return process

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            **GROUP,
            "INTUIT_ENVIRONMENT": self.simulator.base_url,
            "INTUIT_CLIENT_ID": DEFAULT_CLIENT_ID,
            "INTUIT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TOKEN_KEYS": pipelines.KEY,
            "METRICS_PORT": "off",
            **{f"KOMPASS_QBO_{name}": value for name, value in TIMINGS.items()},
        }

    def kill(self, process: BaseProcess) -> None:
        """SIGKILL, at any moment of its work. It has not ended before, unless it was just starting and found no database."""
        process.kill()
        process.join()
        self._running.remove(process)
        expected = (-signal.SIGKILL, ExitCode.UNREACHABLE)
        assert process.exitcode in expected, (process.name, process.exitcode, self.log_of(process.name))

    def stop(self, process: BaseProcess, *, timeout: float = 60.0) -> int | None:
        """SIGTERM; gives the exit code, None when it did not end in time. It waits for a token that is being refreshed."""
        process.terminate()
        process.join(timeout)
        return process.exitcode

    def authorise_again(self) -> None:
        """Do as an admin does who reads that a company is disconnected: Intuit may take two refreshes at once for a theft."""
        for row in self.pipeline.rows("qbo_connection"):
            if row.state == "disconnected":
                org = next(org for org in ORGS if REALMS[org.id] == row.realm_id)
                self.pipeline.link(org.id, org.name, realm=row.realm_id)

    def pause(self, process: BaseProcess) -> None:
        """SIGSTOP it for longer than the lease, then let it go on as if nothing had been."""
        assert process.pid is not None
        # One that finds no database may end of itself between being seen alive and being stopped.
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(STOPPED_S)
            os.kill(process.pid, signal.SIGCONT)

    def restart_database(self, how: signal.Signals) -> None:
        """Stop Postgres under everybody (SIGINT: in order, SIGQUIT: a crash) and start it again."""
        self._postgres.stop(how=how)
        self._postgres.start()

    def _end_all(self) -> None:
        for process in self._running:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGCONT)
                process.kill()
                process.join()

    def log(self, kind: str) -> str:
        """Give the logs of all processes of this kind, one after the other."""
        paths = [path for name, _, path in self._started if name.split()[0] == kind and path.exists()]
        return "".join(path.read_text() for path in paths)

    def log_of(self, kind: str) -> str:
        """Give the end of a log without what is well; of one that ends in a crash, all stacks."""
        lines = [line for line in self.log(kind).splitlines() if " INFO " not in line and "CONFWARN" not in line]
        crash = max((at for at, line in enumerate(lines) if line.startswith("Fatal Python error")), default=len(lines))
        return "\n".join(lines[min(crash, max(len(lines) - 60, 0)) :])

    # Kompass and Intuit

    def publish(self, events: Iterable[Event]) -> None:
        for one in events:
            kind = kind_of(one.object)
            self._producer.produce(
                f"kompass.{kind.value}s",
                key=f"{kind.value}/{one.object.id}".encode(),
                value=self.pipeline.codec.encode(one),
                on_delivery=partial(self._delivered, (kind.value, one.object.id, one.object.sequence)),
            )
            self.published.append(one)
        assert self._producer.flush(60) == 0

    def _delivered(self, record: tuple[str, str, int], error: KafkaError | None, message: Message) -> None:
        self._places[record] = f"{message.topic()}/{message.partition()} at {message.offset()}"

    def publish_bytes(self, topic: str, value: bytes) -> None:
        self._producer.produce(topic, key=b"garbage", value=value)
        assert self._producer.flush(60) == 0

    def dead_letters(self) -> list[tuple[bytes, dict[str, str]]]:
        """Give the value and the headers of each dead letter on its topic; one may be there twice."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.broker.bootstrap_servers,
                "group.id": "test",
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )
        partitions = [TopicPartition("kompass.qbo.dead-letters", number, OFFSET_BEGINNING) for number in range(4)]
        consumer.assign(partitions)
        found, ended = [], 0
        while ended < len(partitions):
            message = consumer.poll(60)
            assert message is not None
            if message.error() is not None:
                ended += 1
                continue
            headers = {name: (value or b"").decode() for name, value in message.headers() or []}  # type: ignore[union-attr]
            found.append((message.value() or b"", headers))
        consumer.close()
        return found  # type: ignore[return-value]

    def trouble(self, **rule: Any) -> None:
        self.simulator.call(lambda world: world.troubles.add(rule))

    def no_more_trouble(self) -> None:
        self.simulator.call(lambda world: world.troubles.remove())

    # At the end

    def wait_until_at_rest(self, *, timeout: float = 60.0, alive: Callable[[], None] = lambda: None) -> None:
        """Wait until everything published is ingested and nothing is left to do. ``alive`` may restart what has died."""
        newest = oracle.Newest()
        for one in self.published:
            newest.take(one.object)
        wanted = {
            (kind, record.id): record.sequence
            for kind, records in (
                ("client", newest.clients),
                ("project", newest.projects),
                ("invoice", newest.invoices),
            )
            for record in records.values()  # type: ignore[attr-defined]
        }
        deadline = time.monotonic() + timeout
        quiet = 0
        while quiet < 2:
            alive()
            with self.pipeline.engine.begin() as db:
                known = {
                    (row.kind, row.kompass_id): row.sequence
                    for row in db.execute(text("SELECT kind, kompass_id, sequence FROM qbo_record"))
                }
                left = db.execute(
                    text(
                        "SELECT (SELECT count(*) FROM qbo_link WHERE due_at IS NOT NULL) +"
                        " (SELECT count(*) FROM qbo_attempt) + (SELECT count(*) FROM qbo_outbox)"
                    )
                ).scalar_one()
            quiet = quiet + 1 if known == wanted and left == 0 else 0
            if time.monotonic() > deadline:
                missing = {
                    f"{kind} {name} #{sequence}: {self._places.get((kind, name, sequence), 'carried')}"
                    for (kind, name), sequence in wanted.items()
                    if known.get((kind, name)) != sequence
                }
                raise AssertionError(
                    f"not at rest after {timeout:.0f} s: {left} things to do; {len(missing)} not ingested: {sorted(missing)[:8]}\n"
                    + self._unfinished()
                )
            time.sleep(0.05)

    def _unfinished(self) -> str:
        return "\n".join(
            plight.in_the_database(self.pipeline.engine)
            + plight.in_the_groups(self.broker.bootstrap_servers)
            + plight.in_the_processes(self._started)
        )

    def differences(self) -> list[str]:
        """What is in QuickBooks against what must be, and writes that overlapped."""
        found = []
        for realm, company in oracle.expected(self.published, REALMS).items():
            shown = self.simulator.call(lambda world, realm=realm: company_shown(world.companies[realm])["objects"])
            found += [f"{realm}: {one}" for one in oracle.differences(company, shown)]
        journal = self.simulator.call(lambda world: list(world.journal))
        found += oracle.overlapping_writes(journal) + oracle.made_twice(journal)
        states = [row for row in self.pipeline.links() if row.state not in ("synced", "skipped")]
        return found + [f"link {row.kind} {row.kompass_id} is {row.state}: {row.reason}" for row in states]
