"""The page of an Org: what is next, what is where, what fails; for Orgs of three locales, one of them with nothing yet."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from admin.quickbooks_online import overview
from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.models import CompanyConnection, Configuration, Failure, Link, VatRate
from schemas.events import OrgRef
from simulator import CANADA, USA
from tests.builders import client, event, invoice
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
MAPPINGS = ("itemservice", "departmentclass", "taxcodevatrate", "customfield")


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True, email="ada@example.com")


@pytest.fixture
def three(section: Section) -> dict[str, Configuration]:
    """The UK one has an invoice in QuickBooks and one that is refused; Canada's is not enabled; that of the USA has nothing."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.link("org-ca", "Northern Survey Inc", realm=CANADA, enabled=False)
    pipeline.link("org-us", "Prairie Design LLC", realm=USA)
    pipeline.ingest(event(invoice("i1")))
    pipeline.ingest(event(invoice("i2", org=OrgRef("org-ca", "Northern Survey Inc"))))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM qbo_tax_code_vat_rate")
    pipeline.ingest(event(invoice("i3")))
    pipeline.drive()
    return {one.org_id: one for one in Configuration.objects.select_related("org")}


def page_of(ada: Client, configuration: Configuration) -> str:
    return words(ada.get(f"{ROOT}configuration/{configuration.pk}/overview/"))


def test_it_says_where_the_records_are_and_what_fails(ada: Client, three: dict[str, Configuration]) -> None:
    page = page_of(ada, three["org-uk"])
    synced, failed = (Link.objects.filter(org_id="org-uk", state=state).count() for state in ("synced", "failed"))
    assert (synced, failed) == (3, 1)
    assert "3 in QuickBooks 1 customer, 1 project, 1 document" in page
    assert "1 needs attention 1 document" in page
    cards = ada.get(f"{ROOT}configuration/{three['org-uk'].pk}/overview/").context["cards"]
    assert len(ada.get(cards[0]["address"]).context["cl"].result_list) == 1, "the documents of the card"
    Link.objects.filter(org_id="org-uk", kind="client").update(state="pending")
    cards = ada.get(f"{ROOT}configuration/{three['org-uk'].pk}/overview/").context["cards"]
    assert "/customer/" in cards[1]["address"], "where there is no document, the list that has some"
    assert re.search(r"Linked [^()]*\(just now\)", page), "the connection and its age"
    assert "0 withdrawn in Kompass" in page
    shown = ada.get(f"{ROOT}configuration/{three['org-uk'].pk}/overview/")
    assert [(bar["synced"], bar["failed"]) for bar in shown.context["bars"]] == [(0, 0)] * 13 + [(3, 1)], (
        "the last days"
    )
    org = dict.fromkeys(("customer", "project", "invoice", "failure"), f"?org={three['org-uk'].org_id}")
    tables = dict.fromkeys(MAPPINGS, f"?configuration__id__exact={three['org-uk'].pk}")
    for name, query in (org | tables).items():
        assert f'href="{ROOT}{name}/{query}"' in shown.content.decode(), f"a link to {name}"
    assert "0 minutes" not in page
    assert "1 invoice needs attention: Standard 20 % has no QuickBooks tax code" in page
    assert "Last record sent to QuickBooks:" in page
    assert "Connected" in page
    assert Failure.objects.filter(closed_at=None).count() == 1


def test_the_errors_of_one_org_are_shown(ada: Client, three: dict[str, Configuration]) -> None:
    Failure.objects.create(org_id="org-ca", kind="invoice", stage="map", cause="x", message="it broke", remedy="Fix it")
    page = words(ada.get(f"{ROOT}failure/"))
    assert "All Meridian Geomatics Ltd (1) Northern Survey Inc (1) Prairie Design LLC (0) Show" in page
    assert "It broke. What to do: Fix it." in page, "sentences"
    page = words(ada.get(f"{ROOT}failure/", {"org": "org-ca"}))
    assert "Sync errors: Northern Survey Inc" in page
    assert "It broke." in page
    assert "Standard 20 %" not in page
    assert "Standard 20 %" in words(ada.get(f"{ROOT}failure/", {"org": "all"}))
    # An Org without any is said to have none, and not all of them.
    page = ada.get(f"{ROOT}failure/", {"org": "org-us"}).content.decode()
    assert "Sync errors: Prairie Design LLC" in page
    assert '<option value="org-us" selected>' in page
    assert "No sync errors" in page
    for org, count in (("all", 2), ("org-ca", 1), ("org-us", 0)):
        exported = ada.get(f"{ROOT}failure/export/", {"org": org}).content.decode("utf-8-sig")
        assert len(exported.splitlines()) == 1 + count, org


