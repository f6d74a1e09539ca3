"""The loop of one consumer process over its topic: poll, make durable, commit; and what to do when any of these fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import (
    OFFSET_STORED,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from consumers.dependencies import Dependencies, Dependency
from consumers.ingest.batch import BatchResult, Ingest
from consumers.ingest.complaints import Complaints
from consumers.ingest.ending import CLOSE_S, leave_group, reason_of
from consumers.ingest.ends import Ends
from consumers.ingest.group import topic_of
from consumers.ingest.lag import Lag
from consumers.ingest.limit import DecodeLimit
from consumers.ingest.messages import source_event
from consumers.ingest.offsets import Offsets
from consumers.ingest.placing import NoteGap, OnGap, Placing
from consumers.ingest.topic_id import TopicId
from consumers.kafka_errors import Callbacks, ClientDead, end_if_fatal
from schemas.errors import RegistryUnavailable
from schemas.events import Kind
from store.engine import AWAY, passes
from store.records import SourceEvent
from sync.crash_points import reached
from sync.metrics import Metrics

log = logging.getLogger(__name__)

BATCH = 500
"""Records to a transaction, at most."""

_RETRY_S: Final = 1.0

OnCommit = Callable[[KafkaError | None, list[TopicPartition]], None]


class IngestLoop:
    """One thread of it at a time.

    Parameters
    ----------
    make_consumer
        gives the consumer, with this as its ``on_commit``.
    beat
        called at every turn, for /livez.
    close_s
        for leaving the group at the end, at most.
    wake
        called when something newer is durable: the database tells the other processes, this one need not wait for the way round.
    note_gap
        makes durable that records were deleted before they were read.
    dependencies
        hears for what a batch waits.
    topic_id
        says whether the topic is still the one that is read.
    """

    def __init__(
        self,
        make_consumer: Callable[[OnCommit], Consumer],
        ingest: Ingest,
        kind: Kind,
        *,
        metrics: Metrics,
        beat: Callable[[], None],
        limit: DecodeLimit | None = None,
        on_gap: OnGap = OnGap.CONTINUE,
        close_s: float = CLOSE_S,
        note_gap: NoteGap,
        wake: Callable[[], None] = lambda: None,
        dependencies: Dependencies | None = None,
        topic_id: TopicId | None = None,
    ) -> None:
        self._ingest = ingest
        self.topic = topic_of(kind)
        self._kind = kind
        self._metrics = metrics
        self._beat = beat
        self._wake = wake
        self._limit = limit or DecodeLimit()
        self._placing = Placing(self.topic, note=note_gap, on_gap=on_gap)
        self._dependencies = dependencies or Dependencies(metrics)
        self._assigned: set[int] = set()
        self._offsets = Offsets(self.topic, all_committed=self._all_committed)
        self._lag = Lag(self.topic, offsets=self._offsets, metrics=metrics, dependencies=self._dependencies)
        self._topic_id = topic_id or TopicId()
        self._callbacks = Callbacks(self.topic)
        self._consumer = make_consumer(self._callbacks.keeping(self._offsets.answered))
        # Assigned, but where to start could not be found out yet.
        self._unplaced: set[int] = set()
        # How far the batch at hand goes in each partition that has not been taken away since, even if it was given back.
        self._at_hand: dict[int, int] = {}
        # Polled while another batch waited for the database.
        self._early: list[SourceEvent] = []
        self._ends = Ends()
        self._complaints = Complaints(self.topic)
        self._holding = False
        self._next_placing = 0.0
        self._stopping = False
        self._close_s = close_s
        self.closed = False
        """Whether the consumer could be closed; if not, its threads still wait for the broker."""
        self.unassigned_since: float | None = time.monotonic()
        """Since when (by the monotonic clock) the group gives us no partition; None while it does."""
        self.member_id = ""
        """Our name in the group, while we have no partition."""

    @property
    def assigned(self) -> bool:
        """Whether the group has given us a partition."""
        return bool(self._assigned)

    @property
    def partitions(self) -> frozenset[int]:
        """The partitions the group has given us."""
        return frozenset(self._assigned)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        """Run until `stop`. What is not durable when it ends is delivered again to the next member."""
        keeping = self._callbacks.keeping
        self._consumer.subscribe(
            [self.topic],
            on_assign=keeping(self._on_assign),
            on_revoke=keeping(self._on_revoke),
            on_lost=keeping(self._on_lost),
        )
        try:
            while not self._stopping:
                self._beat()
                batch = self._poll()
                if batch or self._ends:
                    reached("polled")
                    self._make_durable(batch)
                self._offsets.commit(self._send)
                self._notice_another_topic()
                if self._unplaced and time.monotonic() >= self._next_placing:
                    self._place_rest()
                self._measure()
        except ClientDead as dead:
            raise reason_of(dead, self._consumer, self.topic) from None
        finally:
            self.closed = leave_group(self._consumer, self.topic, seconds=self._close_s)

    def _poll(self) -> list[SourceEvent]:
        """Take what has come, waiting for a first record."""
        self._at_hand.clear()
        batch, self._early = self._early, []
        for source in batch:
            self._at_hand[source.partition] = source.offset + 1
        if batch:
            return batch
        wait = 0.25
        # One by one, because any poll may bring a rebalance: a record belongs to the assignment in which it is handed out.
        for _ in range(BATCH):
            message = self._callbacks.poll(self._consumer, wait)
            if message is None:
                break
            if (found := self._source(message)) is not None:
                batch.append(found)
                self._at_hand[found.partition] = found.offset + 1
            wait = 0.0
        return batch

    def _source(self, message: Message) -> SourceEvent | None:
        error = message.error()
        if error is not None:
            self._on_error(error, message)
            return None
        return source_event(message)

    def _on_error(self, error: KafkaError, message: Message) -> None:
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            self._unplaced |= {number for number in self._assigned if number == message.partition()}
        elif error.code() == KafkaError._PARTITION_EOF:
            number = message.partition() or 0
            self._ends.note(number, message.offset(), read=self._at_hand.get(number, self._offsets.reached(number)))
        else:
            end_if_fatal(error, self.topic)
            self._complaints.note(error, message.partition())

    def _make_durable(self, batch: Sequence[SourceEvent]) -> None:
        """Write a batch, for as long as it takes: the database or the registry may be away, and nothing may be skipped.

        Meanwhile the partitions are paused and the broker still polled: a consumer that does not poll is put out of the group.
        """
        wait, started = 0.1, time.monotonic()
        while True:
            try:
                self._placing.note_gaps()
                result = self._ingest.write(batch)
                ends = self._ends.after(self._at_hand, self._early)
                self._ingest.note_ends(self.topic, ends)
                break
            except (*AWAY, RegistryUnavailable) as error:
                what = Dependency.REGISTRY if isinstance(error, RegistryUnavailable) else Dependency.DATABASE
                if what is Dependency.DATABASE and not passes(error):
                    raise
                self._dependencies.missing(what, str(error).splitlines()[0])
                self._hold(wait)
                if self._stopping:
                    return
                wait = min(wait * 2, 10.0)
        self._dependencies.served(Dependency.DATABASE, Dependency.REGISTRY)
        if result.newer:
            self._wake()
        reached("ingested")
        if self._holding:
            self._holding = False
            self._consumer.resume(self._consumer.assignment())
        self._metrics.observe("ingest_batch_seconds", time.monotonic() - started, kind=self._kind.value)
        self._limit.count(result, len(batch))
        self._count(result)
        # What was taken away meanwhile is read again by the member that has it now, ourselves included.
        for partition, offset in {**self._at_hand, **ends}.items():
            self._offsets.durable(partition, offset)
        self._ends.written(self._early)

    def _hold(self, seconds: float) -> None:
        """Take part in the group without reading on. A rebalance may bring partitions meanwhile: they are paused as they come."""
        if not self._holding:
            self._holding = True
            self._consumer.pause(self._consumer.assignment())
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping:
            self._beat()
            self._measure()
            message = self._callbacks.poll(self._consumer, min(left, 0.25))
            if message is not None and (source := self._source(message)) is not None:
                self._early.append(source)

    def _count(self, result: BatchResult) -> None:
        kind = self._kind.value
        self._metrics.count("events", result.newer, kind=kind, outcome="kept")
        self._metrics.count("events", result.stale, kind=kind, outcome="stale")
        self._metrics.count("events", result.unconfigured, kind=kind, outcome="unconfigured")
        self._metrics.count("events", result.tombstones, kind=kind, outcome="tombstone")
        for bad in result.undecodable:
            self._metrics.count("events", kind=kind, outcome="undecodable", reason=bad.cause)

    def _send(self, places: list[TopicPartition]) -> None:
        self._consumer.commit(offsets=places, asynchronous=True)

    def _all_committed(self) -> None:
        self._metrics.set("ingest_last_commit_timestamp_seconds", time.time(), kind=self._kind.value)

    def _measure(self) -> None:
        self._metrics.set("ingest_assigned_partitions", len(self._assigned), kind=self._kind.value)
        self._lag.measure(self._consumer, self._assigned, paused=self._holding)
        if self._assigned:
            self.unassigned_since = None
        elif self.unassigned_since is None:
            self.unassigned_since = time.monotonic()
        elif not self.member_id:
            self.member_id = self._consumer.memberid() or ""

    # Rebalances

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._metrics.count("ingest_rebalances", what="assigned")
        self.member_id = ""
        self._assigned |= {partition.partition for partition in partitions}
        self._unplaced |= {partition.partition for partition in partitions}
        starts = self._starts(consumer)
        # Where it is not known yet, librdkafka begins at the committed offset, and asks us when that is no good.
        consumer.incremental_assign(
            [
                TopicPartition(self.topic, partition.partition, starts.get(partition.partition, OFFSET_STORED))
                for partition in partitions
            ]
        )
        if self._holding:
            consumer.pause(partitions)
        log.info("assigned %s %s", self.topic, sorted(self._assigned))

    def _starts(self, consumer: Consumer) -> dict[int, int]:
        """Find out where unplaced partitions start; those for which nobody answers stay unplaced, and are asked for again."""
        found: dict[int, int] = {}
        topic_id = self._topic_id.look(at_once=True)
        for partition in sorted(self._unplaced):
            self._beat()
            another = bool(self._offsets.of_another({partition}, topic_id))
            try:
                found[partition] = self._placing.start(
                    consumer, partition, reached=self._offsets.reached(partition), topic_id=topic_id, another=another
                )
            except KafkaException as error:
                end_if_fatal(error.args[0], self.topic)
                self._complaints.note(error.args[0], partition)
                self._next_placing = time.monotonic() + _RETRY_S
                break
        self._unplaced -= found.keys()
        self._offsets.start(found, topic_id)
        return found

    def _notice_another_topic(self) -> None:
        """Have partitions placed again when their topic is another one of the same name: it is read from its start."""
        another = self._offsets.of_another(self._assigned - self._unplaced, self._topic_id.now)
        self._drop(another)
        self._unplaced |= another

    def _place_rest(self) -> None:
        for partition, offset in self._starts(self._consumer).items():
            # Not seek(): a partition whose offset was refused is no longer being fetched, and cannot be sought in.
            self._consumer.incremental_unassign([TopicPartition(self.topic, partition)])
            self._consumer.incremental_assign([TopicPartition(self.topic, partition, offset)])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._offsets.commit(self._send, leaving=True)
        self._metrics.count("ingest_rebalances", what="revoked")
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Somebody else may own them already: committing now could move their offsets back.
        log.warning("lost %s %s", self.topic, [partition.partition for partition in partitions])
        self._metrics.count("ingest_rebalances", what="lost")
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        gone = {partition.partition for partition in partitions}
        self._assigned -= gone
        self._unplaced -= gone
        self._drop(gone)
        for number in gone:
            self._lag.forget(number)

    def _drop(self, numbers: set[int]) -> None:
        """Drop what was read of partitions and is not durable yet, and how far they are."""
        self._early = [source for source in self._early if source.partition not in numbers]
        self._ends.drop(numbers)
        for number in numbers:
            self._at_hand.pop(number, None)
            self._offsets.forget(number)
