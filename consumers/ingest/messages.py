"""A Kafka record as it was, byte for byte: the one place that reads what a broker hands out, and it never raises.

Everything of a record is input: key, value, names and values of headers, timestamp. Only the value decides what becomes of a record.
What else cannot be read is left out, and `store.records.UNREADABLE`, a header of ours, names it in every dead letter of the record.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from typing import Final

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from store.records import UNREADABLE, Headers, SourceEvent
from store.texts import storable

log = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9998, 12, 31, tzinfo=UTC)
"""Python's datetimes end a year later; every time zone of a session can still show this one."""
_LATEST_MS: Final = int((_LATEST - _EPOCH).total_seconds()) * 1000
# Where a name is not UTF-8, the binding (2.16) sets an exception and yet gives a list, in which the name is a null pointer: code that
# touches it crashes the interpreter. `message.headers()` does not notice, once Python has specialised that call; a call from C
# always checks, and raises SystemError. A second call would give the list, so it is made once, and headers are read all or none.
_ASK_FOR_HEADERS: Final = methodcaller("headers")


def source_event(message: Message) -> SourceEvent:
    """Give what a message without an error carries."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    kind, millis = message.timestamp()
    timestamp, lost_time = _moment(kind, millis)
    headers, lost_headers = _headers(message)
    lost = "; ".join(part for part in (lost_time, lost_headers) if part)
    if lost:
        log.warning("%s/%d@%d: unreadable: %s", message.topic(), partition, offset, lost)
        headers = (*headers, (UNREADABLE, lost.encode()))
    return SourceEvent(
        topic=message.topic() or "",
        partition=partition,
        offset=offset,
        timestamp=timestamp,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers,
    )


def kompass_id(key: bytes | None) -> str:
    """Give the id from a key ``<kind>/<id>``, as far as it can be read: a name for people, short enough for an index."""
    return storable((key or b"").decode("utf-8", "replace").partition("/")[2])


def _moment(kind: int, millis: int) -> tuple[datetime | None, str]:
    """Give the time, or None and what the record says instead (microseconds, say, are a year 50,000)."""
    # -1 is Kafka's own way to say that there is none.
    if kind == TIMESTAMP_NOT_AVAILABLE or millis == -1:
        return None, ""
    if 0 <= millis <= _LATEST_MS:
        return _EPOCH + timedelta(milliseconds=millis), ""
    return None, f"timestamp {millis} ms"


def _headers(message: Message) -> tuple[Headers, str]:
    try:
        raw = _ASK_FOR_HEADERS(message) or []
    except (SystemError, UnicodeDecodeError):
        return (), "headers (a name is not UTF-8)"
    pairs = raw.items() if isinstance(raw, dict) else raw
    return tuple((name.replace("\0", ""), _bytes(value)) for name, value in pairs), ""


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
