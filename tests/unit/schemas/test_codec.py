from __future__ import annotations

import contextlib
import dataclasses
import struct
import tracemalloc
from decimal import Decimal
from io import BytesIO
from typing import Any

import orjson
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avro import Schema, fingerprint
from schemas.codec import MAX_BYTES, Codec, event_values, one_by_one
from schemas.errors import (
    BadRecord,
    Garbage,
    IncompatibleSchema,
    RegistryUnavailable,
    TooLarge,
    TrailingBytes,
    UndecodableEvent,
    UnknownSchema,
    WrongKind,
)
from schemas.events import Event, Invoice, Kind
from schemas.jsonlines import record_from_json, record_to_json
from schemas.shipped import current, shipped

CODEC = Codec()


class Registry:
    """A schema source that holds what it is given and counts what it is asked."""

    def __init__(self, schemas: dict[int, Schema], ids: dict[Kind, int]) -> None:
        self.schemas = schemas
        self.ids = ids
        self.asked = 0
        self.away = False

    def schema(self, schema_id: int) -> Schema:
        self.asked += 1
        if self.away:
            raise RegistryUnavailable("away")
        if schema_id not in self.schemas:
            raise UnknownSchema(f"{schema_id} is not registered")
        return self.schemas[schema_id]

    def schema_id(self, kind: Kind) -> int:
        self.asked += 1
        if self.away:
            raise RegistryUnavailable("away")
        return self.ids[kind]


def registry() -> Registry:
    ids = {kind: 101 + number for number, kind in enumerate(Kind)}
    return Registry({ids[kind]: schema.schema for kind, schema in current().items()}, ids)


def test_an_event_comes_back_as_it_was_written(codec: Codec, kind: Kind, full: Event) -> None:
    assert codec.decode(kind, codec.encode(full)) == full


def test_an_event_without_optional_fields_comes_back(codec: Codec, bare: Event) -> None:
    assert codec.decode(Kind.INVOICE, codec.encode(bare)) == bare


def test_the_frame_is_single_object_encoding(codec: Codec, kind: Kind, full: Event) -> None:
    data = codec.encode(full)
    assert data[:2] == b"\xc3\x01"
    assert data[2:10] == current()[kind].fingerprint


def test_the_fingerprint_is_the_one_of_the_avro_specification() -> None:
    """From the specification's own examples (``share/test/data/schema-tests.txt``): ``"int"`` and ``"string"``."""
    assert fingerprint("int") == struct.pack("<q", 8247732601305521295)
    assert fingerprint("string") == struct.pack("<q", -8142146995180207161)


def test_with_a_registry_the_frame_is_confluents(full: Event, kind: Kind) -> None:
    source = registry()
    codec = Codec(source)
    data = codec.encode(full)
    assert data[:5] == b"\x00" + source.ids[kind].to_bytes(4, "big")
    assert codec.decode(kind, data) == full


def test_both_frames_are_readable_with_a_registry(full: Event, kind: Kind) -> None:
    assert Codec(registry()).decode(kind, CODEC.encode(full)) == full


def test_a_known_id_is_never_asked_for_again(full: Event, kind: Kind) -> None:
    source = registry()
    codec = Codec(source)
    data = codec.encode(full)
    codec.decode(kind, data)
    asked = source.asked
    source.away = True
    assert codec.decode(kind, codec.encode(full)) == full
    assert source.asked == asked


def test_a_registry_that_is_away_is_no_fault_of_the_event(full: Event, kind: Kind) -> None:
    source = registry()
    data = Codec(source).encode(full)
    source.away = True
    codec = Codec(source)
    with pytest.raises(RegistryUnavailable):
        codec.decode(kind, data)
    source.away = False
    assert codec.decode(kind, data) == full
    assert not issubclass(RegistryUnavailable, UndecodableEvent)


def test_an_id_the_registry_does_not_know_may_be_registered_later(full: Event, kind: Kind) -> None:
    source = registry()
    schema = source.schemas.pop(source.ids[kind])
    codec = Codec(source)
    data = codec.encode(full)
    with pytest.raises(UnknownSchema):
        codec.decode(kind, data)
    source.schemas[source.ids[kind]] = schema
    assert codec.decode(kind, data) == full


def test_without_a_registry_its_frame_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema, match="SCHEMA_REGISTRY_URL"):
        CODEC.decode(Kind.CLIENT, b"\x00\x00\x00\x00\x07rest")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "record", "name": "InvoiceEvent", "fields": []},
        {"type": "record", "name": "InvoiceEvent", "fields": [{"name": "id"}]},
        {"type": "record", "name": "InvoiceEvent"},
        {
            **current()[Kind.INVOICE].schema,
            "fields": [
                *current()[Kind.INVOICE].schema["fields"],
                {"name": "padding", "type": {"type": "array", "items": "null"}},
            ],
        },
    ],
    ids=["lacks fields", "field without type", "no fields at all", "endless array"],
)
def test_a_registered_schema_that_is_no_event_is_refused(schema: Schema, events: dict[Kind, Event]) -> None:
    source = Registry({101: schema}, {Kind.INVOICE: 101})
    codec = Codec(source)
    data = codec.encode(events[Kind.INVOICE])
    for _ in range(2):
        with pytest.raises(IncompatibleSchema):
            codec.decode(Kind.INVOICE, data)
    assert source.asked == 2  # the id for writing, and the schema once


