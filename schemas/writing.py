"""Events → Avro's bare values, the inverse of `schemas.reading`. A value Avro cannot hold raises `BadRecord`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any
from uuid import UUID

from schemas.errors import BadRecord
from schemas.events import Action, Event, InvoiceType, Step
from schemas.reading import EPOCH, PRECISION, SCALE

_EPOCH_ORDINAL = EPOCH.toordinal()
_MICROSECOND = dt.timedelta(microseconds=1)
_EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])


def millionths(value: Decimal) -> int:
    """`value` as an unscaled Avro decimal; what does not fit is refused (`BadRecord`), never rounded."""
    if not value.is_finite():
        raise BadRecord(f"{value} is not a number; write one such as 1200.00.")
    if value and value.adjusted() >= PRECISION - SCALE:
        raise BadRecord(f"{value} has more than {PRECISION - SCALE} digits before the point; send a smaller amount.")
    try:
        scaled = _EXACT.to_integral_exact(_EXACT.scaleb(value, SCALE))
    except (Inexact, InvalidOperation):
        raise BadRecord(f"{value} has more than {SCALE} decimals; round it before it is sent.") from None
    return int(scaled)


def decimal_bytes(value: Decimal) -> bytes:
    number = millionths(value)
    return number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True)


def event_values(event: Event) -> dict[str, Any]:
    """`event` as fastavro's schemaless writer takes it with the logical types stripped."""
    return _record(event)


_NAMES: dict[type[Any], tuple[str, ...]] = {}


def _names(record: type[Any]) -> tuple[str, ...]:
    names = _NAMES.get(record)
    if names is None:
        names = _NAMES[record] = tuple(field.name for field in fields(record))
    return names


def _record(record: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _names(type(record)):
        values[name] = _value(getattr(record, name))
    return values


def _value(value: Any) -> Any:
    write: Callable[[Any], Any] = _WRITERS.get(type(value), _record)
    return write(value)


def _as_is(value: Any) -> Any:
    return value


def _micros(value: dt.datetime) -> int:
    if value.tzinfo is None:
        raise BadRecord(f"{value.isoformat()} has no time zone; give a moment with its offset.")
    return (value - EPOCH) // _MICROSECOND


def _action(value: Action) -> str:
    return "UNKNOWN" if value is Action.UNKNOWN else value.value


_WRITERS: Mapping[type[Any], Callable[[Any], Any]] = {
    str: _as_is,
    int: _as_is,
    bool: _as_is,
    type(None): _as_is,
    dict: _as_is,
    tuple: lambda value: [_value(item) for item in value],
    Decimal: decimal_bytes,
    dt.datetime: _micros,
    dt.date: lambda value: value.toordinal() - _EPOCH_ORDINAL,
    UUID: str,
    Action: _action,
    InvoiceType: lambda value: value.value,
    Step: lambda value: value.value,
}
"""By a value's own type; any other type is one of the records of `schemas.events`."""
