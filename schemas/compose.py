"""Keeps the shipped ``*.avsc`` self-contained: each file defines every type it uses, and each type has one owner.

``Client`` (with ``OrgRef``, ``Address``, ``Person``) is edited in ``client.avsc``, ``Project`` in ``project.avsc``, ``Invoice``
and what its lines are made of in ``invoice.avsc``; the envelope is below. ``python -m schemas.compose`` writes the copies
inside the other files again; a test holds the files to it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMESPACE = "kompass.events"
HERE = Path(__file__).parent
OWNERS = ("client.avsc", "project.avsc", "invoice.avsc")
"""In the order in which they build on each other: a type belongs to the first file that defines it."""

_ACTION = {
    "type": "enum",
    "name": "Action",
    "doc": "What happened to the record.",
    "symbols": ["create", "update", "delete", "UNKNOWN"],
    "default": "UNKNOWN",
}
_METADATA = {
    "type": "record",
    "name": "Metadata",
    "doc": "Where the event comes from.",
    "fields": [
        {"name": "org_id", "type": "string", "doc": "Id of the Org in which the change was made."},
        {"name": "user_id", "type": ["null", "string"], "default": None, "doc": "Id of the user who made it."},
        {"name": "version", "type": "int", "doc": "Version of the event format, from 1."},
    ],
}


def envelope(kind: str, record: str) -> dict[str, Any]:
    """The event schema of one kind around its record's name."""
    return {
        "type": "record",
        "name": f"{record}Event",
        "namespace": NAMESPACE,
        "doc": f"A {kind} was created, changed or deleted in Kompass. Topic kompass.{kind}s, key {kind}/<object.id>.",
        "fields": [
            {"name": "id", "type": {"type": "string", "logicalType": "uuid"}, "doc": "Id of this event."},
            {"name": "type", "type": "string", "doc": f"{kind}.create, {kind}.update or {kind}.delete."},
            {"name": "resource", "type": "string", "doc": f"The kind of the record: {kind}."},
            {"name": "action", "type": _ACTION, "doc": "What happened to the record."},
            {
                "name": "created",
                "type": {"type": "long", "logicalType": "timestamp-micros"},
                "doc": "When it happened, UTC.",
            },
            {"name": "metadata", "type": _METADATA, "doc": "Where the event comes from."},
            {
                "name": "object",
                "type": record,
                "doc": "The full record after the change (before it, for a delete).",
            },
        ],
    }


def definitions(schema: Any, into: dict[str, Any]) -> dict[str, Any]:
    """Collects the named types defined anywhere inside `schema`; the first definition of a name wins."""
    if isinstance(schema, list):
        for branch in schema:
            definitions(branch, into)
    elif isinstance(schema, dict):
        if "name" in schema and schema["type"] in ("record", "enum", "fixed"):
            into.setdefault(schema["name"], schema)
        for field in schema.get("fields", ()):
            definitions(field["type"], into)
        for member in ("items", "values"):
            definitions(schema.get(member), into)
    return into


def inline(schema: Any, types: dict[str, Any], seen: set[str]) -> Any:
    """`schema` with every named type spelled out where it first occurs and named from there on."""
    if isinstance(schema, list):
        return [inline(branch, types, seen) for branch in schema]
    name = schema["name"] if isinstance(schema, dict) and "name" in schema else schema
    if isinstance(name, str) and name in types:
        if name in seen:
            return name
        seen.add(name)
        schema = types[name]
    if not isinstance(schema, dict):
        return schema
    result = dict(schema)
    if "fields" in result:
        result["fields"] = [{**field, "type": inline(field["type"], types, seen)} for field in result["fields"]]
    for member in ("items", "values"):
        if member in result:
            result[member] = inline(result[member], types, seen)
    return result


def text(schema: Any, indent: str = "") -> str:
    """JSON with one line per field, so that a difference between two versions reads as fields."""
    if isinstance(schema, list):
        return "[" + ", ".join(text(branch, indent) for branch in schema) + "]"
    if not isinstance(schema, dict):
        return json.dumps(schema, ensure_ascii=False)
    members = []
    for key, value in schema.items():
        if key == "fields":
            deeper = indent + "  "
            lines = ",\n".join(deeper + "  " + text(field, deeper + "  ") for field in value)
            members.append(f'\n{deeper}"fields": [\n{lines}\n{deeper}]')
        elif key in ("type", "items", "values"):
            members.append(f"{json.dumps(key)}: {text(value, indent)}")
        else:
            members.append(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{" + ", ".join(members).replace(", \n", ",\n") + "}"


def composed(directory: Path = HERE) -> dict[str, str]:
    """File name → what it must contain, from the owners' definitions as they are in `directory`."""
    owned = {name: json.loads((directory / name).read_text("utf-8")) for name in OWNERS}
    types: dict[str, Any] = {}
    for schema in owned.values():
        inner = definitions(schema, {})
        for name, definition in inner.items():
            types.setdefault(name, definition)
    schemas: dict[str, Any] = dict(owned)
    for schema in owned.values():
        record = schema["name"]
        schemas[f"{record.lower()}-event.avsc"] = envelope(record.lower(), record)
    return {name: text(inline(schema, types, set())) + "\n" for name, schema in schemas.items()}


def main() -> None:
    for name, content in composed().items():
        (HERE / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main()
