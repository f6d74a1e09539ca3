"""A reader of today's schemas, compiled to Python: it reads an event in half the time of fastavro and msgspec.

Straight-line code made from a schema and the classes of `schemas.events`, once a process. It takes only what is surely right: an oddity
of any kind (a varint of ten bytes, an array in blocks with sizes, a value out of range, too few bytes) ends it with some exception, and
`schemas.codec` reads those bytes by fastavro, which then says what is wrong. What is read here is read alike there: tests hold the two
together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
from msgspec import inspect

from schemas.avro import Schema
from schemas.events import Event, Typed
from schemas.values import AVRO_READERS

Reader = Callable[[bytes, int], Event]


class Odd(Exception):
    """Something that is left to fastavro, be it wrong or only rare."""


def _long(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for byte in data[at : at + 9]:
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise Odd


def compiled(schema: Schema, envelope: type[Typed]) -> Reader:
    """A function from bytes and the place where the event begins in them to the event, which is all the rest of the bytes.

    ``schema`` is a shipped one with its logical types; raises any exception where it cannot read.
    """
    writing = _Writing()
    reader = writing.record(schema, inspect.type_info(envelope))
    exec("\n".join(writing.lines), writing.names)  # noqa: S102 - made from our own schema files
    read: Callable[[bytes, int], tuple[Typed, int]] = writing.names[reader]

    def event(data: bytes, at: int) -> Event:
        found, end = read(data, at)
        if end != len(data):
            raise Odd
        return Event(*msgspec.structs.astuple(found))

    return event


class _Writing:
    """Writes one function for each record type; types are found by their short names, as in the shipped files."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"Odd": Odd, "_long": _long, "convert": msgspec.convert, "UUID": UUID}
        self._schemas: dict[str, Schema] = {}

    def record(self, schema: Schema, kind: Any) -> str:
        assert isinstance(kind, inspect.StructType)
        function = f"read_{kind.cls.__name__}"
        if function in self.names:
            return function
        self.names[function] = None
        self.names[kind.cls.__name__] = kind.cls
        types = {field.name: field.type for field in kind.fields}
        body: list[str] = [f"def {function}(d, p):"]
        for field in schema["fields"]:
            body += _indented(self._value(field["type"], types[field["name"]], f"f_{field['name']}"))
        members = ", ".join(f"f_{name}" for name in kind.cls.__struct_fields__)
        self.lines += [*body, f"    return {kind.cls.__name__}({members}), p"]
        return function

    def _value(self, schema: Schema, kind: Any, into: str) -> list[str]:
        """Statements that read a value at ``p`` of ``d`` into a variable, and move ``p`` behind it."""
        if isinstance(schema, str):
            schema = self._schemas.get(schema, schema)
        if isinstance(schema, list):
            read = self._value(schema[1], kind.types[0], into)
            return [
                "b = d[p]; p += 1",
                "if b == 2:",
                *_indented(read),
                "elif b: raise Odd",
                f"else: {into} = None",
            ]
        name = schema if isinstance(schema, str) else schema["type"]
        match name:
            case "string" | "bytes":
                return self._text(name, kind, into)
            case "int" | "long":
                return self._number(kind, into)
            case "boolean":
                return ["b = d[p]; p += 1", "if b > 1: raise Odd", f"{into} = b == 1"]
            case "enum":
                self._schemas[schema["name"]] = schema
                members = self._named(tuple(kind.cls(symbol) for symbol in schema["symbols"]))
                return ["b = d[p]; p += 1", "if b & 129: raise Odd", f"{into} = {members}[b >> 1]"]
            case "record":
                self._schemas[schema["name"]] = schema
                return [f"{into}, p = {self.record(schema, kind)}(d, p)"]
            case "array":
                item = self._value(schema["items"], kind.item_type, "x")
                return [*_blocks(f"{into} = []", [*item, f"{into}.append(x)"]), f"{into} = tuple({into})"]
            case "map":
                pair = [*self._text("string", None, "k"), *self._text("string", None, "x")]
                return _blocks(f"{into} = {{}}", [*pair, f"{into}[k] = x"])
        raise Odd

    def _text(self, name: str, kind: Any, into: str) -> list[str]:
        read = [
            "n = d[p]; p += 1",
            "if n & 129:",
            "    n, p = _long(d, p - 1)",
            "    if n < 0: raise Odd",
            "else: n >>= 1",
            f"{into} = d[p:p + n]{'.decode()' if name == 'string' else ''}; p += n",
        ]
        if isinstance(kind, inspect.UUIDType):
            read.append(f"{into} = convert({into}, UUID)")
        elif isinstance(kind, inspect.CustomType):
            read.append(f"{into} = {self._reader(kind)}({into})")
        elif isinstance(kind, inspect.Metadata) and isinstance(kind.type, inspect.StrType) and kind.type.min_length:
            read.append(f"if not {into}: raise Odd")
        return read

    def _number(self, kind: Any, into: str) -> list[str]:
        read = [f"{into}, p = _long(d, p)"]
        if isinstance(kind, inspect.CustomType):
            read.append(f"{into} = {self._reader(kind)}({into})")
        else:
            read.append(f"if not {kind.ge} <= {into} <= {kind.le}: raise Odd")
        return read

    def _reader(self, kind: inspect.CustomType) -> str:
        return self._named(AVRO_READERS[kind.cls])

    def _named(self, value: object) -> str:
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _blocks(start: str, item: list[str]) -> list[str]:
    """An array or a map: blocks of items, each with their number before it, and 0 at the end."""
    return [
        start,
        "while True:",
        "    c, p = _long(d, p)",
        "    if c <= 0:",
        "        if c: raise Odd",
        "        break",
        "    for _ in range(c):",
        *_indented(_indented(item)),
    ]
