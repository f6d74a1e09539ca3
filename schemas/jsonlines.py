"""Events and records as JSON: what `kompass-qbo publish` and `explain` read, and how the database keeps a record.

The members are those of the Avro schemas. Decimals are texts (``"1200.00"``), dates ``"2026-03-31"``, moments
``"2026-03-31T09:30:00+00:00"``, ids texts (a whole number is taken and becomes one).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import orjson

from schemas.errors import BadLine, BadRecord
from schemas.events import Action, Event, Kind, Record, kind_of
from schemas.json_shapes import RECORDS, envelope
from schemas.json_values import shown

_EVENTS = {kind: envelope(shape, Event) for kind, shape in RECORDS.items()}


def record_to_json(record: Record) -> dict[str, object]:
    """`record` as JSON data; the same record always gives the same. Raises `BadRecord` for what Avro could not hold."""
    return RECORDS[kind_of(record)].write(record)


def record_from_json(kind: Kind, obj: object) -> Record:
    """The inverse of `record_to_json`. Raises `BadRecord` with the path, the value and the remedy."""
    return cast("Record", RECORDS[kind].read(obj))


def event_to_json(event: Event) -> dict[str, object]:
    return _EVENTS[kind_of(event.object)].write(event)


def event_from_json(obj: object) -> Event:
    """An event from JSON data. Raises `BadRecord` with the path (``object.lines[2].amount_net``), value and remedy."""
    resource = obj.get("resource", "") if isinstance(obj, dict) else ""
    if isinstance(obj, dict) and resource not in list(Kind):
        problem = (
            f"{shown(resource)} is none of {', '.join(Kind)}; write one of them." if resource else "is missing; add it."
        )
        raise BadRecord(problem, "resource")
    event = _EVENTS[Kind(resource) if resource else Kind.CLIENT].read(obj)
    expected = f"{event.resource}.{event.action}"
    if event.action is not Action.UNKNOWN and event.type != expected:
        raise BadRecord(f"{shown(event.type)} contradicts resource and action; write {expected!r}.", "type")
    return event


def read_json_lines(stream: Iterable[str | bytes]) -> Iterator[tuple[int, Event]]:
    """The events of a JSON-lines stream with their line numbers, from 1; empty lines are passed over.

    Raises `BadLine`, which says the number, the path, the value and the remedy, at the first line that is no event.
    """
    for number, line in enumerate(stream, start=1):
        if not line.strip():
            continue
        try:
            obj = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            where = f"line 1 column {error.colno}"
            what = str(error.msg).removesuffix(f": {where} (char {error.pos})")
            raise BadLine(number, f"is not JSON at column {error.colno} ({what}); each line is one event.") from None
        try:
            yield number, event_from_json(obj)
        except BadRecord as error:
            raise BadLine(number, str(error)) from error
