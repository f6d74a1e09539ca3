"""Where the groups stand at Kafka against how far the database says it was read: a database that went back in time is behind."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from sqlalchemy import Engine

from consumers.errors import BrokerUnreachable, ConsumersError
from consumers.ingest.group import consumer_settings, topic_of
from schemas.events import Kind
from store import restores
from store.restores import Place
from sync.settings import silent

_TIMEOUT_S: Final = 10.0
_SESSION_S: Final = 60.0
"""Longer than Kafka waits by default for a member that ended without a word (session.timeout.ms)."""
_IN_USE: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)


class DatabaseBehind(ConsumersError):
    """Kafka says that more was read than the database knows of: it was restored, and nothing may be sent."""


class StillConsuming(ConsumersError):
    """A consumer process of the group is running."""


@dataclass(frozen=True, slots=True)
class Behind:
    """A partition of which more was read than the database has."""

    place: Place
    committed: int
    reached: int


@dataclass(frozen=True, slots=True)
class Rewound:
    """What is read again."""

    events: int
    lost: int
    """Records that Kafka has deleted meanwhile."""


def find_behind(engine: Engine, kafka: Mapping[str, str]) -> list[Behind]:
    """Give the partitions of which the groups have read more than the database knows. Raises `BrokerUnreachable`.

    Every partition of the topics is asked about, also one that the database has never heard of: it may be empty.
    """
    committed: dict[Place, int] = {}
    for kind in Kind:
        with open_group(kafka, kind) as consumer:
            if wanted := _partitions(consumer, topic_of(kind)):
                committed |= {
                    (one.topic, one.partition): one.offset for one in consumer.committed(wanted, timeout=_TIMEOUT_S)
                }
    # Read after what was committed: others consume meanwhile, and write down what they read before they commit it.
    with engine.begin() as db:
        reached = restores.read_reached(db)
    return [
        Behind(place, offset, reached.get(place, 0))
        for place, offset in committed.items()
        if offset > reached.get(place, 0)
    ]


def check_not_restored(engine: Engine, kafka: Mapping[str, str]) -> None:
    """See that the database is not behind Kafka. Raises `DatabaseBehind` and `BrokerUnreachable`."""
    behind = find_behind(engine, kafka)
    if behind:
        raise DatabaseBehind(words_for(behind))


def words_for(behind: list[Behind]) -> str:
    (topic, partition), first = behind[0].place, behind[0]
    return (
        f"the database knows {topic}/{partition} up to offset {first.reached}, but {first.committed} is committed: it was restored "
        "from a backup, or is another one, and would make in QuickBooks again what is there already; check DATABASE_URL, stop all "
        "consumers, run: kompass-qbo restored (or, if the offsets were moved forward by hand: kompass-qbo restored --keep-offsets)"
    )


def check_stopped(engine: Engine, kafka: Mapping[str, str]) -> None:
    """See that no consumer runs, before anything is changed: each group takes again what it has committed.

    Where it has committed nothing yet, that is how far the database was read: what `rewind` would set.

    Raises
    ------
    StillConsuming, BrokerUnreachable
    """
    with engine.begin() as db:
        reached = restores.read_reached(db)
    for kind in Kind:
        with open_group(kafka, kind) as consumer:
            if same := standing(consumer, kind, reached):
                commit(consumer, same, kafka, kind)


def standing(consumer: Consumer, kind: Kind, reached: Mapping[Place, int]) -> list[TopicPartition]:
    """Give where the group of this kind stands in each partition; where it has committed nothing, how far the database was read."""
    wanted = _partitions(consumer, topic_of(kind))
    return [
        one if one.offset >= 0 else _at(one, reached.get((one.topic, one.partition), 0))
        for one in (consumer.committed(wanted, timeout=_TIMEOUT_S) if wanted else [])
    ]


def rewind(engine: Engine, kafka: Mapping[str, str]) -> Rewound:
    """Set each group back to how far the database was read; a partition it does not know to its oldest record.

    Raises
    ------
    StillConsuming, BrokerUnreachable
    """
    with engine.begin() as db:
        reached = restores.read_reached(db)
    events = lost = 0
    for kind in Kind:
        with open_group(kafka, kind) as consumer:
            starts = []
            for place in _partitions(consumer, topic_of(kind)):
                low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
                known = reached.get((place.topic, place.partition), low)
                start = min(max(known, low), high)
                lost += max(low - known, 0)
                events += high - start
                starts.append(_at(place, start))
            commit(consumer, starts, kafka, kind)
        # Where Kafka has deleted what the backup had not read, the group starts later than the database knows.
        with engine.begin() as db:
            restores.note_reached(db, {(one.topic, one.partition): one.offset for one in starts})
    return Rewound(events, lost)


def accept(engine: Engine, kafka: Mapping[str, str]) -> None:
    """Take the groups' offsets for how far the database was read."""
    behind = find_behind(engine, kafka)
    with engine.begin() as db:
        restores.note_reached(db, {one.place: one.committed for one in behind})


def _at(place: TopicPartition, offset: int) -> TopicPartition:
    return TopicPartition(place.topic, place.partition, offset)


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    found = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return []
    if found.error is not None:
        raise KafkaException(found.error)
    return [TopicPartition(topic, number) for number in sorted(found.partitions)]


def commit(consumer: Consumer, starts: list[TopicPartition], kafka: Mapping[str, str], kind: Kind) -> None:
    """Commit for a group without members; one of those that ended without leaving may still be counted for a while."""
    failed = _refusal(consumer, starts)
    if failed is None:
        return
    if failed.code() not in _IN_USE:
        raise KafkaException(failed)
    with open_group(kafka, kind) as member:
        _join(member, starts, kind)
        if (failed := _refusal(member, starts)) is not None:
            raise KafkaException(failed)


def _refusal(consumer: Consumer, starts: list[TopicPartition]) -> KafkaError | None:
    try:
        answered = consumer.commit(offsets=starts, asynchronous=False) or []
    except KafkaException as error:
        refused: KafkaError = error.args[0]
        return refused
    return next((one.error for one in answered if one.error is not None), None)


def _join(consumer: Consumer, starts: list[TopicPartition], kind: Kind) -> None:
    """Become the group's only member, which has all partitions. Raises `StillConsuming` when others keep some."""
    mine: set[int] = set()

    def on_assign(own: Consumer, partitions: list[TopicPartition]) -> None:
        mine.update(one.partition for one in partitions)
        own.incremental_assign([TopicPartition(one.topic, one.partition, OFFSET_END) for one in partitions])

    consumer.subscribe([topic_of(kind)], on_assign=on_assign)
    until = time.monotonic() + _SESSION_S
    while len(mine) < len(starts):
        if time.monotonic() > until:
            raise StillConsuming(
                f"kompass-qbo consume {kind.value}s is running; stop every consumer, then run this again. Nothing was changed."
            )
        consumer.poll(0.1)


@contextmanager
def open_group(kafka: Mapping[str, str], kind: Kind) -> Iterator[Consumer]:
    """Look at a group without becoming a member of it."""
    consumer = Consumer(silent(consumer_settings(kafka, kind)))
    try:
        yield consumer
    except KafkaException as error:
        raise BrokerUnreachable(
            f"the offsets of the {kind.value}s' group cannot be had ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    finally:
        consumer.close()