@pytest.mark.parametrize("schema", ["string", {"type": "record", "name": "Order", "fields": []}, ["null"], 7])
def test_a_registered_schema_of_something_else_is_the_wrong_kind(schema: Schema) -> None:
    with pytest.raises(WrongKind):
        Codec(Registry({5: schema}, {})).decode(Kind.INVOICE, b"\x00\x00\x00\x00\x05abc")


def test_an_event_of_another_kind_is_told_so(codec: Codec, events: dict[Kind, Event]) -> None:
    with pytest.raises(WrongKind, match=r"kind client; this topic carries events of kind invoice") as caught:
        codec.decode(Kind.INVOICE, codec.encode(events[Kind.CLIENT]))
    assert caught.value.cause == "wrong-kind"


def test_an_event_that_contradicts_its_topic_is_told_so(codec: Codec, events: dict[Kind, Event]) -> None:
    lie = dataclasses.replace(events[Kind.CLIENT], resource="invoice")
    with pytest.raises(WrongKind, match="'invoice'; this topic is about a client"):
        codec.decode(Kind.CLIENT, codec.encode(lie))


def test_every_shorter_piece_is_truncated(codec: Codec, events: dict[Kind, Event]) -> None:
    data = codec.encode(events[Kind.INVOICE])
    for length in range(len(data)):
        with pytest.raises(UndecodableEvent) as caught:
            codec.decode(Kind.INVOICE, data[:length])
        assert caught.value.cause == ("garbage" if length == 1 else "truncated"), length


def test_trailing_bytes_are_not_overlooked(codec: Codec, kind: Kind, full: Event) -> None:
    with pytest.raises(TrailingBytes, match="1 bytes follow"):
        codec.decode(kind, codec.encode(full) + b"\x00")


def test_a_value_larger_than_any_event_is_not_even_read(codec: Codec) -> None:
    with pytest.raises(TooLarge):
        codec.decode(Kind.CLIENT, b"\xc3\x01" + bytes(MAX_BYTES))


def test_text_that_no_database_stores_is_refused(codec: Codec, events: dict[Kind, Event]) -> None:
    client = events[Kind.CLIENT].object
    nul = dataclasses.replace(events[Kind.CLIENT], object=dataclasses.replace(client, name="A\0B"))
    with pytest.raises(Garbage, match="NUL"):
        codec.decode(Kind.CLIENT, codec.encode(nul))
    typed = dataclasses.replace(events[Kind.CLIENT], object=dataclasses.replace(client, name=r"A\u0000B"))
    assert codec.decode(Kind.CLIENT, codec.encode(typed)) == typed


def written(kind: Kind, values: dict[str, Any]) -> bytes:
    """Bytes of another writer, who writes what ours refuses."""
    schema = current()[kind]
    stream = BytesIO(b"\xc3\x01" + schema.fingerprint)
    stream.seek(10)
    schemaless_writer(stream, parse_schema(schema.schema), values)
    return stream.getvalue()


def test_a_record_without_an_id_is_refused(codec: Codec, events: dict[Kind, Event]) -> None:
    values = event_values(events[Kind.INVOICE])
    values["object"]["project"]["client"]["id"] = ""
    with pytest.raises(Garbage, match=r'object\.project\.client\.id: "" is not an id'):
        codec.decode(Kind.INVOICE, written(Kind.INVOICE, values))
    nameless = dataclasses.replace(events[Kind.CLIENT], object=dataclasses.replace(events[Kind.CLIENT].object, id=""))
    with pytest.raises(BadRecord) as caught:
        codec.encode(nameless)
    assert caught.value.path == "object.id"


def _with_net(event: Event, amount: Decimal) -> Event:
    invoice = event.object
    assert isinstance(invoice, Invoice)
    return dataclasses.replace(event, object=dataclasses.replace(invoice, amount_net=amount))


@pytest.mark.parametrize(
    "text",
    ["0", "0.00", "-0.01", "9999999999999.999999", "-9999999999999.999999", "0.000001", "1E+3", "1.50", "0E+30"],
)
def test_decimals_keep_their_value(codec: Codec, events: dict[Kind, Event], text: str) -> None:
    event = _with_net(events[Kind.INVOICE], Decimal(text))
    assert codec.decode(Kind.INVOICE, codec.encode(event)) == event


