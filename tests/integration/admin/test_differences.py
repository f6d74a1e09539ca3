"""Documents that QuickBooks totals otherwise: in the list, on their page, and when a person keeps QuickBooks' version."""

from __future__ import annotations

import pytest
from django.test import Client

from admin.quickbooks_online.models import Difference, Failure, Invoice, Link
from simulator import UK, bookkeeper
from sync.keeping import keep_quickbooks
from tests.builders import event, invoice, line
from tests.integration.admin.conftest import Section, words

INVOICES = "/admin/quickbooks_online/invoice/"


@pytest.fixture
def ada(section: Section) -> Client:
    section.pipeline.link()
    section.pipeline.map_vat_rate("vat-20", "20.0% S")
    # Where QuickBooks rounds line by line, as Kompass does, these agree: the cent check's own tests say so.
    section.pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    lines = tuple(line("0.33", position=number) for number in (1, 2, 3))
    section.pipeline.ingest(event(invoice("differs", lines=lines)), event(invoice("agrees")))
    section.pipeline.drive()
    return section.person(group=True)


def test_the_list_finds_those_that_differ_by_their_reason(ada: Client) -> None:
    for asked, shown in (
        ("", {"INV-differs", "INV-agrees"}),
        ("?sums=differ", {"INV-differs"}),
        ("?sums=difference:tax-rounding", {"INV-differs"}),
        ("?sums=difference:tax-rate", set()),
    ):
        page = words(ada.get(INVOICES + asked))
        assert {one for one in ("INV-differs", "INV-agrees") if one in page} == shown, asked
    assert "differs" in words(ada.get(INVOICES))


def test_the_page_of_one_says_both_figures_and_why(ada: Client) -> None:
    differs, agrees = (Invoice.objects.get(kompass_id=one) for one in ("differs", "agrees"))
    page = words(ada.get(f"{INVOICES}{differs.pk}/change/"))
    assert "QuickBooks has 1.19 (tax 0.20), Kompass 1.20 (tax 0.21): probably tax is rounded" in page
    assert "Agreed to the cent when it was last sent." in words(ada.get(f"{INVOICES}{agrees.pk}/change/"))


def test_the_version_of_quickbooks_that_somebody_kept_is_noted_as_a_difference(section: Section, ada: Client) -> None:
    link = Link.objects.get(kompass_id="agrees")
    wanted = {"action": "override_tax", "entity": "Invoice", "id": link.qbo_id, "tax": "19.50"}
    section.pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    section.pipeline.ingest(event(invoice("agrees", sequence=2, lines=(line("200.00"),))))
    section.pipeline.drive()
    assert Failure.objects.get(link_id=link.pk).cause == "conflict:edited-in-qbo"
    with section.pipeline.engine.begin() as db:
        keep_quickbooks(db, link.pk, by="ada")
    found = Difference.objects.get(link_id=link.pk)
    assert (found.cause, str(found.kompass_total), str(found.qbo_total)) == (
        "difference:edited-in-qbo",
        "240.00000",
        "119.50000",
    )
