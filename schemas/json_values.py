"""Single values between JSON and Python, strictly: what is not exactly right is refused with the remedy, never guessed.

Each reader raises `BadRecord` without a path; the object that holds the value adds it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from schemas.errors import BadRecord
from schemas.reading import EPOCH, shortest
from schemas.writing import millionths

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_LONGEST = 40
_MAX_DECIMAL_TEXT = 40

E = TypeVar("E", bound=StrEnum)


def shown(value: object) -> str:
    """`value` as JSON, cut to what a sentence can hold."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def text(value: object) -> str:
    if type(value) is not str:
        raise BadRecord(f"{shown(value)} is not a text; put it in quotes.")
    if "\0" in value:
        raise BadRecord(f"{shown(value)} contains the character NUL, which cannot be stored; remove it.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadRecord(f"{shown(value)!a} contains half a character (a lone surrogate); remove it.") from None
    return value


def identifier(value: object) -> str:
    """A Kompass id: a text, or a whole number, which becomes its digits."""
    if type(value) is int:
        return str(value)
    if type(value) is not str:
        raise BadRecord(f"{shown(value)} is not an id; write a text or a whole number.")
    return text(value)


def key(value: object) -> str:
    """An id under which something is kept, and which therefore cannot be empty."""
    if value == "":
        raise BadRecord('"" is not an id; write the one it has in Kompass.')
    return identifier(value)


def whole(bits: int) -> Callable[[object], int]:
    limit = 1 << (bits - 1)

    def read(value: object) -> int:
        if type(value) is not int:
            raise BadRecord(f"{shown(value)} is not a whole number; write one such as 7, without quotes.")
        if not -limit <= value < limit:
            raise BadRecord(f"{value} does not fit {bits} bits; write a smaller one.")
        return value

    return read


def boolean(value: object) -> bool:
    if type(value) is not bool:
        raise BadRecord(f"{shown(value)} is not a yes or no; write true or false, without quotes.")
    return value


def money(value: object) -> Decimal:
    return _decimal(value, 2) if type(value) is str else _not_decimal(value)


def number(value: object) -> Decimal:
    return _decimal(value, 0) if type(value) is str else _not_decimal(value)


@lru_cache(maxsize=8192)
def _decimal(value: str, at_least: int) -> Decimal:
    if len(value) > _MAX_DECIMAL_TEXT or not _DECIMAL.fullmatch(value):
        return _not_decimal(value)
    return shortest(millionths(Decimal(value)), at_least=at_least)


def _not_decimal(value: object) -> Decimal:
    if isinstance(value, float):
        raise BadRecord(
            f"{shown(value)} is a binary fraction, which is not exact; write it in quotes, as {str(value)!r}."
        )
    if type(value) is int:
        raise BadRecord(f"{shown(value)} is a bare number; write it in quotes, as {str(value)!r}.")
    raise BadRecord(f"{shown(value)} is not a decimal number; write one in quotes, such as '1200.00'.")


@lru_cache(maxsize=8192)
def _date(value: str) -> dt.date:
    if not _DATE.fullmatch(value):
        raise ValueError("the form is another")
    return dt.date.fromisoformat(value)


def date(value: object) -> dt.date:
    try:
        return _date(value if type(value) is str else "")
    except ValueError as error:
        raise BadRecord(f"{shown(value)} is not a date ({error}); write one such as '2026-03-31'.") from None


def moment(value: object) -> dt.datetime:
    if type(value) is not str or not _MOMENT.fullmatch(value):
        if type(value) is str and _MOMENT.fullmatch(value + "Z"):
            raise BadRecord(f"{shown(value)} has no time zone; add one, such as Z or +01:00.")
        raise BadRecord(f"{shown(value)} is not a moment; write one such as '2026-03-31T09:30:00Z'.")
    try:
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise BadRecord(f"{shown(value)} is no moment that ever was ({error}); correct it.") from None


def uuid(value: object) -> UUID:
    try:
        found = UUID(value if type(value) is str else "")
    except ValueError:
        found = None
    if found is None or str(found) != str(value).lower():
        raise BadRecord(f"{shown(value)} is not a UUID; write one such as '2f1d6c1e-6a41-4c8b-9d0e-0a7c6f5b4d3e'.")
    return found


def one_of(members: type[E]) -> Callable[[object], E]:
    known: Mapping[Any, E] = {member.value: member for member in members}

    def read(value: object) -> E:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise BadRecord(f"{shown(value)} is none of {', '.join(known)}; write one of them.")
        return found

    return read


def texts(value: object) -> tuple[str, ...]:
    if type(value) is not list:
        raise BadRecord(f"{shown(value)} is not a list; write one such as ['a', 'b'].")
    try:
        return tuple([text(item) for item in value])
    except BadRecord:
        for index, item in enumerate(value):
            try:
                text(item)
            except BadRecord as error:
                raise error.inside(f"[{index}]") from None
        raise


def text_by_name(value: object) -> dict[str, str]:
    if type(value) is not dict:
        raise BadRecord(f"{shown(value)} is not an object; write one such as {{'name': 'value'}}.")
    for name, item in value.items():
        try:
            text(name)
            text(item)
        except BadRecord as error:
            raise error.inside(str(name)) from None
    return dict(value)


@lru_cache(maxsize=8192)
def money_text(value: Decimal) -> str:
    """At least two decimals: the same number always has the same text."""
    return format(shortest(millionths(value), at_least=2), "f")


@lru_cache(maxsize=8192)
def number_text(value: Decimal) -> str:
    return format(shortest(millionths(value), at_least=0), "f")


def date_text(value: dt.date) -> str:
    return value.isoformat()


def moment_text(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise BadRecord(f"{value.isoformat()} has no time zone; give a moment with its offset.")
    return (value if value.tzinfo is EPOCH.tzinfo else value.astimezone(dt.UTC)).isoformat()
