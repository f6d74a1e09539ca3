"""What the ``*.avsc`` must hold to, in every edit."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema

from schemas import compose, events
from schemas.compose import definitions
from schemas.reference import reference
from schemas.values import PRECISION, SCALE

FILES = sorted(Path(compose.__file__).parent.glob("**/*.avsc"))
RECORDS = {
    name: schema
    for path in FILES
    if "history" not in path.parts
    for name, schema in definitions(json.loads(path.read_text()), {}).items()
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_stands_alone(path: Path) -> None:
    parse_schema(json.loads(path.read_text()))


def test_the_copies_of_a_type_are_those_of_its_owner() -> None:
    here = Path(compose.__file__).parent
    for name, content in compose.composed().items():
        assert (here / name).read_text() == content, f"run python -m schemas.compose: {name} is out of date"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_everything_is_documented(path: Path) -> None:
    for name, schema in definitions(json.loads(path.read_text()), {}).items():
        assert schema["doc"], name
        for field in schema.get("fields", ()):
            assert field.get("doc", "").endswith("."), f"{name}.{field['name']}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_optional_fields_and_enums_have_their_defaults(path: Path) -> None:
    for name, schema in definitions(json.loads(path.read_text()), {}).items():
        if schema["type"] == "enum":
            assert schema["default"] == schema["symbols"][-1] == "UNKNOWN"
        for field in schema.get("fields", ()):
            if isinstance(field["type"], list):
                assert field["type"][0] == "null", f"{name}.{field['name']}"
                assert field["default"] is None, f"{name}.{field['name']}"


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_every_type_has_its_class_with_the_same_members(name: str) -> None:
    schema = RECORDS[name]
    kind = events.Event if name.endswith("Event") else getattr(events, name)
    if schema["type"] == "enum":
        assert [member.value for member in kind] == schema["symbols"]
        return
    members: Any = dataclasses.fields(kind)
    assert {field["name"] for field in schema["fields"]} == {member.name for member in members}
    for field in schema["fields"]:
        member = next(m for m in members if m.name == field["name"])
        assert isinstance(field["type"], list) == ("None" in str(member.type)), f"{name}.{member.name}"
        has_default = member.default is not dataclasses.MISSING or member.default_factory is not dataclasses.MISSING
        assert ("default" in field) == has_default, f"{name}.{member.name}"


_PRIMITIVES: dict[object, set[object]] = {
    "string": {"str", "Id", "Key"},
    "int": {"Whole32"},
    "long": {"Whole64"},
    "boolean": {"bool"},
    "uuid": {"UUID"},
    "decimal": {"Money", "Number"},
    "date": {"Day"},
    "timestamp-micros": {"Moment"},
}


def annotations_for(schema: Any) -> set[object]:
    """How a type of the schema may be written in `schemas.events`."""
    if isinstance(schema, list):
        return {f"{one} | None" for one in annotations_for(next(branch for branch in schema if branch != "null"))}
    if isinstance(schema, str):
        return _PRIMITIVES.get(schema) or {schema}
    match schema["type"]:
        case "array":
            return {f"tuple[{one}, ...]" for one in annotations_for(schema["items"])}
        case "map":
            return {f"Mapping[str, {one}]" for one in annotations_for(schema["values"])}
        case "record" | "enum":
            return {schema["name"]}
    return _PRIMITIVES[schema.get("logicalType", schema["type"])]


@pytest.mark.parametrize("name", sorted(name for name in RECORDS if RECORDS[name]["type"] == "record"))
def test_every_member_has_the_type_of_its_field(name: str) -> None:
    """What msgspec lets through rests on it: 32 bits are checked where the annotation says so."""
    kind = events.Event if name.endswith("Event") else getattr(events, name)
    for field in RECORDS[name]["fields"]:
        if name.endswith("Event") and field["name"] == "object":
            continue
        assert kind.__annotations__[field["name"]] in annotations_for(field["type"]), f"{name}.{field['name']}"


@pytest.mark.parametrize("kind", [events.Client, events.Project, events.Invoice])
def test_a_record_is_found_under_an_id_that_is_not_empty(kind: type) -> None:
    assert kind.__annotations__["id"] == "Key"


def test_the_documentation_has_every_member() -> None:
    page = (Path(compose.__file__).parents[1] / "docs" / "events.md").read_text("utf-8")
    assert reference() in page, "paste python -m schemas.reference into docs/events.md"


def test_every_decimal_has_the_precision_the_codec_checks() -> None:
    for path in FILES:
        text = path.read_text()
        assert text.count('"logicalType": "decimal"') == text.count(f'"precision": {PRECISION}, "scale": {SCALE}}}')
