from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import orjson
import pytest

from schemas.codec import Codec
from schemas.errors import BadLine, BadRecord
from schemas.events import Event, Invoice, Kind
from schemas.jsonlines import (
    event_from_json,
    event_to_json,
    read_json_lines,
    record_from_json,
    record_text,
    record_to_json,
)


def as_data(event: Event) -> dict[str, Any]:
    """Through JSON's own text, so that nothing but JSON survives."""
    data: dict[str, Any] = orjson.loads(orjson.dumps(event_to_json(event)))
    return data


def test_an_event_comes_back(full: Event) -> None:
    assert event_from_json(as_data(full)) == full


def test_a_bare_event_comes_back_and_holds_no_nulls(bare: Event) -> None:
    data = as_data(bare)
    assert event_from_json(data) == bare
    assert "null" not in orjson.dumps(data).decode()
    assert data["object"]["client"]["orgs"] == []


def test_a_record_comes_back(kind: Kind, full: Event) -> None:
    assert record_from_json(kind, orjson.loads(orjson.dumps(record_to_json(full.object)))) == full.object


def test_a_record_that_was_read_needs_no_second_look(codec: Codec, kind: Kind, full: Event) -> None:
    """The text that the database keeps is that of `record_to_json`, without its checks."""
    read = codec.decode(kind, codec.encode(full)).object
    assert record_text(read) == orjson.dumps(record_to_json(full.object))


def test_json_and_avro_give_the_same_digits(codec: Codec, events: dict[Kind, Event]) -> None:
    data = as_data(events[Kind.INVOICE])
    data["object"]["lines"][0] |= {"amount_net": "3500", "quantity": "2.500000", "unit_price": "1400.0"}
    event = event_from_json(data)
    assert repr(codec.decode(Kind.INVOICE, codec.encode(event))) == repr(event)
    line = as_data(event)["object"]["lines"][0]
    assert (line["amount_net"], line["quantity"], line["unit_price"]) == ("3500.00", "2.5", "1400.00")


@pytest.mark.parametrize("text", ["0.000001", "-9999999999999.999999", "10000000", "0", "-0.00", "0.10"])
def test_decimals_are_exact_both_ways(events: dict[Kind, Event], text: str) -> None:
    data = as_data(events[Kind.INVOICE])
    data["object"]["amount_net"] = text
    record = event_from_json(data).object
    assert isinstance(record, Invoice)
    assert record.amount_net == Decimal(text)
    written = record_to_json(record)["amount_net"]
    assert "E" not in str(written)
    assert Decimal(str(written)) == Decimal(text)


def test_a_whole_number_is_taken_as_an_id(events: dict[Kind, Event]) -> None:
    data = as_data(events[Kind.CLIENT])
    data["object"]["id"] = 4711
    data["object"]["parent_id"] = 4000
    data["metadata"]["org_id"] = 3
    event = event_from_json(data)
    assert (event.object.id, event.metadata.org_id) == ("4711", "3")


def test_moments_of_any_offset_become_utc(events: dict[Kind, Event]) -> None:
    data = as_data(events[Kind.CLIENT])
    data["created"] = "2026-07-01T01:30:00.5+02:00"
    event = event_from_json(data)
    assert event.created == dt.datetime(2026, 6, 30, 23, 30, 0, 500000, tzinfo=dt.UTC)
    assert event.created.utcoffset() == dt.timedelta(0)
    assert as_data(event)["created"] == "2026-06-30T23:30:00.500000Z"


