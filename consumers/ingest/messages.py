"""A Kafka message as the record it was, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from store.records import SourceEvent


def source_event(message: Message) -> SourceEvent:
    """Give what a message without an error carries."""
    timestamp: tuple[int, int] = message.timestamp()
    kind, millis = timestamp
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return SourceEvent(
        topic=message.topic() or "",
        partition=partition,
        offset=offset,
        timestamp=None if kind == TIMESTAMP_NOT_AVAILABLE else datetime.fromtimestamp(millis / 1000, UTC),
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=tuple((name, _bytes(value)) for name, value in _headers(message)),
    )


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
