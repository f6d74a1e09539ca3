"""The month's budget of metered reads: once it is spent, what needs one is held and said so; writes go on; it ends on its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from qbo_client.outcomes import Unknown
from simulator import bookkeeper
from simulator.seeds import UK
from store import quota
from sync.budget import NO_BUDGET, Budget, next_month
from sync.settle import Answer
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline

BUDGET = 100
READS = ("read", "query")


@pytest.fixture
def spending(opened: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline that keeps to its budget, linked while there was some, with an invoice in QuickBooks."""
    made = opened(budget=Budget(BUDGET), lease=0.0)
    made.link()
    made.map_vat_rate("vat-20", "20.0% S")
    made.ingest(event(invoice()))
    made.drive()
    return made


def spend(pipeline: Pipeline, calls: int = BUDGET) -> None:
    with pipeline.engine.begin() as db:
        quota.count_metered(db, calls)


def edit_by_hand(pipeline: Pipeline) -> None:
    found = pipeline.one("invoice", "i1").qbo_id
    wanted = {"action": "update", "entity": "Invoice", "id": found, "members": {"CustomerMemo": {"value": "Thanks"}}}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))


def turn(pipeline: Pipeline) -> None:
    """Sweep, claim, call and settle, for as long as something is due now."""
    pipeline.sweep()
    while ids := pipeline.due():
        claimed = pipeline.claim(ids)
        for realm, org in claimed.unready.items():
            pipeline.jobs.prepare(org, realm)
        pipeline.settle(*[Answer(attempt, pipeline.call(attempt)) for attempt in claimed.attempts])


def reads(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.operation in READS)


def test_what_needs_a_read_is_held_and_what_needs_none_goes_on(spending: Pipeline) -> None:
    edit_by_hand(spending)
    spend(spending)
    before = reads(spending)
    spending.ingest(
        event(invoice(sequence=2, lines=(line("300.00"),))),
        event(client("c2")),
        event(client(sequence=2, phone="+44 1")),
    )
    turn(spending)
    held = spending.one("invoice", "i1")
    assert (held.state, held.cause) == ("retrying", NO_BUDGET)
    assert "this month's metered reads are spent" in held.reason
    assert held.due_at == next_month(datetime.now(UTC))
    assert held.first_failed_at is not None
    assert {spending.one("client", name).state for name in ("c1", "c2")} == {"synced"}
    assert reads(spending) == before
    # A newer state of it is decided, needs the same read, and waits on.
    spending.ingest(event(invoice(sequence=3, lines=(line("400.00"),))))
    turn(spending)
    assert spending.one("invoice", "i1").cause == NO_BUDGET


def test_without_being_told_to_hold_it_reads_on(spending: Pipeline, opened: Callable[..., Pipeline]) -> None:
    edit_by_hand(spending)
    spend(spending)
    spending.ingest(event(invoice(sequence=2, lines=(line("300.00"),))))
    turn(opened(lease=0.0))
    assert spending.one("invoice", "i1").state == "synced"


def test_a_lost_answer_that_has_to_be_looked_up_keeps_its_attempt(
    spending: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    forgetful = opened(budget=Budget(BUDGET), lease=0.0, resend_window=0.0)
    spend(spending)
    spending.ingest(event(invoice("i2")))
    (attempt,) = spending.claim().attempts
    spending.call(attempt)
    spending.settle(Answer(attempt, Unknown("timed out")))
    with spending.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL"))
    turn(forgetful)
    assert spending.one("invoice", "i2").cause == NO_BUDGET
    (stored,) = spending.rows("qbo_attempt")
    assert stored.request_id == attempt.request_id
    # With the new month it is looked up, and found.
    forgetful = opened(budget=Budget(BUDGET + 1), lease=0.0, resend_window=0.0)
    forgetful._hasten()
    turn(forgetful)
    assert spending.one("invoice", "i2").state == "synced"
    assert len(spending.objects("Invoice")) == 2


def test_a_company_without_facts_is_held_and_one_with_old_ones_goes_on(spending: Pipeline) -> None:
    with spending.engine.begin() as db:
        db.execute(text("UPDATE qbo_company_facts SET fetched_at = now() - interval '1 year'"))
    spending.cache.forget("org-uk")
    spend(spending)
    before = reads(spending)
    spending.ingest(event(client("c2")))
    turn(spending)
    assert spending.one("client", "c2").state == "synced"
    with spending.engine.begin() as db:
        db.execute(text("DELETE FROM qbo_company_facts"))
    spending.cache.forget("org-uk")
    spending.ingest(event(client("c3")))
    turn(spending)
    assert (spending.one("client", "c3").state, spending.one("client", "c3").cause) == ("retrying", NO_BUDGET)
    assert reads(spending) == before


def test_a_larger_budget_wakes_what_is_held_and_it_is_counted_by_org(
    spending: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    edit_by_hand(spending)
    spend(spending)
    spending.ingest(event(invoice(sequence=2, lines=(line("300.00"),))))
    process(spending, lambda: spending.one("invoice", "i1").cause == NO_BUDGET)
    counted = spending.metrics.registry.get_sample_value(
        "kompass_qbo_quota_waits_total", {"limit": "budget", "org": "org-uk"}
    )
    assert counted == 1
    larger = opened(budget=Budget(BUDGET * 10))
    process(larger, lambda: larger.one("invoice", "i1").state == "synced")


def process(pipeline: Pipeline, reached: Callable[[], bool]) -> None:
    """Run a process's reconciler on these parts until that is so."""
    running = pipeline.reconciler(workers=2, sweep_seconds=0.1)
    running.start()
    looked = threading.Event()
    try:
        for _ in range(600):
            if reached():
                return
            looked.wait(0.05)
        raise AssertionError(f"not in time: {pipeline.links()}")
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_next_month_begins(now: datetime, expected: datetime) -> None:
    assert next_month(now) == expected


def test_nothing_is_asked_of_the_database_where_reads_go_on(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        assert not Budget().spent(db)
        assert Budget(0).spent(db)
