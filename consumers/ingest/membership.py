"""Whether a member of a group that has no partition should have one.

A process without a partition may be a spare: the others have them all. Or its client is lost: the group has partitions to give and
none comes here, or gave it some that the client has dropped. Only the group itself can say which, so it is asked, after longer than
any rebalance takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Protocol

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.ingest.group import consumer_settings, topic_of
from schemas.counting import counted
from schemas.events import Kind
from sync.settings import silent

_MAX_POLL_MS: Final = 300_000
"""librdkafka's default: for so long a group waits in a rebalance for a member that is busy."""
_ANSWER_S: Final = 10.0
LOOK_S: Final = 30.0
"""Between two looks; what two in a row find is so."""


class Member(Protocol):
    """The ingest loop, as far as it matters here."""

    unassigned_since: float | None
    member_id: str


class Membership:
    """One thread uses it.

    Parameters
    ----------
    patience
        seconds without a partition before the group is asked; by default what a rebalance takes at most.
    """

    def __init__(
        self,
        kafka: Mapping[str, str],
        kind: Kind,
        *,
        patience: float | None = None,
        look: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kafka = kafka
        self._group = str(consumer_settings(kafka, kind)["group.id"])
        self._topic = topic_of(kind)
        self._patience = patience or int(kafka.get("max.poll.interval.ms", _MAX_POLL_MS)) / 1000 + LOOK_S
        self._look = look
        self._clock = clock
        self._admin: AdminClient | None = None
        self._looked = float("-inf")
        self._suspected = ""
        self._problem: str | None = None

    def problem(self) -> str | None:
        """Give why this process lacks the partition it should have; None when all is well or nobody can say."""
        return self._problem

    def look(self, member: Member) -> None:
        """Look again, if it is time."""
        now = self._clock()
        since = member.unassigned_since
        if since is None or now - since < self._patience:
            self._suspected, self._problem = "", None
            return
        if now - self._looked < self._look:
            return
        self._looked = now
        try:
            found = self._ask(member.member_id)
        except (KafkaException, TimeoutError):
            # The brokers are away, or do not let us ask: then nothing is known against this process.
            found = ""
        self._problem = found if found and self._suspected else None
        self._suspected = found

    def _ask(self, member_id: str) -> str:
        self._admin = self._admin or AdminClient(silent(self._kafka))
        future: Future[Any] = self._admin.describe_consumer_groups([self._group], request_timeout=_ANSWER_S)[
            self._group
        ]
        group = future.result(_ANSWER_S)
        if group.state is not ConsumerGroupState.STABLE:
            return ""
        partitions = self._admin.list_topics(self._topic, timeout=_ANSWER_S).topics[self._topic].partitions
        given = {
            one.partition
            for member in group.members
            for one in member.assignment.topic_partitions
            if one.topic == self._topic
        }
        if len(given) < len(partitions):
            without = counted(len(partitions) - len(given), "partition")
            return f"no process owns {without} of {self._topic}, and this one gets none"
        mine = [one for one in group.members if one.member_id == member_id]
        if not mine:
            return f"the group {self._group} does not know this process"
        if mine[0].assignment.topic_partitions:
            return f"the group {self._group} has given this process partitions that its client has lost"
        return ""
