"""A project and an invoice are linked by hand to what QuickBooks has, as a client is to a customer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from simulator import bookkeeper
from simulator.seeds import UK
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section

ROOT = "/admin/quickbooks_online/"


def edit(section: Section, **wanted: Any) -> Any:
    return section.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))[0]


def test_they_stand_for_what_was_there_and_say_why_not_otherwise(section: Section) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    job, payer = pipeline.one("project", "p1"), pipeline.one("client", "c1")
    made = edit(section, action="project", name="24-p1 Project", customer=payer.qbo_id)
    ada = section.person(group=True)
    where = f"{ROOT}project/{job.id}/"
    assert "Link by hand" in ada.get(f"{where}change/").content.decode()
    for wrong, said in (("x", "such as 145"), ("999", "QuickBooks has no sub-customer"), (payer.qbo_id, "has no sub")):
        answer = ada.post(f"{where}link-existing/", {"qbo_id": wrong}, follow=True)
        assert said in answer.content.decode()
    answer = ada.post(f"{where}link-existing/", {"qbo_id": made["Id"]}, follow=True)
    assert "is linked to 24-p1 Project" in answer.content.decode()
    pipeline.drive()
    assert (pipeline.one("project", "p1").qbo_id, pipeline.one("project", "p1").state) == (made["Id"], "synced")

    line = {"Amount": Decimal(100), "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": {"value": pipeline.object_id(UK, "Item", "Surveying")},
                                    "TaxCodeRef": {"value": pipeline.object_id(UK, "TaxCode", "20.0% S")}}}  # fmt: skip
    typed = edit(
        section, action="create", entity="Invoice",
        members={"DocNumber": "INV-i2", "CustomerRef": {"value": payer.qbo_id}, "Line": [line],
                 "CurrencyRef": {"value": "GBP"}, "GlobalTaxCalculation": "TaxExcluded"},
    )  # fmt: skip
    pipeline.ingest(event(invoice("i2")))
    pipeline.drive()
    taken = pipeline.one("invoice", "i2")
    assert taken.cause == "number-taken"
    where = f"{ROOT}invoice/{taken.id}/"
    ours = pipeline.one("invoice", "i1").qbo_id
    assert "of Kompass already" in ada.post(f"{where}link-existing/", {"qbo_id": ours}, follow=True).content.decode()
    ada.post(f"{where}link-existing/", {"qbo_id": typed["Id"]})
    pipeline.drive()
    found = pipeline.one("invoice", "i2")
    assert (found.state, found.qbo_id) == ("synced", typed["Id"])
    assert [row.cause for row in pipeline.rows("qbo_failure") if row.closed_at is None] == []
