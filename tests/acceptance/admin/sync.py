"""The consumers and the notifier as processes of their own, on the embedded broker: what runs behind the admin."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer, Producer

from demo.embedded.broker import EmbeddedBroker
from demo.embedded.mail import EmbeddedMail
from demo.processes import Part, Processes, answers
from schemas.codec import Codec
from schemas.events import Event, kind_of
from tests.admin_site import Site, free_port

DEAD_LETTERS = "kompass.qbo.dead-letters"
PATIENCE_S = 90.0


@dataclass
class Sync:
    processes: Processes
    broker: EmbeddedBroker
    mail: EmbeddedMail
    metrics: dict[str, str]
    """Process → its /metrics."""
    environment: dict[str, str]

    def publish(self, *events: Event, garbage: bytes = b"") -> None:
        """Put events onto Kompass's topics, as Kompass does."""
        producer, codec = Producer({"bootstrap.servers": self.broker.bootstrap_servers}), Codec()
        for one in events:
            kind = kind_of(one.object).value
            producer.produce(f"kompass.{kind}s", value=codec.encode(one), key=f"{kind}/{one.object.id}")
        if garbage:
            producer.produce("kompass.clients", value=garbage, key=b"client/garbage")
        assert producer.flush(30) == 0

    def dead_letters(self, number: int) -> list[str]:
        """The first so many dead letters, headers and all, as text."""
        consumer = Consumer(
            {"bootstrap.servers": self.broker.bootstrap_servers, "group.id": "test", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe([DEAD_LETTERS])
        found: list[str] = []
        until = time.monotonic() + PATIENCE_S
        try:
            while len(found) < number and time.monotonic() < until:
                message = consumer.poll(1.0)
                if message is not None and message.error() is None:
                    found.append(f"{message.key()!r} {message.value()!r} {message.headers()!r}")
        finally:
            consumer.close()
        assert len(found) >= number, "too few dead letters"
        return found

    def commands(self, *commands: Sequence[str]) -> dict[str, str]:
        """What `kompass-qbo` says to each of these, all asked at once."""
        running = {
            " ".join(arguments): subprocess.Popen(
                [sys.executable, "-m", "consumers", *arguments],
                env={**os.environ, **self.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for arguments in commands
        }
        return {name: process.communicate(timeout=PATIENCE_S)[0] for name, process in running.items()}

    def said(self) -> dict[str, str]:
        """Everything that the processes show: metrics, and logs with the stacks of their threads."""
        for name in self.metrics:
            os.kill(self.processes.process_id(name), signal.SIGUSR1)
        shown = {}
        for name, address in self.metrics.items():
            with urllib.request.urlopen(address, timeout=30) as answer:
                shown[f"metrics of {name}"] = answer.read().decode()
            log = self.processes.log(name)
            eventually(partial(_holds_stacks, log))
            shown[f"log of {name}"] = log.read_text()
        return shown


def _holds_stacks(log: Path) -> bool:
    return "most recent call first" in log.read_text()


@contextmanager
def running_sync(site: Site, directory: Path) -> Iterator[Sync]:
    """Run `consume clients|projects|invoices` and `notify` on the admin's database and with its keys."""
    with EmbeddedBroker() as broker, EmbeddedMail() as mail:
        environment = {
            **{name: value for name, value in site.environ.items() if name != "METRICS_PORT"},
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SMTP_URL": mail.url,
            "OPERATOR_MAIL": "operator@example.com",
        }
        with Processes(environment, directory / "logs") as processes:
            parts = []
            for name, arguments in (
                ("clients", ("consumers", "consume", "clients")),
                ("projects", ("consumers", "consume", "projects")),
                ("invoices", ("consumers", "consume", "invoices")),
                ("notify", ("consumers", "notify")),
            ):
                address = f"127.0.0.1:{free_port()}"
                parts.append(Part(name, arguments, answers(f"http://{address}/readyz"), {"METRICS_PORT": address}))
                processes.start(parts[-1])
            for part in parts:
                processes.wait_until_ready(part)
            metrics = {part.name: f"http://{part.environment['METRICS_PORT']}/metrics" for part in parts}
            yield Sync(processes, broker, mail, metrics, environment)


def eventually(reached: Callable[[], object]) -> None:
    """Until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.1)
