"""Kompass's records and the events that carry them, as immutable objects.

Every record (client, project, invoice, also one carried inside another) has its own ``id`` and ``sequence``: the newest
sequence is the newest state, whatever the order in which events arrive. Money is `Decimal`, dates are `datetime.date`,
moments are aware UTC datetimes. The Avro form is in ``*.avsc`` beside this file; `schemas.codec` goes between the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What a record is; also the name of its topic (``kompass.<kind>s``) and of its consumer process."""

    CLIENT = "client"
    PROJECT = "project"
    INVOICE = "invoice"


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNKNOWN = "unknown"


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


@dataclass(frozen=True, slots=True)
class OrgRef:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Address:
    line1: str
    town: str
    postcode: str
    country: str
    line2: str | None = None
    county: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    id: str
    sequence: int
    name: str
    orgs: tuple[OrgRef, ...]
    modified: datetime
    code: str | None = None
    type: str | None = None
    category: str | None = None
    email: str | None = None
    accounts_email: str | None = None
    phone: str | None = None
    website: str | None = None
    vat_number: str | None = None
    currency: str | None = None
    payment_days: int | None = None
    address: Address | None = None
    account_manager: Person | None = None
    parent_id: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    extra_data: Mapping[str, str] = field(default_factory=dict)
    inactive: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    sequence: int
    reference: str
    name: str
    org: OrgRef
    client: Client
    billing_client: Client
    modified: datetime
    category: str | None = None
    phase: str | None = None
    details: str | None = None
    address: Address | None = None
    manager: Person | None = None
    order_confirmation: str | None = None
    confirmation_details: str | None = None
    tags: tuple[str, ...] = ()
    extra_data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Department:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Service:
    id: str
    name: str
    department: Department | None = None


@dataclass(frozen=True, slots=True)
class QuoteItem:
    """What a line bills a share of: a lump sum (``price``, billed by percentage) or a rate (billed by units)."""

    id: str
    name: str
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VatRate:
    id: str
    name: str
    rate: Decimal
    """Percent: ``Decimal("20")`` is 20 %."""


@dataclass(frozen=True, slots=True)
class SalesOrder:
    id: str
    reference: str


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    id: str
    position: int
    quote_item: QuoteItem
    amount_net: Decimal
    """Signed, authoritative: quantity and price are shown only when they reproduce it to the cent."""
    amount_vat: Decimal
    description: str | None = None
    service: Service | None = None
    percentage: Decimal | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    unit_price: Decimal | None = None
    vat_rate: VatRate | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    id: str
    sequence: int
    reference: str
    org: OrgRef
    client: Client
    type: InvoiceType
    synchronize: bool
    step: Step
    date: dt.date
    due_date: dt.date
    currency: str
    amount_net: Decimal
    amount_vat: Decimal
    amount_gross: Decimal
    lines: tuple[InvoiceLine, ...]
    modified: datetime
    project: Project | None = None
    details: str | None = None
    billing_start: dt.date | None = None
    billing_end: dt.date | None = None
    sales_order: SalesOrder | None = None


Record = Client | Project | Invoice


@dataclass(frozen=True, slots=True)
class Metadata:
    org_id: str
    version: int
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change, in the envelope of Kompass's webhooks."""

    id: UUID
    type: str
    """``client.create``, ``invoice.update``, …"""
    resource: str
    action: Action
    created: datetime
    metadata: Metadata
    object: Record


def kind_of(record: Record) -> Kind:
    if isinstance(record, Invoice):
        return Kind.INVOICE
    if isinstance(record, Project):
        return Kind.PROJECT
    return Kind.CLIENT
