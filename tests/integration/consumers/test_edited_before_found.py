"""A document made by a call without an answer, and edited by a bookkeeper before we could look for it: never a second one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from consumers.reconcile.settle import Answer
from consumers.reconcile.work import Work
from qbo_client.outcomes import Done
from qbo_client.simulator import bookkeeper
from qbo_client.simulator.seeds import UK
from tests.builders import event, invoice, line
from tests.integration.consumers.test_review_lookups import forgotten
from tests.pipeline import Pipeline


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


@pytest.fixture
def lost(pipeline: Pipeline) -> Pipeline:
    """Invoice i1 is in QuickBooks, and nobody on our side knows."""
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", details="Second")))
    (work,) = pipeline.claim().work
    assert isinstance(pipeline.call(work), Done)
    return pipeline


def document(pipeline: Pipeline) -> dict[str, Any]:
    return pipeline.objects("Invoice")[-1]


def change(pipeline: Pipeline, **members: object) -> None:
    edit(pipeline, action="update", entity="Invoice", id=document(pipeline)["Id"], members=members)


def look(pipeline: Pipeline) -> Work:
    forgotten(pipeline)
    (work,) = pipeline.claim().work
    assert work.phase == "lookup"
    settled = pipeline.settle(Answer(work, pipeline.call(work)))
    pipeline.recovered += settled.recoveries
    return work


def choose(pipeline: Pipeline) -> None:
    """Send what Kompass says, as the admin's button does."""
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE qbo_link SET overwrite = true, due_at = now(), again = true WHERE state = 'rejected'"
        )


def test_a_number_changed_by_hand_does_not_hide_it(lost: Pipeline) -> None:
    change(lost, DocNumber="2026-001")
    look(lost)
    lost.drive()
    link = lost.one("invoice", "i1")
    assert (link.state, link.qbo_id, link.name) == ("settled", document(lost)["Id"], "2026-001")
    assert len(lost.objects("Invoice")) == 2


@pytest.mark.parametrize(
    "members",
    [{"PrivateNote": "called them"}, {"PrivateNote": "called them", "DocNumber": "2026-001"}],
    ids=["mark", "mark and number"],
)
def test_a_mark_that_was_taken_out_makes_us_ask(lost: Pipeline, members: dict[str, object]) -> None:
    change(lost, **members)
    look(lost)
    link = lost.one("invoice", "i1")
    assert (link.state, link.cause) == ("rejected", "conflict:in-doubt")
    assert f"(Id {document(lost)['Id']})" in link.reason
    assert len(lost.objects("Invoice")) == 2
    assert lost.recovered == ["asked"]
    # Trying again looks again; it makes nothing.
    look(lost)
    assert len(lost.objects("Invoice")) == 2
    # News of it does not make a second one either.
    lost.ingest(event(invoice("i1", sequence=2, lines=(line("300.00"),))))
    look(lost)
    assert len(lost.objects("Invoice")) == 2


def test_putting_the_mark_back_is_an_answer_too(lost: Pipeline) -> None:
    note = document(lost)["PrivateNote"]
    change(lost, PrivateNote="called them")
    look(lost)
    change(lost, PrivateNote=f"called them. {note}")
    look(lost)
    lost.drive()
    assert (lost.one("invoice", "i1").state, len(lost.objects("Invoice"))) == ("settled", 2)


def test_it_is_made_anew_when_a_person_says_that_it_is_another(lost: Pipeline) -> None:
    change(lost, PrivateNote="theirs", DocNumber="theirs")
    look(lost)
    choose(lost)
    lost.drive()
    link = lost.one("invoice", "i1")
    assert (link.state, len(lost.objects("Invoice"))) == ("settled", 3)
    assert link.qbo_id == document(lost)["Id"]


def test_documents_of_other_records_are_not_taken_for_it(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1")))
    (work,) = pipeline.claim().work
    pipeline.ingest(event(invoice("i2")))
    works = pipeline.claim().work
    # The answer to i2 never came either: its document stands for no link yet.
    assert [isinstance(pipeline.call(one), Done) for one in works] == [True]
    forgotten(pipeline)
    (look_one,) = [one for one in pipeline.claim().work if one.link.id == work.link.id]
    settled = pipeline.settle(Answer(look_one, pipeline.call(look_one)))
    assert settled.recoveries == ["abandoned"]
    forgotten(pipeline)
    pipeline.drive()
    assert sorted(one["DocNumber"] for one in pipeline.objects("Invoice")) == ["INV-i0", "INV-i1", "INV-i2"]


def test_lines_edited_before_it_was_found_are_not_overwritten_later(lost: Pipeline) -> None:
    lines = [{**one, "Amount": 77} for one in document(lost)["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    change(lost, Line=lines)
    look(lost)
    lost.drive()
    assert lost.one("invoice", "i1").state == "settled"
    lost.ingest(event(invoice("i1", sequence=2, details="Second", lines=(line("300.00"),))))
    lost.drive()
    assert lost.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert Decimal(str(document(lost)["TotalAmt"])) == Decimal("92.40")
