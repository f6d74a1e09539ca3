"""Where to start reading a partition, and what is said when records are gone that nobody has read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum

from confluent_kafka import Consumer, TopicPartition

from consumers.errors import ConsumersError
from store.engine import AWAY, passes
from store.stretches import Gap

log = logging.getLogger(__name__)

_TIMEOUT_S = 5.0

NoteGap = Callable[[Gap], None]
"""Makes a gap durable; may raise the database's errors."""


class OnGap(StrEnum):
    """What to do when Kafka has deleted records before they were read."""

    CONTINUE = "continue"
    """Say it, count it, and go on with the oldest record there is: later events bring each record's newest state anyway."""
    STOP = "stop"
    """Say it and end, so that somebody looks before anything else is read."""


class RetentionGap(ConsumersError):
    """Records were deleted before they were read, and `OnGap.STOP` is set."""


class Placing:
    """Finds the offset to start at: the committed one, or the oldest there is where that record is gone or none was committed."""

    def __init__(self, topic: str, *, note: NoteGap, on_gap: OnGap) -> None:
        self._topic = topic
        self._note = note
        self._on_gap = on_gap
        self._unnoted: list[Gap] = []

    def note_gaps(self) -> None:
        """Make durable what was found missing; before any batch, since a commit after it hides the gap. Raises the database's errors."""
        while self._unnoted:
            self._note(self._unnoted[0])
            del self._unnoted[0]

    def _found(self, gap: Gap) -> None:
        self._unnoted.append(gap)
        try:
            self.note_gaps()
        except AWAY as error:
            # In a callback of librdkafka nobody can wait: the next batch takes it along.
            if not passes(error):
                raise

    def start(
        self,
        consumer: Consumer,
        partition: int,
        *,
        reached: int | None = None,
        topic_id: str = "",
        another: bool = False,
    ) -> int:
        """Give the offset; ``reached`` is what is durable already though perhaps not committed.

        ``topic_id`` is the id that the topic has now: an offset that was committed with another one says nothing of this topic.
        ``another``: it is known already that the topic is not the one that was read.

        Raises
        ------
        KafkaException
            the coordinator or the partition's leader does not answer now.
        RetentionGap
        """
        place = TopicPartition(self._topic, partition)
        (found,) = consumer.committed([place], timeout=_TIMEOUT_S)
        low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        committed_elsewhere = topic_id and found.offset >= 0 and found.metadata not in (None, "", topic_id)
        if another or (reached is None and committed_elsewhere):
            self._gap(
                f"{self._topic}/{partition}: the topic was deleted and another one of this name created; what was unread in the old "
                "one is gone; reading the new one from its start"
            )
            return low
        return self._choose(partition, found.offset if reached is None else max(found.offset, reached), low, high)

    def _choose(self, partition: int, wanted: int, low: int, high: int) -> int:
        if wanted < 0:
            log.log(
                logging.WARNING if low > 0 else logging.INFO,
                "%s/%d: the group has committed no offset, or it has expired; starting at the oldest record, %d%s",
                self._topic, partition, low, "; those before it are deleted" if low > 0 else "",
            )  # fmt: skip
            return low
        if wanted < low:
            self._found(Gap(self._topic, partition, wanted, low - 1))
            self._gap(
                f"{self._topic}/{partition}: records {wanted} to {low - 1} were deleted before they were read; their newest "
                "states may be missing until Kompass sends those records again (see docs/operations.md, Retention)"
            )
            return low
        if wanted > high:
            self._gap(
                f"{self._topic}/{partition}: the offset reached, {wanted}, is beyond the topic's end, {high}: the topic was "
                "deleted and created again, and what was unread in the old one is gone; reading the new one from its start"
            )
            return low
        return wanted

    def _gap(self, words: str) -> None:
        log.error("%s", words)
        if self._on_gap is OnGap.STOP:
            raise RetentionGap(
                f"{words}; stopped, because INGEST_ON_GAP=stop: start once with INGEST_ON_GAP=continue to go on"
            )
