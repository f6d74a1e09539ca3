"""A client, a project and an invoice are linked by hand to what QuickBooks has."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import Any

from simulator import bookkeeper
from simulator.seeds import UK
from tests.builders import client, event, invoice, project
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
    # A sub-customer is searched by name, and named with its parent.
    found = ada.get(f"{ROOT}project/search-quickbooks/", {"configuration": "1", "q": "24-p1 pro"}).json()["customers"]
    assert [(one["id"], one["label"]) for one in found] == [(made["Id"], "Harbour & Sons c1:24-p1 Project (GBP)")]
    assert (
        'data-search="/admin/quickbooks_online/project/search-quickbooks/"'
        in ada.get(f"{where}change/").content.decode()
    )
    found = ada.get(f"{ROOT}customer/search-quickbooks/", {"configuration": "1", "q": "24-p1 pro"}).json()
    assert found["customers"] == [], "and no sub-customer for a client"
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


def test_a_name_that_is_taken_leads_to_the_customer_that_has_it(section: Section) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    # Typed in by a bookkeeper after the company was linked and read.
    there = edit(section, action="create", entity="Customer", members={"DisplayName": "Quay Works Ltd"})
    late = project("p7", of=client("c7", name="Quay Works Ltd"))
    pipeline.ingest(event(invoice("i7", of=late)))
    pipeline.drive()
    assert pipeline.one("client", "c7").cause == "name-taken"
    ada = section.person(group=True)

    page = ada.get(f"{ROOT}failure/").content.decode()
    (address,) = re.findall(r'href="([^"]+)">Link to existing customer<', page)
    form = ada.get(unescape(address)).content.decode()
    assert '<option value="c7" selected>Quay Works Ltd</option>' in form
    assert re.search(f'name="customer"[^>]* value="{there["Id"]}"', form), "nothing is left to fill in"
    ada.post(f"{ROOT}customer/add/", {"configuration": "1", "client": "c7", "customer": there["Id"]})
    link = pipeline.one("client", "c7")
    assert link.qbo_id == there["Id"]

    # Until something is sent the choice can be taken back.
    said = ada.post(f"{ROOT}customer/{link.id}/remove-link/", follow=True).content.decode()
    assert "is no longer linked by hand" in said
    ada.post(f"{ROOT}customer/add/", {"configuration": "1", "client": "c7", "customer": there["Id"]})
    pipeline.drive()
    assert pipeline.one("invoice", "i7").state == "synced"
    assert [one["Id"] for one in pipeline.objects("Customer") if one["DisplayName"] == "Quay Works Ltd"] == [
        there["Id"]
    ]
    said = ada.post(f"{ROOT}customer/{link.id}/remove-link/", follow=True).content.decode()
    assert "were sent to the customer Quay Works Ltd already" in said
    assert pipeline.one("client", "c7").qbo_id == there["Id"]


def test_a_vendors_name_leads_to_an_override(section: Section) -> None:
    pipeline = section.pipeline
    pipeline.link()
    edit(section, action="create", entity="Vendor", members={"DisplayName": "Steep Crane Hire"})
    pipeline.ingest(event(client("c8", name="Steep Crane Hire")))
    pipeline.drive()
    assert pipeline.one("client", "c8").cause == "name-taken"
    page = section.person(group=True).get(f"{ROOT}failure/").content.decode()
    assert "Give it a DisplayName of its own" in page
    assert "Link to existing customer" not in page
