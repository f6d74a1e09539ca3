"""What a saved mapping changes, said for a whole company and not for its newest documents alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_save
from django.test import Client
from sqlalchemy import select

from admin.quickbooks_online.impact import AT_ONCE, PATIENCE_S, SHOWN, impact_of
from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.models import Configuration, Link, Service, TaxCodeVatRate, VatRate
from simulator import UK
from store.sql import pack_applied
from store.tables import link
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words
from tests.integration.admin.test_pages import form_of

ROOT = "/admin/quickbooks_online/"
COMPANY = 10_000
OTHERS = 214


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def company(section: Section) -> None:
    """10,000 sent invoices; the lines of the oldest 214 of them are of a Service that nobody else uses."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    first = invoice("common")
    (only,) = first.lines
    assert only.service is not None
    rare = replace(only, service=replace(only.service, id="svc-rare", name="Rare"))
    pipeline.ingest(event(replace(invoice("rare"), lines=(rare,))))
    pipeline.ingest(event(first))
    pipeline.drive()
    clone(section, "rare", OTHERS - 1, older=2 * COMPANY)
    clone(section, "common", COMPANY - OTHERS - 1, older=COMPANY)


def clone(section: Section, kompass_id: str, number: int, *, older: int = 0) -> None:
    """Invoices like this one in everything but their ids, sent before it."""
    with section.pipeline.engine.begin() as db:
        sent = db.execute(select(link.c.applied).where(link.c.kompass_id == kompass_id)).scalar_one()
        note = str(sent.members["PrivateNote"]).replace(kompass_id, f"{kompass_id}-@n@")
        plain = pack_applied(replace(sent, members={**sent.members, "PrivateNote": note}), small=False)
        for table in ("qbo_record", "qbo_link"):
            rows = db.exec_driver_sql(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
            )
            values = {row[0]: f't."{row[0]}"' for row in rows}
            values["id"] = f"t.id - n - {older}"
            values["kompass_id"] = f"'{kompass_id}-' || n"
            if table == "qbo_link":
                values["qbo_id"] = "t.qbo_id || '0' || n"
                values["applied"] = (
                    r"'\x02'::bytea || convert_to(replace(convert_from(substr(%(plain)s, 2), 'UTF8'), '@n@', n::text), 'UTF8')"
                )
            else:
                values["body"] = f"jsonb_set(t.body, '{{id}}', to_jsonb('{kompass_id}-' || n))"
            names = ", ".join(f'"{name}"' for name in values)
            db.exec_driver_sql(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} FROM {table} t,"
                f" generate_series(1, {number}) n WHERE t.kind = 'invoice' AND t.kompass_id = '{kompass_id}'",
                {"plain": plain} if table == "qbo_link" else None,
            )


def test_all_of_10_000_invoices_are_compared_where_a_mapping_touches_them(
    section: Section, ada: Client, company: None
) -> None:
    assert Link.objects.filter(kind="invoice", state="synced").count() == COMPANY
    service = Service.objects.get(kompass_id="svc-rare")
    answer = ada.post(
        f"{ROOT}itemservice/add/", {"configuration": "1", "service": service.pk, "item_id": "3"}, follow=True
    )
    assert f"{OTHERS} sent documents would now differ:" in words(answer)
    # The way from the message to the page that shows them.
    (address,) = re.findall(r'href="([^"]+/impact/[^"]+)"', answer.content.decode())
    page = words(ada.get(address))
    assert f"{OTHERS} sent documents would now differ. Compared: {OTHERS} documents." in page
    assert f"The newest {SHOWN} of {OTHERS} are shown." in page
    answer = ada.post(address, {"all": "1"}, follow=True)
    assert f"{OTHERS} will be resent" in words(answer)
    assert Link.objects.filter(again=True).count() == OTHERS


def test_where_patience_runs_out_it_says_at_least(section: Section, company: None) -> None:
    Configuration.objects.update(default_item_id="3")
    moments = itertools.chain([0.0, 1.0, PATIENCE_S + 1], itertools.repeat(PATIENCE_S + 2))
    found = impact_of(section.configuration(), clock=lambda: next(moments))
    assert not found.whole
    assert found.sentence == f"at least {2 * AT_ONCE:,} sent documents would now differ"
    assert len(found.shown) == SHOWN


@contextmanager
def at_commit_of(model: type[Model], happens: Callable[[], object]) -> Iterator[None]:
    """Let this happen between the commit that saves a row and what the page says about it."""

    def saved(sender: object, **_: object) -> None:
        transaction.on_commit(happens)

    post_save.connect(saved, sender=model, weak=False)
    try:
        yield
    finally:
        post_save.disconnect(saved, sender=model)


@pytest.fixture
def two_refused(section: Section) -> int:
    """Two invoices that are refused for want of a tax code; gives the VAT rate."""
    section.pipeline.link()
    section.pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    section.pipeline.drive()
    return VatRate.objects.get(kompass_id="vat-20").pk


def map_the_rate(ada: Client, vat_rate: int, code: str = "20.0% S") -> str:
    listing = any_listing(UK, "tax_codes")
    (chosen,) = [entry.id for entry in listing.entries if entry.name.startswith(code)]
    return words(
        ada.post(
            f"{ROOT}taxcodevatrate/add/",
            {"configuration": "1", "vat_rate": vat_rate, "tax_code_id": chosen},
            follow=True,
        )
    )


def test_what_the_pipeline_sends_before_the_impact_is_counted_counts(
    section: Section, ada: Client, two_refused: int
) -> None:
    with at_commit_of(TaxCodeVatRate, section.pipeline.drive):
        page = map_the_rate(ada, two_refused)
    assert Link.objects.filter(kind="invoice", state="synced").count() == 2
    assert "2 unsent documents will go out." in page


def test_what_is_queued_already_is_on_its_way(section: Section, ada: Client, two_refused: int) -> None:
    # Another change made them due a moment ago: they are neither refused nor sent when this one is saved.
    Link.objects.filter(kind="invoice").update(state="pending")
    assert "2 unsent documents will go out." in map_the_rate(ada, two_refused)


def test_an_import_counts_what_is_sent_before_it_is_counted(section: Section, ada: Client, two_refused: int) -> None:
    (code,) = [entry.id for entry in any_listing(UK, "tax_codes").entries if entry.name.startswith("20.0% S")]
    text = f"org,vat_rate_id,vat_rate,tax_code_id,tax_code\norg-uk,vat-20,,{code},\n"
    with at_commit_of(TaxCodeVatRate, section.pipeline.drive):
        upload = {"file": SimpleUploadedFile("rates.csv", text.encode())}
        page = words(ada.post(f"{ROOT}taxcodevatrate/import/", upload, follow=True))
    assert "2 unsent documents will go out." in page


def test_a_saved_configuration_counts_what_is_sent_before_it_is_counted(section: Section, ada: Client) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    Configuration.objects.update(default_item_id="", notification_recipients=["a@example.com"])
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    assert Link.objects.get(kind="invoice").state == "failed"
    form = form_of(section.configuration(), default_item_id="3")
    with at_commit_of(Configuration, pipeline.drive):
        page = words(ada.post(f"{ROOT}configuration/1/change/", form, follow=True))
    assert Link.objects.get(kind="invoice").state == "synced"
    assert "1 unsent document will go out." in page
