"""Reads Kafka's topics again for one Org, in a consumer group of its own, beside the running consumers.

What is found goes through the same ingest as live events, so what is known already changes nothing. Offsets are committed only after
what they stand for is durable: stopped anywhere and started again, it goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from sqlalchemy import Engine

from consumers.errors import BrokerUnreachable
from consumers.ingest.batch import Ingest
from consumers.ingest.findings import records_in
from consumers.ingest.group import consumer_settings, topic_of
from consumers.ingest.messages import source_event
from consumers.logs import LIBRDKAFKA
from schemas.codec import Codec
from schemas.errors import UndecodableEvent
from schemas.events import Kind
from store.records import SourceEvent

log = logging.getLogger(__name__)

GROUP = "kompass-qbo.backfill"
BATCH = 500
_TIMEOUT_S = 10.0
_SILENCE_S = 30.0


@dataclass(slots=True)
class Backfilled:
    """What a backfill came to, so far."""

    total: int = 0
    """Records in the part of the topics that is to be read."""
    read: int = 0
    of_org: int = 0
    newer: int = 0
    """Records (an event carries several) that were new to the database."""
    known: int = 0
    earlier: int = 0
    """Events from before --since."""
    unreadable: int = 0
    """Events that name the Org and cannot be decoded; the live consumers dead-letter those."""
    deleted: int = 0
    """Records that Kafka deleted between an earlier run of the same backfill and this one."""
    oldest: dt.datetime | None = None
    """When the oldest record that was read was published, of any Org."""
    oldest_of_org: dt.datetime | None = None


@dataclass(slots=True)
class _Place:
    """How far a partition is read; offsets are of the next record."""

    next: int
    end: int
    committed: int = -1
    moved: float = field(default_factory=time.monotonic)


class Backfill:
    """One Org's events of some topics, from where the group stopped (or the oldest there are) to the end that the topics have now."""

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        kafka: Mapping[str, str],
        *,
        org_id: str,
        kinds: Sequence[Kind],
        since: dt.datetime | None = None,
        rest: Callable[[float], None] = time.sleep,
        group: str | None = None,
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._org_id = org_id
        self._since = since
        self._rest = rest
        self._kinds = {topic_of(kind): kind for kind in kinds}
        self._ingests = {kind: Ingest(engine, codec, kind) for kind in kinds}
        # Strings stand in Avro as they are: a value that does not hold the Org's id cannot be an event of it.
        self._mark = org_id.encode()
        self._group = group or group_of(org_id, since)
        self._consumer = Consumer(
            {
                **consumer_settings(kafka, Kind.CLIENT),
                "group.id": self._group,
                # A partition read here is behind by nature; what retention takes meanwhile cannot be had any more.
                "auto.offset.reset": "earliest",
            },
            logger=LIBRDKAFKA,
        )
        self._places: dict[tuple[str, int], _Place] = {}
        self.done = Backfilled()

    def close(self) -> None:
        self._consumer.close()

    def run(self, *, progress: Callable[[Backfilled], None] = lambda done: None) -> Backfilled:
        """Read to the end. Raises the database's errors and `BrokerUnreachable`: run it again, and it goes on.

        After each batch it rests for as long as the batch took to write: the live consumers have the database first.
        """
        try:
            self._assign()
            progress(self.done)
            while any(place.next < place.end for place in self._places.values()):
                started = time.monotonic()
                if self._write(self._consumer.consume(BATCH, 0.1)):
                    self._rest(time.monotonic() - started)
                self._commit()
                progress(self.done)
        except KafkaException as error:
            raise BrokerUnreachable(
                f"the topics cannot be read ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS, then run it again: it goes on "
                "where it stopped"
            ) from error
        return self.done

    def _assign(self) -> None:
        for topic in self._kinds:
            found = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            partitions = [TopicPartition(topic, number) for number in sorted(found.partitions)]
            since = self._since_offsets(partitions)
            for committed in self._committed(partitions):
                low, high = self._consumer.get_watermark_offsets(committed, timeout=_TIMEOUT_S)
                first = max(low, since.get(committed.partition, low))
                if 0 <= committed.offset < low:
                    self.done.deleted += low - committed.offset
                # Beyond the end: the topic was deleted and created again.
                start = committed.offset if first <= committed.offset <= high else first
                self._places[topic, committed.partition] = _Place(start, high)
                self.done.total += high - start
        self._consumer.assign(
            [
                TopicPartition(topic, partition, place.next)
                for (topic, partition), place in self._places.items()
                if place.next < place.end
            ]
        )

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        try:
            return self._consumer.committed(partitions, timeout=_TIMEOUT_S)
        except KafkaException as error:
            # A right that is missing and a broker that is away look alike here: both are a time that ran out.
            raise BrokerUnreachable(
                f"it is not known where the group {self._group} stopped ({error.args[0].str()}); check that the brokers answer, and that "
                "the user has the right to Read this group"
            ) from error

    def _since_offsets(self, partitions: Sequence[TopicPartition]) -> dict[int, int]:
        """Give where each partition begins to be late enough, as far as the broker says; else it is read and left out."""
        if self._since is None:
            return {}
        millis = int(self._since.timestamp() * 1000)
        asked = [TopicPartition(one.topic, one.partition, millis) for one in partitions]
        found = self._consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def _write(self, messages: Sequence[Message]) -> int:
        """Make durable what of these is the Org's; gives how many events that were."""
        wanted: dict[Kind, list[SourceEvent]] = {}
        for message in messages:
            topic, partition, offset = message.topic() or "", message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            place = self._places[topic, partition]
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if error is not None or offset >= place.end:
                # What came after we began is the live consumers'. At an end that is no record (a transaction's marker) we are done.
                self._advance(place, place.end if error is None else max(offset, place.next))
                continue
            self._advance(place, offset + 1)
            kind = self._kinds[topic]
            source = source_event(message)
            self.done.oldest = _earlier(self.done.oldest, source.timestamp)
            if self._meant(kind, source):
                self.done.oldest_of_org = _earlier(self.done.oldest_of_org, source.timestamp)
                wanted.setdefault(kind, []).append(source)
        if not messages:
            self._check_silence()
        for kind, sources in wanted.items():
            result = self._ingests[kind].write(sources)
            self.done.newer += result.newer
            self.done.known += result.stale
        return sum(map(len, wanted.values()))

    def _advance(self, place: _Place, to: int) -> None:
        self.done.read += min(to, place.end) - place.next if to > place.next else 0
        place.next = max(place.next, min(to, place.end))
        place.moved = time.monotonic()

    def _meant(self, kind: Kind, source: SourceEvent) -> bool:
        if source.value is None or self._mark not in source.value:
            return False
        if self._since is not None and source.timestamp is not None and source.timestamp < self._since:
            self.done.earlier += 1
            return False
        try:
            event = self._codec.decode(kind, source.value)
        except UndecodableEvent as error:
            log.warning("%s/%d@%d cannot be read: %s", source.topic, source.partition, source.offset, error)
            self.done.unreadable += 1
            return False
        if all(seen.org_id != self._org_id for seen in records_in(event, source)):
            return False
        self.done.of_org += 1
        return True

    def _check_silence(self) -> None:
        for (topic, partition), place in self._places.items():
            if place.next < place.end and time.monotonic() - place.moved > _SILENCE_S:
                raise BrokerUnreachable(
                    f"{topic}/{partition} gave nothing for {_SILENCE_S:.0f} s, and its end is not reached; check the brokers, then "
                    "run it again: it goes on where it stopped"
                )

    def _commit(self) -> None:
        moved = [
            (place, TopicPartition(*at, place.next))
            for at, place in self._places.items()
            if place.next > place.committed
        ]
        if not moved:
            return
        self._consumer.commit(offsets=[offset for _, offset in moved], asynchronous=False)
        for place, offset in moved:
            place.committed = offset.offset


def _earlier(known: dt.datetime | None, other: dt.datetime | None) -> dt.datetime | None:
    return min((one for one in (known, other) if one is not None), default=None)


def group_of(org_id: str, since: dt.datetime | None) -> str:
    """Name the group: another moment to begin at is another backfill, which must not go on where this one stopped."""
    begin = "" if since is None else f".{since.astimezone(dt.UTC):%Y%m%dT%H%M%S}"
    return f"{GROUP}.{org_id}{begin}"
