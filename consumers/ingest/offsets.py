"""How far each partition is durable, and how far the broker knows of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka_errors import end_if_fatal
from sync.crash_points import reached

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
"""After a commit that was refused."""

UNANSWERED_S: Final = 60.0
"""A commit that was not answered for so long may be followed by another; a late answer to it does no harm."""

# A commit that meets one of these was overtaken by a rebalance, which is nobody's fault.
_REBALANCING: Final = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError._ASSIGNMENT_LOST,
    }
)


class Offsets:
    """The offsets of one topic's partitions that are ours, and the one commit that may be on its way.

    Nobody waits for a commit: librdkafka's synchronous one has no timeout, and repeats a request that lost its connection for
    as long as the coordinator stays away. Its answer comes to `answered`, out of a later poll.

    Parameters
    ----------
    all_committed
        called whenever an answer leaves nothing to be committed.
    """

    def __init__(
        self, topic: str, *, all_committed: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._topic = topic
        self._all_committed = all_committed
        self._clock = clock
        self._durable: dict[int, int] = {}
        self._topic_ids: dict[int, str] = {}
        self._due: dict[int, int] = {}
        self._on_its_way: dict[int, int] = {}
        self._not_before = 0.0
        self._answer_until = 0.0

    def start(self, starts: Mapping[int, int], topic_id: str = "") -> None:
        """Note where partitions that are new to us are read from, and of which topic they are."""
        self._durable |= starts
        self._topic_ids |= dict.fromkeys(starts, topic_id)

    def of_another(self, partitions: set[int], topic_id: str) -> set[int]:
        """Give those of the partitions that are read as ones of another topic; none where an id is not known."""
        return {one for one in partitions if topic_id and self._topic_ids.get(one, "") not in ("", topic_id)}

    def durable(self, partition: int, offset: int) -> None:
        """Note that everything before an offset is durable: it is to be committed."""
        self._durable[partition] = self._due[partition] = offset

    def reached(self, partition: int) -> int | None:
        """How far a partition is durable; None where nothing is known."""
        return self._durable.get(partition)

    def forget(self, partition: int) -> None:
        """Note that a partition is no longer ours."""
        self._due.pop(partition, None)
        self._durable.pop(partition, None)

    def commit(self, send: Callable[[list[TopicPartition]], None], *, leaving: bool = False) -> None:
        """Send what is due, waiting for nothing, unless a commit is on its way, or one was just refused.

        ``leaving``: partitions are about to be given away, send what no commit on its way says already. librdkafka gives them away
        when all commits are answered.
        """
        now = self._clock()
        if not self._due or (self._on_its_way == self._due if leaving else not self._may_send(now)):
            return
        self._on_its_way, self._answer_until = dict(self._due), now + UNANSWERED_S
        # The id of the topic that was read goes along: without it the offset could be taken for one of a topic created later.
        places = [
            TopicPartition(self._topic, partition, offset, self._topic_ids.get(partition, ""))
            for partition, offset in self._due.items()
        ]
        try:
            send(places)
        except KafkaException as error:
            self.answered(error.args[0], places)

    def _may_send(self, now: float) -> bool:
        if now < self._not_before:
            return False
        if self._on_its_way and now >= self._answer_until:
            log.warning("offsets of %s: no answer to a commit for %.0f s; committing again", self._topic, UNANSWERED_S)
            return True
        return not self._on_its_way

    def answered(self, error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
        """Take the answer to a commit; librdkafka calls this from poll()."""
        if not places or {place.partition: place.offset for place in places} == self._on_its_way:
            self._on_its_way = {}
        if error is None:
            reached("offsets-committed")
        refused = {wrong.code(): wrong for wrong in (error, *(place.error for place in places)) if wrong is not None}
        for wrong in refused.values():
            self._refused(wrong)
        for place in places:
            durable = self._durable.get(place.partition)
            if error is not None or place.error is not None or durable is None:
                continue
            if durable == place.offset:
                self._due.pop(place.partition, None)
            else:
                # There is more by now, or an old commit overtook a newer one.
                self._due[place.partition] = durable
        if not refused and not self._due:
            self._all_committed()

    def _refused(self, error: KafkaError) -> None:
        end_if_fatal(error, self._topic)
        # What is durable stays so, and the offsets go with the next commit, or are read again by the partition's next owner.
        self._not_before = self._clock() + RETRY_S
        level = logging.INFO if error.code() in _REBALANCING else logging.WARNING
        log.log(level, "offsets of %s not committed yet: %s", self._topic, error.str())
