"""What templates may do with values: writing them as text, filters, methods and tests, each bounded in what it makes.

Every function that makes text or numbers checks the size first, so nothing grows beyond `MAX_TEXT`, and nothing takes longer than
its arguments are long.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from jinja2 import StrictUndefined, tests
from jinja2.runtime import Undefined
from jinja2.utils import missing

from schemas.events import (
    Address,
    Client,
    Department,
    Invoice,
    InvoiceLine,
    OrgRef,
    Person,
    Project,
    QuoteItem,
    SalesOrder,
    Service,
    VatRate,
)

MAX_TEXT = 10_000
"""Characters of any text that an operation takes or gives."""
MAX_NUMBER = Decimal(10) ** 18
MAX_DATE_FORMAT = 100
MAX_PADDING = 100

KINDS: Mapping[type, str] = {Client: "a client", Project: "a project", Invoice: "an invoice", OrgRef: "an Org"}
"""How messages name what a template got instead of text."""


class Refused(Exception):
    """What a template may not do, in words for its author."""


class Method:
    """A method of a value: can be called and nothing else."""

    __slots__ = ("_function", "_value", "name")

    def __init__(self, name: str, function: Callable[..., Any], value: object) -> None:
        self.name = name
        self._function = function
        self._value = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(self._value, *args, **kwargs)


class Unknown(StrictUndefined):
    """StrictUndefined whose message speaks of fields, not of Python's objects."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"there is no variable {self._undefined_name!r}"
        return f"{describe(self._undefined_obj)} has no field {self._undefined_name!r}"


def describe(value: object) -> str:
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "extra data"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, (int, Decimal)):
        return "a number"
    if isinstance(value, dt.date):
        return "a date"
    if isinstance(value, Method):
        return f"the method {value.name}"
    return KINDS.get(type(value), f"a {type(value).__name__.lower()}")


def fields_of(kind: type) -> frozenset[str]:
    """The fields of a record that templates may read; none of any other type."""
    return _FIELDS.get(kind, frozenset())


_FIELDS: Mapping[type, frozenset[str]] = {
    kind: frozenset(field.name for field in dataclasses.fields(kind))
    for kind in (
        Address,
        Client,
        Department,
        Invoice,
        InvoiceLine,
        OrgRef,
        Person,
        Project,
        QuoteItem,
        SalesOrder,
        Service,
        VatRate,
    )
}


def text_of(value: object) -> str:
    """``value`` as it is written into a document; nothing for None."""
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _bounded(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float, Decimal)):
        return f"{number_of(value):f}"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, dt.date):
        return value.isoformat()
    return _text_of_record(value)


def _text_of_record(value: object) -> str:
    if isinstance(value, Undefined):
        return str(value)  # raises, saying what there is not
    if isinstance(value, Address):
        parts = (value.line1, value.line2, value.town, value.county, value.postcode, value.country)
        return _bounded(", ".join(part for part in parts if part))
    if isinstance(value, Method):
        raise Refused(f"the method {value.name} needs brackets: {value.name}()")
    if isinstance(value, (list, tuple)):
        raise Refused("a list cannot be written as it is; use | join(', ')")
    names = sorted(fields_of(type(value)))
    hint = f"; name one of its fields: {', '.join(names)}" if names else ""
    raise Refused(f"{describe(value)} cannot be written as it is{hint}")


