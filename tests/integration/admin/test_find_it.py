"""A bookkeeper finds a document by what is known of it; the lists say whose it is, what it is worth and where it is."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from admin.quickbooks_online.models import Link
from admin.quickbooks_online.pages.link_rows import amount_of
from schemas.events import OrgRef
from simulator import CANADA, USA
from tests.builders import client as kompass_client
from tests.builders import event, invoice, line, project
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
ORGS = {"org-uk": "Meridian Geomatics Ltd", "org-ca": "Northern Survey Inc", "org-us": "Prairie Design LLC"}


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def three(section: Section) -> None:
    """An invoice in QuickBooks, one that is refused and one that waits: of three Orgs of three locales."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.link("org-ca", ORGS["org-ca"], realm=CANADA)
    pipeline.link("org-us", ORGS["org-us"], realm=USA, enabled=False)
    pipeline.ingest(event(invoice("i1", date=dt.date(2026, 3, 1))))
    for org, month in (("org-ca", 4), ("org-us", 5)):
        ref = OrgRef(org, ORGS[org])
        name = "Client of org-ca: Rivière d'org-ca" if org == "org-ca" else f"Client of {org}"
        of = kompass_client(f"c-{org}", name=name, org=ref)
        one = invoice(f"i-{org}", date=dt.date(2026, month, 2), lines=(line("1234.50"),), org=ref)
        pipeline.ingest(event(replaced(one, client=of)))
    pipeline.drive()


def replaced(one: Any, **more: Any) -> Any:
    from dataclasses import replace

    return replace(one, **more)


def numbers(ada: Client, query: str, table: str = "invoice") -> list[str]:
    return sorted(row.reference for row in ada.get(f"{ROOT}{table}/?{query}").context["cl"].result_list)


def test_rows_say_whose_what_and_where(ada: Client, three: None) -> None:
    page = words(ada.get(f"{ROOT}invoice/"))
    for said in (*ORGS.values(), "Client of org-ca", "1 Mar 2026", "2 Apr 2026", "120.00 GBP", "1,481.40"):
        assert said in page, said
    # The filters beside the list name states and Orgs, too.
    rows = page.partition("Filter By state")[0]
    assert "1 Mar 2026 In QuickBooks 120.00 GBP 120.00 GBP Invoice" in rows, "both totals"
    assert "2 Apr 2026 Needs attention" in rows
    assert "2 May 2026 Waiting" in rows
    assert "<h1>Invoices</h1>" in ada.get(f"{ROOT}invoice/").content.decode(), "called by what it holds"
    assert "Harbour & Sons c1" in words(ada.get(f"{ROOT}project/"))
    assert "change-related" not in ada.get(f"{ROOT}itemservice/add/").content.decode(), (
        "nor are Configurations edited there"
    )
    assert ORGS["org-ca"] in words(ada.get(f"{ROOT}customer/"))


def test_a_row_says_in_a_sentence_where_it_is_and_what_it_waits_for(section: Section, ada: Client, three: None) -> None:
    wrong = kompass_client("c-wrong", name="Quay: Works")
    section.pipeline.ingest(event(invoice("i9", of=project("p9", of=wrong))))
    section.pipeline.drive()
    page = words(ada.get(f"{ROOT}invoice/?q=INV-i9"))
    waits = Link.objects.get(kind="project", kompass_id="p9")
    assert f"Waiting for {waits}" in page
    assert f"Waits for project {waits}, which waits for client Quay: Works: Client “Quay: Works”" in page
    found = Link.objects.get(reference="INV-i9")
    assert f"Waiting for {waits} Waits for project" in words(ada.get(f"{ROOT}invoice/{found.pk}/change/"))

    # Retry on one.
    refused = Link.objects.get(reference="INV-i-org-ca")
    assert refused.due_at is None
    assert "INV-i-org-ca will be tried again" in words(ada.post(f"{ROOT}invoice/{refused.pk}/resend/", follow=True))
    refused.refresh_from_db()
    assert refused.due_at is not None


