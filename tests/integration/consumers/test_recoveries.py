"""A refusal by QuickBooks comes with what one read adds: whose a name is, what is inactive, what is gone; and what is gone is recreated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.events import Step
from simulator import bookkeeper
from simulator.seeds import UK
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline

NAME = "Harbour & Sons c1"


def edit(pipeline: Pipeline, **wanted: object) -> Any:
    return pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


def reads(pipeline: Pipeline) -> int:
    """Successful ones, which are what Intuit counts."""
    return sum(1 for one in pipeline.requests() if one.operation == "read" and one.status == 200 and not one.codes)


def looks(pipeline: Pipeline) -> int:
    """How many reads were answered; a refusal may be a 200 too."""
    return sum(
        1 for one in pipeline.requests() if one.operation in ("read", "query") and one.status == 200 and not one.codes
    )


def failure(pipeline: Pipeline) -> Any:
    (found,) = [one for one in pipeline.rows("qbo_failure") if one.closed_at is None]
    return found


@pytest.fixture
def sent(pipeline: Pipeline) -> Pipeline:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    return pipeline


@pytest.mark.parametrize("said", ["id", "null"])
@pytest.mark.parametrize(("entity", "words"), [("Vendor", "a vendor"), ("Customer", "a customer")])
def test_a_name_that_is_taken_is_told_with_whose_it_is(pipeline: Pipeline, entity: str, words: str, said: str) -> None:
    # QuickBooks does not always say whose Id it is; then it is found by its name.
    pipeline.simulator.call(lambda world: world.change_settings({"duplicate_name_detail": said}))
    (holder,) = edit(pipeline, action="create", entity=entity, members={"DisplayName": NAME})
    before = looks(pipeline)
    pipeline.ingest(event(client()))
    pipeline.drive()
    found = failure(pipeline)
    assert (found.cause, found.value) == ("name-taken", holder["Id"])
    assert f"QuickBooks already has {words} of that name (“{NAME}”, Id {holder['Id']})" in found.message
    assert ("link it by hand under Customers" in found.remedy) == (entity == "Customer")
    # Never attached silently, and read once however often it is tried.
    assert pipeline.one("client", "c1").qbo_id is None
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_link SET due_at = now(), again = true")
    pipeline.drive()
    # Among customers first, in this spelling and with other spaces between the words; then among vendors.
    queries = {"Customer": 1, "Vendor": 3}[entity] if said == "null" else 1
    assert looks(pipeline) == before + queries
    assert pipeline.recovered.count("explained") == 2


def test_the_default_item_is_named_by_its_name(sent: Pipeline) -> None:
    surveying = sent.object_id(UK, "Item", "Surveying")
    edit(sent, action="deactivate", entity="Item", id=surveying)
    before = reads(sent)
    sent.ingest(*[event(invoice(f"n{number}")) for number in range(5)])
    sent.drive()
    for one in sent.rows("qbo_failure"):
        assert f"its item “Surveying” (Id {surveying}) is deleted, merged or inactive in QuickBooks" in one.message
        assert one.value == "Surveying"
    assert len(sent.rows("qbo_failure")) == 5
    assert reads(sent) == before + 1


def test_a_document_deleted_in_quickbooks_is_told_and_made_anew_when_asked(sent: Pipeline) -> None:
    gone = sent.one("invoice", "i1").qbo_id
    edit(sent, action="delete", entity="Invoice", id=gone)
    sent.ingest(event(invoice(sequence=2, lines=(line("300.00"),))))
    sent.drive()
    found = failure(sent)
    assert (found.cause, found.value) == ("deleted-in-qbo", gone)
    assert "Recreate" in found.remedy
    assert sent.objects("Invoice") == []
    with sent.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_link SET overwrite = true, due_at = now(), again = true WHERE state = 'failed'")
    sent.drive()
    (document,) = sent.objects("Invoice")
    link = sent.one("invoice", "i1")
    assert (link.state, link.qbo_id) == ("synced", document["Id"])
    assert link.qbo_id != gone
    assert Decimal(str(document["TotalAmt"])) == Decimal("360.00")
    assert "recreated" in sent.recovered
    assert not link.overwrite


def test_a_reference_that_is_inactive_is_not_taken_for_the_document(sent: Pipeline) -> None:
    edit(sent, action="deactivate", entity="Item", id=sent.object_id(UK, "Item", "Surveying"))
    edit(
        sent,
        action="update",
        entity="Invoice",
        id=sent.one("invoice", "i1").qbo_id,
        members={"CustomerMemo": {"value": "x"}},
    )
    sent.ingest(event(invoice(sequence=2, lines=(line("300.00"), line("5.00", position=2)))))
    sent.drive()
    link = sent.one("invoice", "i1")
    assert (link.state, link.cause) in {
        ("failed", "inactive-or-deleted"),
        ("failed", "invalid-reference"),
        ("synced", ""),
    }
    assert link.cause != "deleted-in-qbo"


def test_what_is_deleted_in_quickbooks_and_voided_in_kompass_is_over(sent: Pipeline) -> None:
    edit(sent, action="delete", entity="Invoice", id=sent.one("invoice", "i1").qbo_id)
    sent.ingest(event(invoice(sequence=2, step=Step.VOIDED)))
    sent.drive()
    link = sent.one("invoice", "i1")
    assert (link.state, link.voided) == ("synced", True)
    assert "was deleted in QuickBooks" in link.reason


@pytest.mark.parametrize("change", [{"step": Step.VOIDED}, {"lines": (line("50.00"),)}], ids=["void", "amounts"])
def test_a_paid_invoice_is_left_alone_and_named_with_its_payment(sent: Pipeline, change: dict[str, Any]) -> None:
    found = sent.one("invoice", "i1").qbo_id
    payment = edit(sent, action="pay", entity="Invoice", id=found)[0]
    before = sent.objects("Invoice")
    calls = len(sent.requests())
    sent.ingest(event(invoice(sequence=2, **change)))
    sent.drive()
    assert sent.objects("Invoice") == before
    refused = failure(sent)
    assert refused.cause == "conflict:paid"
    assert f"by Payment {payment['Id']}" in refused.message
    # A refusal and a read; it never goes round.
    assert len(sent.requests()) <= calls + 2
    assert sent.drive() == []


@pytest.fixture
def paid(sent: Pipeline) -> Pipeline:
    """Invoice i1 is paid, QuickBooks voids nothing that is, and its SyncToken does not tell us."""
    sent.simulator.call(lambda world: world.change_settings({"paid_document": "refuse"}))
    edit(sent, action="pay", entity="Invoice", id=sent.one("invoice", "i1").qbo_id)
    (document,) = sent.objects("Invoice")
    with sent.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_link SET sync_token = %s WHERE kind = 'invoice'", (document["SyncToken"],))
    return sent


def test_a_refused_void_of_a_paid_invoice_is_told_with_its_payment_and_does_not_go_round(paid: Pipeline) -> None:
    calls = len(paid.requests())
    paid.ingest(event(invoice(sequence=2, step=Step.VOIDED)))
    paid.drive()
    refused = failure(paid)
    assert refused.cause == "conflict:paid"
    assert "by Payment " in refused.message
    assert [one.operation for one in paid.requests()[calls:]] == ["void", "read"]
    assert paid.drive() == []


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("overwrite", [False, True], ids=["try again", "send what Kompass says"])
def test_a_paid_invoice_that_is_to_be_voided_all_the_same_says_so_once_more(paid: Pipeline, overwrite: bool) -> None:
    paid.ingest(event(invoice(sequence=2, step=Step.VOIDED)))
    paid.drive()
    calls = len(paid.requests())
    with paid.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE qbo_link SET overwrite = %s, due_at = now(), again = true WHERE state = 'failed'", (overwrite,)
        )
    paid.drive()
    assert [one.operation for one in paid.requests()[calls:]] == (["read", "void"] if overwrite else ["read"])
    assert failure(paid).cause == ("business-rule" if overwrite else "conflict:paid")
    assert paid.drive() == []
    (document,) = paid.objects("Invoice")
    assert document["LinkedTxn"]


def test_a_voided_credit_note_that_is_not_applied_is_zeroed_with_a_note(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("k1", lines=(line("-100.00"),))))
    pipeline.drive()
    pipeline.ingest(event(invoice("k1", sequence=2, lines=(line("-100.00"),), step=Step.VOIDED)))
    pipeline.drive()
    (document,) = pipeline.objects("CreditMemo")
    assert (Decimal(str(document["TotalAmt"])), document["PrivateNote"][:17]) == (Decimal(0), "Voided in Kompass")
    assert pipeline.one("invoice", "k1").state == "synced"


def test_a_voided_credit_note_that_is_applied_says_to_which_invoice(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("k1", lines=(line("-100.00"),))))
    pipeline.drive()
    ours, credit = pipeline.one("invoice", "i1"), pipeline.one("invoice", "k1")
    (document,) = pipeline.objects("Invoice")
    lines = [
        {"Amount": 120, "LinkedTxn": [{"TxnId": qbo_id, "TxnType": kind}]}
        for qbo_id, kind in ((ours.qbo_id, "Invoice"), (credit.qbo_id, "CreditMemo"))
    ]
    payload = {"CustomerRef": {"value": document["CustomerRef"]["value"]}, "TotalAmt": 0, "Line": lines}
    edit(pipeline, action="create", entity="Payment", members=payload)
    before = pipeline.objects("CreditMemo")
    pipeline.ingest(event(invoice("k1", sequence=2, lines=(line("-100.00"),), step=Step.VOIDED)))
    pipeline.drive()
    found = failure(pipeline)
    assert found.cause == "conflict:credit-applied"
    assert "has been applied to invoice INV-i1 in QuickBooks (by Payment " in found.message
    assert pipeline.objects("CreditMemo") == before
