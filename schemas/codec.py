"""Bytes on Kafka ↔ `Event`.

Two framings, both always readable:

- Confluent's wire format: ``00``, the registry's schema id as 4 bytes big-endian, the Avro payload;
- Avro's single-object encoding: ``C3 01``, the CRC-64-AVRO fingerprint of the schema little-endian, the Avro payload; for
  schemas that are shipped with this program, present or past.

Written is the first when there is a registry, else the second. An event of any schema is read as the newest schema
of its kind, by Avro's rules of resolution.

Nearly all events are written with today's schema and in order: `schemas.compiled` reads those. For any other fastavro reads bare
numbers, bytes and texts, and `schemas.values` makes the typed objects of them, or says what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.avro import Schema, endless, parsed_for_wire, resolved
from schemas.checking import checked
from schemas.compatibility import obstacles
from schemas.compiled import compiled
from schemas.envelopes import ENVELOPES, event_of
from schemas.errors import (
    BadRecord,
    Garbage,
    IncompatibleSchema,
    TooLarge,
    TrailingBytes,
    Truncated,
    UndecodableEvent,
    UnknownSchema,
    WrongKind,
)
from schemas.events import Event, Kind, kind_of
from schemas.shipped import current, shipped
from schemas.values import avro_value, canonical, from_avro, plain

MAX_BYTES = 2 * 1024 * 1024
"""Kafka's own default limit is 1 MiB a message; an invoice of 2 MiB would have thousands of lines."""

_CONFLUENT = 0x00
_SINGLE_OBJECT = b"\xc3\x01"


_NUL = rb"\u0000"
"""As JSON writes it: Postgres refuses it in text and jsonb, XML and QuickBooks do too."""


class SchemaSource(Protocol):
    """A schema registry, as far as the codec asks it."""

    def schema(self, schema_id: int) -> Schema:
        """The writer's schema as JSON data; raises `UnknownSchema` or `RegistryUnavailable`."""
        ...

    def schema_id(self, kind: Kind) -> int:
        """The id under which the current schema of `kind` is registered; raises `RegistryUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class _Written:
    """How to read what was written with one schema."""

    kind: Kind
    writer: dict[str, Any]
    reader: dict[str, Any] | None
    """None when the writer's schema is the current one: reading without resolution is twice as fast."""