def test_the_form_that_an_error_leads_to_suggests_what_the_list_does(
    ada: Client, three: dict[str, Configuration]
) -> None:
    rate = VatRate.objects.get(org_id="org-uk", kompass_id="vat-20")
    where = f"{ROOT}taxcodevatrate/add/?configuration={three['org-uk'].pk}&vat_rate={rate.pk}"
    field = ada.get(where).context["adminform"].form["tax_code_id"]
    assert dict(field.field.choices)[field.value()].startswith("20.0% S")
    offered = {one.name for one in any_listing(CANADA, "tax_codes").entries}
    assert {"GST (5 %)", "Purchases only (no rate on sales)"} <= offered


def test_it_says_until_when_a_retry_pauses_and_why(
    section: Section, ada: Client, three: dict[str, Configuration]
) -> None:
    assert "Next retry" not in page_of(ada, three["org-uk"])
    section.pipeline.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    section.pipeline.ingest(event(client("c9", name="Quay Ltd")))
    section.pipeline.settle(*section.pipeline.answers(section.pipeline.claim().attempts))
    link = Link.objects.get(kompass_id="c9")
    assert link.due_at is not None
    page = page_of(ada, three["org-uk"])
    assert f"Next retry: {timezone.localtime(link.due_at):%-d %b %Y, %H:%M}, Quay Ltd. Retried since" in page
    assert link.reason in page


def test_it_says_what_is_next(section: Section, ada: Client, three: dict[str, Configuration]) -> None:
    Configuration.objects.update(notification_recipients=["ada@example.com"])
    Configuration.objects.filter(org_id="org-us").update(default_item_id="")
    unmapped = "Next: Map taxes and items 1 VAT rate without a tax code"
    assert unmapped in page_of(ada, three["org-uk"])
    assert unmapped in page_of(ada, three["org-ca"])
    assert "Next: Choose defaults Choose a Default Item ID" in page_of(ada, three["org-us"])

    # The section opens with the Orgs, and the list says the essence of each in a line.
    page = words(ada.get(ROOT))
    for said in ("Meridian Geomatics Ltd", "Northern Survey Inc", "Prairie Design LLC", "1 sync error", "Next: Choose"):
        assert said in page, said
    assert "Prairie" not in words(section.person("eve", "view_invoice").get(ROOT))
    assert "3 in QuickBooks 1 needs attention" in words(ada.get(f"{ROOT}configuration/"))

    CompanyConnection.objects.update(state="disconnected", disconnect_message="The access was revoked.")
    page = page_of(ada, three["org-uk"])
    assert "Next: Link to QuickBooks" in page
    assert "The access was revoked." in page


def test_what_was_never_linked_leads_to_intuit(section: Section, ada: Client) -> None:
    section.pipeline.ingest(event(invoice("i1")))
    configuration = Configuration.objects.create(org_id="org-uk")
    where = f"{ROOT}configuration/{configuration.pk}/overview/"
    assert "Next: Link to QuickBooks" in words(ada.get(where))
    assert "No record has been sent to QuickBooks yet." in words(ada.get(where))
    steps = ada.get(where).content.decode().partition('class="qbo-steps"')[2].partition("</ol>")[0]
    assert "href" not in steps, "nothing else can be done before"
    answer = ada.post(f"{ROOT}configuration/", {"action": "authorize", "_selected_action": str(configuration.pk)})
    assert "/connect/oauth2" in answer["Location"]


def test_it_asks_for_itself_again_while_something_runs(
    section: Section, ada: Client, three: dict[str, Configuration]
) -> None:
    where = f"{ROOT}configuration/{three['org-uk'].pk}/overview/"
    assert "data-qbo-live" not in ada.get(where).content.decode()
    Link.objects.filter(org_id="org-uk", state="synced").update(state="pending")
    page = ada.get(where).content.decode()
    assert re.search(r'data-qbo-live="5"', page)
    assert re.search(r'<progress id="qbo-backlog" max="\d+" value="\d+">', page)
    assert "3 to go, under a minute" in words(ada.get(where))
    Configuration.objects.update(enabled=False)
    assert "data-qbo-live" not in ada.get(where).content.decode(), "nothing is sent, so nothing runs"


def test_the_queue_is_estimated_at_intuits_limit() -> None:
    assert overview.Counts({"pending": 400}).estimate == "under a minute"
    assert overview.Counts({"pending": 30_000, "retrying": 500}).estimate == "about 61 minutes"
    assert overview.Counts({"pending": 100_000}).estimate == "about 3 hours"
    assert overview.Counts({}).estimate == ""


def test_a_new_configuration_is_filled_in_with_what_is_known(section: Section, ada: Client) -> None:
    section.pipeline.ingest(event(invoice("i1")))
    page = ada.get(f"{ROOT}configuration/add/").content.decode()
    assert '<option value="org-uk" selected>' in page
    assert "ada@example.com</textarea>" in page
    section.pipeline.ingest(event(invoice("i2", org=OrgRef("org-ca", "Northern Survey Inc"))))
    assert "selected>Meridian" not in ada.get(f"{ROOT}configuration/add/").content.decode(), (
        "there are two to choose from"
    )
