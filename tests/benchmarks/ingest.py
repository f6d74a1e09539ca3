"""Ingest against a bare poll + decode loop over the same topic: distinct events, and repeats.

``python tests/benchmarks/ingest.py [events]``; about a minute.
"""

from __future__ import annotations

import statistics
import sys
import time
from io import BytesIO

import fastavro
from bench.figures import Figure, publish
from bench.stage import Stage, cpu, in_turns, stage
from confluent_kafka import Consumer, Producer, TopicPartition
from sqlalchemy import text

from consumers.ingest.batch import Ingest
from consumers.ingest.messages import source_event
from demo.embedded.broker import EmbeddedBroker
from schemas.events import Kind
from schemas.shipped import current
from tests.builders import client, event, invoice, line, project

EVENTS, RUNS, BATCH, PARTITIONS = 6_000, 5, 500, 8
TOPIC = "kompass.invoices"
_SINGLE_OBJECT = 10
"""Bytes before the Avro body: the marker and the fingerprint."""


class Topic:
    """The events on a broker, to be read from the start as often as one likes."""

    def __init__(self, servers: str) -> None:
        self.consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "bench",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )

    def rewind(self) -> None:
        self.consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
        # Both ways begin with the connections made.
        while not self.consumer.poll(0.5):
            pass
        self.consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])


def main(count: int) -> None:
    with stage() as ours, EmbeddedBroker(topics={TOPIC: PARTITIONS}) as broker:
        ours.link_companies(1)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        size = 0
        for number in range(count):
            owner = project(f"p{number % 400}", of=client(f"c{number % 200}"))
            lines = tuple(line(position=position) for position in (1, 2, 3))
            value = ours.pipeline.codec.encode(event(invoice(f"i{number}", of=owner, lines=lines)))
            size += len(value)
            producer.produce(TOPIC, value, key=f"invoice/i{number}".encode())
            producer.poll(0)
        producer.flush()
        measure(ours, Topic(broker.bootstrap_servers), count, size / count)


def measure(ours: Stage, topic: Topic, count: int, size: float) -> None:
    parsed = fastavro.parse_schema(current()[Kind.INVOICE].schema)

    # CPU seconds an event: ours, and those of Postgres, which works while we wait for it.
    used: dict[str, list[float]] = {"bare": [], "distinct": [], "repeated": [], "restarted": []}

    def busy() -> float:
        return time.process_time() + cpu(ours.postgres)

    def bare() -> float:
        topic.rewind()
        before = busy()
        done, started = 0, time.perf_counter()
        while done < count:
            for message in topic.consumer.consume(BATCH, 0.01):
                stream = BytesIO(message.value())
                stream.seek(_SINGLE_OBJECT)
                fastavro.schemaless_reader(stream, parsed)
                done += 1
        used["bare"].append((busy() - before) / count)
        return count / (time.perf_counter() - started)

    def ingested(ingest: Ingest, what: str) -> float:
        before = busy()
        done, started = 0, time.perf_counter()
        while done < count:
            messages = topic.consumer.consume(BATCH, 0.01)
            if messages:
                ingest.write([source_event(message) for message in messages])
                done += len(messages)
        used[what].append((busy() - before) / count)
        return count / (time.perf_counter() - started)

    def distinct() -> float:
        with ours.watching.begin() as db:
            db.execute(text("TRUNCATE qbo_record, qbo_link, qbo_history CASCADE"))
        topic.rewind()
        return ingested(Ingest(ours.pipeline.engine, ours.pipeline.codec, Kind.INVOICE), "distinct")

    warm = Ingest(ours.pipeline.engine, ours.pipeline.codec, Kind.INVOICE)

    def repeated() -> float:
        topic.rewind()
        return ingested(warm, "repeated")

    def repeated_after_restart() -> float:
        topic.rewind()
        return ingested(Ingest(ours.pipeline.engine, ours.pipeline.codec, Kind.INVOICE), "restarted")

    topic.rewind()
    ingested(warm, "repeated")
    bares, first, again, cold = in_turns(RUNS, bare, distinct, repeated, repeated_after_restart)

    def note_of(what: str, rates: list[float]) -> str:
        """In CPU seconds, ours and Postgres's together: a busy machine disturbs them less than the clock."""
        mine, theirs = (statistics.median(used[way]) * 1e6 for way in (what, "bare"))
        return (
            f"CPU of an event, ours and Postgres's together: {mine:.0f} µs against {theirs:.0f} µs of poll + "
            f"fastavro.schemaless_reader in the same run. By the clock {statistics.median(rates):,.0f} events a second against "
            f"{statistics.median(bares):,.0f}; invoices of {size:.0f} bytes with three lines, carrying a project and a client; "
            f"batches of {BATCH}."
        )

    def shares(what: str) -> list[float]:
        # Repeats were run once before the turns, too.
        return [100 * theirs / mine for mine, theirs in zip(used[what][-RUNS:], used["bare"][-RUNS:], strict=True)]

    met = {what: statistics.median(shares(what)) for what in ("distinct", "repeated", "restarted")}
    publish(
        Figure(
            "ingest-1-distinct", "Ingest", "Distinct events, poll + decode ÷ durable (CPU)", "%", shares("distinct"), "higher", 40.0,
            note_of("distinct", first), cause="" if met["distinct"] >= 40 else _DISTINCT_CAUSE,
        ),
        Figure(
            "ingest-2-repeats", "Ingest", "Repeats, poll + decode ÷ ingest (CPU)", "%", shares("repeated"), "higher", 75.0,
            note_of("repeated", again) + " What is repeated was ingested by this process, which remembers the sequences of its last "
            "100,000 to 200,000 records.",
            cause="" if met["repeated"] >= 75 else _REPEATS_CAUSE,
        ),
        Figure(
            "ingest-3-repeats-restarted", "Ingest", "Repeats after a restart, poll + decode ÷ ingest (CPU)", "%", shares("restarted"),
            "higher", 65.0,
            note_of("restarted", cold) + " A process that remembers nothing, so the database is asked.",
            cause="" if met["restarted"] >= 65 else _COLD_CAUSE,
        ),
    )  # fmt: skip


_DISTINCT_CAUSE = (
    "Cause: Postgres needs half of it: the JSON of the record, its compression, four indexes. COPY instead of arrays was tried and costs "
    "Postgres the same."
)
_REPEATS_CAUSE = "Cause: an event is read into typed values, and checked, before its sequence is compared."
_COLD_CAUSE = (
    "Cause: what the database knows is found out by one statement a batch that carries the records to it first."
)

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
