"""Replay from the topic alone: when the database is new, or knows less than the topic does.

A consumer of its own group reads the dead letters from where it stopped last time up to the end that the topic has now, and ingests
each one's original bytes as if they came from Kompass's own topic. What is not newer than what is known changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from sqlalchemy import Engine

from consumers.dead_letter_tools.replay import Pace, Predicted, decodes, kind_of_topic
from consumers.errors import BrokerUnreachable
from consumers.ingest.batch import BatchResult, Ingest
from consumers.ingest.messages import source_event
from consumers.inquiry.explain import explained
from consumers.logs import LIBRDKAFKA
from schemas.codec import Codec
from schemas.events import Kind
from store.dead_letters import QUARANTINE_AFTER, Selection
from store.failures import DEAD_LETTERS
from store.records import UNREADABLE, SourceEvent
from store.texts import storable

GROUP = "kompass-qbo.dead-letters"
_TIMEOUT_S = 10.0
_PREFIX = "dlq."


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of the dead-letter topic: the original, and our headers."""

    source: SourceEvent
    org_id: str
    kind: Kind | None
    kompass_id: str
    cause: str
    replay_count: int
    last_failure: dt.datetime | None
    whole: bool
    """Whether the original value is in it: one too large for the topic stays with the failure in the database."""

    def fits(self, selection: Selection) -> bool:
        """Whether it is meant. An Org is known by its id only, here."""
        wanted_cause = selection.cause
        return (
            (selection.org is None or selection.org == self.org_id)
            and (selection.kind is None or selection.kind == (self.kind.value if self.kind else ""))
            and (selection.kompass_id is None or selection.kompass_id == self.kompass_id)
            and (wanted_cause is None or wanted_cause in (self.cause, self.cause.partition(":")[0]))
            and (selection.since is None or (self.last_failure is not None and self.last_failure >= selection.since))
            and (selection.until is None or (self.last_failure is not None and self.last_failure < selection.until))
        )


@dataclass(slots=True)
class FromTopic:
    """What became of the dead letters that were read."""

    read: int = 0
    newer: int = 0
    """Records that were new to the database."""
    known: int = 0
    """Records that were not newer than what is known: they change nothing."""
    unconfigured: int = 0
    undecodable: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        return {
            "read": self.read, "newer": self.newer, "known": self.known, "unconfigured": self.unconfigured,
            "undecodable": self.undecodable, "skipped": dict(self.skipped),
        }  # fmt: skip


def dead_letter(message: Message) -> DeadLetter:
    """Read a record of the topic back into what it was made from."""
    found = source_event(message)
    own = {name: (value or b"").decode("utf-8", "replace") for name, value in found.headers if name.startswith(_PREFIX)}
    topic = storable(own.get("dlq.topic", ""))
    return DeadLetter(
        source=SourceEvent(
            topic=topic,
            partition=_number(own, "dlq.partition", below=2**31),
            offset=_number(own, "dlq.offset"),
            timestamp=_moment(own.get("dlq.timestamp", "")),
            key=found.key,
            value=found.value,
            headers=tuple(pair for pair in found.headers if not pair[0].startswith(_PREFIX) or pair[0] == UNREADABLE),
        ),
        org_id=own.get("dlq.org", ""),
        kind=kind_of_topic(topic),
        kompass_id=own.get("dlq.id", ""),
        cause=own.get("dlq.cause", ""),
        replay_count=max(0, _number(own, "dlq.replay-count")),
        last_failure=_moment(own.get("dlq.last-failure", "")),
        whole="dlq.value-omitted" not in own and found.value is not None and bool(topic),
    )


def _number(own: Mapping[str, str], name: str, *, below: int = 2**63) -> int:
    """Give the number that a header holds; -1 where it holds none that the database could keep."""
    text = own.get(name, "")
    number = int(text) if text.isdecimal() and len(text) < 20 else -1
    return number if number < below else -1


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    # Without an offset it could be compared with no other.
    return None if moment is None or moment.tzinfo is None else moment


