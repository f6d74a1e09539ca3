"""The agreement sheet as a bookkeeper asks the admin for it."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.test import Client

from admin.quickbooks_online.models import Activity
from schemas.events import InvoiceType, Step
from tests.builders import event, invoice, line
from tests.integration.admin.conftest import Section, words

SHEET = "/admin/quickbooks_online/configuration/1/agreement/"
MARCH = {"month": "2026-03"}


@pytest.fixture
def ada(section: Section) -> Client:
    section.pipeline.link()
    section.pipeline.map_vat_rate("vat-20", "20.0% S")
    return section.person(group=True)


def test_a_month_that_agrees(section: Section, ada: Client) -> None:
    section.pipeline.ingest(event(invoice("i1")), event(invoice("i2", lines=(line("-50.00"),))))
    section.pipeline.drive()
    before = section.requests()
    assert "a few metered reads" in words(ada.get(SHEET))
    assert section.requests() == before
    page = words(ada.post(SHEET, MARCH))
    assert section.requests() - before == 2
    assert "agrees to the cent" in page
    assert "with 2 reads of QuickBooks" in page
    assert "Net 50.00 50.00 0.00" in page
    assert "Gross 60.00 60.00 0.00" in page


def test_everything_is_named_with_its_reason_on_the_page_and_in_the_file(section: Section, ada: Client) -> None:
    pipeline = section.pipeline
    pipeline.ingest(
        event(invoice("skipped", synchronize=False)),
        event(invoice("journal", type=InvoiceType.JOURNAL)),
        event(invoice("back")),
        event(invoice("=1+1", lines=(line("10.00", vat=None),))),
    )
    pipeline.drive()
    pipeline.ingest(event(invoice("back", sequence=2, step=Step.REJECTED)))
    pipeline.drive()
    page = words(ada.post(SHEET, MARCH))
    assert "does not agree" in page
    assert "March 2026: Meridian Geomatics Ltd in Kompass" in page
    assert "Taken back in Kompass, still in QuickBooks (1)" in page
    assert "Belongs in the month, but is not in QuickBooks (1)" in page
    assert "Not meant for QuickBooks (2)" in page
    assert "journal" in page
    answer = ada.post(SHEET, {**MARCH, "csv": "1"})
    assert answer["Content-Disposition"] == 'attachment; filename="agreement-meridian-geomatics-ltd-2026-03.csv"'
    rows = {row["reference"]: row for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))}
    assert rows["INV-back"]["standing"] == "withdrawn"
    assert Decimal(rows["INV-back"]["quickbooks_gross"]) == Decimal("120.00")
    assert rows["INV-skipped"]["remark"]


@pytest.mark.parametrize("month", ["", "2026-13", "March", "1999-01"])
def test_what_is_no_month_reads_nothing(section: Section, ada: Client, month: str) -> None:
    before = section.requests()
    assert ada.post(SHEET, {"month": month}).status_code == 200
    assert section.requests() == before


def test_trouble_is_said_in_words(section: Section, ada: Client) -> None:
    section.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    assert "QuickBooks could not be read" in words(ada.post(SHEET, MARCH))


def test_a_filed_month_shows_what_changed_in_it_since(section: Section, ada: Client) -> None:
    section.pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    section.pipeline.drive()
    page = words(ada.post(SHEET, {**MARCH, "file": "1"}))
    assert "2026-03 is filed as it is now" in page
    assert "Filed by " in page
    assert "SHA-256" in page
    assert "Nothing changed since." in page
    assert "was filed before; the first filing stands" in words(ada.post(SHEET, {**MARCH, "file": "1"}))
    assert list(Activity.objects.values_list("what", flat=True)) == ["Filed 2026-03."]
    section.pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("200.00"),))), event(invoice("i3")))
    section.pipeline.drive()
    page = words(ada.post(SHEET, MARCH))
    assert "Changed since it was filed" in page
    assert "INV-i1: net in Kompass was 100.00, is 200.00; tax in Kompass was 20.00, is 40.00;" in page
    assert "INV-i3 was not in it" in page
    (row,) = section.pipeline.rows("qbo_filed_month")
    assert (row.month, len(row.digest), [one["kompass_gross"] for one in row.rows]) == ("2026-03", 64, ["120.00"] * 2)


def test_an_empty_month_says_so(section: Section, ada: Client) -> None:
    page = words(ada.post(SHEET, {"month": "2026-05"}))
    assert "Empty The month is empty: neither Kompass nor QuickBooks has a document of it." in page
