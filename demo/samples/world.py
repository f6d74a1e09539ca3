"""Kompass as far as the sample needs it: keeps the newest state of each record and says an event for each change."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypeVar
from uuid import UUID, uuid5

from demo.samples.catalogue import CURRENCY, PAYMENT_DAYS
from schemas.events import (
    Action,
    Client,
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

_START: Final = dt.datetime(2026, 1, 5, 8, 0, tzinfo=dt.UTC)
_BETWEEN: Final = dt.timedelta(minutes=11)
_NAMESPACE: Final = UUID("5b1f3c1e-8f0f-4a51-9d56-8b5f0e9d3a77")
CENT: Final = Decimal("0.01")

R = TypeVar("R", Client, Project, Invoice)


class World:
    """The records by kind and id, and the events in the order in which they were said."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._records: dict[tuple[Kind, str], Record] = {}
        self._changes = 0
        self._ids = {Kind.CLIENT: 1000, Kind.PROJECT: 2000, Kind.INVOICE: 30000}
        self._parts = 0

    def new_id(self, kind: Kind) -> str:
        self._ids[kind] += 1
        return str(self._ids[kind])

    def part_id(self) -> str:
        """For lines and quote items."""
        self._parts += 1
        return str(500000 + self._parts)

    def now(self) -> dt.datetime:
        return _START + self._changes * _BETWEEN

    def client(self, client_id: str) -> Client:
        found = self._records[Kind.CLIENT, client_id]
        assert isinstance(found, Client)
        return found

    def project(self, project_id: str) -> Project:
        found = self._records[Kind.PROJECT, project_id]
        assert isinstance(found, Project)
        return found

    def invoice(self, invoice_id: str) -> Invoice:
        found = self._records[Kind.INVOICE, invoice_id]
        assert isinstance(found, Invoice)
        return found

    def create(self, record: R, org: OrgRef, *, silent: bool = False) -> R:
        return self._say(record, org, Action.CREATE, silent=silent)

    def change(self, record: R, org: OrgRef, *, silent: bool = False, **changes: Any) -> R:
        """`record` with its next sequence. A silent change is heard of only where the record is carried inside another."""
        changed = dataclasses.replace(record, sequence=record.sequence + 1, **changes)
        return self._say(changed, org, Action.UPDATE, silent=silent)

    def delete(self, record: R, org: OrgRef) -> None:
        self._say(dataclasses.replace(record, sequence=record.sequence + 1), org, Action.DELETE)

    def _say(self, record: R, org: OrgRef, action: Action, *, silent: bool = False) -> R:
        self._changes += 1
        record = dataclasses.replace(record, modified=self.now())
        kind = kind_of(record)
        self._records[kind, record.id] = record
        if not silent:
            self.events.append(
                Event(
                    id=uuid5(_NAMESPACE, str(self._changes)),
                    type=f"{kind}.{action}",
                    resource=kind.value,
                    action=action,
                    created=self.now(),
                    metadata=Metadata(org_id=org.id, version=1, user_id=f"u-{self._changes % 7 + 1}"),
                    object=record,
                )
            )
        return record

    def lump(
        self, name: str, price: str, percentage: str, service: Service | None, rate: VatRate | None = None, **more: Any
    ) -> InvoiceLine:
        """A share of a lump sum."""
        net = (Decimal(price) * Decimal(percentage) / 100).quantize(CENT, ROUND_HALF_UP)
        item = QuoteItem(self.part_id(), name, Decimal(price))
        return self._line(item, net, service, rate, percentage=Decimal(percentage), **more)

    def units(
        self,
        name: str,
        quantity: str,
        unit: str,
        price: str,
        service: Service | None,
        rate: VatRate | None = None,
        *,
        net: str | None = None,
        **more: Any,
    ) -> InvoiceLine:
        """So many units of a rate; `net` where the person who billed it rounded otherwise."""
        amount = Decimal(net) if net else (Decimal(quantity) * Decimal(price)).quantize(CENT, ROUND_HALF_UP)
        item = QuoteItem(self.part_id(), name, Decimal(price))
        return self._line(
            item, amount, service, rate, quantity=Decimal(quantity), unit=unit, unit_price=Decimal(price), **more
        )

    def _line(
        self, item: QuoteItem, net: Decimal, service: Service | None, rate: VatRate | None, **more: Any
    ) -> InvoiceLine:
        vat = Decimal("0.00") if rate is None else (net * rate.rate / 100).quantize(CENT, ROUND_HALF_UP)
        return InvoiceLine(
            id=self.part_id(),
            position=0,
            quote_item=item,
            amount_net=net,
            amount_vat=vat,
            service=service,
            vat_rate=rate,
            **more,
        )

    def bill(
        self,
        org: OrgRef,
        reference: str,
        lines: Iterable[InvoiceLine],
        *,
        client: Client | None = None,
        project: Project | None = None,
        step: Step = Step.APPROVED,
        **more: Any,
    ) -> Invoice:
        """A new invoice (or another ``type``) on today's date, said as created."""
        placed = placed_lines(lines)
        if project is not None:
            project = self.project(project.id)
        billed = client if project is None else project.client
        assert billed is not None
        day = self.now().date()
        more.setdefault("type", InvoiceType.INVOICE)
        more.setdefault("currency", self._currency(org, client if project is None else project.billing_client))
        more.setdefault("synchronize", True)
        for name, value in totals(placed).items():
            more.setdefault(name, value)
        invoice = Invoice(
            id=self.new_id(Kind.INVOICE),
            sequence=1,
            reference=reference,
            org=org,
            client=self.client(billed.id),
            step=step,
            date=day,
            due_date=day + dt.timedelta(days=PAYMENT_DAYS[org.id]),
            lines=placed,
            modified=self.now(),
            project=project,
            **more,
        )
        return self.create(invoice, org)

    def step(self, invoice: Invoice, step: Step, **changes: Any) -> Invoice:
        """The invoice one step on, with other changes made at the same time."""
        if "lines" in changes:
            changes["lines"] = placed_lines(changes["lines"])
            changes |= totals(changes["lines"])
        newest = self.invoice(invoice.id)
        changes["client"] = self.client(newest.client.id)
        changes["project"] = None if newest.project is None else self.project(newest.project.id)
        return self.change(newest, invoice.org, step=step, **changes)

    @staticmethod
    def _currency(org: OrgRef, payer: Client | None) -> str:
        return (payer.currency if payer is not None else None) or CURRENCY[org.id]


def placed_lines(lines: Iterable[InvoiceLine]) -> tuple[InvoiceLine, ...]:
    return tuple(dataclasses.replace(line, position=number) for number, line in enumerate(lines, start=1))


def totals(lines: tuple[InvoiceLine, ...]) -> dict[str, Decimal]:
    net = sum((line.amount_net for line in lines), Decimal("0.00"))
    vat = sum((line.amount_vat for line in lines), Decimal("0.00"))
    return {"amount_net": net, "amount_vat": vat, "amount_gross": net + vat}


def negated(lines: Iterable[InvoiceLine]) -> list[InvoiceLine]:
    """The lines of a credit note: amounts, percentages and quantities below zero."""

    def turned(value: Decimal | None) -> Decimal | None:
        return None if value is None else -value

    return [
        dataclasses.replace(
            line,
            amount_net=-line.amount_net,
            amount_vat=-line.amount_vat,
            percentage=turned(line.percentage),
            quantity=turned(line.quantity),
        )
        for line in lines
    ]
