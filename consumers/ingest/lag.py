"""How many events are still to be read, in each partition that is ours, and for how long a partition has not moved though some are."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.dependencies import Dependencies, Dependency
from consumers.ingest.offsets import Offsets
from consumers.kafka_errors import end_if_fatal
from sync.metrics import Metrics

MEASURE_S: Final = 1.0
"""Between two looks while records are fetched: the brokers say with every fetch where a partition ends, which costs no request."""
MEASURE_PAUSED_S: Final = 5.0
"""While nothing is fetched, the brokers are asked."""
_ANSWER_S: Final = 1.0
_GAUGES: Final = ("ingest_lag_events", "ingest_stalled_seconds")
_LATEST: Final = -1
"""In place of a time: the end of the partition."""


class Lag:
    """Keeps `ingest_lag_events` true, also while a batch waits for the database: then above all it must not stand at 0."""

    def __init__(self, topic: str, *, offsets: Offsets, metrics: Metrics, dependencies: Dependencies) -> None:
        self._topic = topic
        self._offsets = offsets
        self._metrics = metrics
        self._dependencies = dependencies
        self._measured = 0.0
        # How far each partition was, and since when.
        self._moved: dict[int, tuple[int, float]] = {}

    def measure(self, consumer: Consumer, partitions: Iterable[int], *, paused: bool = False) -> None:
        """Look again, if it is time. While no broker answers nobody knows, and the last value, mostly 0, would look like all is read."""
        if time.monotonic() - self._measured < (MEASURE_PAUSED_S if paused else MEASURE_S):
            return
        if self._dependencies.is_away(Dependency.BROKER):
            self._moved.clear()
            for name in _GAUGES:
                self._metrics.forget(name)
            return
        try:
            ends = self._ask(consumer, partitions) if paused else self._cached(consumer, partitions)
        except KafkaException as error:
            end_if_fatal(error.args[0], self._topic)
            ends = {}
        self._measured = time.monotonic()
        for partition, end in ends.items():
            reached = self._offsets.reached(partition)
            if end >= 0 and reached is not None:
                lag = max(end - reached, 0)
                labels = {"topic": self._topic, "partition": str(partition)}
                self._metrics.set("ingest_lag_events", lag, **labels)
                self._metrics.set("ingest_stalled_seconds", self._stalled(partition, reached, lag), **labels)

    def _stalled(self, partition: int, reached: int, lag: int) -> float:
        before, since = self._moved.get(partition, (-1, 0.0))
        if not lag or reached != before:
            self._moved[partition] = (reached, self._measured)
            return 0.0
        return self._measured - since

    def forget(self, partition: int) -> None:
        """Drop the values of a partition that is no longer ours."""
        self._moved.pop(partition, None)
        for name in _GAUGES:
            self._metrics.remove(name, topic=self._topic, partition=str(partition))

    def _cached(self, consumer: Consumer, partitions: Iterable[int]) -> dict[int, int]:
        return {
            partition: consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)[1]
            for partition in partitions
        }

    def _ask(self, consumer: Consumer, partitions: Iterable[int]) -> dict[int, int]:
        # One request to each broker, for any number of partitions.
        asked = [TopicPartition(self._topic, partition, _LATEST) for partition in partitions]
        if not asked:
            return {}
        found = consumer.offsets_for_times(asked, timeout=_ANSWER_S)
        return {one.partition: one.offset for one in found if one.error is None}
