"""Which members an object may have, and of what type: Intuit's XSDs, flattened into `data/qbo-entities.json`.

Intuit refuses an unknown member (2010) and reads scalars the way its JSON reader does: a number for a string, a string
for a number, and an empty string for nothing.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

import orjson

from simulator.amounts import number
from simulator.faults import ApiFault, FaultError, error, invalid_string

Object: TypeAlias = dict[str, Any]

BLANK = ""
MAXIMUM_DEPTH = 20
_TOO_LARGE = 10**15
_LISTED = 1_000
# As recorded: "2019-03-06 10:43:14 -0800", "2019-08-01 19:28:43 UTC", "2014-02-14T20:16:58.307Z".
_MOMENT = re.compile(r"[\d-]{10}[T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|UTC|[+-]\d\d:?(\d\d)?)?")
_XML_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@cache
def catalogue() -> dict[str, dict[str, dict[str, Any]]]:
    """Type name → member name → {type | ref | enum, array?}."""
    text = resources.files("simulator").joinpath("data/qbo-entities.json").read_bytes()
    entities: dict[str, dict[str, dict[str, Any]]] = orjson.loads(text)["entities"]
    return entities


def clean(entity: str, payload: Any, *, null_as_blank: bool = False) -> Object:
    """`payload` checked against the schema of `entity`, with scalars in their own type.

    Members that are null are left out (or blank, with `null_as_blank`); a blank string stays, for a sparse update to
    clear the member.

    :raises ApiFault: 2010 for an unknown member or a wrong structure; 2060, 2090, 2140, 2170 for a scalar.
    """
    if not isinstance(payload, dict):
        raise ApiFault(_unreadable(entity, payload))
    errors: list[FaultError] = []
    cleaned = _object(entity, payload, errors, null_as_blank, 0)
    if errors:
        raise ApiFault(*errors[:10])
    return cleaned


def without_blanks(value: Any) -> Any:
    """`value` without blank strings and the objects that hold nothing else: what a create or a full update stores."""
    if isinstance(value, dict):
        kept: Object = {}
        for key, item in value.items():
            bare = without_blanks(item) if isinstance(item, dict | list) else item
            if bare is not None and bare not in (BLANK, {}):
                kept[key] = bare
        return kept
    if isinstance(value, list):
        return [without_blanks(item) for item in value]
    return value


def _object(entity: str, payload: Object, errors: list[FaultError], null_as_blank: bool, depth: int) -> Object:
    members = catalogue()[entity]
    cleaned: Object = {}
    for name, value in payload.items():
        kind = members.get(name)
        if kind is None:
            errors.append(_unknown(entity, name, members))
        elif value is None:
            if null_as_blank:
                cleaned[name] = BLANK
        elif kind.get("array"):
            if not isinstance(value, list) or depth > MAXIMUM_DEPTH:
                errors.append(_unreadable(name, value))
            else:
                cleaned[name] = [
                    item
                    for item in (_value(kind, name, item, errors, null_as_blank, depth) for item in value)
                    if item is not None
                ]
        else:
            item = _value(kind, name, value, errors, null_as_blank, depth)
            if item is not None:
                cleaned[name] = item
    return cleaned


def _value(
    kind: dict[str, Any], name: str, value: Any, errors: list[FaultError], null_as_blank: bool, depth: int
) -> Any:
    reference = kind.get("ref")
    if reference is not None:
        if not isinstance(value, dict) or depth > MAXIMUM_DEPTH:
            if value == BLANK and null_as_blank:
                return BLANK
            errors.append(_unreadable(name, value))
            return None
        return _object(reference, value, errors, null_as_blank, depth + 1)
    if isinstance(value, dict | list):
        errors.append(_unreadable(name, value))
        return None
    if value is None or value == BLANK:
        return BLANK
    try:
        return _scalar(kind, name, value)
    except ApiFault as refused:
        errors.extend(refused.errors)
        return None


def _scalar(kind: dict[str, Any], name: str, value: Any) -> Any:
    choices = kind.get("enum")
    if choices is not None:
        if value not in choices:
            raise ApiFault(error("2170", f"Invalid Enumeration : {_short(value)}", name))
        return value
    match kind["type"]:
        case "string":
            return _string(name, value)
        case "boolean":
            return _boolean(name, value)
        case "number":
            return _number(name, value, "2090")
        case "integer":
            found = _number(name, value, "2090")
            if not isinstance(found, int):
                raise ApiFault(error("2090", f"Invalid Number : {_short(value)}", name))
            return found
        case "date":
            return _date(name, value)
        case _:
            return _moment(name, value)


def _string(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if _XML_FORBIDDEN.search(text):
        raise invalid_string(name, text)
    return text


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ApiFault(_unreadable(name, value))


def _number(name: str, value: Any, code: str) -> int | float:
    if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE:
        return value
    try:
        found = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or (found and (found.adjusted() > 14 or found.adjusted() < -15)):
        raise ApiFault(error(code, f"Invalid Number : {_short(value)}", name))
    return number(found)


def _date(name: str, value: Any) -> str:
    text = str(value)
    # Intuit reads a moment where a date is due and keeps its day.
    day = text[:10]
    try:
        if len(text) > 10 and not _MOMENT.fullmatch(text):
            raise ValueError(text)
        if len(day) != 10 or date.fromisoformat(day).year < 1900:
            raise ValueError(day)
    except ValueError:
        raise ApiFault(error("2060", f"Invalid Date : {_short(value)}", name)) from None
    return day


def _moment(name: str, value: Any) -> str:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise ApiFault(error("2060", f"Invalid Date : {_short(value)}", name)) from None
    return str(value)


def _unknown(entity: str, name: str, known: Object) -> FaultError:
    """In the recorded words, which list the known properties up to a thousand characters."""
    names = ", ".join(f'"{one}"' for one in known)
    listed = names if len(names) <= _LISTED else names[: names.rindex(",", 0, _LISTED)] + " [truncated]"
    return error(
        "2010",
        f'Property Name:Unrecognized field "{name[:200]}" (class com.intuit.schema.finance.v3.{entity}), not marked as '
        f"ignorable ({len(known)} known properties: {listed}]) specified is unsupported or invalid",
    )


def _unreadable(name: str, value: Any) -> FaultError:
    return error(
        "2010",
        f"Property Name:Can not deserialize instance of {name} out of {type(value).__name__} "
        "specified is unsupported or invalid",
    )


def _short(value: Any) -> str:
    return str(value)[:100]