def at(data: Any, path: str) -> tuple[Any, Any]:
    """The container that holds the last step of `path`, and that step."""
    steps: list[Any] = []
    for part in path.replace("]", "").replace("[", ".#").split("."):
        steps.append(int(part[1:]) if part.startswith("#") else part)
    for step in steps[:-1]:
        data = data[step]
    return data, steps[-1]


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("id", "not-a-uuid", "is not a UUID"),
        ("id", "{2f1d6c1e-6a41-4c8b-9d0e-0a7c6f5b4d3e}", "is not a UUID"),
        ("id", 7, "is not a UUID"),
        ("type", "invoice.create", "contradicts resource and action; write 'invoice.update'"),
        ("action", "UPDATE", '"UPDATE" is none of create, update, delete'),
        ("resource", "order", '"order" is none of client, project, invoice'),
        ("resource", ["invoice"], "is none of client"),
        ("created", "2026-03-02T12:00:00", "has no time zone; add one"),
        ("created", "2026-03-02 12:00:00Z", "is not a moment"),
        ("created", "2026-03-02T12:00:00.1234567Z", "is not a moment"),
        ("created", "0001-01-01T00:00:00+05:00", "no moment that ever was"),
        ("created", "2026-02-30T12:00:00Z", "no moment that ever was"),
        ("created", 1772452800, "is not a moment"),
        ("metadata", None, "null is not an object; write one with org_id, version"),
        ("metadata.version", "1", "is not a whole number"),
        ("metadata.version", True, "is not a whole number"),
        ("metadata.version", 2**31, "does not fit 32 bits"),
        ("metadata.org_id", "", "is not an id"),
        ("object", [], "is not an object"),
        ("object.project.client.id", "", "is not an id"),
        ("object.id", None, "null is not an id"),
        ("object.id", 1.5, "is not an id"),
        ("object.sequence", 2**63, "does not fit 64 bits"),
        ("object.sequence", 1.0, "is not a whole number"),
        ("object.reference", 17, "17 is not a text; put it in quotes"),
        ("object.reference", None, "null is not a text"),
        ("object.details", "a\0b", "NUL"),
        ("object.details", "a\ud800b", "lone surrogate"),
        ("object.synchronize", "true", "write true or false, without quotes"),
        ("object.synchronize", 1, "write true or false"),
        ("object.step", "Approved", '"Approved" is none of DRAFT, SUBMITTED, APPROVED'),
        ("object.date", "2026-3-1", "is not a date"),
        ("object.date", "20260301", "is not a date"),
        ("object.date", "2026-02-30", "is not a date"),
        ("object.date", "2026-03-01T00:00:00", "is not a date"),
        (
            "object.amount_net",
            1200.5,
            "1200.5 is a binary fraction, which is not exact; write it in quotes, as '1200.5'",
        ),
        ("object.amount_net", 1200, "1200 is a bare number; write it in quotes, as '1200'"),
        ("object.amount_net", "1,200.00", "is not a decimal number"),
        ("object.amount_net", "1.2E3", "is not a decimal number"),
        ("object.amount_net", " 1", "is not a decimal number"),
        ("object.amount_net", "٣", "is not a decimal number"),
        ("object.amount_net", "NaN", "is not a decimal number"),
        ("object.amount_net", "1" * 5000, "is not a decimal number"),
        ("object.amount_net", "10000000000000", "more than 13 digits before the point"),
        ("object.amount_net", "0.0000001", "more than 6 decimals"),
        ("object.amount_net", None, "null is not a decimal number"),
        ("object.lines", {}, "is not a list"),
        ("object.lines[1]", None, "null is not an object"),
        ("object.lines[1].amount_net", 1.1, "is a binary fraction"),
        ("object.lines[0].vat_rate.rate", "20 %", "is not a decimal number"),
        ("object.lines[0].service.department.name", 5, "is not a text"),
        ("object.project.billing_client.address.town", None, "null is not a text"),
        ("object.client.orgs[1].name", False, "is not a text"),
        ("object.client.tags", "vip", "is not a list"),
        ("object.client.tags", None, "is not a list"),
        ("object.client.tags[1]", 7, "is not a text"),
        ("object.client.extra_data", ["a"], "is not an object"),
        ("object.client.extra_data.Framework", 3, "3 is not a text"),
    ],
)
def test_a_wrong_value_is_refused_at_its_path(
    events: dict[Kind, Event], path: str, value: object, problem: str
) -> None:
    data = as_data(events[Kind.INVOICE])
    container, step = at(data, path)
    container[step] = value
    with pytest.raises(BadRecord) as caught:
        event_from_json(data)
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "path", ["id", "resource", "metadata.org_id", "object.sequence", "object.lines[0].quote_item", "object.client.orgs"]
)
def test_a_missing_member_is_named(events: dict[Kind, Event], path: str) -> None:
    data = as_data(events[Kind.INVOICE])
    container, step = at(data, path)
    del container[step]
    with pytest.raises(BadRecord, match="is missing; add it") as caught:
        event_from_json(data)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "path", ["origin", "metadata.tenant", "object.ammount_net", "object.lines[1].vat", "object.client.orgs[0].x"]
)
def test_an_unknown_member_is_named(events: dict[Kind, Event], path: str) -> None:
    data = as_data(events[Kind.INVOICE])
    container, step = at(data, path)
    container[step] = "something"
    with pytest.raises(BadRecord, match=r'is not known here .the value is "something".') as caught:
        event_from_json(data)
    assert caught.value.path == path


