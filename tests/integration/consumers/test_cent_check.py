"""After each push QuickBooks' total is held against Kompass's: a difference is recorded with its reason, and ends on its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from consumers.gauges import GaugeKeeper
from consumers.inquiry.why import find_one, story
from qbo_client.outcomes import Done
from schemas.events import InvoiceLine, Kind, Step, VatRate
from simulator import Simulator, bookkeeper
from simulator.seeds import UK, USA_AUTOMATED_TAX
from sync.metrics import Metrics
from sync.settle import Answer
from tests.builders import event, invoice, line
from tests.pipeline import Pipeline

SEVENTEEN = VatRate("vat-17", "Standard 17.5 %", Decimal("17.5"))


@pytest.fixture(autouse=True)
def _tax_is_rounded_on_the_sum(simulator: Simulator) -> None:
    """Kompass rounds it line by line; where QuickBooks did so, too, no cent would be missing."""
    simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))


def edit(pipeline: Pipeline, realm: str = UK, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[realm], dict(wanted)))


def push(pipeline: Pipeline, *lines: InvoiceLine, **more: Any) -> None:
    pipeline.ingest(event(invoice(lines=lines, **more)))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced", pipeline.one("invoice", "i1").reason


def differences(pipeline: Pipeline) -> list[tuple[str, Decimal, Decimal]]:
    return [(row.cause, row.kompass_total, row.qbo_total) for row in pipeline.rows("qbo_difference")]


def three_of_a_third() -> tuple[InvoiceLine, ...]:
    """Each line's tax is 0.066, rounded to 0.07; that of their sum is 0.198, rounded to 0.20."""
    return tuple(line("0.33", position=number) for number in (1, 2, 3))


def test_documents_that_agree_leave_no_trace(pipeline: Pipeline) -> None:
    push(pipeline, line("100.00"))
    pipeline.ingest(event(invoice("credit", lines=(line("-40.00"),))))
    pipeline.drive()
    assert len(pipeline.objects("CreditMemo")) == 1
    assert differences(pipeline) == []


def test_tax_rounded_by_line_and_on_the_sum_is_told_with_both_figures(pipeline: Pipeline) -> None:
    push(pipeline, *three_of_a_third())
    assert differences(pipeline) == [("difference:tax-rounding", Decimal("1.20"), Decimal("1.19"))]
    (row,) = pipeline.rows("qbo_difference")
    assert row.message == (
        "QuickBooks has 1.19 (tax 0.20), Kompass 1.20 (tax 0.21): probably tax is rounded by the line on one side, on the sum"
        " on the other"
    )
    entries = [one for one in pipeline.rows("qbo_history") if one.outcome == "difference:tax-rounding"]
    assert [one.message for one in entries] == [row.message]
    assert pipeline.rows("qbo_failure") == []


def test_tax_rounded_by_line_on_both_sides_agrees(pipeline: Pipeline) -> None:
    pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_line"}))
    push(pipeline, *three_of_a_third())
    assert differences(pipeline) == []


def refused(pipeline: Pipeline, *lines: InvoiceLine, **more: Any) -> str:
    """Push, and give the cause for which nothing was sent."""
    pipeline.ingest(event(invoice(lines=lines, **more)))
    pipeline.drive()
    assert pipeline.objects("Invoice") == []
    return str(pipeline.one("invoice", "i1").cause)


def test_a_rate_that_was_another_on_the_day_is_refused_before_the_call(pipeline: Pipeline) -> None:
    """20 % was in force from 2011-01-04: QuickBooks would book 17.50 where 20.00 was billed."""
    cause = refused(pipeline, line("100.00"), date=dt.date(2010, 6, 1), due_date=dt.date(2010, 7, 1))
    assert cause == "tax-would-differ:vat-20"


def test_a_tax_code_of_another_rate_than_kompass_bills_is_refused_before_the_call(pipeline: Pipeline) -> None:
    pipeline.map_vat_rate("vat-17", "20.0% S")
    pipeline.sweep()
    assert refused(pipeline, line("100.00", vat=SEVENTEEN)) == "tax-would-differ:vat-17"


def test_a_rate_that_changed_since_the_facts_were_read_is_told(pipeline: Pipeline) -> None:
    def raise_the_rate(world: Any) -> None:
        (rate,) = [one for one in world.companies[UK].tables["TaxRate"].values() if one["Name"] == "20% S"]
        rate["EffectiveTaxRate"][0]["RateValue"] = 21

    pipeline.simulator.call(raise_the_rate)
    push(pipeline, line("100.00"))
    assert differences(pipeline) == [("difference:tax-rate-by-date", Decimal("120"), Decimal("121"))]


