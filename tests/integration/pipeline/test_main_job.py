"""A change in Kompass appears in QuickBooks Online: once, in its newest state, for as few calls as can be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from qbo_client.outcomes import Done
from schemas.events import Action, Step
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


def writes(pipeline: Pipeline) -> list[str]:
    """The calls that reached Intuit, but for those that read the company's facts at linking."""
    return [
        f"{one.operation} {one.entity}"
        for one in pipeline.requests()
        if one.path.startswith("/v3/") and one.operation not in ("read", "query")
    ]


def reads(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.path.startswith("/v3/") and one.operation in ("read", "query"))


def test_a_new_client_project_and_invoice_cost_three_writes_and_no_read(pipeline: Pipeline) -> None:
    facts = reads(pipeline)
    pipeline.ingest(event(client(), action=Action.CREATE), event(project()), event(invoice()))
    outcomes = pipeline.drive()
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert writes(pipeline) == ["create Customer", "create Customer", "create Invoice"]
    assert reads(pipeline) == facts
    (document,) = pipeline.objects("Invoice")
    assert document["DocNumber"] == "INV-i1"
    assert Decimal(str(document["TotalAmt"])) == Decimal("120.00")
    job = pipeline.one("project", "p1")
    assert document["CustomerRef"]["value"] == job.qbo_id
    assert pipeline.one("invoice", "i1").state == "synced"


def test_a_second_delivery_makes_no_call(pipeline: Pipeline) -> None:
    events = [event(client()), event(project()), event(invoice())]
    pipeline.ingest(*events)
    pipeline.drive()
    before = len(pipeline.requests())
    results = pipeline.ingest(*events)
    assert [result.newer for result in results] == [0, 0, 0]
    assert pipeline.drive() == []
    assert len(pipeline.requests()) == before


def test_an_invoice_whose_client_event_never_comes_is_pushed_all_the_same(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    assert writes(pipeline) == ["create Customer", "create Customer", "create Invoice"]


def test_a_change_costs_one_call_and_ten_changes_that_come_together_cost_one(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    before = len(pipeline.requests())
    pipeline.ingest(event(invoice(sequence=2, details="Phase one")))
    pipeline.drive()
    assert len(pipeline.requests()) == before + 1
    changes = [event(invoice(sequence=number, lines=(line(f"{number}00.00"),))) for number in range(3, 13)]
    pipeline.ingest(*changes)
    pipeline.drive()
    assert len(pipeline.requests()) == before + 2
    (document,) = pipeline.objects("Invoice")
    assert Decimal(str(document["TotalAmt"])) == Decimal("1440.00")


def test_a_stale_event_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(sequence=5, name="Newest")))
    pipeline.drive()
    pipeline.ingest(event(client(sequence=3, name="Stale")))
    assert pipeline.drive() == []
    assert [one["DisplayName"] for one in pipeline.objects("Customer")] == ["Newest"]


def test_a_void_voids_and_a_void_of_something_never_sent_is_skipped(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", step=Step.VOIDED)))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    (document,) = pipeline.objects("Invoice")
    assert document["TotalAmt"] == 0
    assert pipeline.one("invoice", "i2").cause == "void-never-sent"
    assert pipeline.one("invoice", "i1").voided


def test_a_credit_note_is_a_credit_memo_with_positive_amounts_and_its_void_zeroes_it(pipeline: Pipeline) -> None:
    credit = invoice(lines=(line("-50.00"),))
    pipeline.ingest(event(credit))
    pipeline.drive()
    (memo,) = pipeline.objects("CreditMemo")
    assert Decimal(str(memo["TotalAmt"])) == Decimal("60.00")
    pipeline.ingest(event(replace(credit, sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    (memo,) = pipeline.objects("CreditMemo")
    assert memo["TotalAmt"] == 0
    assert memo["PrivateNote"].startswith("Voided in Kompass")


def test_a_foreign_invoice_gets_a_customer_and_a_job_of_its_currency(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", currency="EUR")))
    pipeline.drive()
    names = sorted((one["DisplayName"], one["CurrencyRef"]["value"]) for one in pipeline.objects("Customer"))
    assert names == [
        ("24-p1 Survey p1", "GBP"),
        ("24-p1 Survey p1 (EUR)", "EUR"),
        ("Harbour & Sons c1", "GBP"),
        ("Harbour & Sons c1 (EUR)", "EUR"),
    ]
    assert sorted(one["CurrencyRef"]["value"] for one in pipeline.objects("Invoice")) == ["EUR", "GBP"]


def test_a_missing_vat_mapping_rejects_and_saving_it_sends(unlinked: Pipeline) -> None:
    unlinked.link()
    unlinked.ingest(event(invoice()))
    unlinked.drive()
    link = unlinked.one("invoice", "i1")
    assert (link.state, link.cause) == ("failed", "no-tax-code:vat-20")
    (failure,) = unlinked.rows("qbo_failure")
    assert failure.event_value is not None
    unlinked.map_vat_rate("vat-20", "20.0% S")
    unlinked.drive()
    assert unlinked.one("invoice", "i1").state == "synced"
    (failure,) = unlinked.rows("qbo_failure")
    assert failure.closed_because == "synced"


def test_a_company_linked_late_gets_what_was_kept(unlinked: Pipeline) -> None:
    with unlinked.engine.begin() as db:
        db.exec_driver_sql("INSERT INTO qbo_org (id, name) VALUES ('org-uk', 'x')")
        db.exec_driver_sql("INSERT INTO qbo_configuration (org_id) VALUES ('org-uk')")
    unlinked.ingest(event(invoice()))
    assert unlinked.drive() == []
    assert unlinked.links() == []
    unlinked.link()
    with unlinked.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE qbo_configuration SET enabled = true, default_item_id = '%s'"  # noqa: UP031
            % unlinked.object_id("9130347000000000002", "Item", "Surveying")
        )
    unlinked.map_vat_rate("vat-20", "20.0% S")
    unlinked.drive()
    assert unlinked.one("invoice", "i1").state == "synced"
