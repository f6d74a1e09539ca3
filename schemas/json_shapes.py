"""The records of `schemas.events` as JSON objects: one table a type, in the order of the dataclass.

A member that is null or empty is left out when written and may be left out when read; any other missing member, and any
that is not known, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from schemas import json_values as values
from schemas.errors import BadRecord
from schemas.events import (
    Action,
    Address,
    Client,
    Department,
    Invoice,
    InvoiceLine,
    InvoiceType,
    Kind,
    Metadata,
    OrgRef,
    Person,
    Project,
    QuoteItem,
    Record,
    SalesOrder,
    Service,
    Step,
    VatRate,
)

T = TypeVar("T")
Read = Callable[[Any], Any]
Write = Callable[[Any], Any] | None
"""None: the value is written as it is."""

_MISSING: Final = object()
_REQUIRED: Final = object()


class Member:
    """One member of an object: how it is read and written, and what stands for it when it is missing."""

    __slots__ = ("default", "name", "read", "write")

    def __init__(self, name: str, read: Read, write: Write = None, default: object = _REQUIRED) -> None:
        self.name = name
        self.read = read
        self.write = write
        self.default = default


class Shape(Generic[T]):
    """Reads and writes objects of one type."""

    def __init__(self, build: Callable[..., T], *members: Member) -> None:
        self.members = members
        self._build = build
        self._names = frozenset(member.name for member in members)
        self._readers = tuple((member.name, member.read, member.default) for member in members)
        self._writers = tuple((member.name, member.write) for member in members)

    def read(self, value: object) -> T:
        """The object in `value`; raises `BadRecord` with the path to what is wrong."""
        if type(value) is not dict:
            raise BadRecord(f"{values.shown(value)} is not an object; write one with {self._required()}.")
        arguments: list[Any] = []
        found = 0
        for name, read, default in self._readers:
            raw = value.get(name, _MISSING)
            if raw is _MISSING:
                if default is _REQUIRED:
                    raise BadRecord("is missing; add it.", name)
                arguments.append(dict(default) if type(default) is dict else default)
                continue
            found += 1
            if raw is None and default is None:
                arguments.append(None)
                continue
            try:
                arguments.append(read(raw))
            except BadRecord as error:
                raise error.inside(name) from None
        if found != len(value):
            unknown = next(name for name in value if name not in self._names)
            raise BadRecord(
                f"is not known here (the value is {values.shown(value[unknown])}); remove it, or correct its name.",
                str(unknown),
            )
        return self._build(*arguments)

    def write(self, record: T) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for name, write in self._writers:
            value = getattr(record, name)
            # By its type: a Decimal that is asked whether it equals () takes as long as all else here.
            if value is None or (not value and type(value) in _COLLECTIONS):
                if name in _KEPT:
                    result[name] = []
                continue
            try:
                result[name] = value if write is None else write(value)
            except BadRecord as error:
                raise error.inside(name) from None
        return result

    def _required(self) -> str:
        return ", ".join(member.name for member in self.members if member.default is _REQUIRED)


_COLLECTIONS: Final = (tuple, dict)
_KEPT: Final = frozenset({"orgs", "lines"})
"""Lists that are required, and so stand there even when they are empty."""


def _many(shape: Shape[T]) -> tuple[Read, Write]:
    def read(value: object) -> tuple[T, ...]:
        if type(value) is not list:
            raise BadRecord(f"{values.shown(value)} is not a list; write one of objects.")
        items: list[T] = []
        for item in value:
            try:
                items.append(shape.read(item))
            except BadRecord as error:
                raise error.inside(f"[{len(items)}]") from None
        return tuple(items)

    def write(items: tuple[T, ...]) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for item in items:
            try:
                written.append(shape.write(item))
            except BadRecord as error:
                raise error.inside(f"[{len(written)}]") from None
        return written

    return read, write


def _one(name: str, shape: Shape[Any], default: object = _REQUIRED) -> Member:
    return Member(name, shape.read, shape.write, default)


def _text(name: str) -> Member:
    return Member(name, values.text, None, None)


def _money(name: str, default: object = _REQUIRED) -> Member:
    return Member(name, values.money, values.money_text, default)


def _number(name: str, default: object = _REQUIRED) -> Member:
    return Member(name, values.number, values.number_text, default)


def _date(name: str, default: object = _REQUIRED) -> Member:
    return Member(name, values.date, values.date_text, default)


def _value_of(member: Any) -> Any:
    return member.value


_ID = Member("id", values.identifier)
_KEY = Member("id", values.key)
_NAME = Member("name", values.text)
_SEQUENCE = Member("sequence", values.whole(64))
_MODIFIED = Member("modified", values.moment, values.moment_text)
_TAGS = Member("tags", values.texts, list, ())
_EXTRA = Member("extra_data", values.text_by_name, dict, {})

ORG = Shape(OrgRef, _ID, _NAME)
ADDRESS = Shape(
    Address,
    Member("line1", values.text),
    Member("town", values.text),
    Member("postcode", values.text),
    Member("country", values.text),
    _text("line2"),
    _text("county"),
)
PERSON = Shape(Person, _ID, _NAME, _text("email"))
CLIENT = Shape(
    Client,
    _KEY,
    _SEQUENCE,
    _NAME,
    Member("orgs", *_many(ORG)),
    _MODIFIED,
    _text("code"),
    _text("type"),
    _text("category"),
    _text("email"),
    _text("accounts_email"),
    _text("phone"),
    _text("website"),
    _text("vat_number"),
    _text("currency"),
    Member("payment_days", values.whole(32), None, None),
    _one("address", ADDRESS, None),
    _one("account_manager", PERSON, None),
    Member("parent_id", values.identifier, None, None),
    _text("notes"),
    _TAGS,
    _EXTRA,
    _date("inactive", None),
)
PROJECT = Shape(
    Project,
    _KEY,
    _SEQUENCE,
    Member("reference", values.text),
    _NAME,
    _one("org", ORG),
    _one("client", CLIENT),
    _one("billing_client", CLIENT),
    _MODIFIED,
    _text("category"),
    _text("phase"),
    _text("details"),
    _one("address", ADDRESS, None),
    _one("manager", PERSON, None),
    _text("order_confirmation"),
    _text("confirmation_details"),
    _TAGS,
    _EXTRA,
)
DEPARTMENT = Shape(Department, _ID, _NAME)
SERVICE = Shape(Service, _ID, _NAME, _one("department", DEPARTMENT, None))
QUOTE_ITEM = Shape(QuoteItem, _ID, _NAME, _money("price", None))
VAT_RATE = Shape(VatRate, _ID, _NAME, _number("rate"))
SALES_ORDER = Shape(SalesOrder, _ID, Member("reference", values.text))
LINE = Shape(
    InvoiceLine,
    _ID,
    Member("position", values.whole(32)),
    _one("quote_item", QUOTE_ITEM),
    _money("amount_net"),
    _money("amount_vat"),
    _text("description"),
    _one("service", SERVICE, None),
    _number("percentage", None),
    _number("quantity", None),
    _text("unit"),
    _money("unit_price", None),
    _one("vat_rate", VAT_RATE, None),
)
INVOICE = Shape(
    Invoice,
    _KEY,
    _SEQUENCE,
    Member("reference", values.text),
    _one("org", ORG),
    _one("client", CLIENT),
    Member("type", values.one_of(InvoiceType), _value_of),
    Member("synchronize", values.boolean),
    Member("step", values.one_of(Step), _value_of),
    _date("date"),
    _date("due_date"),
    Member("currency", values.text),
    _money("amount_net"),
    _money("amount_vat"),
    _money("amount_gross"),
    Member("lines", *_many(LINE)),
    _MODIFIED,
    _one("project", PROJECT, None),
    _text("details"),
    _date("billing_start", None),
    _date("billing_end", None),
    _one("sales_order", SALES_ORDER, None),
)
METADATA = Shape(
    Metadata,
    Member("org_id", values.key),
    Member("version", values.whole(32)),
    Member("user_id", values.identifier, None, None),
)
RECORDS: Mapping[Kind, Shape[Any]] = {Kind.CLIENT: CLIENT, Kind.PROJECT: PROJECT, Kind.INVOICE: INVOICE}


def envelope(record: Shape[Record], build: Callable[..., T]) -> Shape[T]:
    """The event around one kind of record."""
    return Shape(
        build,
        Member("id", values.uuid, str),
        Member("type", values.text),
        Member("resource", values.text),
        Member("action", values.one_of(Action), _value_of),
        Member("created", values.moment, values.moment_text),
        _one("metadata", METADATA),
        _one("object", record),
    )
