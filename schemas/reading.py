"""Avro's bare values → events. Positional construction throughout: this runs for every field of every event.

The argument order is the order of the dataclasses in `schemas.events`; a test compares the two by name. A value that no
event can hold raises `Garbage` (or `ValueError`/`OverflowError`, which `schemas.codec` turns into it).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from schemas.errors import Garbage
from schemas.events import (
    Action,
    Address,
    Client,
    Department,
    Event,
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

SCALE = 6
"""Digits behind the point of every Avro decimal here: unit prices and quantities are finer than money."""
PRECISION = 19
LIMIT = 10**PRECISION
"""An unscaled decimal is smaller than this: up to 9,999,999,999,999.999999."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()

Raw = dict[str, Any]

_ACTIONS = {"create": Action.CREATE, "update": Action.UPDATE, "delete": Action.DELETE, "UNKNOWN": Action.UNKNOWN}
_TYPES = {member.value: member for member in InvoiceType}
_STEPS = {member.value: member for member in Step}


@lru_cache(maxsize=8192)
def money(raw: bytes) -> Decimal:
    """Millionths as an amount: two decimals, or as many more as it takes. The same number has always the same digits."""
    return shortest(unscaled(raw), at_least=2)


@lru_cache(maxsize=8192)
def number(raw: bytes) -> Decimal:
    """Millionths as a rate, percentage or quantity: no more decimals than it takes."""
    return shortest(unscaled(raw), at_least=0)


def unscaled(raw: bytes) -> int:
    """Big-endian two's complement, within the precision of the schema."""
    if len(raw) > 9:
        raise Garbage(f"A decimal has {len(raw)} bytes; {PRECISION} digits need 9 at most.")
    value = int.from_bytes(raw, "big", signed=True)
    if not -LIMIT < value < LIMIT:
        raise Garbage(f"A decimal has more than {PRECISION} digits.")
    return value


def whole(value: int) -> int:
    """An Avro int. fastavro reads as many bits as there are, and hands over what no int holds."""
    if not -(2**31) <= value < 2**31:
        raise Garbage(f"A whole number is {value}, which does not fit the 32 bits of its field.")
    return value


def shortest(millionths: int, *, at_least: int) -> Decimal:
    """The Decimal with `at_least` that many decimals, or as many more as it takes."""
    digits = SCALE
    while digits > at_least and millionths % 10 == 0:
        millionths //= 10
        digits -= 1
    return Decimal(millionths).scaleb(-digits)


@lru_cache(maxsize=8192)
def date(days: int) -> dt.date:
    return dt.date.fromordinal(_EPOCH_ORDINAL + days)


def moment(micros: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=micros)


def _money_or_none(raw: bytes | None) -> Decimal | None:
    return None if raw is None else money(raw)


def _number_or_none(raw: bytes | None) -> Decimal | None:
    return None if raw is None else number(raw)


def _date_or_none(days: int | None) -> dt.date | None:
    return None if days is None else date(days)


def event(raw: Raw, read_object: Callable[[Raw], Record]) -> Event:
    metadata = raw["metadata"]
    return Event(
        UUID(raw["id"]),
        raw["type"],
        raw["resource"],
        _ACTIONS[raw["action"]],
        moment(raw["created"]),
        Metadata(metadata["org_id"], whole(metadata["version"]), metadata["user_id"]),
        read_object(raw["object"]),
    )


def key(raw: Raw) -> str:
    """The id under which a record is kept."""
    value: str = raw["id"]
    if not value:
        raise Garbage("A record has an empty id; every client, project and invoice has one.")
    return value


def client(raw: Raw) -> Client:
    return Client(
        key(raw),
        raw["sequence"],
        raw["name"],
        tuple([OrgRef(org["id"], org["name"]) for org in raw["orgs"]]),
        moment(raw["modified"]),
        raw["code"],
        raw["type"],
        raw["category"],
        raw["email"],
        raw["accounts_email"],
        raw["phone"],
        raw["website"],
        raw["vat_number"],
        raw["currency"],
        None if raw["payment_days"] is None else whole(raw["payment_days"]),
        _address(raw["address"]),
        _person(raw["account_manager"]),
        raw["parent_id"],
        raw["notes"],
        tuple(raw["tags"]),
        raw["extra_data"],
        _date_or_none(raw["inactive"]),
    )


def project(raw: Raw) -> Project:
    org = raw["org"]
    raw_client, raw_billing = raw["client"], raw["billing_client"]
    the_client = client(raw_client)
    return Project(
        key(raw),
        raw["sequence"],
        raw["reference"],
        raw["name"],
        OrgRef(org["id"], org["name"]),
        the_client,
        the_client if raw_billing == raw_client else client(raw_billing),
        moment(raw["modified"]),
        raw["category"],
        raw["phase"],
        raw["details"],
        _address(raw["address"]),
        _person(raw["manager"]),
        raw["order_confirmation"],
        raw["confirmation_details"],
        tuple(raw["tags"]),
        raw["extra_data"],
    )


def invoice(raw: Raw) -> Invoice:
    org = raw["org"]
    raw_project = raw["project"]
    the_project = None if raw_project is None else project(raw_project)
    raw_client = raw["client"]
    # Mostly the invoice's client is its project's: comparing the two is cheaper than building one of them again.
    the_client = (
        the_project.client
        if the_project is not None and raw_project is not None and raw_project["client"] == raw_client
        else client(raw_client)
    )
    sales_order = raw["sales_order"]
    return Invoice(
        key(raw),
        raw["sequence"],
        raw["reference"],
        OrgRef(org["id"], org["name"]),
        the_client,
        _TYPES[raw["type"]],
        raw["synchronize"],
        _STEPS[raw["step"]],
        date(raw["date"]),
        date(raw["due_date"]),
        raw["currency"],
        money(raw["amount_net"]),
        money(raw["amount_vat"]),
        money(raw["amount_gross"]),
        tuple([_line(line) for line in raw["lines"]]),
        moment(raw["modified"]),
        the_project,
        raw["details"],
        _date_or_none(raw["billing_start"]),
        _date_or_none(raw["billing_end"]),
        None if sales_order is None else SalesOrder(sales_order["id"], sales_order["reference"]),
    )


READERS: dict[Kind, Callable[[Raw], Record]] = {Kind.CLIENT: client, Kind.PROJECT: project, Kind.INVOICE: invoice}


def _address(raw: Raw | None) -> Address | None:
    if raw is None:
        return None
    return Address(raw["line1"], raw["town"], raw["postcode"], raw["country"], raw["line2"], raw["county"])


def _person(raw: Raw | None) -> Person | None:
    return None if raw is None else Person(raw["id"], raw["name"], raw["email"])


def _line(raw: Raw) -> InvoiceLine:
    item, service, rate = raw["quote_item"], raw["service"], raw["vat_rate"]
    return InvoiceLine(
        raw["id"],
        whole(raw["position"]),
        QuoteItem(item["id"], item["name"], _money_or_none(item["price"])),
        money(raw["amount_net"]),
        money(raw["amount_vat"]),
        raw["description"],
        None if service is None else _service(service),
        _number_or_none(raw["percentage"]),
        _number_or_none(raw["quantity"]),
        raw["unit"],
        _money_or_none(raw["unit_price"]),
        None if rate is None else VatRate(rate["id"], rate["name"], number(rate["rate"])),
    )


def _service(raw: Raw) -> Service:
    department = raw["department"]
    return Service(
        raw["id"], raw["name"], None if department is None else Department(department["id"], department["name"])
    )
