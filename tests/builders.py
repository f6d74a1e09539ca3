"""Kompass records and events for tests, each with believable defaults."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

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
    Project,
    QuoteItem,
    Record,
    Service,
    Step,
    VatRate,
    kind_of,
)

UK_ORG = OrgRef("org-uk", "Meridian Geomatics Ltd")
MOMENT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SCANNING = Department("dep-1", "Scanning")
LIDAR = Service("svc-lidar", "LiDAR", SCANNING)
STANDARD = VatRate("vat-20", "Standard 20 %", Decimal("20"))

_event_numbers = itertools.count(1)


def client(
    id: str = "c1", *, sequence: int = 1, name: str | None = None, org: OrgRef = UK_ORG, **more: object
) -> Client:
    made = Client(
        id=id,
        sequence=sequence,
        name=name or f"Harbour & Sons {id}",
        orgs=(org,),
        modified=MOMENT,
        email=f"{id}@example.com",
        address=Address(line1="1 Quay Street", town="Bristol", postcode="BS1 4ST", country="United Kingdom"),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def project(
    id: str = "p1", *, sequence: int = 1, of: Client | None = None, org: OrgRef = UK_ORG, **more: object
) -> Project:
    owner = of or client(org=org)
    made = Project(
        id=id,
        sequence=sequence,
        reference=f"24-{id}",
        name=f"Survey {id}",
        org=org,
        client=owner,
        billing_client=owner,
        modified=MOMENT,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def line(
    net: str = "100.00", *, vat: VatRate | None = STANDARD, service: Service | None = LIDAR, position: int = 1,
    **more: object,
) -> InvoiceLine:  # fmt: skip
    amount = Decimal(net)
    made = InvoiceLine(
        id=f"line-{position}",
        position=position,
        quote_item=QuoteItem("qi-1", "Point cloud"),
        amount_net=amount,
        amount_vat=(amount * vat.rate / 100).quantize(Decimal("0.01")) if vat is not None else Decimal("0.00"),
        description=f"Survey work {position}",
        service=service,
        vat_rate=vat,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def invoice(
    id: str = "i1",
    *,
    sequence: int = 1,
    of: Project | None = None,
    lines: tuple[InvoiceLine, ...] | None = None,
    step: Step = Step.APPROVED,
    org: OrgRef = UK_ORG,
    **more: object,
) -> Invoice:
    owner = of or project(org=org)
    made_lines = lines or (line(),)
    net = sum((one.amount_net for one in made_lines), Decimal("0.00"))
    vat = sum((one.amount_vat for one in made_lines), Decimal("0.00"))
    made = Invoice(
        id=id,
        sequence=sequence,
        reference=f"INV-{id}",
        org=org,
        client=owner.client,
        project=owner,
        type=InvoiceType.INVOICE if net >= 0 else InvoiceType.CREDIT_NOTE,
        synchronize=True,
        step=step,
        date=dt.date(2026, 3, 1),
        due_date=dt.date(2026, 3, 31),
        currency="GBP",
        amount_net=net,
        amount_vat=vat,
        amount_gross=net + vat,
        lines=made_lines,
        modified=MOMENT,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def event(record: Record, *, action: Action = Action.UPDATE) -> Event:
    kind = kind_of(record)
    org_id = record.orgs[0].id if isinstance(record, Client) else record.org.id
    return Event(
        id=UUID(int=next(_event_numbers)),
        type=f"{kind.value}.{action.value}",
        resource=kind.value,
        action=action,
        created=MOMENT,
        metadata=Metadata(org_id=org_id, version=1),
        object=record,
    )


__all__ = ["Kind", "client", "event", "invoice", "line", "project"]
