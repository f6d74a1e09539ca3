"""What a consumer group of ours reads, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.events import Kind

FETCH_BYTES = 64 * 1024 * 1024
"""Room for any record a broker lets through, so that one that is too large becomes a dead letter and not a standstill."""

_COOPERATIVE = {"partition.assignment.strategy": "cooperative-sticky"}


def topic_of(kind: Kind) -> str:
    return f"kompass.{kind.value}s"


def consumer_settings(kafka: Mapping[str, str], kind: Kind) -> dict[str, object]:
    """Give the settings of a consumer group of one process kind; what the operator set stands."""
    # With KIP-848 (KAFKA_GROUP_PROTOCOL=consumer) the broker assigns, incrementally too, and librdkafka refuses a strategy.
    assignment = {} if kafka.get("group.protocol") == "consumer" else _COOPERATIVE
    return {
        "group.id": f"kompass-qbo.{kind.value}s",
        **assignment,
        # A topic that is missing at start, and partitions that are added, are noticed within half a minute.
        "topic.metadata.refresh.interval.ms": 30_000,
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
        # The end of a partition may lie behind its last record: aborted records and marks of transactions take offsets, too.
        "enable.partition.eof": True,
    }
