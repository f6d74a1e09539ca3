"""The schemas that come with this program, present and past, found by the fingerprint of single-object encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.avro import fingerprint, load
from schemas.events import Kind

_HERE = Path(__file__).parent
_PAST = re.compile(r"(client|project|invoice)-event\.v(\d+)\.avsc")


@dataclass(frozen=True, slots=True)
class ShippedSchema:
    kind: Kind
    version: int
    text: str
    """The file's JSON, documentation included."""
    schema: dict[str, Any]
    fingerprint: bytes


def topic(kind: Kind) -> str:
    """The topic that carries events of `kind`."""
    return f"kompass.{kind}s"


@lru_cache(maxsize=1)
def shipped() -> dict[bytes, ShippedSchema]:
    """Fingerprint → schema, of every version there ever was."""
    found: dict[bytes, ShippedSchema] = {}
    newest = dict.fromkeys(Kind, 0)
    for path in sorted((_HERE / "history").glob("*.avsc")):
        name = _PAST.fullmatch(path.name)
        if name is None:
            raise ValueError(f"{path} is not named <kind>-event.v<number>.avsc")
        kind, version = Kind(name[1]), int(name[2])
        newest[kind] = max(newest[kind], version)
        _add(found, path, kind, version)
    for kind in Kind:
        _add(found, _HERE / f"{kind}-event.avsc", kind, newest[kind] + 1)
    return found


def _add(found: dict[bytes, ShippedSchema], path: Path, kind: Kind, version: int) -> None:
    text = path.read_text("utf-8")
    schema = load(text)
    mark = fingerprint(schema)
    if mark in found:
        raise ValueError(f"{path} has the canonical form of {kind} version {found[mark].version}: one is superfluous")
    found[mark] = ShippedSchema(kind=kind, version=version, text=text, schema=schema, fingerprint=mark)


@lru_cache(maxsize=1)
def current() -> dict[Kind, ShippedSchema]:
    """The newest schema of each kind: what is written, and what everything is read as."""
    newest: dict[Kind, ShippedSchema] = {}
    for schema in shipped().values():
        if schema.kind not in newest or schema.version > newest[schema.kind].version:
            newest[schema.kind] = schema
    return newest
