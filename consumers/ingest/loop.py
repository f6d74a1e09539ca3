"""The loop of one consumer process over its topic: poll, make durable, commit; and what to do when any of these fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition
from sqlalchemy.exc import DBAPIError

from consumers.errors import ConsumersError
from consumers.ingest.batch import BatchResult, Ingest
from consumers.metrics import Metrics
from schemas.errors import RegistryUnavailable
from schemas.events import Kind
from store.records import SourceEvent

log = logging.getLogger(__name__)

BATCH = 500
"""Records to a transaction, at most."""

MEASURE_S = 1.0
"""Between two looks at the lag; it costs no request, the brokers tell with every fetch where a partition ends."""

FETCH_BYTES = 64 * 1024 * 1024
"""Room for any record a broker lets through, so that one that is too large becomes a dead letter and not a standstill."""


class TooManyUndecodable(ConsumersError):
    """So many events in a row cannot be read that the fault is ours, or the producer's, and no dead letter will mend it."""


class DecodeLimit:
    """Stops the consumer rather than empty a topic into the dead letters after a bad deploy (arroyo's DlqLimit)."""

    def __init__(self, *, run: int = 100) -> None:
        self._limit = run
        self._run = 0

    def count(self, result: BatchResult, events: int) -> None:
        """Take a batch's result into account; raises `TooManyUndecodable` once the run is too long."""
        bad = len(result.undecodable)
        self._run = self._run + bad if bad == events else 0
        if self._run >= self._limit:
            last = result.undecodable[-1]
            raise TooManyUndecodable(
                f"the last {self._run} records of {last.source.topic} could not be read ({last.message}); stopped before the "
                "topic is emptied into the dead letters: check the producer's schema and this version's"
            )


def topic_of(kind: Kind) -> str:
    return f"kompass.{kind.value}s"


def consumer_settings(kafka: Mapping[str, str], kind: Kind) -> dict[str, object]:
    """Give the settings of a consumer group of one process kind; what the operator set stands."""
    return {
        "group.id": f"kompass-qbo.{kind.value}s",
        "partition.assignment.strategy": "cooperative-sticky",
        "fetch.message.max.bytes": FETCH_BYTES,
        "max.partition.fetch.bytes": FETCH_BYTES,
        "receive.message.max.bytes": FETCH_BYTES + 1024 * 1024,
        "queued.max.messages.kbytes": 64 * 1024,
        **kafka,
        # Offsets are committed by us, after the transaction; and a missing one is never guessed at.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
    }


