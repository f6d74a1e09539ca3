"""The field tables of docs/events.md, from the schemas themselves: ``python -m schemas.reference``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.compose import OWNERS, definitions, envelope

_HERE = Path(__file__).parent
_LOGICAL = {"uuid": "uuid", "date": "date", "timestamp-micros": "moment (timestamp-micros)"}


def reference() -> str:
    """A Markdown table for every record type, the envelope first."""
    types: dict[str, Any] = {}
    definitions(envelope("client", "Client"), types)
    for name in OWNERS:
        definitions(json.loads((_HERE / name).read_text("utf-8")), types)
    parts = []
    for name, schema in types.items():
        if schema["type"] != "record":
            continue
        title = "The envelope" if name == "ClientEvent" else name
        doc = "The same around every kind of record; here that of a client." if name == "ClientEvent" else schema["doc"]
        rows = [f"| `{f['name']}` | {_type(f['type'])} | {_required(f)} | {f['doc']} |" for f in schema["fields"]]
        parts.append(
            "\n".join([f"### {title}", "", doc, "", "| member | type | | meaning |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts)


def _required(field: dict[str, Any]) -> str:
    return "optional" if "default" in field else "required"


def _type(schema: Any) -> str:
    if isinstance(schema, list):
        return _type(next(branch for branch in schema if branch != "null"))
    if isinstance(schema, str):
        return schema
    if "logicalType" in schema:
        logical = schema["logicalType"]
        return f"decimal({schema['precision']}, {schema['scale']})" if logical == "decimal" else _LOGICAL[logical]
    if schema["type"] == "enum":
        return ", ".join(f"`{symbol}`" for symbol in schema["symbols"])
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "map":
        return f"map of {_type(schema['values'])}"
    return str(schema["name"])


if __name__ == "__main__":
    print(reference())
