"""Each version can be read as its neighbour: by the rules, and by writing with the one and reading with the other."""

from __future__ import annotations

import dataclasses
import json
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.avro import fingerprint
from schemas.codec import Codec, event_values
from schemas.compatibility import obstacles
from schemas.events import Action, Client, Event, Invoice, Kind, Project, Step
from schemas.shipped import ShippedSchema, current, shipped


def versions(kind: Kind) -> list[ShippedSchema]:
    return sorted((s for s in shipped().values() if s.kind is kind), key=lambda s: s.version)


NEIGHBOURS = [pair for kind in Kind for pair in zip(versions(kind), versions(kind)[1:], strict=False)]
NAMES = [f"{old.kind}-{old.version}-{new.version}" for old, new in NEIGHBOURS]
FIRST = [(versions(kind)[0], versions(kind)[-1]) for kind in Kind]
"""The first version and today's: what the first lacks does not change with another version between them."""
KINDS = [str(old.kind) for old, _ in FIRST]


def test_every_kind_has_a_previous_version() -> None:
    assert {old.kind for old, _ in NEIGHBOURS} == set(Kind)


@pytest.mark.parametrize(("old", "new"), NEIGHBOURS, ids=NAMES)
def test_neighbours_are_compatible_by_the_rules(old: ShippedSchema, new: ShippedSchema) -> None:
    assert obstacles(writer=old.schema, reader=new.schema) == []
    assert obstacles(writer=new.schema, reader=old.schema) == []


def _named(schema: Any, known: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema, list):
        for branch in schema:
            _named(branch, known)
    if isinstance(schema, dict):
        if "name" in schema:
            known[schema["name"]] = schema
        for field in schema.get("fields", ()):
            _named(field["type"], known)
        for member in ("items", "values"):
            _named(schema.get(member), known)
    return known


def _only(value: Any, schema: Any, known: dict[str, Any]) -> Any:
    """`value` without what `schema` has no field for: what a writer of that version would have had to write."""
    if isinstance(schema, str):
        schema = known.get(schema, schema)
    if isinstance(schema, list):
        return None if value is None else _only(value, next(s for s in schema if s != "null"), known)
    if isinstance(schema, dict) and schema["type"] == "record":
        return {f["name"]: _only(value[f["name"]], f["type"], known) for f in schema["fields"] if f["name"] in value}
    if isinstance(schema, dict) and schema["type"] == "array":
        return [_only(item, schema["items"], known) for item in value]
    return value


@pytest.mark.parametrize(("old", "new"), FIRST, ids=KINDS)
def test_what_the_first_version_wrote_is_read_today(
    old: ShippedSchema, new: ShippedSchema, codec: Codec, events: dict[Kind, Event]
) -> None:
    event = events[old.kind]
    stream = BytesIO()
    values = _only(event_values(event), old.schema, _named(old.schema, {}))
    schemaless_writer(stream, parse_schema(old.schema), values)
    read = codec.decode(old.kind, b"\xc3\x01" + old.fingerprint + stream.getvalue())
    assert (read.id, read.created, read.object.id, read.object.sequence) == (
        event.id,
        event.created,
        event.object.id,
        event.object.sequence,
    )
    assert read.metadata.user_id is None
    parts: dict[Kind, tuple[type, set[str]]] = {
        Kind.CLIENT: (Client, {"accounts_email", "payment_days", "notes"}),
        Kind.PROJECT: (Project, {"phase", "confirmation_details", "client", "billing_client"}),
        Kind.INVOICE: (Invoice, {"billing_start", "billing_end", "sales_order", "client", "project", "lines"}),
    }
    record, newer = parts[old.kind]
    for field in dataclasses.fields(record):
        if field.name not in newer:
            assert getattr(read.object, field.name) == getattr(event.object, field.name), field.name
        elif field.name not in {"client", "billing_client", "project", "lines"}:
            assert getattr(read.object, field.name) is None


@pytest.mark.parametrize(("old", "new"), FIRST, ids=KINDS)
def test_what_is_written_today_is_read_by_the_first_version(
    old: ShippedSchema, new: ShippedSchema, codec: Codec, events: dict[Kind, Event]
) -> None:
    """Read by fastavro with the old schema as it stands, logical types and all: a consumer that was not upgraded."""
    data = codec.encode(events[old.kind])
    read: Any = schemaless_reader(BytesIO(data[10:]), parse_schema(new.schema), parse_schema(old.schema))
    assert read["id"] == events[old.kind].id
    assert read["object"]["sequence"] == events[old.kind].object.sequence
    assert "user_id" not in read["metadata"]


def test_a_step_the_first_version_did_not_know_is_unknown_to_it(codec: Codec, events: dict[Kind, Event]) -> None:
    invoice = events[Kind.INVOICE].object
    assert isinstance(invoice, Invoice)
    data = codec.encode(
        dataclasses.replace(events[Kind.INVOICE], object=dataclasses.replace(invoice, step=Step.VOIDED))
    )
    old, *_, new = versions(Kind.INVOICE)
    read: Any = schemaless_reader(BytesIO(data[10:]), parse_schema(new.schema), parse_schema(old.schema))
    assert read["object"]["step"] == "UNKNOWN"


class Tomorrow:
    """A registry with a schema of tomorrow: new optional fields, new symbols in every enum, another order."""

    def __init__(self, kind: Kind) -> None:
        text = current()[kind].text
        text = text.replace('"delete", "UNKNOWN"', '"delete", "merge", "UNKNOWN"')
        text = text.replace('"VOIDED", "UNKNOWN"', '"VOIDED", "PAID", "UNKNOWN"')
        text = text.replace('"JOURNAL", "UNKNOWN"', '"JOURNAL", "PROFORMA", "UNKNOWN"')
        self._schema = json.loads(text)
        self._schema["fields"].insert(0, {"name": "trace", "type": ["null", "string"], "default": None})
        self._schema["fields"].append({"name": "tenant", "type": {"type": "map", "values": "long"}, "default": {}})
        assert fingerprint(self._schema) not in shipped()

    def schema(self, schema_id: int) -> Any:
        return self._schema

    def schema_id(self, kind: Kind) -> int:
        return 1

    def write(self, values: dict[str, Any]) -> bytes:
        stream = BytesIO(b"\x00\x00\x00\x00\x01")
        stream.seek(5)
        schemaless_writer(stream, parse_schema(self._schema), values)
        return stream.getvalue()


def test_todays_reader_reads_tomorrows_schema(kind: Kind, full: Event) -> None:
    source = Tomorrow(kind)
    values = event_values(full) | {"trace": "t-1", "tenant": {"a": 1}, "action": "merge"}
    assert Codec(source).decode(kind, source.write(values)) == dataclasses.replace(full, action=Action.UNKNOWN)


def test_symbols_of_tomorrow_are_read_as_unknown(events: dict[Kind, Event]) -> None:
    source = Tomorrow(Kind.INVOICE)
    values = event_values(events[Kind.INVOICE]) | {"trace": None, "tenant": {}}
    values["object"] |= {"step": "PAID", "type": "PROFORMA"}
    read = Codec(source).decode(Kind.INVOICE, source.write(values)).object
    assert isinstance(read, Invoice)
    assert (read.step.value, read.type.value) == ("UNKNOWN", "UNKNOWN")
