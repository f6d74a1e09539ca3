"""One event of each kind with every field filled, built by hand so that no code under test had a part in it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest

from schemas.codec import Codec
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

NOON = dt.datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=dt.UTC)
ORG = OrgRef("org-uk", "Meridian Geomatics Ltd")
ADDRESS = Address("1 High Street", "Leeds", "LS1 4AP", "United Kingdom", "Floor 2", "West Yorkshire")
PERSON = Person("e-7", "Síofra O'Neill", "siofra@example.com")
CLIENT = Client(
    "4711",
    3,
    "O'Neill & Söhne",
    (ORG, OrgRef("org-us", "Northstar Surveys Inc")),
    NOON,
    "ONS",
    "Client",
    "Developer",
    "office@example.com",
    "accounts@example.com",
    "+44 113 496 0000",
    "https://example.com",
    "GB123456789",
    "GBP",
    30,
    ADDRESS,
    PERSON,
    "4000",
    "Pays late.",
    ("vip", "north"),
    {"Framework": "NH-2"},
    dt.date(2026, 6, 30),
)
BILLED = dataclasses.replace(CLIENT, id="4712", name="Payer plc", tags=(), extra_data={}, inactive=None)
PROJECT = Project(
    "p-1",
    12,
    "24-0329",
    "Canal Bridge",
    ORG,
    CLIENT,
    BILLED,
    NOON,
    "Scanning",
    "Fieldwork",
    "Night work only.",
    ADDRESS,
    PERSON,
    "PO 7781",
    "Quote on every invoice",
    ("night",),
    {"Site": "B"},
)
LINE = InvoiceLine(
    "l-1",
    1,
    QuoteItem("q-1", "Survey", Decimal("10000.00")),
    Decimal("3500.00"),
    Decimal("700.00"),
    "Stage 1",
    Service("s-1", "LiDAR", Department("d-1", "Scanning")),
    Decimal("35"),
    Decimal("2.5"),
    "day",
    Decimal("1400.00"),
    VatRate("v-20", "Standard 20 %", Decimal("20")),
)
BARE_LINE = InvoiceLine("l-2", 2, QuoteItem("q-2", "Travel"), Decimal("-0.01"), Decimal("0.00"))
INVOICE = Invoice(
    "i-1",
    9_000_000_000,
    "24-0329-01",
    ORG,
    CLIENT,
    InvoiceType.INVOICE,
    True,
    Step.APPROVED,
    dt.date(2026, 3, 1),
    dt.date(2026, 3, 31),
    "GBP",
    Decimal("3499.99"),
    Decimal("700.00"),
    Decimal("4199.99"),
    (LINE, BARE_LINE),
    NOON,
    PROJECT,
    "For work in February",
    dt.date(2026, 2, 1),
    dt.date(2026, 2, 28),
    SalesOrder("so-1", "SO 99"),
)


def event_of(record: Record, kind: Kind, action: Action = Action.UPDATE) -> Event:
    return Event(
        UUID("2f1d6c1e-6a41-4c8b-9d0e-0a7c6f5b4d3e"),
        f"{kind}.{action}",
        kind.value,
        action,
        NOON,
        Metadata("org-uk", 1, "u-5"),
        record,
    )


FULL = {
    Kind.CLIENT: event_of(CLIENT, Kind.CLIENT),
    Kind.PROJECT: event_of(PROJECT, Kind.PROJECT),
    Kind.INVOICE: event_of(INVOICE, Kind.INVOICE),
}


@pytest.fixture(scope="session")
def codec() -> Codec:
    return Codec()


@pytest.fixture(params=list(Kind))
def kind(request: pytest.FixtureRequest) -> Kind:
    assert isinstance(request.param, Kind)
    return request.param


@pytest.fixture
def full(kind: Kind) -> Event:
    """An event of `kind` in which no field is left at its default."""
    return FULL[kind]


@pytest.fixture(scope="session")
def events() -> dict[Kind, Event]:
    return FULL


@pytest.fixture
def bare() -> Event:
    """An invoice event with nothing but what is required."""
    client = Client("1", 1, "A", (), NOON)
    invoice = dataclasses.replace(
        INVOICE,
        client=client,
        project=None,
        details=None,
        billing_start=None,
        billing_end=None,
        sales_order=None,
        lines=(BARE_LINE,),
    )
    return dataclasses.replace(event_of(invoice, Kind.INVOICE), metadata=Metadata("org-uk", 1))
