"""A document that may be ours: a person says which it is, and nothing is made twice."""

from __future__ import annotations

import pytest
from django.test import Client

from admin.quickbooks_online.models import Failure, Link
from simulator import UK, bookkeeper
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section, words
from tests.integration.consumers.test_edited_before_found import look


@pytest.fixture
def failure(section: Section) -> Failure:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1")))
    (attempt,) = pipeline.claim().attempts
    pipeline.call(attempt)
    wanted = {"action": "update", "entity": "Invoice", "id": pipeline.objects("Invoice")[-1]["Id"]}
    edit = {**wanted, "members": {"PrivateNote": "called them", "DocNumber": "2026-001"}}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    look(pipeline)
    return Failure.objects.get(closed_at=None)


def choose(section: Section, failure: Failure, side: str) -> Link:
    ada: Client = section.person(group=True)
    address = f"/admin/quickbooks_online/failure/{failure.pk}/"
    assert "called them" in words(ada.get(f"{address}change/"))
    ada.post(f"{address}choose/", {"side": side})
    section.pipeline.drive()
    return Link.objects.get(kompass_id="i1", kind="invoice")


def test_the_document_that_was_found_is_ours(section: Section, failure: Failure) -> None:
    link = choose(section, failure, "quickbooks")
    assert (link.state, link.qbo_id, link.name) == ("synced", failure.value, "2026-001")
    assert len(section.pipeline.objects("Invoice")) == 2
    assert section.pipeline.rows("qbo_attempt") == []
    assert Failure.objects.get(pk=failure.pk).closed_at is not None


def test_the_document_that_was_found_is_another(section: Section, failure: Failure) -> None:
    link = choose(section, failure, "kompass")
    assert link.state == "synced"
    assert link.qbo_id != failure.value
    assert len(section.pipeline.objects("Invoice")) == 3
