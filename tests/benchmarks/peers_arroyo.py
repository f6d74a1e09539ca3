"""arroyo beside us: the same topic on the same broker, the same sink, 64 slots.

``python tests/benchmarks/peers_arroyo.py [events]``; half a minute. arroyo is no dependency of this project, not even of its tests: put it
somewhere with ``pip install --target DIRECTORY sentry-arroyo`` and name that directory in ``ARROYO``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bench.peers import write_section
from bench.stage import Overlaps, Stage, stage
from confluent_kafka import Consumer, Producer
from sqlalchemy import text

from consumers.ingest.batch import Ingest
from consumers.ingest.messages import source_event
from demo.embedded.broker import EmbeddedBroker
from qbo_client import calls
from qbo_client.environment import environment_for
from qbo_client.outcomes import Done
from qbo_client.transport import Transport
from schemas.events import Kind
from simulator.seeds import UK
from store.links import LANES
from tests.builders import client, event

EVENTS, KEYS, SLOTS, PARTITIONS = 640, 160, 64, 8
LATENCY_S, BATCH_S = 0.1, 1.0
TOPIC = "kompass.clients"
PATIENCE_S = 120.0


@dataclass
class Sink:
    """One call to the simulator for each event, and who was at work on which key."""

    transport: Transport
    token: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_work: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    last: dict[str, int] = field(default_factory=dict)
    """The state that was the last to arrive, by key."""
    calls: int = 0
    overlaps: int = 0

    def push(self, key: str, sequence: int) -> None:
        with self.lock:
            self.calls += 1
            self.overlaps += self.at_work[key] > 0
            self.at_work[key] += 1
        call = calls.create("Customer", {"DisplayName": f"Arroyo {key} {sequence}"}, request_id=f"{key}-{sequence}")
        outcome = self.transport.send(UK, self.token, call, deadline=30)
        assert isinstance(outcome, Done), outcome
        with self.lock:
            self.at_work[key] -= 1
            self.last[key] = sequence


def main(count: int) -> None:
    sys.path.insert(0, os.environ.get("ARROYO", ""))
    try:
        import arroyo  # noqa: F401
    except ImportError:
        print("arroyo is not there: pip install --target DIRECTORY sentry-arroyo, and ARROYO=DIRECTORY")
        return
    with stage() as ours, EmbeddedBroker(topics={TOPIC: PARTITIONS}) as broker:
        ours.link_companies(1)
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        # Every client changes a few times in a row: what a busy hour in Kompass looks like.
        for number in range(count):
            key, sequence = f"c{number // (count // KEYS) % KEYS}", number % (count // KEYS) + 1
            value = ours.pipeline.codec.encode(event(client(key, sequence=sequence, name=f"{key} name {sequence}")))
            producer.produce(TOPIC, value, key=key.encode(), headers={"sequence": str(sequence).encode()})
        producer.flush()
        ours.simulator.latency(LATENCY_S)
        ours.simulator.ask("POST", "faults", {"kind": "latency", "seconds": BATCH_S - LATENCY_S, "operation": "batch"})
        observed, their_seconds = with_arroyo(ours, broker.bootstrap_servers, count)
        seen, our_seconds = with_ours(ours, broker.bootstrap_servers, count)
        names = {one["DisplayName"] for one in ours.pipeline.objects("Customer")}
    each = count // KEYS
    theirs_outdated = sum(last < each for last in observed.last.values())
    outdated = sum(f"c{key} name {each}" not in names for key in range(KEYS))
    write_section(
        "arroyo",
        f"arroyo, {count} events of {KEYS} clients",
        [
            ["", "ours", "arroyo, RunTaskInThreads"],
            ["events a second until all is in QuickBooks", f"{count / our_seconds:.0f}", f"{count / their_seconds:.0f}"],
            ["calls", str(seen.calls), str(observed.calls)],
            ["calls for a key while another worker had the same", str(seen.overlaps), str(observed.overlaps)],
            ["clients of which an older state is the last to arrive", str(outdated), str(theirs_outdated)],
        ],
        [
            f"{SLOTS} workers each, {LATENCY_S * 1000:.0f} ms a call, {BATCH_S:g} s a batch, the same broker (librdkafka's mock cluster), "
            f"topic and simulator; {count // KEYS} changes of each client, which follow one another on its partition. The slots allow "
            f"{SLOTS / LATENCY_S:.0f} calls a second.",
            "arroyo hands out events and we hand out states: what changed again before it was sent is sent once, and what waits goes in "
            "batches, so we need fewer calls; and never has a key two at once, of which the older may be the last to arrive.",
            "Where arroyo wins: in calls a second where the sink has no quota (there is none here; Intuit allows a company 10), and where "
            "every event counts alone. It does that with one process and no database, with nothing between the broker and the sink: "
            "where every client changes once only, its share of the slots is higher than ours ([benchmarks](benchmarks.md), "
            "latency-bound push).",
        ],
    )  # fmt: skip


def with_arroyo(ours: Stage, servers: str, count: int) -> tuple[Sink, float]:
    from arroyo.backends.kafka import KafkaConsumer
    from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
    from arroyo.processing.processor import StreamProcessor
    from arroyo.processing.strategies import CommitOffsets, RunTaskInThreads
    from arroyo.processing.strategies.abstract import ProcessingStrategyFactory
    from arroyo.types import Topic

    token = ours.simulator.authorize(UK)["access_token"]
    sink = Sink(Transport(environment_for(ours.simulator.base_url)), token)
    done = threading.Semaphore(0)

    def push(message: Any) -> None:
        headers = dict(message.payload.headers)
        sink.push(message.payload.key.decode(), int(headers["sequence"]))
        done.release()

    class Factory(ProcessingStrategyFactory):  # type: ignore[misc]
        def create_with_partitions(self, commit: Any, partitions: Any) -> Any:
            return RunTaskInThreads(push, SLOTS, 4 * SLOTS, CommitOffsets(commit))

    consumer = KafkaConsumer(
        build_kafka_consumer_configuration({}, "arroyo", auto_offset_reset="earliest", bootstrap_servers=[servers])
    )
    processor = StreamProcessor(consumer, Topic(TOPIC), Factory())
    finished = threading.Thread(target=_stop_when_done, args=(done, count, processor))
    finished.start()
    # The group's first assignment is not counted for either.
    while not consumer.tell():
        processor._run_once()
    started = time.perf_counter()
    processor.run()
    seconds = time.perf_counter() - started
    finished.join()
    sink.transport.close()
    return sink, seconds


def _stop_when_done(done: threading.Semaphore, count: int, processor: Any) -> None:
    for _ in range(count):
        if not done.acquire(timeout=PATIENCE_S):
            break
    processor.signal_shutdown()


def with_ours(ours: Stage, servers: str, count: int) -> tuple[Overlaps, float]:
    seen = Overlaps()
    process = ours.reconciler(workers=SLOTS, lane=LANES[Kind.CLIENT], seen=seen, together=30)
    ingest = Ingest(ours.pipeline.engine, ours.pipeline.codec, Kind.CLIENT)
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "ours", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    first: list[Any] = []
    while not first:
        first = consumer.consume(1, 1.0)
    process.start()
    started = time.perf_counter()
    messages, taken = first, 0
    while taken < count:
        if messages:
            ingest.write([source_event(message) for message in messages])
            taken += len(messages)
            process.wake()
        messages = consumer.consume(500, 0.01)
    until = time.monotonic() + PATIENCE_S
    while _left(ours) and time.monotonic() < until:
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    process.stop()
    consumer.close()
    return seen, seconds


def _left(ours: Stage) -> int:
    with ours.watching.begin() as db:
        return int(db.execute(text("SELECT count(*) FROM qbo_link WHERE due_at IS NOT NULL")).scalar_one())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
