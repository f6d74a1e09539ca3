from __future__ import annotations

from typing import Any

import pytest

from schemas.compatibility import obstacles


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "shop.Order", "fields": list(fields)}


def field(of: Any, **more: Any) -> dict[str, Any]:
    return {"name": "a", "type": of, **more}


MONEY = {"type": "bytes", "logicalType": "decimal", "precision": 19, "scale": 6}
COLOUR = {"type": "enum", "name": "Colour", "symbols": ["RED", "UNKNOWN"]}


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        ("int", "long"),
        ("long", "double"),
        ("string", "bytes"),
        ("string", ["null", "string"]),
        (["null", "string"], ["string", "null"]),
        (record(), record(field("string", default=""))),
        (record(field("string")), record()),
        (COLOUR, {**COLOUR, "symbols": ["UNKNOWN"], "default": "UNKNOWN"}),
        ({"type": "array", "items": "int"}, {"type": "array", "items": "long"}),
        (MONEY, ["null", MONEY]),
        (record(), {**record(), "name": "elsewhere.Order"}),
        ({"type": "fixed", "name": "F", "size": 4}, {"type": "fixed", "name": "F", "size": 4}),
        ({"type": "string"}, "string"),
    ],
)
def test_readable(writer: Any, reader: Any) -> None:
    assert obstacles(writer=writer, reader=reader) == []


@pytest.mark.parametrize(
    ("writer", "reader", "problem"),
    [
        ("long", "int", "the record: long cannot be read as int"),
        (["null", "string"], "string", "the record: null cannot be read as string"),
        ("int", ["null", "string"], "the record: int is none of null, string"),
        (record(), record(field("string")), "a: is not written and has no default"),
        (record(field("boolean")), record(field("string")), "a: boolean cannot be read as string"),
        (COLOUR, {**COLOUR, "symbols": ["UNKNOWN"]}, "the record: symbols RED are unknown and there is no default"),
        (COLOUR, {**COLOUR, "name": "Shade"}, "the record: enum Colour cannot be read as enum Shade"),
        ({"type": "array", "items": "string"}, {"type": "map", "values": "string"}, "array cannot be read as map"),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}, "[]: long cannot be read as int"),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}, "{}: long cannot be read as int"),
        (record(field(MONEY)), record(field({**MONEY, "scale": 2})), "'scale': 6} cannot be read as"),
        (record(field("bytes")), record(field(MONEY)), "a bare bytes cannot be read as"),
        (
            {"type": "fixed", "name": "F", "size": 4},
            {"type": "fixed", "name": "F", "size": 8},
            "4 bytes cannot be read as 8",
        ),
    ],
)
def test_not_readable(writer: Any, reader: Any, problem: str) -> None:
    found = obstacles(writer=writer, reader=reader)
    assert len(found) == 1
    assert problem in found[0]


def test_a_recursive_type_is_compared_once() -> None:
    tree = record(field(["null", "Order"], default=None))
    assert obstacles(writer=tree, reader=tree) == []