@pytest.mark.parametrize("raw", [(10**19).to_bytes(9, "big"), (-(10**19)).to_bytes(9, "big", signed=True), bytes(10)])
def test_a_decimal_of_too_many_digits_is_refused_when_read(events: dict[Kind, Event], raw: bytes) -> None:
    """fastavro on its own would round it to the precision."""
    values = event_values(events[Kind.INVOICE])
    values["object"]["lines"][1]["amount_net"] = raw
    with pytest.raises(Garbage, match=r"object\.lines\[1\]\.amount_net: a decimal has"):
        CODEC.decode(Kind.INVOICE, written(Kind.INVOICE, values))


@pytest.mark.parametrize("text", ["1E+13", "0.0000001", "NaN", "Infinity", "1E-999999", "1E+999999", "sNaN"])
def test_decimals_that_do_not_fit_are_refused_never_rounded(codec: Codec, events: dict[Kind, Event], text: str) -> None:
    with pytest.raises(BadRecord):
        codec.encode(_with_net(events[Kind.INVOICE], Decimal(text)))


def test_the_same_number_always_has_the_same_digits(codec: Codec, events: dict[Kind, Event]) -> None:
    def digits(text: str) -> str:
        decoded = codec.decode(Kind.INVOICE, codec.encode(_with_net(events[Kind.INVOICE], Decimal(text))))
        assert isinstance(decoded.object, Invoice)
        return str(decoded.object.amount_net)

    assert {digits(text) for text in ("1200", "1200.0", "1200.000000", "1.2E+3")} == {"1200.00"}
    assert digits("0.1250") == "0.125"


# The bytes of 2**62, 2**63-1, -2**63, -1 and 2**31 as Avro writes a long, and varints that never end.
_HUGE = [
    b"\x80" * 8 + b"\x80\x01",
    b"\xfe" + b"\xff" * 8 + b"\x01",
    b"\xff" * 9 + b"\x01",
    b"\x01",
    b"\x80" * 4 + b"\x10",
]
_HUGE += [b"\xff" * 11, b"\x80" * 40]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Kind, bytes]:
    kind = draw(st.sampled_from(list(Kind)))
    data = bytearray(CODEC.encode(draw(st.sampled_from(FULL_EVENTS))))
    match draw(st.sampled_from(["flip", "insert", "cut", "random", "framed"])):
        case "flip":
            for at in draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=5)):
                data[at] = draw(st.integers(0, 255))
        case "insert":
            at = draw(st.integers(0, len(data)))
            data[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(_HUGE) | st.binary(max_size=12))
        case "cut":
            del data[draw(st.integers(0, len(data))) :]
        case "random":
            data = bytearray(draw(st.binary(max_size=300)))
        case "framed":
            mark = draw(st.sampled_from(sorted(shipped())))
            data = bytearray(b"\xc3\x01" + mark + draw(st.binary(max_size=300)))
    return kind, bytes(data)


@pytest.fixture(scope="module", autouse=True)
def _remember(events: dict[Kind, Event]) -> None:
    FULL_EVENTS[:] = events.values()


FULL_EVENTS: list[Event] = []


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.data())
def test_nothing_but_its_own_errors_escapes_from_any_bytes(data: st.DataObject) -> None:
    kind, value = data.draw(damaged())
    with contextlib.suppress(UndecodableEvent):
        event = CODEC.decode(kind, value)
        assert event.resource == kind.value
        # All that is read can be kept and written.
        assert record_from_json(kind, orjson.loads(orjson.dumps(record_to_json(event.object)))) == event.object
        assert CODEC.decode(kind, CODEC.encode(event)) == event


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.data())
def test_what_the_compiled_reader_takes_fastavro_reads_alike(data: st.DataObject) -> None:
    kind, value = data.draw(damaged())
    if value[2:10] != current()[kind].fingerprint:
        return
    found = CODEC._in_order(kind, value, 10)
    if found is None:
        return
    assert repr(one_by_one(kind, CODEC._shipped[value[2:10]], value, 10)) == repr(found)


def test_ordinary_events_need_no_fastavro(codec: Codec, kind: Kind, full: Event, bare: Event) -> None:
    data = codec.encode(full)
    assert repr(codec._compiled[kind](data, 10)) == repr(full)
    assert codec._compiled[Kind.INVOICE](codec.encode(bare), 10) == bare


@pytest.mark.parametrize("length", _HUGE, ids=lambda value: value.hex())
def test_a_huge_declared_length_allocates_nothing(codec: Codec, events: dict[Kind, Event], length: bytes) -> None:
    data = codec.encode(events[Kind.INVOICE])
    tracemalloc.start()
    try:
        for at in range(10, len(data), 3):
            with contextlib.suppress(UndecodableEvent):
                codec.decode(Kind.INVOICE, data[:at] + length + data[at + 1 :])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
