"""Avro schemas as plain data: names resolved, documentation dropped, and the fingerprint that identifies one.

The schema a payload was written with is read *without* its logical types: `fastavro` then hands over raw numbers and
bytes, and `schemas.values` turns them into `Decimal`, `date` and `datetime`, refusing what does not fit (fastavro rounds a
decimal that is too long).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from fastavro.schema import fingerprint as fastavro_fingerprint
from fastavro.schema import parse_schema, to_parsing_canonical_form

Schema = Any
"""A schema as `json.loads` gives it: a name, a union as a list, or a dict."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def fingerprint(schema: Schema) -> bytes:
    """The 8 bytes, little-endian, that single-object encoding puts before a payload: of the parsing canonical form."""
    return bytes.fromhex(fastavro_fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def full_name(schema: Mapping[str, Any], namespace: str) -> str:
    name = str(schema["name"])
    if "." in name:
        return name
    namespace = str(schema.get("namespace", namespace) or "")
    return f"{namespace}.{name}" if namespace else name


def _reference(name: str, namespace: str) -> str:
    return name if name in PRIMITIVES or "." in name or not namespace else f"{namespace}.{name}"


def resolved(schema: Schema, names: dict[str, Schema], namespace: str = "") -> Schema:
    """`schema` with full names everywhere; `names` collects full name → definition.

    References stay references, so a recursive schema works.
    """
    if isinstance(schema, str):
        return _reference(schema, namespace)
    if isinstance(schema, list):
        return [resolved(branch, names, namespace) for branch in schema]
    kind = schema["type"]
    if not isinstance(kind, str):
        return resolved(kind, names, namespace)
    result = {key: value for key, value in schema.items() if key not in ("doc", "namespace", "aliases")}
    if kind in ("record", "error", "enum", "fixed"):
        name = full_name(schema, namespace)
        result["name"] = name
        names[name] = result
        inner = name.rpartition(".")[0]
        if "fields" in schema:
            result["fields"] = [
                {k: v for k, v in field.items() if k != "doc"} | {"type": resolved(field["type"], names, inner)}
                for field in schema["fields"]
            ]
    elif kind == "array":
        result["items"] = resolved(schema["items"], names, namespace)
    elif kind == "map":
        result["values"] = resolved(schema["values"], names, namespace)
    elif kind not in PRIMITIVES:
        return _reference(kind, namespace)
    return result


def without_logical_types(schema: Schema) -> Schema:
    """`schema` (resolved) as the bare numbers, bytes and strings that are on the wire."""
    if isinstance(schema, list):
        return [without_logical_types(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    result = {k: v for k, v in schema.items() if k not in ("logicalType", "precision", "scale")}
    for member in ("items", "values"):
        if member in result:
            result[member] = without_logical_types(result[member])
    if "fields" in result:
        result["fields"] = [{**f, "type": without_logical_types(f["type"])} for f in result["fields"]]
    return result


def parsed_for_wire(schema: Schema) -> dict[str, Any]:
    """What fastavro reads and writes bare values with.

    Raises fastavro's ``SchemaParseException`` (or ``UnknownType``, ``KeyError``, ``TypeError``) when `schema` is none.
    """
    return cast("dict[str, Any]", parse_schema(without_logical_types(resolved(schema, {}))))


def load(text: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(text))


def may_be_empty(schema: Schema, names: dict[str, Schema]) -> bool:
    """Whether a value of `schema` (resolved) can take no bytes at all: then a few bytes can announce endless items."""
    if isinstance(schema, str):
        return schema == "null" or (schema in names and may_be_empty(names[schema], names))
    if isinstance(schema, list):
        return False
    if schema["type"] in ("record", "error"):
        return all(
            may_be_empty(field["type"], {k: v for k, v in names.items() if v is not schema})
            for field in schema["fields"]
        )
    return bool(schema["type"] == "null" or (schema["type"] == "fixed" and not schema["size"]))


def endless(schema: Schema, names: dict[str, Schema]) -> bool:
    """Whether an array anywhere in `schema` (resolved) has items that may take no bytes."""
    if isinstance(schema, list):
        return any(endless(branch, names) for branch in schema)
    if not isinstance(schema, dict):
        return False
    if "items" in schema and may_be_empty(schema["items"], names):
        return True
    inner = [field["type"] for field in schema.get("fields", ())]
    inner += [schema[member] for member in ("items", "values") if member in schema]
    return any(endless(part, names) for part in inner)
