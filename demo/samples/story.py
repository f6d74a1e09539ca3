"""What happens in the quarter: ordinary business, and every case the sync has to get right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final

from demo.samples import mishaps
from demo.samples.catalogue import (
    BOUNDARY,
    CA,
    CA_GST,
    CA_HST,
    CURRENCY,
    LIDAR,
    PEOPLE,
    POINT_CLOUD,
    SERVICES,
    TOPO,
    TRAVEL,
    UK,
    UK_REDUCED,
    UK_STANDARD,
    UK_ZERO,
    US,
    VIBRATION,
)
from demo.samples.clients import CLIENTS, WORKS, SampleClient
from demo.samples.delivery import delivered
from demo.samples.world import World, negated
from schemas.events import (
    Address,
    Client,
    Event,
    Invoice,
    InvoiceLine,
    InvoiceType,
    Kind,
    OrgRef,
    Project,
    SalesOrder,
    Step,
    VatRate,
)

_PROJECTS: Final = 66
_FIRST_REFERENCE: Final = {UK.id: 301, US.id: 1101, CA.id: 2101}
_STEPS: Final[tuple[tuple[Step, ...], ...]] = (
    (Step.APPROVED,),
    (Step.DRAFT, Step.APPROVED),
    (Step.APPROVED, Step.POSTED),
    (Step.DRAFT, Step.SUBMITTED, Step.APPROVED, Step.POSTED),
    (Step.POSTED,),
    (Step.SUBMITTED, Step.APPROVED),
)
"""The ways in which documents come to be approved, in turn."""


def sample_events() -> list[Event]:
    """All of it, in the order of delivery."""
    world = World()
    clients = [_client(world, one, number) for number, one in enumerate(CLIENTS)]
    projects = _projects(world, clients)
    invoices = _billing(world, projects)
    _changes_of_mind(world, clients, projects, invoices)
    _credits_and_voids(world, projects, invoices)
    _never_sent(world, projects)
    _unusual_clients(world)
    mishaps.happen(world, clients, projects)
    return delivered(world.events)


def _client(world: World, one: SampleClient, number: int) -> Client:
    handle = f"client{number + 1}.example"
    return world.create(
        Client(
            id=world.new_id(Kind.CLIENT),
            sequence=1,
            name=one.name,
            orgs=(one.org,),
            modified=world.now(),
            code=f"K{number + 1:03d}",
            type="Client",
            category=("Developer", "Public sector", "Contractor")[number % 3],
            email=f"office@{handle}",
            accounts_email=f"accounts@{handle}" if number % 4 else None,
            phone=f"+1 555 01{number:02d}",
            website=f"https://www.{handle}" if number % 2 else None,
            vat_number=f"GB{100000000 + number * 7919}" if one.country == "United Kingdom" else None,
            currency=one.currency,
            payment_days=14 if number % 9 == 4 else None,
            address=Address(one.line1, one.town, one.postcode, one.country, county=one.county),
            account_manager=PEOPLE[one.org.id][number % 2],
            notes="Framework agreement, rates reviewed each April." if number % 8 == 1 else None,
            tags=("framework",) if number % 8 == 1 else (),
            extra_data={"Region": one.county} if one.county and number % 3 == 0 else {},
        ),
        one.org,
    )


def _projects(world: World, clients: Sequence[Client]) -> list[Project]:
    """Some bill another client of the same Org and currency than the one they are done for."""
    projects = []
    references = dict(_FIRST_REFERENCE)
    for number in range(_PROJECTS):
        client = clients[number * 5 % len(clients)]
        org = client.orgs[0]
        payer = client
        if number % 11 == 7:
            payer = next(c for c in clients if c.orgs[0] == org and c.currency == client.currency and c is not client)
        reference = f"24-{references[org.id]:04d}"
        references[org.id] += 1
        projects.append(
            world.create(
                Project(
                    id=world.new_id(Kind.PROJECT),
                    sequence=1,
                    reference=reference,
                    name=WORKS[number * 7 % len(WORKS)],
                    org=org,
                    client=client,
                    billing_client=payer,
                    modified=world.now(),
                    category=("Scanning", "Topographic", "Monitoring")[number % 3],
                    phase=("Fieldwork", "Processing", None)[number % 3],
                    details="Access from the north gate only." if number % 6 == 2 else None,
                    address=client.address if number % 4 == 1 else None,
                    manager=PEOPLE[org.id][number % 2],
                    order_confirmation=f"PO {7000 + number * 13}" if number % 2 else None,
                    confirmation_details="Quote the PO on every invoice." if number % 10 == 3 else None,
                    tags=("night work",) if number % 12 == 5 else (),
                ),
                org,
            )
        )
    return projects


def _billing(world: World, projects: Sequence[Project]) -> list[Invoice]:
    """Three invoices a project, each on its way to being approved or posted."""
    invoices = []
    for round_ in range(3):
        for place, project in enumerate(projects):
            number = round_ * len(projects) + place
            steps = _STEPS[number % len(_STEPS)]
            invoice = world.bill(
                project.org,
                f"{project.reference}-{round_ + 1:02d}",
                _lines(world, project, number),
                project=project,
                step=steps[0],
                details=f"Works up to the end of month {round_ + 1}" if number % 5 == 0 else None,
                billing_start=dt.date(2026, 1 + round_, 1) if number % 3 == 0 else None,
                billing_end=dt.date(2026, 1 + round_, 28) if number % 3 == 0 else None,
                sales_order=SalesOrder(f"so-{number}", f"SO {4000 + number}") if number % 7 == 6 else None,
            )
            for step in steps[1:]:
                invoice = world.step(invoice, step)
            invoices.append(invoice)
    return invoices


def _lines(world: World, project: Project, number: int) -> list[InvoiceLine]:
    """One to four lines whose tax is the same to the cent, rounded by line or by rate."""
    service, other = SERVICES[number % len(SERVICES)], SERVICES[(number + 3) % len(SERVICES)]
    foreign = (project.billing_client.currency or CURRENCY[project.org.id]) != CURRENCY[project.org.id]
    rate = None
    if project.org == UK:
        rate = (None, UK_ZERO)[number % 2] if foreign else UK_STANDARD
    elif project.org == CA and not foreign:
        rate = CA_HST if project.billing_client.address and project.billing_client.address.county == "ON" else CA_GST
    price = 2400 + 400 * (number % 23)
    lines = [world.lump(f"{service.name}, lump sum", str(price), str(10 + 5 * (number % 9)), service, rate)]
    if number % 3 != 0:
        lines.append(world.units(f"{other.name}, per day", str(1 + number % 6), "day", "840", other, rate))
    if number % 4 == 1:
        lines.append(
            world.units(
                "Additional visit", "7.5", "h", "96", TOPO, rate, description="Return visit at the client's request"
            )
        )
    if number % 6 == 2:
        fourth = {UK.id: UK_ZERO, CA.id: None, US.id: None}[project.org.id]
        lines.append(world.units("Prints and media", "12", "sheet", "4.35", None, fourth))
    if number % 9 == 5 and project.org == UK and not foreign:
        lines.append(world.lump("Energy-saving survey", "1800", "50", VIBRATION, UK_REDUCED))
    if number % 10 == 4:
        lines.append(world.units("Mileage", "118", "mile", "0.45", TRAVEL, None))
    if number % 13 == 3 and rate in (None, UK_STANDARD):
        # 3.333 × 33.35 = 111.15555: the calculation rounds up, the person who billed it did not.
        lines.append(world.units("Point cloud storage", "3.333", "TB", "33.35", POINT_CLOUD, rate, net="111.15"))
    return lines


def _changes_of_mind(
    world: World, clients: Sequence[Client], projects: Sequence[Project], invoices: Sequence[Invoice]
) -> None:
    for client, name in (
        (clients[0], "Arkwright & Daughters Ltd"),
        (clients[16], "Cedar Ridge Communities LLC"),
        (clients[31], "Municipalité de Rivière-Noire"),
    ):
        world.change(world.client(client.id), client.orgs[0], name=name)
    moved = world.client(clients[4].id)
    world.change(moved, UK, address=Address("North Wing, Castle Street", "Durham", "DH1 3RW", "United Kingdom"))
    left = world.client(clients[24].id)
    world.change(left, US, phone=None, website=None)
    for number, words in (
        (3, "Station Roof, east side"),
        (20, "Wind Farm, all phases"),
        (41, "Mill Conversion & Annexe"),
    ):
        world.change(world.project(projects[number].id), projects[number].org, name=words)
    again = world.project(projects[8].id)
    for words in ("PO to follow", "PO 8123", "PO 8123/A"):
        again = world.change(again, again.org, order_confirmation=words)
    # Corrected after they were approved: another share, a line more, a line less, another text, another day.
    first = invoices[2]
    more = world.lump("LiDAR, lump sum", "6400", "45", LIDAR, first.lines[0].vat_rate)
    world.step(first, first.step, lines=(more, *first.lines[1:]))
    second = invoices[40]
    world.step(
        second,
        second.step,
        lines=(*second.lines, world.units("Site induction", "2", "h", "60", BOUNDARY, _rate(second))),
    )
    third = next(i for i in invoices[60:] if len(i.lines) > 2)
    world.step(third, third.step, lines=third.lines[:-1])
    world.step(invoices[75], invoices[75].step, details="Including the night shifts of the second week")
    world.step(invoices[90], invoices[90].step, due_date=invoices[90].due_date + dt.timedelta(days=30))
    world.step(invoices[10], invoices[10].step, details=None, sales_order=SalesOrder("so-9010", "SO 9010"))
    busy = invoices[120]
    for hours in range(1, 11):
        extra = world.units("Standby", str(hours), "h", "55", TRAVEL, _rate(busy))
        world.step(busy, busy.step, lines=(*busy.lines, extra))


def _rate(invoice: Invoice) -> VatRate | None:
    return invoice.lines[0].vat_rate


def _credits_and_voids(world: World, projects: Sequence[Project], invoices: Sequence[Invoice]) -> None:
    for number in (0, 1, 6, 12, 25, 33, 47, 58):
        billed = invoices[number]
        assert billed.project is not None
        world.bill(
            billed.org,
            f"{billed.project.reference}-C1",
            negated(billed.lines[:1]),
            project=billed.project,
            type=InvoiceType.CREDIT_NOTE,
            step=(Step.APPROVED, Step.POSTED)[number % 2],
            details=f"Credit for {billed.reference}",
        )
    for number in (5, 17, 52, 101, 150, 190):
        world.step(invoices[number], Step.VOIDED)
    credit = world.bill(
        projects[14].org,
        f"{projects[14].reference}-C2",
        negated(_lines(world, projects[14], 30)),
        project=projects[14],
        type=InvoiceType.CREDIT_NOTE,
    )
    world.step(credit, Step.VOIDED)
    draft = world.bill(
        projects[9].org,
        f"{projects[9].reference}-V1",
        _lines(world, projects[9], 21),
        project=projects[9],
        step=Step.DRAFT,
    )
    world.step(draft, Step.VOIDED)


def _never_sent(world: World, projects: Sequence[Project]) -> None:
    def bill(number: int, suffix: str, **more: object) -> Invoice:
        project = projects[number]
        lines = _lines(world, project, number)
        return world.bill(project.org, f"{project.reference}-{suffix}", lines, project=project, **more)  # type: ignore[arg-type]

    for number in (4, 19, 38):
        bill(number, "D1", step=Step.DRAFT)
    bill(23, "D2", step=Step.SUBMITTED)
    refused = bill(30, "D3", step=Step.SUBMITTED)
    world.step(refused, Step.REJECTED)
    for number in (11, 29, 44):
        bill(number, "X1", synchronize=False, step=(Step.APPROVED, Step.POSTED)[number % 2])
    for number in (7, 36):
        # Moved from one quote item to another: nothing is billed.
        project = projects[number]
        lines = [world.lump("Fieldwork", "4000", "25", LIDAR), world.lump("Processing", "4000", "-25", POINT_CLOUD)]
        world.bill(project.org, f"{project.reference}-J1", lines, project=project, type=InvoiceType.JOURNAL)
    gone = bill(50, "D4", step=Step.DRAFT)
    world.delete(world.invoice(gone.id), gone.org)
    gone = bill(3, "D5", step=Step.DRAFT)
    gone = world.step(gone, Step.DRAFT, details="Billed with the next one instead")
    world.delete(world.invoice(gone.id), gone.org)


def _unusual_clients(world: World) -> None:
    def client(name: str, *orgs: OrgRef, silent: bool = False, **more: object) -> Client:
        made = Client(world.new_id(Kind.CLIENT), 1, name, orgs, world.now(), email="bills@unusual.example", **more)  # type: ignore[arg-type]
        return world.create(made, orgs[0], silent=silent)

    def service(org: OrgRef) -> Callable[..., InvoiceLine]:
        rate = {UK.id: UK_STANDARD, CA.id: CA_GST, US.id: None}[org.id]
        return lambda name, price: world.lump(name, price, "100", TOPO, rate)

    shared = client("Atlantic Cable Consortium", UK, CA)
    for org, number in ((UK, 1), (CA, 2)):
        world.bill(org, f"ACC-{number:02d}", [service(org)("Landing site survey", "12400")], client=shared)
    # Heard of only inside their invoices: their own events never come.
    for org, name in ((UK, "Pendle Hill Observatory"), (US, "Sandhill Crane Trust"), (CA, "Fonderie Trois-Ponts")):
        hidden = client(name, org, silent=True)
        world.bill(org, f"{name.split()[0].upper()}-01", [service(org)("Site record", "3600")], client=hidden)
    # Renamed, and the rename comes with an invoice too, before its own event does or after.
    renamed = client("Larkfield Parish", UK)
    renamed = world.change(renamed, UK, silent=True, name="Larkfield & Ditton Parish")
    world.bill(UK, "LARK-01", [service(UK)("Churchyard survey", "2200")], client=renamed)
    # One who pays in pounds and, once, in euros.
    both = client("Channel Ports Survey Board", UK, currency="GBP")
    world.bill(UK, "CPSB-01", [service(UK)("Quay deformation", "8200")], client=both)
    world.bill(
        UK, "CPSB-02", [world.lump("Quay deformation", "9400", "50", LIDAR, UK_ZERO)], client=both, currency="EUR"
    )
    closed = client("Old Mill Cooperative", US)
    world.bill(US, "OLDMILL-01", [world.units("Boundary survey", "6", "h", "135.50", BOUNDARY)], client=closed)
    world.change(world.client(closed.id), US, inactive=dt.date(2026, 3, 1))
