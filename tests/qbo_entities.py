"""Request bodies against Intuit's own table of members and types (tests/data/qbo-entities.json): real QBO refuses others, 2010."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "data" / "qbo-entities.json"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def entities() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    found: Mapping[str, Mapping[str, Mapping[str, Any]]] = json.loads(TABLE.read_text("utf-8"))["entities"]
    return found


def strangers(entity: str, body: object, path: str = "") -> Iterator[str]:
    """Every member of `body` that `entity` does not have, or has with another type."""
    if not isinstance(body, Mapping):
        yield f"{path or entity}: an object is expected, not {body!r}"
        return
    members = entities()[entity]
    for name, value in body.items():
        where = f"{path}.{name}" if path else f"{entity}.{name}"
        declared = members.get(name)
        if declared is None:
            yield f"{where}: {entity} has no such member"
        elif declared.get("array"):
            if not isinstance(value, list):
                yield f"{where}: a list is expected, not {value!r}"
                continue
            for place, one in enumerate(value):
                yield from _one(declared, one, f"{where}[{place}]")
        else:
            yield from _one(declared, value, where)


def _one(declared: Mapping[str, Any], value: object, where: str) -> Iterator[str]:
    if value is None:
        # How a sparse update empties a member.
        return
    if "ref" in declared:
        yield from strangers(declared["ref"], value, where)
    elif "enum" in declared:
        if value not in declared["enum"]:
            yield f"{where}: {value!r} is not one of {declared['enum']}"
    elif not _is(declared["type"], value):
        yield f"{where}: {value!r} is not of type {declared['type']}"


def _is(kind: str, value: object) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _DATE.fullmatch(value) is not None
        case _:
            return isinstance(value, str)
