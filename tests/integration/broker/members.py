"""Members of the group that reads the clients' topic: the ingest loop of `kompass-qbo consume clients`, in threads of the test."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import psycopg
from confluent_kafka import Consumer, KafkaError, Message
from sqlalchemy.engine import make_url

from consumers.ingest.batch import BatchResult, Ingest
from consumers.ingest.group import consumer_settings
from consumers.ingest.loop import IngestLoop
from schemas.codec import Codec
from schemas.events import Kind
from store import stretches
from store.engine import open_engine, retrying
from store.records import SourceEvent
from sync.metrics import Metrics
from tests import builders
from tests.kafka import PARTITIONS, Kafka

TOPIC: Final = "kompass.clients"
GROUP: Final = "kompass-qbo.clients"
_HURRIED: Final = {"topic.metadata.refresh.interval.ms": "500", "reconnect.backoff.max.ms": "500"}
_LIBRDKAFKA: Final = logging.getLogger("librdkafka")
_CODEC: Final = Codec()


class StallingIngest(Ingest):
    """Makes a batch durable and then, when asked to, does not come back until `go`: a process that stands still at the worst moment."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.stalled = threading.Event()
        self.go = threading.Event()
        self.stall = False
        self.batches: deque[list[SourceEvent]] = deque(maxlen=20)

    def write(self, sources: Sequence[SourceEvent]) -> BatchResult:
        self.batches.append(list(sources))
        result = super().write(sources)
        if self.stall:
            self.stall = False
            self.stalled.set()
            assert self.go.wait(60)
        return result


class Member:
    """One consumer of the group; `end` stops it and raises what broke it."""

    def __init__(
        self,
        kafka: Kafka,
        database: str,
        settings: Mapping[str, str],
        *,
        codec: Codec = _CODEC,
        **options: object,
    ) -> None:
        if "group.protocol" not in settings:
            settings = {"session.timeout.ms": str(kafka.session_ms), "heartbeat.interval.ms": "300", **settings}
        self.engine = open_engine(database, pool_size=2, application_name="kompass-qbo-test")
        self.metrics = Metrics()
        self.turns: list[float] = []
        self.ingest = StallingIngest(self.engine, codec, Kind.CLIENT)
        self.loop = IngestLoop(
            lambda on_commit: Consumer(
                {
                    **consumer_settings({**kafka.settings, **_HURRIED, **settings}, Kind.CLIENT),
                    "on_commit": on_commit,
                },
                logger=_LIBRDKAFKA,
            ),
            self.ingest,
            Kind.CLIENT,
            metrics=self.metrics,
            beat=lambda: self.turns.append(time.monotonic()),
            note_gap=lambda gap: retrying(self.engine, lambda db: stretches.note_gap(db, gap)),
            **options,  # type: ignore[arg-type]
        )
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="member", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run()
        except BaseException as error:  # noqa: BLE001 - the test raises it
            self.error = error

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop it as SIGTERM does."""
        self.ingest.go.set()
        self.loop.stop()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the member does not stop"

    def end(self) -> None:
        """Stop it, if it still runs, and raise what broke it."""
        self.stop()
        self.engine.dispose()
        error, self.error = self.error, None
        if error is not None:
            raise error

    def failure(self, timeout: float = 30.0) -> BaseException:
        """Wait until it breaks and take the error."""
        self._thread.join(timeout)
        error, self.error = self.error, None
        assert error is not None, "the member did not break"
        return error

    def counted(self, name: str, **labels: str) -> float:
        """The value of one of its metrics, over all labels that are not given."""
        samples = [
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == f"kompass_qbo_{name}" and labels.items() <= sample.labels.items()
        ]
        return sum(samples)


class Members(Protocol):
    def __call__(self, kafka: Kafka, settings: dict[str, str] | None = None, **options: object) -> Member: ...


def eventually(condition: Callable[[], object], what: str = "", timeout: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what or condition}"
        time.sleep(0.02)


def configure(database: str) -> None:
    """Give the events' Org a Configuration: what it says is kept from now on."""
    with psycopg.connect(database) as db:
        db.execute("INSERT INTO qbo_org (id, name) VALUES (%s, %s)", (builders.UK_ORG.id, builders.UK_ORG.name))
        db.execute("INSERT INTO qbo_configuration (org_id, locale) VALUES (%s, 'EU')", (builders.UK_ORG.id,))


