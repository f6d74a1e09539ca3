"""Events and records as JSON: what `kompass-qbo publish` and `explain` read, and how the database keeps a record.

The members are those of the Avro schemas. Decimals are texts (``"1200.00"``), dates ``"2026-03-31"``, moments
``"2026-03-31T09:30:00Z"``, ids texts (a whole number is taken and becomes one). A member that is null or empty is left out
when written and may be left out when read; any other missing member, and any that is not known, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import msgspec
import orjson

from schemas.checking import checked
from schemas.envelopes import ENVELOPES, RECORDS, event_of
from schemas.errors import BadLine, BadRecord
from schemas.events import Action, Event, Kind, Record, kind_of
from schemas.quoting import shown
from schemas.values import canonical, from_json, json_value

T = TypeVar("T")


def record_to_json(record: Record) -> dict[str, object]:
    """`record` as JSON data; the same record always gives the same. Raises `BadRecord` for what Avro could not hold."""
    return cast("dict[str, object]", msgspec.to_builtins(canonical(record, RECORDS[kind_of(record)])))


def record_text(record: Record) -> bytes:
    """The JSON text of a record that was read, from Avro or JSON: it is `canonical` already."""
    return msgspec.json.encode(record)


def record_from_json(kind: Kind, obj: object) -> Record:
    """The inverse of `record_to_json`. Raises `BadRecord` with the path, the value and the remedy."""
    return _read(obj, RECORDS[kind])


def event_to_json(event: Event) -> dict[str, object]:
    return cast("dict[str, object]", msgspec.to_builtins(canonical(event, ENVELOPES[kind_of(event.object)])))


def event_from_json(obj: object) -> Event:
    """An event from JSON data. Raises `BadRecord` with the path (``object.lines[2].amount_net``), value and remedy."""
    resource = obj.get("resource", "") if isinstance(obj, dict) else ""
    if isinstance(obj, dict) and resource not in list(Kind):
        problem = (
            f"{shown(resource)} is none of {', '.join(Kind)}; write one of them." if resource else "is missing; add it."
        )
        raise BadRecord(problem, "resource")
    envelope = ENVELOPES[Kind(resource) if resource else Kind.CLIENT]
    event = event_of(_read(obj, envelope))
    _refuse_what_no_database_stores(event, obj, envelope)
    if not event.metadata.org_id:
        raise BadRecord('"" is not an id; write the one it has in Kompass.', "metadata.org_id")
    expected = f"{event.resource}.{event.action}"
    if event.action is not Action.UNKNOWN and event.type != expected:
        raise BadRecord(f"{shown(event.type)} contradicts resource and action; write {expected!r}.", "type")
    return event


def _read(obj: object, kind: type[T]) -> T:
    try:
        return from_json(obj, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        repaired = checked(obj, kind, json_value)
        try:
            return from_json(repaired, kind)
        except msgspec.ValidationError:
            raise BadRecord(str(error)) from error


def _refuse_what_no_database_stores(event: Event, obj: object, kind: type) -> None:
    try:
        suspect = rb"\u0000" in msgspec.json.encode(event)
    except UnicodeEncodeError:
        suspect = True
    if suspect:
        checked(obj, kind, json_value)


def read_json_lines(stream: Iterable[str | bytes]) -> Iterator[tuple[int, Event]]:
    """The events of a JSON-lines stream with their line numbers, from 1; empty lines are passed over.

    Raises `BadLine`, which says the number, the path, the value and the remedy, at the first line that is no event.
    """
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            obj: Any = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            where = f"line 1 column {error.colno}"
            what = str(error.msg).removesuffix(f": {where} (char {error.pos})")
            raise BadLine(number, f"is not JSON at column {error.colno} ({what}); each line is one event.") from None
        try:
            yield number, event_from_json(obj)
        except BadRecord as error:
            raise BadLine(number, str(error)) from error
