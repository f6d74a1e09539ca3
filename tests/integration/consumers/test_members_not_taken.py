"""What is not in QuickBooks as Kompass says holds nothing up: the record is sent, and people are mailed once for each reason."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import bookkeeper
from simulator.seeds import SELF_NUMBERED, UK, USA
from store import differences
from tests import pipeline as pipelines
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


def remarks(pipeline: Pipeline) -> list[tuple[str, str]]:
    kinds = {row.id: row.kind for row in pipeline.links()}
    return sorted((kinds[row.link_id], row.cause) for row in pipeline.rows("qbo_difference"))


def untold(pipeline: Pipeline) -> dict[str, int]:
    with pipeline.engine.begin() as db:
        return {one.cause: one.count for one in differences.untold(db)}


def edit(pipeline: Pipeline, realm: str, **wanted: Any) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[realm], wanted))


def test_a_bad_email_and_a_long_phone_hold_neither_the_client_nor_its_invoice_up(pipeline: Pipeline) -> None:
    bad = client(email="nobody", phone="0" * 31)
    pipeline.ingest(event(bad), event(invoice(of=project(of=bad))))
    pipeline.drive()
    assert {row.state for row in pipeline.links()} == {"synced"}
    assert pipeline.rows("qbo_failure") == []
    (document,) = pipeline.objects("Invoice")
    assert "BillEmail" not in document
    assert remarks(pipeline) == [("client", "difference:left-out"), ("invoice", "difference:left-out")]
    messages = {row.message for row in pipeline.rows("qbo_difference")}
    assert any("nobody" in one and "31 characters" in one for one in messages)
    assert untold(pipeline) == {"difference:left-out": 2}


def test_what_was_left_out_goes_once_it_is_corrected_and_keeps_what_was_there(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(email="first@example.com")))
    pipeline.drive()
    pipeline.ingest(event(client(sequence=2, email="nobody")))
    pipeline.drive()
    (customer,) = pipeline.objects("Customer")
    assert customer["PrimaryEmailAddr"]["Address"] == "first@example.com"
    assert remarks(pipeline) == [("client", "difference:left-out")]
    pipeline.ingest(event(client(sequence=3, email="second@example.com")))
    pipeline.drive()
    (customer,) = pipeline.objects("Customer")
    assert customer["PrimaryEmailAddr"]["Address"] == "second@example.com"
    assert remarks(pipeline) == []


def test_one_that_is_emptied_without_ever_having_been_sent_is_over(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(email="nobody")))
    pipeline.drive()
    calls = len(pipeline.requests())
    pipeline.ingest(event(client(sequence=2, email="still nobody")))
    pipeline.drive()
    assert "still nobody" in pipeline.rows("qbo_difference")[0].message
    pipeline.ingest(event(client(sequence=3, email=None)))
    pipeline.drive()
    assert remarks(pipeline) == []
    assert len(pipeline.requests()) == calls


@pytest.mark.parametrize("on", [True, False])
def test_a_number_that_quickbooks_gave_is_told_until_the_document_is_written_again(
    unlinked: Pipeline, monkeypatch: pytest.MonkeyPatch, on: bool
) -> None:
    realm = SELF_NUMBERED if on else USA
    monkeypatch.setitem(pipelines.LOCALES, realm, "USA")
    unlinked.link(
        realm=realm, item=next(one["Id"] for one in unlinked.objects("Item", realm) if one["Type"] != "Category")
    )
    lines = (line(vat=None),)
    unlinked.ingest(event(invoice("i1", lines=lines, currency="USD")))
    unlinked.drive()
    edit(unlinked, realm, action="preferences", group="SalesFormsPrefs", members={"CustomTxnNumbers": on})
    unlinked.ingest(event(invoice("i2", lines=lines, currency="USD")))
    unlinked.drive()
    assert unlinked.one("invoice", "i2").state == "synced"
    number = unlinked.objects("Invoice", realm)[-1]["DocNumber"]
    if on:
        # It was sent once more with its number at once.
        assert (number, remarks(unlinked)) == ("INV-i2", [])
    else:
        assert number not in ("", "INV-i2")
        assert remarks(unlinked) == [("invoice", "difference:number")]
        unlinked.ingest(event(invoice("i2", sequence=2, lines=lines, currency="USD", details="x")))
        unlinked.drive()
        assert remarks(unlinked) == []


def test_a_class_that_was_dropped_is_told(pipeline: Pipeline) -> None:
    pipeline.simulator.call(lambda world: world.change_settings({"class_when_tracking_is_off": "drop"}))
    with pipeline.engine.begin() as db:
        wanted = pipeline.objects("Class")[0]["Id"]
        db.exec_driver_sql(f"UPDATE qbo_configuration SET default_class_id = '{wanted}'")
    edit(pipeline, UK, action="preferences", group="AccountingInfoPrefs", members={"ClassTrackingPerTxnLine": False})
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert remarks(pipeline) == [("invoice", "difference:class")]
