"""What a saved mapping changes, said for a whole company and not for its newest documents alone."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import pytest
from django.test import Client

from admin.quickbooks_online.impact import AT_ONCE, PATIENCE_S, SHOWN, impact_of
from admin.quickbooks_online.models import Configuration, Link, Service
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words

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
        for table, column, member in (("qbo_record", "body", "id"), ("qbo_link", "applied", "PrivateNote")):
            rows = db.exec_driver_sql(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
            )
            values = {row[0]: f't."{row[0]}"' for row in rows}
            values["id"] = f"t.id - n - {older}"
            values["kompass_id"] = f"'{kompass_id}-' || n"
            values[column] = (
                f"jsonb_set(t.{column}, '{{{member}}}', to_jsonb(replace(t.{column} ->> '{member}',"
                f" '{kompass_id}', '{kompass_id}-' || n)))"
            )
            if table == "qbo_link":
                values["qbo_id"] = "t.qbo_id || '0' || n"
            names = ", ".join(f'"{name}"' for name in values)
            db.exec_driver_sql(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} FROM {table} t,"
                f" generate_series(1, {number}) n WHERE t.kind = 'invoice' AND t.kompass_id = '{kompass_id}'"
            )


def test_all_of_10_000_invoices_are_compared_where_a_mapping_touches_them(
    section: Section, ada: Client, company: None
) -> None:
    assert Link.objects.filter(kind="invoice", state="synced").count() == COMPANY
    service = Service.objects.get(kompass_id="svc-rare")
    answer = ada.post(
        f"{ROOT}itemservice/add/", {"configuration": "1", "service": service.pk, "item_id": "3"}, follow=True
    )
    assert f"{OTHERS} sent ones would now differ:" in words(answer)
    # The way from the message to the page that shows them.
    (address,) = re.findall(r'href="([^"]+/impact/[^"]+)"', answer.content.decode())
    page = words(ada.get(address))
    assert f"{OTHERS} sent ones would now differ. Compared: {OTHERS} documents." in page
    assert f"The newest {SHOWN} of {OTHERS} are shown." in page
    answer = ada.post(address, {"all": "1"}, follow=True)
    assert f"{OTHERS} will be resent" in words(answer)
    assert Link.objects.filter(again=True).count() == OTHERS


def test_where_patience_runs_out_it_says_at_least(section: Section, company: None) -> None:
    Configuration.objects.update(default_item_id="3")
    moments = itertools.chain([0.0, 1.0, PATIENCE_S + 1], itertools.repeat(PATIENCE_S + 2))
    found = impact_of(section.configuration(), clock=lambda: next(moments))
    assert not found.whole
    assert found.sentence == f"at least {2 * AT_ONCE:,} sent ones would now differ"
    assert len(found.shown) == SHOWN
