"""What is in the topic: compacted, transactional, too large, or no event at all; and the dead letters."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from consumers.dead_letters import OutboxPublisher, producer_settings
from consumers.ingest.limit import DecodeLimit, TooManyUndecodable
from consumers.ingest.messages import source_event
from schemas.codec import MAX_BYTES
from store.engine import open_engine
from store.failures import DEAD_LETTERS
from sync.metrics import Metrics
from tests.integration.broker.members import GROUP, TOPIC, Members, Publisher, all_committed, eventually, kept, value_of
from tests.kafka import Kafka


@pytest.fixture
def outbox(database: str, kafka: Kafka) -> Iterator[None]:
    """Publishes dead letters as every process does."""
    yield from publish_outbox(database, kafka.settings)


def publish_outbox(database: str, settings: dict[str, str]) -> Iterator[None]:
    engine = open_engine(database, pool_size=1)
    publisher = OutboxPublisher(
        engine, lambda: Producer(producer_settings(settings)), metrics=Metrics(), beat=lambda name: None
    )
    stopping = threading.Event()
    thread = threading.Thread(target=publisher.run, args=(stopping,), kwargs={"pause": 0.05})
    thread.start()
    yield
    stopping.set()
    thread.join()
    engine.dispose()


def dead_letters(kafka: Kafka, count: int, partitions: int = 4) -> list[Message]:
    """The first dead letters."""
    consumer = Consumer({**kafka.settings, "group.id": "tests", "receive.message.max.bytes": 100_000_000})
    found: list[Message] = []
    try:
        consumer.assign([TopicPartition(DEAD_LETTERS, partition, 0) for partition in range(partitions)])

        def enough() -> bool:
            found.extend(message for message in consumer.consume(count, 0.1) if message.error() is None)
            return len(found) >= count

        eventually(enough, f"{count} dead letters")
    finally:
        consumer.close()
    return found


def headers(message: Message) -> dict[str, bytes]:
    return {name: value or b"" for name, value in source_event(message).headers}


@pytest.mark.usefixtures("outbox")
def test_what_is_no_event_becomes_a_dead_letter_byte_for_byte(kafka: Kafka, database: str, members: Members) -> None:
    publisher = Publisher(kafka)
    publisher.send("c1", value=b"\x00\xff not an event")
    publisher.send_all(["c2"])
    member = members(kafka)
    (letter,) = dead_letters(kafka, 1)
    assert letter.value() == b"\x00\xff not an event"
    assert letter.key() == b"client/c1"
    said = headers(letter)
    assert said["dlq.topic"] == TOPIC.encode()
    assert said["dlq.stage"] == b"decode"
    eventually(lambda: kept(database) == {"c2": 1})
    eventually(lambda: all_committed(kafka))
    assert member.counted("events_total", outcome="undecodable") == 1


@pytest.mark.usefixtures("outbox")
def test_a_record_at_the_size_limit_and_its_dead_letter(kafka: Kafka, database: str, members: Members) -> None:
    """All that the topic takes is read; with our headers it may be too large for the dead letters, and is kept with its failure."""
    publisher = Publisher(kafka, **{"message.max.bytes": 4_000_000, "compression.type": "none"})
    # Apache Kafka's default: 1 MiB and 12 bytes for a batch, of which this leaves a few for the batch's own header.
    largest = 1_048_588 - 128
    publisher.send("c1", value=b"x" * largest)
    publisher.send_all(["c2"])
    member = members(kafka)
    (letter,) = dead_letters(kafka, 1)
    eventually(lambda: kept(database) == {"c2": 1})
    eventually(lambda: all_committed(kafka))
    assert member.counted("events_total", outcome="undecodable") == 1
    if kafka.apache:
        assert letter.value() is None
        assert headers(letter)["dlq.value-omitted"]
    else:
        assert letter.value() == b"x" * largest
    with psycopg.connect(database) as db:
        assert db.execute("SELECT length(event_value) FROM qbo_failure").fetchall() == [(largest,)]


def test_a_record_beyond_any_event_is_read_all_the_same(apache_kafka: Kafka, database: str, members: Members) -> None:
    """A topic may be set to let through what no event is: it is a dead letter and no standstill."""
    size = MAX_BYTES + 1_000_000
    apache_kafka.set_topic(TOPIC, {"max.message.bytes": str(size + 1000)})
    apache_kafka.set_topic(DEAD_LETTERS, {"max.message.bytes": str(size + 10_000)})
    publisher = Publisher(apache_kafka, **{"message.max.bytes": 8_000_000, "compression.type": "none"})
    publisher.send("c1", value=b"x" * size)
    publisher.send_all(["c2"])
    members(apache_kafka)
    for _ in publish_outbox(database, apache_kafka.settings):
        (letter,) = dead_letters(apache_kafka, 1)
        assert letter.value() == b"x" * size
        assert headers(letter)["dlq.cause"] == b"too-large"
    eventually(lambda: kept(database) == {"c2": 1})


def test_too_many_in_a_row_stop_the_process(kafka: Kafka, database: str, members: Members) -> None:
    publisher = Publisher(kafka)
    for number in range(20):
        publisher.send(f"c{number}", value=b"nonsense", partition=0)
    publisher.flush()
    member = members(kafka, limit=DecodeLimit(run=10))
    assert isinstance(member.failure(), TooManyUndecodable)
    assert 0 not in kafka.committed(GROUP, TOPIC)


def test_a_compacted_topic_with_tombstones(apache_kafka: Kafka, database: str, members: Members) -> None:
    """Offsets with holes, keys whose older states are gone, and values that are null."""
    apache_kafka.set_topic(
        TOPIC,
        {
            "cleanup.policy": "compact",
            "segment.ms": "100",
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": "86400000",
        },
    )
    publisher = Publisher(apache_kafka)
    for sequence in range(1, 6):
        publisher.send_all(["c1", "c2", "c3"], sequence, partition=0)
    publisher.send_tombstone("c3", partition=0)
    # Only segments that are no longer written to are compacted: each new record may close one.
    filling = iter(range(10_000))

    def compacted() -> bool:
        publisher.send_all([f"filling{next(filling)}"], partition=0)
        # The newest state of c1, and of c3 the tombstone alone: the cleaner may come to the one and not yet to the other.
        return [apache_kafka.offsets_of(TOPIC, f"client/{one}".encode()) for one in ("c1", "c3")] == [[12], [15]]

    eventually(compacted, "compaction", timeout=60)
    member = members(apache_kafka)
    publisher.newest.pop("c3", None)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(apache_kafka))
    assert member.counted("events_total", outcome="tombstone") == 1


def test_aborted_transactions_stay_unseen(apache_kafka: Kafka, database: str, members: Members) -> None:
    transactional = apache_kafka.producer(**{"transactional.id": "kompass"})
    transactional.init_transactions(20)

    def write(*ids: str) -> None:
        transactional.begin_transaction()
        for one in ids:
            transactional.produce(TOPIC, key=f"client/{one}".encode(), value=value_of(one), partition=0)
        transactional.flush(60)

    write("booked1")
    transactional.commit_transaction(20)
    write("aborted1", "aborted2")
    transactional.abort_transaction(20)
    member = members(apache_kafka)
    eventually(lambda: "booked1" in kept(database))
    write("aborted3")
    transactional.abort_transaction(20)
    write("open")
    assert member.counted("events_total", outcome="kept") == 1
    transactional.commit_transaction(20)
    eventually(lambda: "open" in kept(database))
    assert set(kept(database)) == {"booked1", "open"}
    # The marks of transactions take offsets too: the topic's end lies behind its last record, and that is how far it is read.
    eventually(lambda: apache_kafka.committed(GROUP, TOPIC).get(0) == 9)
    write("aborted4", "aborted5")
    transactional.abort_transaction(20)
    eventually(lambda: apache_kafka.committed(GROUP, TOPIC).get(0) == 12)
    eventually(lambda: member.counted("ingest_lag_events") == 0)
    member.end()
    # Retention deletes them like any others: nothing of ours was among them.
    apache_kafka.forget_before(TOPIC, 0, 12)
    member = members(apache_kafka)
    eventually(lambda: member.loop.assigned)
    write("last")
    transactional.commit_transaction(20)
    eventually(lambda: "last" in kept(database))
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM qbo_stretch").fetchone() == (0,)
