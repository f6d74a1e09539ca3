"""A document made by a call without an answer, and edited by a bookkeeper before we could look for it: never a second one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qbo_client.outcomes import Done
from simulator import bookkeeper
from simulator.seeds import UK
from sync.attempt import Attempt
from sync.settle import Answer
from tests.builders import client, event, invoice, line
from tests.integration.consumers.test_looking_up import forgotten, numbered_by_quickbooks
from tests.pipeline import Pipeline


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


@pytest.fixture
def lost(pipeline: Pipeline) -> Pipeline:
    """Invoice i1 is in QuickBooks, and nobody on our side knows."""
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", details="Second")))
    (attempt,) = pipeline.claim().attempts
    assert isinstance(pipeline.call(attempt), Done)
    return pipeline


def document(pipeline: Pipeline) -> dict[str, Any]:
    return pipeline.objects("Invoice")[-1]


def change(pipeline: Pipeline, **members: object) -> None:
    edit(pipeline, action="update", entity="Invoice", id=document(pipeline)["Id"], members=members)


def look(pipeline: Pipeline) -> Attempt:
    forgotten(pipeline)
    (attempt,) = pipeline.claim().attempts
    assert attempt.phase == "lookup"
    settled = pipeline.settle(*pipeline.answers([attempt]))
    pipeline.recovered += settled.recoveries
    return attempt


def choose(pipeline: Pipeline) -> None:
    """Send what Kompass says, as the admin's button does."""
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_link SET overwrite = true, due_at = now(), again = true WHERE state = 'failed'")


def test_a_number_changed_by_hand_does_not_hide_it(lost: Pipeline) -> None:
    change(lost, DocNumber="2026-001")
    look(lost)
    lost.drive()
    link = lost.one("invoice", "i1")
    assert (link.state, link.qbo_id, link.name) == ("synced", document(lost)["Id"], "2026-001")
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
    assert (link.state, link.cause) == ("failed", "conflict:in-doubt")
    assert f"(Id {document(lost)['Id']})" in link.reason
    assert len(lost.objects("Invoice")) == 2
    assert lost.recovered == ["asked"]
    # Trying again looks again; it makes nothing.
    look(lost)
    assert len(lost.objects("Invoice")) == 2
    # A newer state of it does not make a second one either.
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
    assert (lost.one("invoice", "i1").state, len(lost.objects("Invoice"))) == ("synced", 2)


def test_it_is_made_anew_when_a_person_says_that_it_is_another(lost: Pipeline) -> None:
    change(lost, PrivateNote="observed", DocNumber="observed")
    look(lost)
    choose(lost)
    lost.drive()
    link = lost.one("invoice", "i1")
    assert (link.state, len(lost.objects("Invoice"))) == ("synced", 3)
    assert link.qbo_id == document(lost)["Id"]


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered by us", "numbered by QuickBooks"])
def test_a_document_moved_to_another_customer_is_found(pipeline: Pipeline, numbered: bool) -> None:
    pipeline.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", False))
    if not numbered:
        numbered_by_quickbooks(pipeline)
    pipeline.ingest(event(client("c2", name="Other")), event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", details="Second")))
    (attempt,) = pipeline.claim().attempts
    assert isinstance(pipeline.call(attempt), Done)
    other = pipeline.one("client", "c2").qbo_id
    change(pipeline, CustomerRef={"value": other}, DocNumber="2026-001")
    look(pipeline)
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    # QuickBooks has it under another customer than Kompass says: a person chooses.
    assert (link.cause, link.qbo_id) == ("conflict:edited-in-qbo", document(pipeline)["Id"])
    assert len(pipeline.objects("Invoice")) == 2
    # Where the bookkeeper put it, it stays.
    pipeline.ingest(event(invoice("i1", sequence=2, details="Third")))
    pipeline.drive()
    assert document(pipeline)["CustomerRef"]["value"] == other
    assert document(pipeline)["CustomerMemo"]["value"] == "Third"


def test_a_document_moved_to_another_customer_without_its_mark_makes_us_ask(lost: Pipeline) -> None:
    lost.ingest(event(client("c2", name="Other")))
    (attempt,) = lost.claim().attempts
    lost.settle(*lost.answers([attempt]))
    change(lost, CustomerRef={"value": lost.one("client", "c2").qbo_id}, PrivateNote="called them")
    look(lost)
    link = lost.one("invoice", "i1")
    assert (link.state, link.cause) == ("failed", "conflict:in-doubt")
    assert f"another customer got Invoice INV-i1 (Id {document(lost)['Id']})" in link.reason
    assert link.observed["Id"] == document(lost)["Id"]


def test_nothing_is_made_anew_before_the_whole_company_was_asked(lost: Pipeline) -> None:
    edit(lost, action="delete", entity="Invoice", id=document(lost)["Id"])
    forgotten(lost)
    (attempt,) = lost.claim().attempts
    # No quota or budget for the second read: nobody learned anything.
    lost.settle(Answer(attempt, lost.call(attempt)))
    assert (lost.one("invoice", "i1").state, len(lost.rows("qbo_attempt"))) == ("retrying", 1)
    lost.drive()
    assert lost.one("invoice", "i1").state == "synced"
    assert lost.recovered == ["abandoned"]
    assert len(lost.objects("Invoice")) == 2


def test_documents_of_other_records_are_not_taken_for_it(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1")))
    (attempt,) = pipeline.claim().attempts
    pipeline.ingest(event(invoice("i2")))
    attempts = pipeline.claim().attempts
    # The answer to i2 never came either: its document stands for no link yet.
    assert [isinstance(pipeline.call(one), Done) for one in attempts] == [True]
    forgotten(pipeline)
    (look_one,) = [one for one in pipeline.claim().attempts if one.link.id == attempt.link.id]
    settled = pipeline.settle(*pipeline.answers([look_one]))
    assert settled.recoveries == ["abandoned"]
    forgotten(pipeline)
    pipeline.drive()
    assert sorted(one["DocNumber"] for one in pipeline.objects("Invoice")) == ["INV-i0", "INV-i1", "INV-i2"]


def test_lines_edited_before_it_was_found_are_not_overwritten_later(lost: Pipeline) -> None:
    lines = [{**one, "Amount": 77} for one in document(lost)["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    change(lost, Line=lines)
    look(lost)
    lost.drive()
    assert lost.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    lost.ingest(event(invoice("i1", sequence=2, details="Second", lines=(line("300.00"),))))
    lost.drive()
    assert lost.one("invoice", "i1").cause == "conflict:edited-in-qbo"
    assert Decimal(str(document(lost)["TotalAmt"])) == Decimal("92.40")
