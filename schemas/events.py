"""Kompass's records and the events that carry them, as immutable typed objects.

Every record (client, project, invoice, also one carried inside another) has its own ``id`` and ``sequence``: the newest
sequence is the newest state, in any order of arrival. Money is `Decimal`, dates are `datetime.date`,
moments are aware UTC datetimes.

These classes are the only transcription of ``*.avsc`` beside this file: `schemas.values` converts Avro and JSON to them and
back by their annotations. A test compares both sides, member by member and type by type.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from schemas.types import Day, Id, Key, Moment, Money, Number, Whole32, Whole64


class Kind(StrEnum):
    """What a record is; also the name of its topic (``kompass.<kind>s``) and of its consumer process."""

    CLIENT = "client"
    PROJECT = "project"
    INVOICE = "invoice"


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNKNOWN = "UNKNOWN"


class InvoiceType(StrEnum):
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"
    JOURNAL = "JOURNAL"
    UNKNOWN = "UNKNOWN"


class Step(StrEnum):
    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    POSTED = "POSTED"
    VOIDED = "VOIDED"
    UNKNOWN = "UNKNOWN"


class Typed(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """Base of all records and their parts.

    `dataclasses.replace` and `dataclasses.fields` take them, too. No object here refers back to its owner, so the garbage
    collector need not watch them.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


class OrgRef(Typed, frozen=True):
    id: Id
    name: str


class Address(Typed, frozen=True):
    line1: str
    town: str
    postcode: str
    country: str
    line2: str | None = None
    county: str | None = None


class Person(Typed, frozen=True):
    id: Id
    name: str
    email: str | None = None


class Client(Typed, frozen=True):
    id: Key
    sequence: Whole64
    name: str
    orgs: tuple[OrgRef, ...]
    modified: Moment
    code: str | None = None
    type: str | None = None
    category: str | None = None
    email: str | None = None
    accounts_email: str | None = None
    phone: str | None = None
    website: str | None = None
    vat_number: str | None = None
    currency: str | None = None
    payment_days: Whole32 | None = None
    address: Address | None = None
    account_manager: Person | None = None
    parent_id: Id | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    extra_data: Mapping[str, str] = msgspec.field(default_factory=dict)
    inactive: Day | None = None


class Project(Typed, frozen=True):
    id: Key
    sequence: Whole64
    reference: str
    name: str
    org: OrgRef
    client: Client
    billing_client: Client
    modified: Moment
    category: str | None = None
    phase: str | None = None
    details: str | None = None
    address: Address | None = None
    manager: Person | None = None
    order_confirmation: str | None = None
    confirmation_details: str | None = None
    tags: tuple[str, ...] = ()
    extra_data: Mapping[str, str] = msgspec.field(default_factory=dict)


class Department(Typed, frozen=True):
    id: Id
    name: str


class Service(Typed, frozen=True):
    id: Id
    name: str
    department: Department | None = None


class QuoteItem(Typed, frozen=True):
    """What a line bills a share of: a lump sum (``price``, billed by percentage) or a rate (billed by units)."""

    id: Id
    name: str
    price: Money | None = None


class VatRate(Typed, frozen=True):
    id: Id
    name: str
    rate: Number
    """Percent: ``Decimal("20")`` is 20 %."""


class SalesOrder(Typed, frozen=True):
    id: Id
    reference: str


class InvoiceLine(Typed, frozen=True):
    id: Id
    position: Whole32
    quote_item: QuoteItem
    amount_net: Money
    """Signed, authoritative: quantity and price are shown only when they reproduce it to the cent."""
    amount_vat: Money
    description: str | None = None
    service: Service | None = None
    percentage: Number | None = None
    quantity: Number | None = None
    unit: str | None = None
    unit_price: Money | None = None
    vat_rate: VatRate | None = None


class Invoice(Typed, frozen=True):
    id: Key
    sequence: Whole64
    reference: str
    org: OrgRef
    client: Client
    type: InvoiceType
    synchronize: bool
    step: Step
    date: Day
    due_date: Day
    currency: str
    amount_net: Money
    amount_vat: Money
    amount_gross: Money
    lines: tuple[InvoiceLine, ...]
    modified: Moment
    project: Project | None = None
    details: str | None = None
    billing_start: Day | None = None
    billing_end: Day | None = None
    sales_order: SalesOrder | None = None


Record = Client | Project | Invoice


class Metadata(Typed, frozen=True):
    org_id: Id
    version: Whole32
    user_id: Id | None = None


class Event(Typed, frozen=True):
    """One change, in the envelope of Kompass's webhooks."""

    id: UUID
    type: str
    """``client.create``, ``invoice.update``, …"""
    resource: str
    action: Action
    created: Moment
    metadata: Metadata
    object: Record


def reference_of(record: Record) -> str:
    """Give what people call a record by: a client's name, else the reference."""
    return record.name if isinstance(record, Client) else record.reference


def kind_of(record: Record) -> Kind:
    if isinstance(record, Invoice):
        return Kind.INVOICE
    if isinstance(record, Project):
        return Kind.PROJECT
    return Kind.CLIENT


def _dataclass_fields(kind: type[Typed]) -> dict[str, dataclasses.Field[Any]]:
    required = len(kind.__struct_fields__) - len(kind.__struct_defaults__)
    members = [
        (
            name,
            kind.__annotations__[name],
            dataclasses.field() if number < required else dataclasses.field(default=None),
        )
        for number, name in enumerate(kind.__struct_fields__)
    ]
    made = dataclasses.make_dataclass(kind.__name__, members)
    return {field.name: field for field in dataclasses.fields(made)}


for _kind in Typed.__subclasses__():
    _kind.__dataclass_fields__ = _dataclass_fields(_kind)
