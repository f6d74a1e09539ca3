"""Finds what is wrong with data that msgspec refused, and says it with the path, the value and the remedy.

It walks the data beside the types of `schemas.events`, and is generic over them: a new field needs nothing here. Only data that was
refused comes here, so it may take its time. What it does not refuse it gives back, with whole numbers that are ids as texts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from uuid import UUID

from msgspec import inspect

from schemas.errors import BadRecord
from schemas.quoting import shown
from schemas.types import IS_ID
from schemas.values import Hook


def checked(data: object, kind: type, value_of: Hook) -> Any:
    """`data` for a record of `kind`; raises `BadRecord` at the first thing that is wrong, in the order of the record's members.

    ``value_of`` reads amounts, dates and moments: `schemas.values.avro_value` or ``json_value``.
    """
    return _Check(value_of).read(data, _type_of(kind))


@lru_cache(maxsize=64)
def _type_of(kind: type) -> inspect.Type:
    return inspect.type_info(kind)


class _Check:
    def __init__(self, value_of: Hook) -> None:
        self._value_of = value_of

    def read(self, value: object, kind: inspect.Type) -> Any:
        match kind:
            case inspect.UnionType():
                # Optional members: null, or the one other type.
                return None if value is None else self.read(value, kind.types[0])
            case inspect.StructType():
                return self._record(value, kind)
            case inspect.VarTupleType():
                return self._list(value, kind.item_type)
            case inspect.DictType():
                return self._texts_by_name(value)
            case inspect.CustomType():
                return self._custom(value, kind)
            case inspect.Metadata(type=inspect.StrType() as text, extra=extra) if extra == IS_ID:
                return _identifier(value, text)
            case inspect.IntType():
                return _whole(value, kind)
            case inspect.EnumType():
                return _member(value, [member.value for member in kind.cls])
        return _LEAVES[type(kind)](value)

    def _record(self, value: object, kind: inspect.StructType) -> dict[str, Any]:
        if type(value) is not dict:
            required = ", ".join(field.name for field in kind.fields if field.required)
            raise BadRecord(f"{shown(value)} is not an object; write one with {required}.")
        result: dict[str, Any] = {}
        for field in kind.fields:
            if field.name in value:
                result[field.name] = _inside(field.name, self.read, value[field.name], field.type)
            elif field.required:
                raise BadRecord("is missing; add it.", field.name)
        unknown = next((name for name in value if name not in result), None)
        if unknown is not None:
            raise BadRecord(
                f"is not known here (the value is {shown(value[unknown])}); remove it, or correct its name.",
                str(unknown),
            )
        return result

    def _list(self, value: object, item: inspect.Type) -> list[Any]:
        if type(value) is not list:
            what = "of objects" if isinstance(item, inspect.StructType) else "such as ['a', 'b']"
            raise BadRecord(f"{shown(value)} is not a list; write one {what}.")
        return [_inside(f"[{number}]", self.read, one, item) for number, one in enumerate(value)]

    def _texts_by_name(self, value: object) -> dict[str, str]:
        if type(value) is not dict:
            raise BadRecord(f"{shown(value)} is not an object; write one such as {{'name': 'value'}}.")
        return {_inside(str(name), _text, name): _inside(str(name), _text, text) for name, text in value.items()}

    def _custom(self, value: object, kind: inspect.CustomType) -> object:
        try:
            self._value_of(kind.cls, value)
        except (ValueError, TypeError) as error:
            raise BadRecord(str(error)) from None
        return value


def _inside(member: str, read: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except BadRecord as error:
        raise error.inside(member) from None


def _text(value: object) -> str:
    if type(value) is not str:
        raise BadRecord(f"{shown(value)} is not a text; put it in quotes.")
    if "\0" in value:
        raise BadRecord(f"{shown(value)} contains the character NUL, which cannot be stored; remove it.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRecord(f"{shown(value)!a} contains half a character (a lone surrogate); remove it.") from None
    return value


def _identifier(value: object, kind: inspect.StrType) -> str:
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise BadRecord(f"{shown(value)} is not an id; write a text or a whole number.")
    if kind.min_length and not value:
        raise BadRecord('"" is not an id; write the one it has in Kompass.')
    return _text(value)


def _whole(value: object, kind: inspect.IntType) -> int:
    if type(value) is not int:
        raise BadRecord(f"{shown(value)} is not a whole number; write one such as 7, without quotes.")
    if kind.ge is None or kind.le is None or not kind.ge <= value <= kind.le:
        raise BadRecord(f"{value} does not fit {(kind.le or 0).bit_length() + 1} bits; write a smaller one.")
    return value


def _boolean(value: object) -> bool:
    if type(value) is not bool:
        raise BadRecord(f"{shown(value)} is not a yes or no; write true or false, without quotes.")
    return value


def _uuid(value: object) -> str:
    try:
        text = str(UUID(value if type(value) is str else ""))
    except ValueError:
        text = ""
    if not text or text != str(value).lower():
        raise BadRecord(f"{shown(value)} is not a UUID; write one such as '2f1d6c1e-6a41-4c8b-9d0e-0a7c6f5b4d3e'.")
    return text


def _member(value: object, known: list[str]) -> str:
    if type(value) is not str or value not in known:
        raise BadRecord(f"{shown(value)} is none of {', '.join(known)}; write one of them.")
    return value


_LEAVES: dict[type[inspect.Type], Callable[[object], object]] = {
    inspect.StrType: _text,
    inspect.BoolType: _boolean,
    inspect.UUIDType: _uuid,
}