def _bounded(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise Refused(f"a text of {len(text):,} characters is too long (at most {MAX_TEXT:,}; cut it with [:100])")
    return text


def number_of(value: object) -> Decimal:
    if isinstance(value, Undefined):
        str(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise Refused(f"{describe(value)} is not a number")
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise Refused("a number is too large")
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite() or abs(number) > MAX_NUMBER:
        raise Refused("a number is too large")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -28:
        number = round(number, 28)
    return number


def _whole(value: object, *, at_most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= at_most:
        raise Refused(f"{text_of(value)} is not a whole number from 0 to {at_most:,}")
    return value


# What filters and methods do. Each takes the value first.


def _upper(value: object) -> str:
    return text_of(value).upper()


def _lower(value: object) -> str:
    return text_of(value).lower()


def _title(value: object) -> str:
    return text_of(value).title()


def _capitalize(value: object) -> str:
    return text_of(value).capitalize()


def _strip(value: object, characters: object = None) -> str:
    return text_of(value).strip(None if characters is None else text_of(characters))


def _lstrip(value: object, characters: object = None) -> str:
    return text_of(value).lstrip(None if characters is None else text_of(characters))


def _rstrip(value: object, characters: object = None) -> str:
    return text_of(value).rstrip(None if characters is None else text_of(characters))


def _replace(value: object, old: object, new: object, count: object = None) -> str:
    text, old_text, new_text = text_of(value), text_of(old), text_of(new)
    times = text.count(old_text)
    if count is not None:
        times = min(times, _whole(count, at_most=MAX_TEXT))
    if len(text) + times * (len(new_text) - len(old_text)) > MAX_TEXT:
        raise Refused(f"replacing makes a text of more than {MAX_TEXT:,} characters")
    return text.replace(old_text, new_text, times)


def _truncate(value: object, length: object = 255, end: object = "") -> str:
    text, ending, limit = text_of(value), text_of(end), _whole(length, at_most=MAX_TEXT)
    return text if len(text) <= limit else text[: max(0, limit - len(ending))] + ending[:limit]


def _split(value: object, separator: object = None) -> tuple[str, ...]:
    parts = text_of(value).split(None if separator is None else text_of(separator))
    return tuple(parts)


def _startswith(value: object, prefix: object) -> bool:
    return text_of(value).startswith(text_of(prefix))


def _endswith(value: object, suffix: object) -> bool:
    return text_of(value).endswith(text_of(suffix))


def _removeprefix(value: object, prefix: object) -> str:
    return text_of(value).removeprefix(text_of(prefix))


def _removesuffix(value: object, suffix: object) -> str:
    return text_of(value).removesuffix(text_of(suffix))


def _zfill(value: object, width: object) -> str:
    return text_of(value).zfill(_whole(width, at_most=MAX_PADDING))


def _join(value: object, separator: object = "") -> str:
    if isinstance(value, Undefined):
        str(value)
    if value is None:
        return ""
    if not isinstance(value, (list, tuple)):
        raise Refused(f"{describe(value)} is not a list")
    between = text_of(separator)
    parts: list[str] = []
    size = 0
    for item in value:
        part = text_of(item)
        size += len(part) + len(between)
        if size > MAX_TEXT + len(between):
            raise Refused(f"joining makes a text of more than {MAX_TEXT:,} characters")
        parts.append(part)
    return between.join(parts)


def _sized(value: object) -> str | list[object] | tuple[object, ...]:
    if isinstance(value, (list, tuple)):
        return value
    return text_of(value)


def _first(value: object) -> object:
    return next(iter(_sized(value)), "")


def _last(value: object) -> object:
    return next(reversed(_sized(value)), "")


def _length(value: object) -> int:
    return len(_sized(value))


def _int(value: object) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
            raise Refused(f"{value[:40]!r} is not a whole number")
        return int(value)
    return int(number_of(value))


def _round(value: object, digits: object = 0) -> Decimal:
    return round(number_of(value), _whole(digits, at_most=10))


def _abs(value: object) -> Decimal:
    return abs(number_of(value))


def _default(value: object, instead: object = "", boolean: object = False) -> object:
    if isinstance(value, Undefined) or value is None or (boolean and not value):
        return instead
    return value


_DIRECTIVE = re.compile(r"%-?[aAbBdmyYjHIpMSUWVGu]|%%")


def _date(value: object, form: object = "%Y-%m-%d") -> str:
    if isinstance(value, Undefined):
        str(value)
    if value is None:
        return ""
    if not isinstance(value, dt.date):
        raise Refused(f"{describe(value)} is not a date")
    pattern = text_of(form)
    if len(pattern) > MAX_DATE_FORMAT:
        raise Refused(f"a date format has at most {MAX_DATE_FORMAT} characters")
    # The C library pads as wide as the directive says (%1000000000d), so only plain directives reach it.
    if "%" in _DIRECTIVE.sub("", pattern):
        raise Refused(f"{pattern!r} is not a date format; use such as %d/%m/%Y or %B %Y")
    return value.strftime(pattern)


def concatenate(first: object, *rest: object) -> str:
    """Jinja's ``~``, which the environment cannot intercept; `templates` turns it into this filter."""
    return _join((first, *rest))


def cut(value: object, start: object, stop: object, step: object) -> object:
    """Jinja's ``value[start:stop:step]``, which it writes out as Python; `templates` turns it into this filter."""
    if value is None:
        return None
    if isinstance(value, Undefined):
        str(value)
    if not isinstance(value, (str, list, tuple)):
        raise Refused(f"{describe(value)} cannot be cut")
    return value[slice(_position(start), _position(stop), _position(step))]


def _position(value: object) -> int | None:
    if value is not None and not isinstance(value, int):
        raise Refused(f"{describe(value)} is not a whole number to cut at")
    return value


CONCATENATE = "~"
CUT = "[:]"
"""Names that no template can write, for what Jinja would do itself without a bound."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    "abs": _abs,
    "capitalize": _capitalize,
    "d": _default,
    "date": _date,
    "default": _default,
    "first": _first,
    "int": _int,
    "join": _join,
    "last": _last,
    "length": _length,
    "lower": _lower,
    "replace": _replace,
    "round": _round,
    "string": text_of,
    "title": _title,
    "trim": _strip,
    "truncate": _truncate,
    "upper": _upper,
}

TESTS: Mapping[str, Callable[..., Any]] = {
    "defined": tests.test_defined,
    "none": tests.test_none,
    "number": tests.test_number,
    "string": tests.test_string,
    "undefined": tests.test_undefined,
}

_TEXT_METHODS: Mapping[str, Callable[..., Any]] = {
    "capitalize": _capitalize,
    "endswith": _endswith,
    "lower": _lower,
    "lstrip": _lstrip,
    "removeprefix": _removeprefix,
    "removesuffix": _removesuffix,
    "replace": _replace,
    "rstrip": _rstrip,
    "split": _split,
    "startswith": _startswith,
    "strip": _strip,
    "title": _title,
    "upper": _upper,
    "zfill": _zfill,
}
_DATE_METHODS: Mapping[str, Callable[..., Any]] = {"isoformat": text_of, "strftime": _date}


def _get(value: object, key: object, instead: object = "") -> object:
    assert isinstance(value, Mapping)
    return value.get(text_of(key), instead)


_MAPPING_METHODS: Mapping[str, Callable[..., Any]] = {"get": _get}

METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: _TEXT_METHODS,
    dt.date: _DATE_METHODS,
    Mapping: _MAPPING_METHODS,
}
METHOD_NAMES = frozenset(name for methods in METHODS.values() for name in methods)


def method_of(value: object, name: str) -> Method | None:
    for kind, methods in METHODS.items():
        if isinstance(value, kind) and (function := methods.get(name)) is not None:
            return Method(name, function, value)
    return None
