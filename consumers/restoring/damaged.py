"""Records that Kafka still counts and cannot give, since its copy of their batch is damaged: a person has the group go on after them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, TopicPartition
from sqlalchemy import Engine

from consumers.errors import ConsumersError
from consumers.ingest.group import topic_of
from consumers.restoring.places import commit, open_group, standing
from schemas.events import Kind
from store import restores, stretches
from store.stretches import Gap

_ANSWER_S: Final = 20.0


def go_past(engine: Engine, kafka: Mapping[str, str], lost: Gap) -> None:
    """Have the group go on after ``lost``, which is kept as a gap. Nothing changes unless Kafka proves that it cannot give the records.

    Raises
    ------
    ConsumersError, StillConsuming, BrokerUnreachable
    """
    kind = next(kind for kind in Kind if topic_of(kind) == lost.topic)
    with engine.begin() as db:
        reached = restores.read_reached(db)
    with open_group(kafka, kind) as consumer:
        places = {one.partition: one for one in standing(consumer, kind, reached)}
        here = places.get(lost.partition)
        if here is None:
            raise ConsumersError(f"{lost.topic} has no partition {lost.partition}")
        stands = max(here.offset, reached.get((lost.topic, lost.partition), 0))
        if stands != lost.first:
            raise ConsumersError(
                f"{lost.topic}/{lost.partition} stands at {stands}, and not at {lost.first}: give --from {stands}"
            )
        _check(consumer, lost)
        # That nobody consumes is seen before anything changes. The database learns of it first: it may know more than is committed.
        commit(consumer, list(places.values()), kafka, kind)
        with engine.begin() as db:
            stretches.note_gap(db, lost)
            restores.note_reached(db, {(lost.topic, lost.partition): lost.last + 1})
        places[lost.partition] = TopicPartition(lost.topic, lost.partition, lost.last + 1, here.metadata)
        commit(consumer, list(places.values()), kafka, kind)


def _check(consumer: Consumer, lost: Gap) -> None:
    place = f"{lost.topic}/{lost.partition}"
    given = _first_from(consumer, lost, lost.first)
    if not isinstance(given, KafkaError):
        has = f"gives record {given}" if given is not None else "gives neither a record nor an error"
        raise ConsumersError(
            f"{place} is not damaged at {lost.first}: Kafka {has} (a transaction that is open also stops a partition)"
        )
    given = _first_from(consumer, lost, lost.last + 1)
    if isinstance(given, KafkaError):
        raise ConsumersError(f"{place} is damaged at {lost.last + 1}, too ({given.str()}): give a larger --to")
    consumer.unassign()


def _first_from(consumer: Consumer, lost: Gap, offset: int) -> int | KafkaError | None:
    """Give the first record from there, None at the end of the partition or without an answer, or why there is none."""
    consumer.assign([TopicPartition(lost.topic, lost.partition, offset)])
    until = time.monotonic() + _ANSWER_S
    while time.monotonic() < until:
        message = consumer.poll(1.0)
        if message is None or message.partition() != lost.partition or message.topic() != lost.topic:
            continue
        error = message.error()
        if error is None:
            return message.offset()
        return None if error.code() == KafkaError._PARTITION_EOF else error
    return None