class IngestLoop:
    """One thread of it at a time. ``beat`` is called at every turn, for /livez."""

    def __init__(
        self,
        consumer: Consumer,
        ingest: Ingest,
        kind: Kind,
        *,
        metrics: Metrics,
        beat: Callable[[], None],
        limit: DecodeLimit | None = None,
    ) -> None:
        self._consumer = consumer
        self._ingest = ingest
        self._topic = topic_of(kind)
        self._kind = kind
        self._metrics = metrics
        self._beat = beat
        self._limit = limit or DecodeLimit()
        self._assigned: set[int] = set()
        self._uncommitted: dict[int, int] = {}
        self._durable: dict[int, int] = {}
        self._measured = 0.0
        self._stopping = False

    @property
    def assigned(self) -> bool:
        """Whether the group has given us a partition."""
        return bool(self._assigned)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        """Run until `stop`. What is not durable when it ends is delivered again to whoever comes next."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not self._stopping:
                self._beat()
                batch = self._poll()
                if batch:
                    self._make_durable(batch)
                if self._uncommitted:
                    self._commit()
                if time.monotonic() - self._measured >= MEASURE_S:
                    self._measure()
        finally:
            self._consumer.close()

    def _poll(self) -> list[SourceEvent]:
        # poll() returns with the first record, consume() would wait out its timeout; it then takes what is there already.
        first = self._consumer.poll(0.25)
        if first is None:
            return []
        messages: list[Message] = [first, *self._consumer.consume(BATCH - 1, 0.002)]
        return [source for message in messages if (source := self._source(message)) is not None]

    def _source(self, message: Message) -> SourceEvent | None:
        error = message.error()
        if error is not None:
            self._on_error(error, message)
            return None
        timestamp: tuple[int, int] = message.timestamp()
        kind, millis = timestamp
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        return SourceEvent(
            topic=message.topic() or self._topic,
            partition=partition,
            offset=offset,
            timestamp=None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(millis / 1000, UTC),
            key=_bytes(message.key()),
            value=_bytes(message.value()),
            headers=tuple((name, _bytes(value)) for name, value in _headers(message)),
        )

    def _on_error(self, error: KafkaError, message: Message) -> None:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._jump_gap(message.partition())
        elif error.fatal():
            raise KafkaException(error)
        elif error.code() != KafkaError._PARTITION_EOF:
            log.warning("kafka: %s (%s)", error.str(), self._topic)

    def _make_durable(self, batch: Sequence[SourceEvent]) -> None:
        """Write a batch, for as long as it takes: the database or the registry may be away, and nothing may be skipped.

        Meanwhile the partitions are paused and the broker still polled: a consumer that does not poll is put out of the group.
        """
        wait, paused, started = 0.1, False, time.monotonic()
        while True:
            try:
                result = self._ingest.write(batch)
                break
            except (DBAPIError, RegistryUnavailable) as error:
                if isinstance(error, DBAPIError) and not (error.connection_invalidated or _passing(error)):
                    raise
                log.warning("ingest of %s waits: %s", self._topic, str(error).splitlines()[0])
                if not paused:
                    self._consumer.pause(self._consumer.assignment())
                    paused = True
                until = time.monotonic() + wait
                while (left := until - time.monotonic()) > 0 and not self._stopping:
                    self._beat()
                    self._consumer.poll(min(left, 0.25))
                if self._stopping:
                    return
                wait = min(wait * 2, 10.0)
        if paused:
            self._consumer.resume(self._consumer.assignment())
        self._metrics.observe("ingest_batch_seconds", time.monotonic() - started, kind=self._kind.value)
        self._limit.count(result, len(batch))
        self._count(result)
        for source in batch:
            if source.partition in self._assigned:
                self._uncommitted[source.partition] = self._durable[source.partition] = source.offset + 1

    def _count(self, result: BatchResult) -> None:
        kind = self._kind.value
        self._metrics.count("events", result.newer, kind=kind, outcome="kept")
        self._metrics.count("events", result.stale, kind=kind, outcome="stale")
        self._metrics.count("events", result.unconfigured, kind=kind, outcome="unconfigured")
        self._metrics.count("events", result.tombstones, kind=kind, outcome="tombstone")
        for bad in result.undecodable:
            self._metrics.count("events", kind=kind, outcome="undecodable", reason=bad.cause)

    def _commit(self) -> None:
        offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in self._uncommitted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # A rebalance under way, or a broker away: what is durable stays so, and the offsets go with the next commit.
            log.info("offsets of %s not committed yet: %s", self._topic, error.args[0])
            return
        self._uncommitted.clear()
        self._metrics.set("ingest_last_commit_timestamp_seconds", time.time(), kind=self._kind.value)

    def _measure(self) -> None:
        self._measured = time.monotonic()
        self._metrics.set("ingest_assigned_partitions", len(self._assigned), kind=self._kind.value)
        for partition in self._assigned:
            _, end = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            if end >= 0 and partition in self._durable:
                lag = max(end - self._durable[partition], 0)
                self._metrics.set("ingest_lag_events", lag, topic=self._topic, partition=str(partition))

    # Rebalances

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        placed = [self._place(consumer, partition) for partition in partitions]
        self._assigned |= {partition.partition for partition in placed}
        self._durable |= {partition.partition: partition.offset for partition in placed}
        self._metrics.count("ingest_rebalances", what="assigned")
        consumer.incremental_assign(placed)
        log.info("assigned %s %s", self._topic, sorted(self._assigned))

    def _place(self, consumer: Consumer, partition: TopicPartition) -> TopicPartition:
        """Give the offset to start at: the committed one; the oldest there is, said aloud, when records are gone."""
        committed = consumer.committed([partition], timeout=10)[0].offset
        low, high = consumer.get_watermark_offsets(partition, timeout=10)
        if committed < 0:
            log.info(
                "%s/%d: no committed offset, starting at the oldest record %d", self._topic, partition.partition, low
            )
            start = low
        elif committed < low:
            self._metrics.count("ingest_gaps", low - committed, topic=self._topic)
            log.error(
                "%s/%d: records %d to %d were deleted before they were read; their newest states may be missing until Kompass "
                "sends those records again (see docs/operations.md, Retention)",
                self._topic, partition.partition, committed, low - 1,
            )  # fmt: skip
            start = low
        elif committed > high:
            log.error(
                "%s/%d: the committed offset %d is beyond the topic's end %d: the topic was made anew; reading it from the start",
                self._topic, partition.partition, committed, high,
            )  # fmt: skip
            start = low
        else:
            start = committed
        return TopicPartition(partition.topic, partition.partition, start)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._uncommitted:
            self._commit()
        self._metrics.count("ingest_rebalances", what="revoked")
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Somebody else may own them already: committing now could move their offsets back.
        log.warning("lost %s %s", self._topic, [partition.partition for partition in partitions])
        self._metrics.count("ingest_rebalances", what="lost")
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._assigned.discard(partition.partition)
            self._uncommitted.pop(partition.partition, None)
            if self._durable.pop(partition.partition, None) is not None:
                self._metrics.remove("ingest_lag_events", topic=self._topic, partition=str(partition.partition))

    def _jump_gap(self, partition: int | None) -> None:
        if partition is None:
            return
        placed = self._place(self._consumer, TopicPartition(self._topic, partition))
        self._durable[partition] = placed.offset
        self._consumer.seek(placed)


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _passing(error: DBAPIError) -> bool:
    """Tell whether the database may take the very same statement later (it is restarting, full, or locked)."""
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state[:2] in ("08", "53", "55", "57", "58", "40")
