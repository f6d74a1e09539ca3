"""The trail of an invoice in the admin: who changed it in Kompass, what was sent and answered, on the page and as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from django.test import Client

from sync.trail import COLUMNS
from tests.builders import event, invoice, line
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


def test_the_trail_of_an_invoice_is_a_page_and_a_file(section: Section, ada: Client) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    for sequence, user, net in ((1, "bea", "100.00"), (2, "carl", "=cmd")):
        lines = (line("100.00" if sequence == 1 else "250.00", description=net),)
        said = event(invoice("i1", sequence=sequence, lines=lines))
        # Another document has this one's id as its number.
        other = event(invoice("i2", sequence=sequence, reference="i1", lines=lines))
        pipeline.ingest(replace(said, metadata=replace(said.metadata, user_id=user)), other)
        pipeline.drive()
    link = pipeline.one("invoice", "i1")
    before = section.requests()
    where = f"{ROOT}invoice/{link.id}/trail/"
    assert where.encode() in ada.get(f"{ROOT}invoice/{link.id}/change/").content
    page = words(ada.get(where))
    assert page.index("carl") < page.index("bea"), "newest first"
    assert f"Invoice {link.qbo_id}, total 300.00" in page
    assert "at 2 Mar 2026, 09:30" in page
    answer = ada.get(f"{where}?as=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="trail-INV-i1.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["what"], row["changed_by"], row["operation"]) for row in rows] == [
        ("event", "bea", ""),
        ("called", "", "create"),
        ("event", "carl", ""),
        ("called", "", "update"),
    ]
    assert {row["kompass_id"] for row in rows} == {"i1"}
    assert section.requests() == before
