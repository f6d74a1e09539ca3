"""Everything of a record is input: key, value, names and values of headers, timestamp. Nothing of it ends a process.

FUZZED_RECORDS=200000 writes so many (``make brokers``).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import psycopg
import pytest

from consumers.ingest.limit import DecodeLimit
from tests.integration.broker.members import TOPIC, Members, all_committed, eventually, kept, twice, value_of
from tests.integration.broker.test_records import dead_letters, headers, publish_outbox
from tests.integration.broker.test_waits import read_only
from tests.kafka import PARTITIONS, TOPICS, Kafka
from tests.raw_producer import RawHeaders, RawProducer

POISONED = int(os.environ.get("POISONED_RECORDS", "4000"))
RECORDS = int(os.environ.get("FUZZED_RECORDS", "600"))
MICROSECONDS = 1_795_779_499_380_000
GARBAGE = b"\x00\xff not an event"
# Kafka 4 refuses times that are far from now, unless the topic lets them in.
ANY_TIME = {"message.timestamp.before.max.ms": str(2**63 - 1), "message.timestamp.after.max.ms": str(2**63 - 1)}

TIMES = (0, 1, MICROSECONDS, 253_402_300_800_000, 2**62, 2**63 - 1)
NAMES = (b"\xff\xfe", b"caf\xe9", b"", b"\xed\xa0\x80", b"traceparent", b"x" * 2_000, b"dlq.stage", b"dlq.\xff")
KEYS = (None, b"", b"\x00", b"client/\xff\x00\xed\xa0\x80", b"client/" + b"k" * 4_000, b"client/c\x00d")


@pytest.fixture
def any_time(empty_kafka: Kafka) -> Kafka:
    """Each broker in turn, with topics that take any timestamp."""
    for topic in TOPICS:
        empty_kafka.create_topic(topic, config=ANY_TIME)
    return empty_kafka


@pytest.fixture
def outbox(database: str, any_time: Kafka) -> Iterator[None]:
    yield from publish_outbox(database, any_time.settings)


@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize(
    ("timestamp", "raw", "unreadable_members"),
    [
        (MICROSECONDS, (), f"timestamp {MICROSECONDS} ms"),
        (2**63 - 1, (), f"timestamp {2**63 - 1} ms"),
        (0, ((b"caf\xe9", b"1"),), "headers (a name is not UTF-8)"),
        (0, ((b"good", b"\x00\xff"), (b"", None)), ""),
    ],
)
def test_the_value_decides_and_the_dead_letter_names_what_cannot_be_read(
    any_time: Kafka, database: str, members: Members, timestamp: int, raw: RawHeaders, unreadable_members: str
) -> None:
    with RawProducer(any_time.settings) as producer:
        for key, value in ((b"client/c1", value_of("c1")), (b"client/\xff\x00", GARBAGE)):
            producer.send(TOPIC, value, partition=0, key=key, timestamp=timestamp, headers=raw)
    members(any_time)
    eventually(lambda: kept(database) == {"c1": 1})
    (letter,) = dead_letters(any_time, 1)
    assert (letter.key(), letter.value()) == (b"client/\xff\x00", GARBAGE)
    found = headers(letter)
    assert found.get("dlq.unreadable", b"").decode() == unreadable_members
    if not unreadable_members:
        assert (found["good"], found[""]) == (b"\x00\xff", b"")
    eventually(lambda: all_committed(any_time))


def _record(chance: random.Random, number: int) -> tuple[bytes | None, bytes | None, int, RawHeaders]:
    """Value, key, timestamp and headers."""
    good = value_of(f"c{number}")
    cut = chance.randrange(len(good))
    values = (
        good, good, good[:cut], good[:cut] + chance.randbytes(3) + good[cut + 3 :], good + b"\x00",
        chance.randbytes(chance.randrange(200)), b"", None, b"\x00" + chance.randbytes(4) + good[10:],
    )  # fmt: skip
    key = chance.choice(KEYS) if chance.random() < 0.8 else chance.randbytes(chance.randrange(100))
    time = chance.choice(TIMES) if chance.random() < 0.5 else chance.randrange(2**63)
    found = [
        (
            chance.choice(NAMES) if chance.random() < 0.8 else chance.randbytes(20),
            chance.choice((None, b"", b"\x00\xff")),
        )
        for _ in range(chance.choice((0, 0, 1, 3)))
    ]
    return chance.choice(values), key, time, found


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_a_time_before_1970(kafka: Kafka, database: str, members: Members) -> None:
    """Apache's brokers refuse such a time; other brokers need not."""
    with RawProducer(kafka.settings) as producer:
        for number, timestamp in enumerate((-2, -(2**63), -1)):
            producer.send(TOPIC, value_of(f"c{number}"), partition=number, timestamp=timestamp)
    members(kafka)
    eventually(lambda: kept(database) == {"c0": 1, "c1": 1, "c2": 1})


