"""How far the demo is: what Kafka holds that was not read yet, and what the links still have to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from sqlalchemy import Engine, text

TOPICS: Final[Mapping[str, str]] = {
    "kompass.clients": "kompass-qbo.clients",
    "kompass.projects": "kompass-qbo.projects",
    "kompass.invoices": "kompass-qbo.invoices",
}
"""Topic → consumer group."""
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    published: int
    ingested: int
    links: Mapping[str, int]
    """State → number."""
    unfinished: int
    """Links with something to do, now or later, and calls under way."""

    @property
    def finished(self) -> int:
        return sum(self.links.values()) - self.unfinished

    @property
    def at_rest(self) -> bool:
        """Whether everything that was published has come to its end."""
        return self.ingested >= self.published and self.unfinished == 0


class Watch:
    """Looks at the broker and the database; a context manager."""

    def __init__(self, engine: Engine, kafka: Mapping[str, str]) -> None:
        self._engine = engine
        self._consumers = {
            topic: Consumer({**kafka, "group.id": group, "enable.auto.commit": False})
            for topic, group in TOPICS.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def look(self) -> Progress:
        counted = [self._count(topic) for topic in self._consumers]
        with self._engine.connect() as db:
            links = {
                row.state: row.number
                for row in db.execute(text("SELECT state, count(*) AS number FROM qbo_link GROUP BY state"))
            }
            unfinished = db.execute(
                text(
                    "SELECT (SELECT count(*) FROM qbo_link WHERE due_at IS NOT NULL)"
                    " + (SELECT count(*) FROM qbo_attempt i JOIN qbo_link l ON l.id = i.link_id WHERE l.due_at IS NULL)"
                )
            ).scalar_one()
        return Progress(
            published=sum(end for end, _ in counted),
            ingested=sum(read for _, read in counted),
            links=links,
            unfinished=int(unfinished),
        )

    def _count(self, topic: str) -> tuple[int, int]:
        """Events in a topic, and how many of them its group has committed."""
        consumer = self._consumers[topic]
        try:
            partitions: Sequence[int] = list(consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions)
            committed = consumer.committed([TopicPartition(topic, one) for one in partitions], timeout=_TIMEOUT_S)
            ends = [consumer.get_watermark_offsets(one, timeout=_TIMEOUT_S)[1] for one in committed]
        except KafkaException:
            # Not there yet, or busy: nothing is at rest then.
            return 1, 0
        return sum(ends), sum(max(0, one.offset) for one in committed)