def value_of(id: str, sequence: int = 1, **more: object) -> bytes:
    return _CODEC.encode(builders.event(builders.client(id, sequence=sequence, **more)))  # type: ignore[arg-type]


class Publisher:
    """Writes events of clients, and knows what was acknowledged."""

    def __init__(self, kafka: Kafka, **settings: object) -> None:
        self._producer = kafka.producer(**settings)
        self.newest: dict[str, int] = {}
        self.written = 0
        self.refused: list[KafkaError] = []

    def send(self, id: str, sequence: int = 1, *, partition: int = -1, value: bytes | None = None) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.refused.append(error)
                return
            self.written += 1
            self.newest[id] = max(sequence, self.newest.get(id, 0))

        self._producer.produce(
            TOPIC,
            key=f"client/{id}".encode(),
            value=value_of(id, sequence) if value is None else value,
            partition=partition,
            on_delivery=delivered,
        )
        self._producer.poll(0)

    def send_tombstone(self, id: str, *, partition: int = -1) -> None:
        self._producer.produce(TOPIC, key=f"client/{id}".encode(), value=None, partition=partition)

    def flush(self) -> None:
        assert self._producer.flush(60) == 0
        assert not self.refused

    def send_all(self, ids: Iterable[str], sequence: int = 1, *, partition: int = -1) -> None:
        for one in ids:
            self.send(one, sequence, partition=partition)
        self.flush()


def kept(database: str) -> dict[str, int]:
    """Client → newest sequence in the database."""
    with psycopg.connect(database) as db:
        return dict(db.execute("SELECT kompass_id, sequence FROM qbo_record WHERE kind = 'client'").fetchall())


def twice(database: str) -> list[tuple[str, str]]:
    """States that counted as new more than once: none, ever."""
    with psycopg.connect(database) as db:
        return db.execute(
            "SELECT kompass_id, message FROM qbo_history WHERE what = 'event'"
            " GROUP BY kompass_id, detail ->> 'sequence', message HAVING count(*) > 1"
            " UNION ALL SELECT kompass_id, detail ->> 'sequence' FROM qbo_history WHERE what = 'event'"
            " GROUP BY kompass_id, detail ->> 'sequence' HAVING count(*) > 1"
        ).fetchall()


def all_committed(kafka: Kafka, partitions: int = PARTITIONS) -> bool:
    """Whether the group's offsets stand at the end of every partition that has records."""
    ends = {partition: kafka.watermarks(TOPIC, partition)[1] for partition in range(partitions)}
    return kafka.committed(GROUP, TOPIC, partitions) == {number: end for number, end in ends.items() if end}


FORGOTTEN = 40
"""How many records `forget` leaves behind, at least."""


def forget(kafka: Kafka, publisher: Publisher) -> int:
    """Have the broker delete the oldest records of partition 0, as retention does; gives the offset of the oldest one left.

    Apache Kafka is asked to; the embedded broker forgets on its own what is more than 5 MiB.
    """
    if kafka.apache:
        publisher.send_all([f"forgotten{number}" for number in range(FORGOTTEN)], partition=0)
        _, end = kafka.watermarks(TOPIC)
        kafka.forget_before(TOPIC, 0, end)
    else:
        for _ in range(8):
            publisher.send("bulk", partition=0, value=b"x" * 900_000)
        publisher.flush()
    low, _ = kafka.watermarks(TOPIC)
    assert low > 0
    return low


@contextmanager
def database_away(database: str) -> Iterator[None]:
    """Put everybody out of the database and let nobody in."""
    url = make_url(database)
    maintenance = url.set(database="postgres", drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(maintenance, autocommit=True) as db:
        db.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS false')
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (url.database,))
        try:
            yield
        finally:
            db.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS true')