def test_the_same_words_are_searched_in_the_other_lists(section: Section, ada: Client, three: None) -> None:
    page = ada.get(f"{ROOT}invoice/", {"q": "client of org-ca"}).content.decode()
    for name in ("customer", "project"):
        assert f'href="{ROOT}{name}/?q=client%20of%20org-ca"' in page
    assert len(ada.get(f"{ROOT}customer/", {"q": "client of org-ca"}).context["cl"].result_list) == 1
    assert "also in" not in words(ada.get(f"{ROOT}invoice/"))
    # The section opens with a search, and nobody is led to a list that they may not see.
    assert f'action="{ROOT}invoice/"' in ada.get(ROOT).content.decode()
    eve = section.person("eve", "view_customer")
    assert "also in" in words(eve.get(f"{ROOT}customer/", {"q": "org"}))
    assert f"{ROOT}invoice/" not in eve.get(f"{ROOT}customer/", {"q": "org"}).content.decode()
    assert f'action="{ROOT}invoice/"' not in eve.get(ROOT).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=INV-i1", ["INV-i1"]),
        ("q=inv-i-org-US", ["INV-i-org-us"]),
        ("q=client+of+ORG-CA", ["INV-i-org-ca"]),
        ("q=120", ["INV-i1"]),
        ("q=1.481,40", ["INV-i-org-ca", "INV-i-org-us"]),
        ("q=1%2C481.40", ["INV-i-org-ca", "INV-i-org-us"]),
        ("q=nothing+of+the+kind", []),
        ("q=cl%C3%ADent+of+org-ca", ["INV-i-org-ca"]),
        ("q=riviere", ["INV-i-org-ca"]),
        ("q=RIVI%C3%88RE+d%E2%80%99org-ca", ["INV-i-org-ca"]),
        ("q=riviere+1+481%2C40+%24", ["INV-i-org-ca"]),
        ("q=riviere+120", []),
        ("q=2026-04-02", ["INV-i-org-ca"]),
        ("q=02%2F04%2F2026", ["INV-i-org-ca"]),
        ("q=2+Apr+2026", ["INV-i-org-ca"]),
        ("q=%00", ["INV-i-org-ca", "INV-i-org-us", "INV-i1"]),
        ("state__exact=synced", ["INV-i1"]),
        ("state__exact=failed", ["INV-i-org-ca"]),
        ("month=2026-04", ["INV-i-org-ca"]),
        ("org=org-us", ["INV-i-org-us"]),
        ("org=org-us&month=2026-04", []),
    ],
)
def test_a_document_is_found(ada: Client, three: None, query: str, found: list[str]) -> None:
    assert numbers(ada, query) == found


def test_by_its_id_in_quickbooks_and_by_cause(ada: Client, three: None) -> None:
    Link.objects.filter(reference="INV-i1").update(qbo_id="145000123")
    assert numbers(ada, "q=145000123") == ["INV-i1"]
    assert numbers(ada, "q=14500012") == []
    answer = ada.get(f"{ROOT}invoice/")
    (causes,) = [spec for spec in answer.context["cl"].filter_specs if spec.parameter_name == "cause"]
    ((cause, title),) = causes.lookup_choices
    assert "has no QuickBooks tax code" in title
    assert numbers(ada, f"cause={cause}") == ["INV-i-org-ca"]


@pytest.mark.parametrize(
    ("typed", "amount"),
    [
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1'234.5", "1234.5"),
        ("1 234,56", "1234.56"),
        ("1\u202f234,56 $", "1234.56"),
        ("CA$1,234.56", "1234.56"),
        ("1234.56 USD", "1234.56"),
        ("−12,5", "-12.5"),
        ("1.234", "1234"),
        ("-12", "-12"),
        ("1.2.3", None),
        ("INV-1", None),
        ("9" * 40, None),
    ],
)
def test_amounts_as_people_type_them(typed: str, amount: str | None) -> None:
    assert amount_of(typed) == (None if amount is None else Decimal(amount))