def test_tax_that_quickbooks_finds_by_itself_is_told(unlinked: Pipeline) -> None:
    unlinked.link(realm=USA_AUTOMATED_TAX)
    unlinked.ingest(event(invoice(lines=(line("100.00", vat=None),), currency="USD")))
    for _ in range(2):
        for attempt in unlinked.claim().attempts:
            unlinked.settle(Answer(attempt, unlinked.call(attempt)))
    (attempt,) = unlinked.claim().attempts
    outcome = unlinked.call(attempt)
    assert isinstance(outcome, Done)
    # The simulator's engine taxes only lines that are marked; Intuit's may decide for itself what is taxable.
    taxed = {**outcome.entity("Invoice"), "TotalAmt": Decimal("108.25"), "TxnTaxDetail": {"TotalTax": Decimal("8.25")}}
    unlinked.settle(Answer(attempt, replace(outcome, body={"Invoice": taxed})))
    assert differences(unlinked) == [("difference:automated-tax", Decimal("100"), Decimal("108.25"))]


def test_lines_changed_by_hand_are_told_when_kompass_pushes_beside_them(pipeline: Pipeline) -> None:
    push(pipeline, line("100.00"))
    edit(
        pipeline, action="override_tax", entity="Invoice", id=pipeline.one("invoice", "i1").qbo_id, tax=Decimal("19.99")
    )
    push(pipeline, line("100.00"), sequence=2, details="Thank you")
    assert differences(pipeline) == [("difference:edited-in-qbo", Decimal("120"), Decimal("119.99"))]


def test_it_ends_when_a_later_push_agrees(pipeline: Pipeline) -> None:
    push(pipeline, *three_of_a_third())
    push(pipeline, line("1.00"), sequence=2)
    assert differences(pipeline) == []


def test_it_ends_when_kompass_comes_round_without_a_push(pipeline: Pipeline) -> None:
    push(pipeline, *three_of_a_third())
    calls = len(pipeline.requests())
    lines = three_of_a_third()
    push(pipeline, lines[0], lines[1], line("0.33", position=3, amount_vat=Decimal("0.06")), sequence=2)
    assert len(pipeline.requests()) == calls
    assert differences(pipeline) == []


def test_it_begins_when_kompass_rounds_anew_without_a_push(pipeline: Pipeline) -> None:
    push(
        pipeline,
        *(line("0.33", amount_vat=vat, position=n) for n, vat in enumerate(map(Decimal, ("0.06", "0.07", "0.07")), 1)),
    )
    assert differences(pipeline) == []
    push(pipeline, *three_of_a_third(), sequence=2)
    assert differences(pipeline) == [("difference:tax-rounding", Decimal("1.20"), Decimal("1.19"))]


def test_it_ends_with_a_void(pipeline: Pipeline) -> None:
    push(pipeline, *three_of_a_third())
    push(pipeline, *three_of_a_third(), sequence=2, step=Step.VOIDED)
    assert differences(pipeline) == []


def test_credit_notes_are_compared_with_their_sign_turned(pipeline: Pipeline) -> None:
    push(pipeline, *(line("-0.33", position=number) for number in (1, 2, 3)))
    assert differences(pipeline) == [("difference:tax-rounding", Decimal("1.20"), Decimal("1.19"))]


def test_the_sync_goes_on_meanwhile(pipeline: Pipeline) -> None:
    pipeline.ingest(*[event(invoice(f"i{number}", lines=three_of_a_third())) for number in range(3)])
    pipeline.drive()
    assert {row.state for row in pipeline.links()} == {"synced"}
    assert len(differences(pipeline)) == 3


def test_it_is_told_by_why_and_counted(pipeline: Pipeline) -> None:
    push(pipeline, *three_of_a_third())
    with pipeline.engine.begin() as db:
        story_of = story(db, find_one(db, Kind.INVOICE, "i1", None))
    (standing,) = [times for _, times in story_of.links]
    assert standing.difference.startswith("QuickBooks has 1.19 (tax 0.20), Kompass 1.20 (tax 0.21)")
    metrics = Metrics()
    GaugeKeeper(pipeline.engine, metrics, budget=100, period=15.0).fill()
    labels = {"reason": "tax-rounding", "org": "org-uk"}
    assert metrics.registry.get_sample_value("kompass_qbo_differences_open", labels) == 1
