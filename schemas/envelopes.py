"""Events of one kind: `Event` is the same around every record, and what is read must be known to hold a client, say."""

from __future__ import annotations

from typing import Any, cast, get_type_hints

import msgspec

from schemas.events import Client, Event, Invoice, Kind, Project, Record, Typed

RECORDS: dict[Kind, type[Record]] = {Kind.CLIENT: Client, Kind.PROJECT: Project, Kind.INVOICE: Invoice}


def _envelope(record: type[Record]) -> type[Typed]:
    members: dict[str, Any] = get_type_hints(Event, include_extras=True)
    members = {name: record if name == "object" else members[name] for name in Event.__struct_fields__}
    made = msgspec.defstruct(f"{record.__name__}Event", list(members.items()), bases=(Typed,), frozen=True)
    return cast("type[Typed]", made)


ENVELOPES: dict[Kind, type[Typed]] = {kind: _envelope(record) for kind, record in RECORDS.items()}


def event_of(envelope: Typed) -> Event:
    """The event that was read as an envelope of its kind."""
    return Event(*msgspec.structs.astuple(envelope))