@pytest.mark.parametrize("obj", [None, 3, "client", [], [1], {}, {"resource": 4}, {"resource": "client"}])
def test_what_is_no_event_at_all_is_refused(obj: object) -> None:
    with pytest.raises(BadRecord):
        event_from_json(obj)


def test_optional_members_may_be_null_or_missing(events: dict[Kind, Event]) -> None:
    left_out = as_data(events[Kind.CLIENT])
    del left_out["object"]["code"]
    null = copy.deepcopy(left_out)
    null["object"]["code"] = None
    assert event_from_json(left_out) == event_from_json(null)


def test_a_record_that_avro_could_not_hold_is_not_written_either(events: dict[Kind, Event]) -> None:
    invoice = events[Kind.INVOICE].object
    assert isinstance(invoice, Invoice)
    line = dataclasses.replace(invoice.lines[0], amount_net=Decimal("0.0000001"))
    with pytest.raises(BadRecord) as caught:
        record_to_json(dataclasses.replace(invoice, lines=(invoice.lines[1], line)))
    assert caught.value.path == "lines[1].amount_net"
    naive = dataclasses.replace(invoice, modified=dt.datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(BadRecord) as caught:
        record_to_json(naive)
    assert caught.value.path == "modified"


def test_two_records_never_share_their_mutable_parts(events: dict[Kind, Event]) -> None:
    data = as_data(events[Kind.CLIENT])
    del data["object"]["extra_data"]
    one, other = (event_from_json(data).object for _ in range(2))
    assert not isinstance(one, Invoice)
    assert not isinstance(other, Invoice)
    assert one.extra_data is not other.extra_data


def test_each_line_comes_with_its_number(events: dict[Kind, Event]) -> None:
    lines = [orjson.dumps(event_to_json(event)) + b"\n" for event in events.values()]
    read = list(read_json_lines([lines[0], b"\n", b"   \n", lines[1], lines[2].strip()]))
    assert [number for number, _ in read] == [1, 4, 5]
    assert [event for _, event in read] == list(events.values())


def test_a_bad_line_is_named_by_number_and_path(events: dict[Kind, Event]) -> None:
    good = orjson.dumps(event_to_json(events[Kind.INVOICE])).decode()
    bad = good.replace('"position":2', '"position":"2"')
    read = read_json_lines([good, bad])
    assert next(read)[0] == 1
    with pytest.raises(BadLine, match=r'^line 2: object\.lines\[1\]\.position: "2" is not a whole number'):
        next(read)


@pytest.mark.parametrize("line", ["{", "nonsense", '{"a": NaN}', '{"a": "\\ud800"}', b"\xff\xfe"])
def test_a_line_that_is_no_json_is_named(line: str | bytes) -> None:
    with pytest.raises(BadLine, match=r"^line 1: is not JSON at column"):
        list(read_json_lines([line]))
