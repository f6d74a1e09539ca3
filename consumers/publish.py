"""`kompass-qbo publish`: events as JSON lines → Avro on Kafka, as Kompass itself would send them."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

import click
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from consumers.errors import BrokerUnreachable, ConsumersError
from consumers.logs import LIBRDKAFKA
from schemas.codec import Codec
from schemas.counting import counted
from schemas.errors import BadLine, BadRecord
from schemas.events import Event, Kind, kind_of
from schemas.jsonlines import read_json_lines
from schemas.registry import RegistrySource
from schemas.shipped import topic
from sync.settings import Environment, read_kafka, read_registry

REACH_TIMEOUT_S: Final = 6.0
ACK_TIMEOUT_S: Final = 30.0
_STALLED_S: Final = ACK_TIMEOUT_S + 15.0
_LONG: Final = 500
"""A file with fewer events is through before a progress bar could be read."""


def key_of(event: Event) -> str:
    """``<kind>/<id>``: all events of a record share a partition, and so keep their order."""
    return f"{kind_of(event.object)}/{event.object.id}"


def producer_settings(kafka: Mapping[str, str]) -> dict[str, str | int | bool]:
    """Idempotent and acknowledged by all replicas, with any other setting.

    The partitioner is that of Kafka's Java clients, so that a record's events meet those that Kompass sent.
    """
    return {
        "partitioner": "murmur2_random",
        "compression.type": "zstd",
        "linger.ms": 5,
        "delivery.timeout.ms": int(ACK_TIMEOUT_S * 1000),
        "log_level": 0,  # what goes wrong is said once, in the command's own line
        **kafka,
        "enable.idempotence": True,
        "acks": "all",
    }


class Publisher:
    """Sends events and keeps count of what the broker has acknowledged."""

    def __init__(self, kafka: Mapping[str, str], codec: Codec) -> None:
        self._codec = codec
        self._servers = kafka.get("bootstrap.servers", "")
        self._producer = Producer(producer_settings(kafka), logger=LIBRDKAFKA)
        self._refused: str | None = None
        self.acknowledged: Counter[Kind] = Counter()

    def reach(self) -> None:
        """Make sure that a broker answers. Raises `BrokerUnreachable`."""
        try:
            self._producer.list_topics(timeout=REACH_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerUnreachable(
                f"no Kafka broker answers at {self._servers} ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS"
            ) from None

    def send(self, number: int, event: Event) -> None:
        """Hand one event to the producer; waits while its queue is full.

        Raises `BadLine` for a value that Avro cannot hold, `ConsumersError` when the broker has refused an earlier event.
        """
        kind = kind_of(event.object)
        value = encoded(self._codec, number, event)

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.acknowledged[kind] += 1
            elif self._refused is None:
                self._refused = f"the {kind} event on line {number} ({key_of(event)}): {error.str()}"

        while True:
            try:
                self._producer.produce(topic(kind), value=value, key=key_of(event), on_delivery=delivered)
                break
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                delivered(error.args[0], None)  # type: ignore[arg-type]
                break
        self._producer.poll(0)
        self._stop_if_refused()

    def settle(self) -> Iterator[int]:
        """Wait for every acknowledgement; gives now and then how many have come.

        Raises `ConsumersError` when one was refused, or none comes any more.
        """
        waiting, since = len(self._producer), time.monotonic()
        while waiting:
            left = self._producer.flush(0.2)
            yield self.acknowledged.total()
            if left < waiting:
                waiting, since = left, time.monotonic()
            elif time.monotonic() - since > _STALLED_S:
                self._refused = (
                    self._refused or f"{counted(left, 'event')}: no acknowledgement came within {_STALLED_S:.0f} s"
                )
                break
        self._stop_if_refused()

    def _stop_if_refused(self) -> None:
        if self._refused is not None:
            raise ConsumersError(
                f"not acknowledged: {self._refused}. {counted(self.acknowledged.total(), 'event was', 'events were')}; "
                "publishing all again does no harm"
            )


def encoded(codec: Codec, number: int, event: Event) -> bytes:
    try:
        return codec.encode(event)
    except BadRecord as error:
        raise BadLine(number, str(error)) from error


@click.command()
@click.argument("source", metavar="FILE|-", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def publish(source: str) -> None:
    """Publish events from JSON lines (docs/events.md shows their form) to Kompass's topics.

    A file is checked as a whole before its first event is sent. From standard input (-) events are sent as they come, up to
    the first bad line.
    """
    environment = Environment(os.environ)
    kafka = read_kafka(environment)
    registry = read_registry(environment)
    codec = Codec(RegistrySource(registry) if registry else None)
    total = None if source == "-" else _checked(Path(source), codec)
    publisher = Publisher(kafka, codec)
    publisher.reach()
    with _opened(source) as stream, _progress(total) as progress:
        task = progress.add_task("publishing", total=total)
        try:
            for number, event in read_json_lines(stream):
                publisher.send(number, event)
                progress.update(task, completed=publisher.acknowledged.total())
        except BadLine as error:
            for _ in publisher.settle():
                pass
            sent = counted(publisher.acknowledged.total(), "event before it was", "events before it were")
            raise ConsumersError(f"{error} {sent} sent") from None
        for acknowledged in publisher.settle():
            progress.update(task, completed=acknowledged)
    counts = ", ".join(
        counted(publisher.acknowledged[kind], kind.value) for kind in Kind if publisher.acknowledged[kind]
    )
    click.echo(f"{counted(publisher.acknowledged.total(), 'event')} published" + (f" ({counts})" if counts else ""))


def _checked(path: Path, codec: Codec) -> int:
    """The number of events in the file. Raises `ConsumersError` at the first line that is none."""
    total = 0
    try:
        with path.open("rb") as lines:
            for number, event in read_json_lines(lines):
                encoded(codec, number, event)
                total += 1
    except BadLine as error:
        raise ConsumersError(f"{path}: {error} Nothing was sent") from None
    except OSError as error:
        raise ConsumersError(f"{path} cannot be read ({error.strerror}); nothing was sent") from None
    return total


def _opened(source: str) -> IO[bytes]:
    return sys.stdin.buffer if source == "-" else Path(source).open("rb")


def _progress(total: int | None) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or (total is not None and total < _LONG),
    )
