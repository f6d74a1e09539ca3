"""Items that are stock, in three locales and with two processes: booked with a quantity, refused in words without one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from schemas.events import OrgRef, VatRate
from simulator.seeds import CANADA, UK, USA
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline

ORGS = {
    UK: ("org-uk", "Meridian Geomatics Ltd", "GBP", "20.0% S", Decimal(20)),
    CANADA: ("org-ca", "Borealis Mapping Inc", "CAD", "HST ON", Decimal(13)),
    USA: ("org-us", "Northstar", "USD", "", Decimal(0)),
}


def stock(pipeline: Pipeline, realm: str) -> None:
    """Make what every Org sells an item of stock, counted on 1 January."""

    def change(world: object) -> None:
        company = world.companies[realm]  # type: ignore[attr-defined]
        (item,) = [one for one in company.tables["Item"].values() if one["Name"] == "Surveying"]
        more = {"Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 50, "InvStartDate": "2026-01-01"}
        company.replace("Item", item, {**item, **more})

    pipeline.simulator.call(change)


@pytest.mark.parametrize("kind", ["Inventory", "NonInventory"])
def test_each_kind_of_item_ends_right_in_three_locales(opened: Callable[..., Pipeline], kind: str) -> None:
    one, two = opened(), opened()
    for realm, (org_id, name, currency, code, percent) in ORGS.items():
        if kind == "Inventory":
            stock(one, realm)
        one.link(org_id, name, realm=realm)
        if code:
            one.map_vat_rate("vat", code, org_id=org_id, realm=realm)
        org = OrgRef(org_id, name)
        vat = VatRate("vat", "VAT", percent) if code else None
        of = project(f"p-{org_id}", of=client(f"c-{org_id}", org=org, currency=currency), org=org)
        for number, counted in enumerate((True, True, False), start=1):
            quantity = {"quantity": Decimal(4), "unit_price": Decimal(25)} if counted else {}
            tax = (Decimal(100) * percent / 100).quantize(Decimal("0.01"))
            lines = (line("100.00", vat=vat, amount_vat=tax, **quantity),)
            said = invoice(f"{org_id}-{number}", of=of, lines=lines, org=org, currency=currency)
            (one, two)[number % 2].ingest(event(said))
    for _ in range(20):
        # Both processes claim before either of them sends.
        claims = [(process, process.claim()) for process in (one, two)]
        for process, claimed in claims:
            for realm, org_id in claimed.unready.items():
                process.jobs.prepare(org_id, realm)
            answers = process.answers(claimed.attempts)
            if answers:
                process.settle(*answers)
    for realm, (org_id, _, _, _, percent) in ORGS.items():
        links = {row.kompass_id: row for row in one.links(kind="invoice", org_id=org_id)}
        booked = {each["DocNumber"]: each["TotalAmt"] for each in one.objects("Invoice", realm)}
        counted = {f"INV-{org_id}-1", f"INV-{org_id}-2"}
        assert booked.keys() == (counted if kind == "Inventory" else counted | {f"INV-{org_id}-3"}), links
        assert set(booked.values()) == {100 + percent}
        assert links[f"{org_id}-3"].cause == ("stock-item" if kind == "Inventory" else "")
    failures = {row.message for row in one.rows("qbo_failure")}
    wanted = "counts one of its items as stock and does not take the line (QuickBooks says: Quantity required"
    assert len(failures) == (3 if kind == "Inventory" else 0)
    assert all(wanted in message for message in failures)