@pytest.mark.timeout(300 + RECORDS // 50)
def test_each_of_many_hostile_records_is_ingested_a_tombstone_or_a_dead_letter(
    any_time: Kafka, database: str, members: Members, rng: random.Random
) -> None:
    count = RECORDS if any_time.apache else min(RECORDS, 5000)
    with RawProducer(any_time.settings) as producer:
        for number in range(count):
            value, key, timestamp, found = _record(rng, number)
            producer.send(TOPIC, value, partition=number % PARTITIONS, key=key, timestamp=timestamp, headers=found)
    member = members(any_time, limit=DecodeLimit(run=count + 1))
    eventually(lambda: not member.running or all_committed(any_time), f"{count} records", timeout=200 + count / 60)
    assert member.running, member.failure()
    outcomes = {
        outcome: member.counted("events_total", outcome=outcome)
        for outcome in ("kept", "stale", "unconfigured", "tombstone", "undecodable")
    }
    print(f"{count} hostile records on {any_time.name}: {outcomes}")
    # A client that another value made of it has its own outcome; nothing is missing and nothing is there twice.
    assert outcomes["tombstone"] + outcomes["undecodable"] > count / 2
    with psycopg.connect(database) as db:
        (failures,) = db.execute("SELECT count(*) FROM qbo_failure WHERE stage = 'decode'").fetchone() or (0,)
        (letters,) = db.execute("SELECT count(*) FROM qbo_outbox").fetchone() or (0,)
    assert failures == letters == outcomes["undecodable"]
    assert sum(outcomes.values()) >= count


def test_a_topic_with_poison_of_every_kind(
    any_time: Kafka, database: str, members: Members, rng: random.Random
) -> None:
    """One record in a hundred is poison, two members read, and the database fails over meanwhile: nothing is lost or there twice."""
    newest: dict[str, int] = {}
    poison = 0
    first = members(any_time)
    with RawProducer(any_time.settings) as producer:
        for number in range(POISONED):
            if number % 100 == 99:
                value, key, timestamp, found = _record(rng, number)
                poison += 1
                producer.send(TOPIC, value, partition=number % PARTITIONS, key=key, timestamp=timestamp, headers=found)
                continue
            client, sequence = f"good{number % 500}", number + 1
            newest[client] = sequence
            producer.send(TOPIC, value_of(client, sequence), partition=number % PARTITIONS, key=client.encode())
            if number == POISONED // 3:
                producer.flush()
                members(any_time)
            if number == POISONED // 2:
                producer.flush()
                with read_only(database):
                    eventually(lambda: first.counted("dependency_up", what="database") == 0)

    def good() -> dict[str, int]:
        return {client: sequence for client, sequence in kept(database).items() if client.startswith("good")}

    eventually(lambda: good() == newest, timeout=120)
    eventually(lambda: all_committed(any_time), timeout=120)
    assert twice(database) == []
    with psycopg.connect(database) as db:
        counted = db.execute(
            "SELECT count(*), count(DISTINCT (topic, partition, \"offset\")) FROM qbo_failure WHERE stage = 'decode'"
        ).fetchone()
    assert counted is not None
    assert 0 < counted[0] == counted[1] <= poison
