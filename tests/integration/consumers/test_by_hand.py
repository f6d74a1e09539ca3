"""Tax that a bookkeeper put in by hand is part of the three-way comparison, and what was linked by hand is known by its figures."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import Step
from simulator import bookkeeper
from simulator.seeds import UK
from tests.builders import event, invoice, line
from tests.pipeline import Pipeline


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


@pytest.fixture
def overridden(pipeline: Pipeline) -> Pipeline:
    """An invoice of 100 and 20 % that a bookkeeper gave a tax of 19.99."""
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    edit(pipeline, action="override_tax", entity="Invoice", id=pipeline.one("invoice", "i1").qbo_id, tax="19.99")
    return pipeline


def document(pipeline: Pipeline) -> dict[str, Any]:
    (found,) = pipeline.objects("Invoice")
    return found


def tax(pipeline: Pipeline) -> Decimal:
    return Decimal(str(document(pipeline)["TxnTaxDetail"]["TotalTax"]))


def choose(pipeline: Pipeline) -> None:
    """Choose what Kompass says, as the admin's button does."""
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_link SET overwrite = true, due_at = now(), again = true WHERE state = 'failed'")


@pytest.mark.parametrize("change", [{"lines": (line("200.00"),)}, {"date": dt.date(2026, 3, 5)}], ids=["lines", "date"])
def test_what_would_undo_a_tax_put_in_by_hand_stops(overridden: Pipeline, change: dict[str, Any]) -> None:
    overridden.ingest(event(invoice(sequence=2, **change)))
    overridden.drive()
    link = overridden.one("invoice", "i1")
    assert (link.state, link.cause) == ("failed", "conflict:edited-in-qbo")
    assert "changed by hand in QuickBooks, and different from Kompass: tax" in link.reason
    assert tax(overridden) == Decimal("19.99")


def test_kompass_goes_over_it_when_a_person_says_so(overridden: Pipeline) -> None:
    overridden.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    overridden.drive()
    choose(overridden)
    overridden.drive()
    assert (overridden.one("invoice", "i1").state, tax(overridden)) == ("synced", Decimal("40.00"))


def test_what_a_bookkeeper_changed_after_a_person_looked_is_shown_before_it_is_overwritten(
    overridden: Pipeline,
) -> None:
    overridden.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    overridden.drive()
    edit(overridden, action="override_tax", entity="Invoice", id=document(overridden)["Id"], tax="12.34")
    choose(overridden)
    overridden.drive()
    link = overridden.one("invoice", "i1")
    assert (link.state, link.cause, link.overwrite) == ("failed", "conflict:edited-in-qbo", False)
    assert (Decimal(str(link.observed["TxnTaxDetail"]["TotalTax"])), tax(overridden)) == (Decimal("12.34"),) * 2
    # Seen by now, it is what the next choice is about.
    choose(overridden)
    overridden.drive()
    assert (overridden.one("invoice", "i1").state, tax(overridden)) == ("synced", Decimal("40.00"))


@pytest.mark.usefixtures("no_background_trouble")
def test_a_choice_that_quickbooks_refused_is_used_up(overridden: Pipeline) -> None:
    overridden.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    overridden.drive()
    choose(overridden)
    overridden.simulator.call(
        lambda world: world.troubles.add({"kind": "fault", "code": "6000", "operation": "update", "count": 1})
    )
    overridden.drive()
    link = overridden.one("invoice", "i1")
    assert (link.state, link.cause, link.overwrite) == ("failed", "business-rule", False)
    overridden.ingest(event(invoice(sequence=3, lines=(line("300.00"),))))
    overridden.drive()
    assert overridden.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert tax(overridden) == Decimal("19.99")


def test_it_survives_what_leaves_it_alone_and_is_still_not_overwritten_later(overridden: Pipeline) -> None:
    overridden.ingest(event(invoice(sequence=2, details="Thank you")))
    overridden.drive()
    assert overridden.one("invoice", "i1").state == "synced"
    assert (document(overridden)["CustomerMemo"]["value"], tax(overridden)) == ("Thank you", Decimal("19.99"))
    overridden.ingest(event(invoice(sequence=3, details="Thank you", lines=(line("200.00"),))))
    overridden.drive()
    assert overridden.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert tax(overridden) == Decimal("19.99")


def test_lines_changed_by_hand_survive_a_push_beside_them_and_the_next_one(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    lines = [{**one, "Amount": 77} for one in document(pipeline)["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    edit(pipeline, action="update", entity="Invoice", id=document(pipeline)["Id"], members={"Line": lines})
    pipeline.ingest(event(invoice(sequence=2, details="Thank you")))
    pipeline.drive()
    pipeline.ingest(event(invoice(sequence=3, details="Thank you", lines=(line("200.00"),))))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert Decimal(str(document(pipeline)["TotalAmt"])) == Decimal("92.40")


def test_an_update_of_ours_that_arrived_is_no_override(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    edit(
        pipeline,
        action="update",
        entity="Invoice",
        id=document(pipeline)["Id"],
        members={"CustomerMemo": {"value": "x"}},
    )
    lines = [{**one, "Amount": 200} for one in document(pipeline)["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    edit(pipeline, action="update", entity="Invoice", id=document(pipeline)["Id"], members={"Line": lines})
    pipeline.ingest(event(invoice(sequence=2, lines=(line("200.00"),), due_date=dt.date(2026, 4, 30))))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"


def test_what_turns_out_to_say_it_already_is_known_by_its_figures(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    before = pipeline.one("invoice", "i1")
    found = [one for one in document(pipeline)["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    anew = [{name: value for name, value in one.items() if name != "Id"} | {"Amount": 200} for one in found]
    edit(pipeline, action="update", entity="Invoice", id=before.qbo_id, members={"Line": anew})
    pipeline.ingest(event(invoice(sequence=2, lines=(line("200.00"),))))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    now = [one["Id"] for one in document(pipeline)["Line"] if "Id" in one]
    assert (link.state, link.qbo_total, link.qbo_tax) == ("synced", Decimal("240"), Decimal("40"))
    assert link.line_ids == now != before.line_ids
    assert link.sync_token == document(pipeline)["SyncToken"]
    calls = len(pipeline.requests())
    pipeline.ingest(event(invoice(sequence=3, lines=(line("300.00"),))))
    pipeline.drive()
    assert len(pipeline.requests()) == calls + 1
    assert [one["Id"] for one in document(pipeline)["Line"] if "Id" in one] == now


def test_a_void_found_in_quickbooks_leaves_nothing_billed(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    edit(pipeline, action="void", entity="Invoice", id=pipeline.one("invoice", "i1").qbo_id)
    pipeline.ingest(event(invoice(sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    assert (link.state, link.voided, link.qbo_total, link.qbo_tax) == ("synced", True, Decimal(0), Decimal(0))
    assert pipeline.rows("qbo_difference") == []


def test_it_is_known_after_a_text_and_another_edit(overridden: Pipeline) -> None:
    """A read after our own write beside it compares with the tax that was put in by hand."""
    overridden.ingest(event(invoice(sequence=2, details="Thank you")))
    overridden.drive()
    memo = {"CustomerMemo": {"value": "Thanks"}}
    edit(overridden, action="update", entity="Invoice", id=document(overridden)["Id"], members=memo)
    overridden.ingest(event(invoice(sequence=3, details="Thank you", lines=(line("200.00"),))))
    overridden.drive()
    assert overridden.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert tax(overridden) == Decimal("19.99")
