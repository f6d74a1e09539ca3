"""Converts single values and whole records between Avro, JSON and the typed objects of `schemas.events`.

msgspec walks the objects. The tables at the end say, for each side, what becomes of an amount, a date and a moment. What does
not fit is refused, never rounded or guessed: a `ValueError` here, with the value and the remedy; msgspec adds the path.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from schemas.errors import BadRecord
from schemas.quoting import shown
from schemas.types import Day, Moment, Money, Number

SCALE = 6
"""Digits behind the point of every Avro decimal here: unit prices and quantities are finer than money."""
PRECISION = 19
LIMIT = 10**PRECISION
"""An unscaled decimal is smaller than this: up to 9,999,999,999,999.999999."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = EPOCH.toordinal()
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_MAX_DECIMAL_TEXT = 40
_PATH = re.compile(r"(?s)(.*) - at `\$\.?(.*)`")

T = TypeVar("T")
Hook = Callable[[type, Any], Any]


def from_avro(raw: object, kind: type[T]) -> T:
    """`raw` as fastavro reads it without logical types. Raises `msgspec.ValidationError`."""
    return msgspec.convert(raw, kind, dec_hook=avro_value)


def from_json(obj: object, kind: type[T]) -> T:
    """`obj` as JSON gives it. Raises `msgspec.ValidationError`."""
    return msgspec.convert(obj, kind, dec_hook=json_value)


def canonical(record: T, kind: type[T]) -> T:
    """`record`, made by a program, with the digits and the time zone it has when it is read.

    Raises `BadRecord` for what Avro cannot hold, with the path.
    """
    try:
        return msgspec.convert(plain(record), kind, dec_hook=_python_value)
    except msgspec.ValidationError as error:
        found = _PATH.fullmatch(str(error))
        raise (BadRecord(str(error)) if found is None else BadRecord(found[1], found[2])) from None


def plain(record: object) -> dict[str, Any]:
    """`record` as a dict without what is left at its default; decimals, dates and moments stay objects."""
    return cast("dict[str, Any]", msgspec.to_builtins(record, builtin_types=(Decimal, dt.datetime, dt.date)))


# Decimals


def shortest(millionths: int, *, at_least: int) -> Decimal:
    """The Decimal with `at_least` that many decimals, or as many more as it takes: the same number has always the same digits."""
    digits = SCALE
    while digits > at_least and millionths % 10 == 0:
        millionths //= 10
        digits -= 1
    return Decimal(millionths).scaleb(-digits)


def unscaled(raw: bytes) -> int:
    """Big-endian two's complement, within the precision of the schema."""
    if len(raw) > 9:
        raise ValueError(f"a decimal has {len(raw)} bytes; {PRECISION} digits need 9 at most.")
    value = int.from_bytes(raw, "big", signed=True)
    if not -LIMIT < value < LIMIT:
        raise ValueError(f"a decimal has more than {PRECISION} digits.")
    return value


def millionths(value: Decimal) -> int:
    """`value` as an unscaled Avro decimal."""
    if not value.is_finite():
        raise ValueError(f"{value} is not a number; write one such as 1200.00.")
    if value and value.adjusted() >= PRECISION - SCALE:
        raise ValueError(f"{value} has more than {PRECISION - SCALE} digits before the point; send a smaller amount.")
    try:
        return int(_EXACT.to_integral_exact(_EXACT.scaleb(value, SCALE)))
    except (Inexact, InvalidOperation):
        raise ValueError(f"{value} has more than {SCALE} decimals; round it before it is sent.") from None


def _written_decimal(value: object) -> Decimal:
    if type(value) is str and len(value) <= _MAX_DECIMAL_TEXT and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, float):
        raise ValueError(
            f"{shown(value)} is a binary fraction, which is not exact; write it in quotes, as {str(value)!r}."
        )
    if type(value) is int:
        raise ValueError(f"{shown(value)} is a bare number; write it in quotes, as {str(value)!r}.")
    raise ValueError(f"{shown(value)} is not a decimal number; write one in quotes, such as '1200.00'.")


def _decimals(of: Callable[[Any], int], at_least: int) -> Callable[[Any], Decimal]:
    def read(value: object) -> Decimal:
        return shortest(of(value), at_least=at_least)

    return read


def _cached(read: Callable[[Any], T]) -> Callable[[Any], T]:
    return lru_cache(maxsize=8192)(read)


def _texts(read: Callable[[Any], T]) -> Callable[[Any], T]:
    """Remember what became of texts. JSON's other values are refused, and some of them have no hash."""
    known = _cached(read)

    def value(raw: object) -> T:
        return known(raw) if type(raw) is str else read(raw)

    return value


# Dates and moments


def _date_of_days(days: int) -> dt.date:
    try:
        return dt.date.fromordinal(_EPOCH_ORDINAL + days)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _date_of_text(value: object) -> dt.date:
    try:
        if type(value) is not str or not _DATE.fullmatch(value):
            raise ValueError("the form is another")
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not a date ({error}); write one such as '2026-03-31'.") from None


def _moment_of_micros(micros: int) -> dt.datetime:
    try:
        return EPOCH + dt.timedelta(microseconds=micros)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def _moment_of_text(value: object) -> dt.datetime:
    if type(value) is not str or not _MOMENT.fullmatch(value):
        if type(value) is str and _MOMENT.fullmatch(value + "Z"):
            raise ValueError(f"{shown(value)} has no time zone; add one, such as Z or +01:00.")
        raise ValueError(f"{shown(value)} is not a moment; write one such as '2026-03-31T09:30:00Z'.")
    try:
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{shown(value)} is no moment that ever was ({error}); correct it.") from None


def _moment_in_utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; give a moment with its offset.")
    return value.astimezone(dt.UTC)


def _as_is(value: T) -> T:
    return value


# The three sides


def _hook(readers: Mapping[type, Callable[[Any], Any]]) -> Hook:
    return lambda kind, raw: readers[kind](raw)


def _text_millionths(value: object) -> int:
    return millionths(_written_decimal(value))


AVRO_READERS: Mapping[type, Callable[[Any], Any]] = {
    Money: _cached(_decimals(unscaled, 2)),
    Number: _cached(_decimals(unscaled, 0)),
    Day: _cached(_date_of_days),
    Moment: _cached(_moment_of_micros),
}
avro_value = _hook(AVRO_READERS)
json_value = _hook(
    {
        Money: _texts(_decimals(_text_millionths, 2)),
        Number: _texts(_decimals(_text_millionths, 0)),
        Day: _texts(_date_of_text),
        Moment: _texts(_moment_of_text),
    }
)
_python_value = _hook(
    {
        Money: _decimals(millionths, 2),
        Number: _decimals(millionths, 0),
        Day: _as_is,
        Moment: _moment_in_utc,
    }
)