class TopicReader:
    """Reads the topic up to the end that it had when reading began; commits what was handled."""

    def __init__(self, kafka: Mapping[str, str], *, group: str = GROUP, topic: str = DEAD_LETTERS) -> None:
        self._topic = topic
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            },
            logger=LIBRDKAFKA,
        )

    def close(self) -> None:
        self._consumer.close()

    def read(self) -> Iterator[Message]:
        """Give the records not handled yet, partition by partition, oldest first in each."""
        try:
            for start, end in self._ranges():
                yield from self._partition(start, end)
        except KafkaException as error:
            raise BrokerUnreachable(
                f"the dead letters cannot be read from {self._topic} ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS"
            ) from error

    def handled(self, message: Message) -> None:
        """Remember that this record, and all before it in its partition, need not be read again."""
        offset, partition = message.offset(), message.partition()
        assert offset is not None
        assert partition is not None
        self._consumer.commit(
            offsets=[TopicPartition(self._topic, partition, offset + 1)],
            asynchronous=False,
        )

    def _ranges(self) -> list[tuple[TopicPartition, int]]:
        found = self._consumer.list_topics(self._topic, timeout=_TIMEOUT_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        partitions = [TopicPartition(self._topic, number) for number in sorted(found.partitions)]
        ranges = []
        for committed in self._consumer.committed(partitions, timeout=_TIMEOUT_S):
            low, high = self._consumer.get_watermark_offsets(committed, timeout=_TIMEOUT_S)
            # Beyond the end: the topic was deleted and created again.
            start = low if committed.offset < low or committed.offset > high else committed.offset
            if start < high:
                ranges.append((TopicPartition(self._topic, committed.partition, start), high))
        return ranges

    def _partition(self, start: TopicPartition, end: int) -> Iterator[Message]:
        self._consumer.assign([start])
        idle = 0
        while idle < 30:
            message = self._consumer.poll(1.0)
            if message is None:
                idle += 1
                continue
            idle = 0
            error = message.error()
            if error is not None:
                if error.name() == "_PARTITION_EOF":
                    return
                raise KafkaException(error)
            yield message
            offset = message.offset()
            if offset is not None and offset + 1 >= end:
                return
        raise BrokerUnreachable(
            f"{self._topic}/{start.partition} gave nothing for {idle} s, and its end is not reached"
        )


def replay_from_topic(
    engine: Engine,
    codec: Codec,
    reader: TopicReader,
    selection: Selection,
    *,
    most: int | None = None,
    force: bool = False,
    pace: Pace | None = None,
) -> FromTopic:
    """Ingest the original bytes of the dead letters that fit. Stopped anywhere and started again, it goes on where it was."""
    pace = pace or Pace(None)
    done = FromTopic()
    ingests = {kind: Ingest(engine, codec, kind) for kind in Kind}
    for message in reader.read():
        if most is not None and done.read >= most:
            break
        letter = dead_letter(message)
        reason = _left_out(letter, selection, force=force)
        if reason:
            done.skipped[reason] += 1
        else:
            assert letter.kind is not None
            done.read += 1
            _count(done, ingests[letter.kind].write([letter.source]))
            pace.took(1)
        reader.handled(message)
    return done


def predict_from_topic(
    engine: Engine,
    codec: Codec,
    reader: TopicReader,
    selection: Selection,
    *,
    most: int | None = None,
    force: bool = False,
) -> Counter[Predicted]:
    """Decide the dead letters that fit, without ingesting them and without moving the group."""
    found: Counter[Predicted] = Counter()
    with engine.connect() as db:
        for message in reader.read():
            if most is not None and found.total() >= most:
                break
            letter = dead_letter(message)
            if _left_out(letter, selection, force=force):
                continue
            assert letter.kind is not None
            outcome, cause_now = decodes(codec, letter.kind, letter.source)
            if outcome == "decodes":
                event = codec.decode(letter.kind, letter.source.value or b"")
                explained_all = [explained_one for explained_one, _ in explained(event, db, own=True)]
                explained_one = next((one for one in explained_all if one.org_id == letter.org_id), explained_all[0])
                outcome, cause_now = explained_one.outcome, explained_one.cause
            found[Predicted(letter.org_id, letter.cause, outcome, cause_now)] += 1
    return found


def _left_out(letter: DeadLetter, selection: Selection, *, force: bool) -> str:
    if not letter.fits(selection):
        return "does not fit"
    if letter.kind is None:
        return "connection"
    if not letter.whole:
        return "without bytes"
    if letter.replay_count >= QUARANTINE_AFTER and not force:
        return "quarantined"
    return ""


def _count(done: FromTopic, result: BatchResult) -> None:
    done.newer += result.newer
    done.known += result.stale
    done.unconfigured += result.unconfigured
    done.undecodable += len(result.undecodable)