class Codec:
    """Decodes and encodes events. May be shared by threads; what a registry said is kept for ever."""

    def __init__(self, source: SchemaSource | None = None) -> None:
        self._source = source
        self._current = {kind: parsed_for_wire(schema.schema) for kind, schema in current().items()}
        self._writers = {kind: parse_schema(schema.schema) for kind, schema in current().items()}
        self._marks = {kind: schema.fingerprint for kind, schema in current().items()}
        self._shipped = {
            mark: _Written(
                kind=schema.kind,
                writer=parsed_for_wire(schema.schema),
                reader=None if mark == self._marks[schema.kind] else self._current[schema.kind],
            )
            for mark, schema in shipped().items()
        }
        self._compiled = {kind: compiled(schema.schema, ENVELOPES[kind]) for kind, schema in current().items()}
        self._registered: dict[int, _Written | UndecodableEvent] = {}
        self._ids: dict[Kind, int] = {}

    def decode(self, kind: Kind, data: bytes) -> Event:
        """The event in `data`, which came from the topic of `kind`.

        Raises `UndecodableEvent` (see its subclasses' ``cause``) when these bytes never will be one, and
        `RegistryUnavailable` when that cannot be found out now.
        """
        if len(data) > MAX_BYTES:
            raise TooLarge(f"The value has {len(data):,} bytes; an event has {MAX_BYTES:,} at most.")
        if not data:
            raise Truncated("The value is empty; an event, or null for a tombstone, was expected.")
        written, start = self._written(data)
        if written.kind is not kind:
            raise WrongKind(f"The value is an event of kind {written.kind}; this topic carries events of kind {kind}.")
        event = self._in_order(kind, data, start) if written.reader is None else None
        if event is None:
            event = one_by_one(kind, written, data, start)
        if event.resource != kind.value:
            raise WrongKind(f"The event says it is about a {event.resource[:40]!r}; this topic is about a {kind}.")
        return event

    def _in_order(self, kind: Kind, data: bytes, start: int) -> Event | None:
        """The event, if there is surely nothing wrong with it."""
        try:
            event = self._compiled[kind](data, start)
        except Exception:  # noqa: BLE001 - fastavro says what is wrong
            return None
        return None if _NUL in msgspec.json.encode(event) else event

    def encode(self, event: Event) -> bytes:
        """`event` in the current schema of its kind. Raises `BadRecord` for a value that Avro cannot hold."""
        kind = kind_of(event.object)
        stream = BytesIO()
        if self._source is None:
            stream.write(_SINGLE_OBJECT + self._marks[kind])
        else:
            if kind not in self._ids:
                self._ids[kind] = self._source.schema_id(kind)
            stream.write(bytes([_CONFLUENT]) + self._ids[kind].to_bytes(4, "big"))
        try:
            schemaless_writer(stream, self._writers[kind], event_values(event))
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise BadRecord(f"The {kind} {event.object.id} cannot be written as Avro: {error}", "object") from error
        return stream.getvalue()

    def _written(self, data: bytes) -> tuple[_Written, int]:
        if data[0] == _CONFLUENT:
            if len(data) < 5:
                raise Truncated(f"The value ends after {len(data)} bytes, within the schema id.")
            return self._from_registry(int.from_bytes(data[1:5], "big")), 5
        if data[:2] == _SINGLE_OBJECT:
            if len(data) < 10:
                raise Truncated(f"The value ends after {len(data)} bytes, within the schema's fingerprint.")
            written = self._shipped.get(data[2:10])
            if written is None:
                raise UnknownSchema(
                    f"The value was written with a schema of fingerprint {data[2:10].hex()}, which is none of ours; "
                    "upgrade kompass-qbo, or use a schema registry."
                )
            return written, 10
        raise Garbage(f"The value begins with {data[:2].hex(' ')}; an event begins with 00 or c3 01.")

    def _from_registry(self, schema_id: int) -> _Written:
        known = self._registered.get(schema_id)
        if known is None:
            if self._source is None:
                raise UnknownSchema(
                    f"The value was written with registry schema {schema_id}; set SCHEMA_REGISTRY_URL to read it."
                )
            schema = self._source.schema(schema_id)
            try:
                known = self._resolved(schema, schema_id)
            except UndecodableEvent as error:
                known = error
            self._registered[schema_id] = known
        if isinstance(known, UndecodableEvent):
            raise type(known)(*known.args)
        return known

    def _resolved(self, schema: Schema, schema_id: int) -> _Written:
        name = str(schema.get("name", "")).rpartition(".")[2] if isinstance(schema, dict) else ""
        kind = next((kind for kind, reader in self._current.items() if reader["name"].rpartition(".")[2] == name), None)
        if kind is None:
            raise WrongKind(
                f"Registry schema {schema_id} describes {name or 'no record'!r}, which is no event of ours."
            )
        try:
            problems = obstacles(writer=schema, reader=current()[kind].schema)
            writer = parsed_for_wire(schema)
            names: dict[str, Schema] = {}
            if endless(resolved(schema, names), names):
                problems.append("an array's items take no bytes")
        except Exception as error:  # somebody else's schema may be broken in any way
            raise IncompatibleSchema(f"Registry schema {schema_id} is not valid Avro: {error}") from error
        if problems:
            raise IncompatibleSchema(
                f"Registry schema {schema_id} cannot be read as an event of kind {kind}: {'; '.join(problems)}."
            )
        same = writer == self._current[kind]
        return _Written(kind=kind, writer=writer, reader=None if same else self._current[kind])


def _payload(stream: BytesIO, written: _Written) -> dict[str, Any]:
    try:
        return schemaless_reader(stream, written.writer, written.reader)  # type: ignore[return-value]
    except Exception as error:
        # fastavro reports bad bytes with the error of its C code: a varint cut off is an IndexError, a string an EOFError.
        at = stream.tell()
        if isinstance(error, EOFError) or (isinstance(error, IndexError) and at == len(stream.getbuffer())):
            raise Truncated(f"The value ends in the middle of a field, after {at} bytes.") from error
        what = str(error) or type(error).__name__
        raise Garbage(f"The value is not the Avro it claims to be, near byte {at}: {what}") from error


def one_by_one(kind: Kind, written: _Written, data: bytes, start: int) -> Event:
    """The event as fastavro and msgspec read it, or the reason why it is none."""
    stream = BytesIO(data)
    stream.seek(start)
    raw = _payload(stream, written)
    rest = len(data) - stream.tell()
    if rest:
        raise TrailingBytes(f"{rest} bytes follow the event; one value carries one event.")
    event = _typed(raw, kind)
    if _NUL in msgspec.json.encode(event) and _has_nul(raw):
        raise Garbage("A text contains the character NUL, which nothing behind Kafka can store; remove it in Kompass.")
    return event


def _typed(raw: dict[str, Any], kind: Kind) -> Event:
    try:
        return event_of(from_avro(raw, ENVELOPES[kind]))
    except msgspec.ValidationError as error:
        problem: Exception = error
        try:
            checked(raw, ENVELOPES[kind], avro_value)
        except BadRecord as found:
            problem = found
        raise Garbage(f"The value has the form of an event, but not its content: {problem}") from error


def event_values(event: Event) -> dict[str, Any]:
    """`event` as fastavro writes it. Raises `BadRecord` for a value that Avro cannot hold."""
    return plain(canonical(event, ENVELOPES[kind_of(event.object)]))


def _has_nul(value: object) -> bool:
    """Exact, where the search in the JSON also finds the six characters ``\\u0000`` typed by a person."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(item) for pair in value.items() for item in pair)
    return isinstance(value, list) and any(_has_nul(item) for item in value)
