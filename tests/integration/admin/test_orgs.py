"""Several Orgs of several locales: each is offered in every filter, and the one that a person works on is chosen."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape

import pytest
from django.test import Client

from admin.quickbooks_online.models import Activity, Configuration, ItemService, Org, Service
from admin.quickbooks_online.pages.org_filters import LINKS_AT_MOST
from schemas.events import OrgRef
from simulator import CANADA, UK, USA
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
TABLES = ("itemservice", "departmentclass", "taxcodevatrate", "customfield")
ORGS = {"Meridian Geomatics Ltd": "EU", "Northern Survey Inc": "Canada", "Prairie Design LLC": "USA"}
Back = Callable[[str, str], dict[str, str]]


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def three(section: Section) -> dict[str, int]:
    """Three linked Orgs; only the first has rows, and the last has not even an event."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.link("org-ca", "Northern Survey Inc", realm=CANADA)
    pipeline.link("org-us", "Prairie Design LLC", realm=USA)
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i1")))
    pipeline.ingest(event(invoice("i2", org=OrgRef("org-ca", "Northern Survey Inc"))))
    ItemService.objects.create(
        configuration_id=1, realm_id=UK, service=Service.objects.get(org_id="org-uk"), item_id="2"
    )
    return {one.org.name: one.pk for one in Configuration.objects.select_related("org")}


def filter_of(ada: Client, where: str) -> str:
    page = ada.get(where).content.decode()
    return unescape(page[page.index('id="changelist-filter"') :])


def test_every_linked_org_is_in_every_filter(ada: Client, three: dict[str, int]) -> None:
    assert sorted(three) == sorted(ORGS)
    for table in TABLES:
        shown = filter_of(ada, f"{ROOT}{table}/")
        for name, pk in three.items():
            assert f'?configuration__id__exact={pk}">{name}</a>' in shown


def test_a_chosen_org_stays_chosen_in_every_table(ada: Client, three: dict[str, int]) -> None:
    for table, (name, pk) in zip(TABLES, three.items(), strict=False):
        ada.get(f"{ROOT}{table}/?configuration__id__exact={pk}")
        for other in TABLES:
            shown = filter_of(ada, f"{ROOT}{other}/")
            assert f'<li class="selected"><a href="?configuration__id__exact={pk}">{name}</a>' in shown
    # Until all are asked for.
    for _ in range(2):
        shown = filter_of(ada, f"{ROOT}customfield/?configuration__id__exact=all")
        assert '<li class="selected"><a href="?configuration__id__exact=all">All</a>' in shown


def test_only_rows_of_the_chosen_org_are_listed(ada: Client, three: dict[str, int]) -> None:
    counts = {
        name: ada.get(f"{ROOT}itemservice/?configuration__id__exact={pk}").context["cl"].result_count
        for name, pk in three.items()
    }
    assert counts == {"Meridian Geomatics Ltd": 1, "Northern Survey Inc": 0, "Prairie Design LLC": 0}
    assert ada.get(f"{ROOT}itemservice/?configuration__id__exact=all").context["cl"].result_count == 1
    assert ada.get(f"{ROOT}itemservice/?configuration__id__exact=77").context["cl"].result_count == 0


def test_an_org_that_was_linked_just_now_is_chosen(
    section: Section, ada: Client, three: dict[str, int], authorize: Back
) -> None:
    # The newest is linked last, by a person in the browser.
    pk = three["Prairie Design LLC"]
    Configuration.objects.filter(pk=pk).update(realm_id=None)
    with section.pipeline.engine.begin() as db:
        db.exec_driver_sql("DELETE FROM qbo_connection WHERE realm_id = %s", (USA,))
    ada.get(f"{ROOT}itemservice/?configuration__id__exact={three['Meridian Geomatics Ltd']}")
    begun = ada.post(f"{ROOT}configuration/", {"action": "authorize", "_selected_action": [str(pk)]})
    linked = ada.get(f"{ROOT}configuration/callback/", authorize(str(begun["Location"]), USA), follow=True)
    assert "Prairie Design LLC is linked to the QuickBooks company" in words(linked)
    (noted,) = Activity.objects.filter(org_id="org-us")
    assert (noted.by, noted.what[:10], noted.what[-len(USA) - 3 :]) == ("ada", "Linked to ", f"({USA}).")
    for table in TABLES:
        assert f'<li class="selected"><a href="?configuration__id__exact={pk}">' in filter_of(ada, f"{ROOT}{table}/")
        added = unescape(ada.get(f"{ROOT}{table}/add/").content.decode())
        assert f'<option value="{pk}" selected>Prairie Design LLC</option>' in added


def test_what_is_unmapped_is_shown_for_the_chosen_org(ada: Client, three: dict[str, int]) -> None:
    page = words(ada.get(f"{ROOT}itemservice/?configuration__id__exact={three['Northern Survey Inc']}"))
    assert "Seen but not mapped: Northern Survey Inc" in page
    saved = ada.post(f"{ROOT}itemservice/map-seen/", {"configuration": str(three["Northern Survey Inc"])})
    assert saved["Location"].endswith(f"?configuration__id__exact={three['Northern Survey Inc']}")


def test_every_page_of_an_org_without_a_row_opens_and_names_no_other(ada: Client, three: dict[str, int]) -> None:
    org = Org.objects.create(id="org-new", name="Newcomer Ltd")
    unlinked = Configuration.objects.create(org=org)
    for pk, org_id, name in ((three["Prairie Design LLC"], "org-us", "Prairie"), (unlinked.pk, "org-new", "Newcomer")):
        own = ("overview", "change", "going-live", "activity", "impact", "agreement", "match-customers", "disconnect")
        pages = [f"configuration/{pk}/{one}/" for one in own]
        pages += [f"{one}/?org={org_id}" for one in ("customer", "project", "invoice", "failure")]
        for where in pages:
            page = words(ada.get(ROOT + where, follow=True)).partition("Filter By")[0]
            assert "INV-i" not in page, where
            assert name in page or where.startswith(("customer", "project", "invoice")), where
        for table in TABLES:
            for what in ("export", "template"):
                rows = ada.get(f"{ROOT}{table}/{what}/?configuration__id__exact={pk}").content.decode().splitlines()
                assert all("org-uk" not in row and "org-ca" not in row for row in rows), (table, what)
        for what in ("customer", "project", "invoice", "failure"):
            assert len(ada.get(f"{ROOT}{what}/export/?org={org_id}").content.splitlines()) == 1, what


def test_many_orgs_are_a_dropdown(ada: Client, three: dict[str, int]) -> None:
    for number in range(LINKS_AT_MOST):
        org = Org.objects.create(id=f"org-{number}", name=f"Org {number:02}")
        Configuration.objects.create(org=org, realm_id=f"realm-{number}")
    shown = filter_of(ada, f"{ROOT}itemservice/?configuration__id__exact={three['Prairie Design LLC']}&q=lidar")
    assert f'<option value="{three["Prairie Design LLC"]}" selected>Prairie Design LLC</option>' in shown
    assert shown.count("<option") == len(three) + LINKS_AT_MOST + 1
    assert '<input type="hidden" name="q" value="lidar">' in shown
    # Beside the other filters of the list, the cause and the month.
    invoices = filter_of(ada, f"{ROOT}invoice/")
    assert all(f">{one.name}</option>" in invoices for one in Org.objects.filter(configuration__isnull=False))
