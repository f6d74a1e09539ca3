"""What cannot be pushed, each for another reason; `demo.samples.rejected` lists them in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

from demo.samples.catalogue import (
    BOUNDARY,
    CA,
    CA_GST,
    LIDAR,
    STRUCTURAL,
    TOPO,
    UK,
    UK_STANDARD,
    UK_UNMAPPED,
    US,
    US_SALES_TAX,
)
from demo.samples.world import World
from schemas.events import Client, InvoiceType, Kind, Project


def happen(world: World, clients: Sequence[Client], projects: Sequence[Project]) -> None:
    _in_the_uk(world, clients)
    _in_the_usa(world, clients)
    _in_canada(world, clients, projects)


def _in_the_uk(world: World, clients: Sequence[Client]) -> None:
    lines = [world.lump("Façade scan", "5200", "50", LIDAR, UK_UNMAPPED)]
    world.bill(UK, "UK-VAT21-01", lines, client=clients[12])
    finer = world.lump("Level run", "1250", "10", TOPO, UK_STANDARD)
    finer = dataclasses.replace(finer, amount_net=Decimal("125.125"), amount_vat=Decimal("25.02"))
    world.bill(UK, "UK-FINE-01", [finer], client=clients[8])
    colon = world.create(
        Client(
            world.new_id(Kind.CLIENT), 1, "Thames Gateway: Phase 2 JV", (UK,), world.now(), email="jv@thames.example"
        ),
        UK,
    )
    project = world.create(
        Project(world.new_id(Kind.PROJECT), 1, "24-0390", "River Wall", UK, colon, colon, world.now()), UK
    )
    world.bill(UK, "24-0390-01", [world.lump("River wall", "7600", "30", STRUCTURAL, UK_STANDARD)], project=project)
    world.create(Client(world.new_id(Kind.CLIENT), 1, "Tall Crane Hire", (UK,), world.now(), type="Subcontractor"), UK)


def _in_the_usa(world: World, clients: Sequence[Client]) -> None:
    lines = [world.units("Boundary survey", "8", "h", "142.50", BOUNDARY)]
    world.bill(
        US, "US-SUM-01", lines, client=clients[17], amount_net=Decimal("1150.00"), amount_gross=Decimal("1150.00")
    )
    world.bill(US, "US-TAX-01", [world.lump("Scan", "4000", "100", LIDAR, US_SALES_TAX)], client=clients[18])
    text = "Daily log of the monitoring crew. " * 140
    world.bill(
        US, "US-TEXT-01", [world.lump("Monitoring", "3000", "100", STRUCTURAL, description=text)], client=clients[19]
    )


def _in_canada(world: World, clients: Sequence[Client], projects: Sequence[Project]) -> None:
    first = next(project for project in projects if project.reference == "24-2101")
    final = [world.lump("Final account", "9000", "10", TOPO, CA_GST)]
    world.bill(CA, "24-2101-FINAL-ACCOUNT-01", final, project=first)
    wrong = [world.lump("Correction", "600", "100", TOPO, CA_GST)]
    world.bill(CA, "CA-SIGN-01", wrong, client=clients[35], type=InvoiceType.CREDIT_NOTE)
    world.bill(CA, "CA-EMPTY-01", [], client=clients[36])
