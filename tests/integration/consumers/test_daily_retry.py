"""What is fixed inside QuickBooks is found out by one record a day, however many wait for it."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime, timedelta

import pytest

from simulator import bookkeeper
from simulator.seeds import UK
from sync.daily_retry import MOST_A_PERIOD, DailyRetries
from sync.metrics import Metrics
from tests.builders import event, invoice, project
from tests.pipeline import Pipeline

WAITING = 60


class Days:
    """A clock that a test moves, and the daily retries that go by it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.ahead = timedelta()
        self.metrics = Metrics()
        self.daily_retries = DailyRetries(pipeline.engine, self.metrics, clock=lambda: datetime.now(UTC) + self.ahead)

    def later(self, **span: float) -> tuple[int, int]:
        """Let time pass and look; gives (retries taken, calls to Intuit)."""
        self.ahead += timedelta(**span)
        before = len(self.pipeline.requests())
        taken = self.daily_retries.turn()
        self.pipeline.drive()
        return taken, len(self.pipeline.requests()) - before


@pytest.fixture
def days(pipeline: Pipeline) -> Days:
    return Days(pipeline)


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


def close_books(pipeline: Pipeline, date: str | None) -> None:
    # 5010 for a closed period is another test's subject.
    pipeline.simulator.call(lambda world: world.change_settings({"closed_period_code": "6210"}))
    edit(pipeline, action="close_books", date=date)


def waiting(pipeline: Pipeline, *, count: int = WAITING, day: dt.date = dt.date(2026, 3, 1), prefix: str = "i") -> None:
    pipeline.ingest(*[event(invoice(f"{prefix}{number}", date=day)) for number in range(count)])
    pipeline.drive()


def states(pipeline: Pipeline) -> set[str]:
    return {row.state for row in pipeline.links(kind="invoice")}


@pytest.mark.usefixtures("no_background_trouble")
def test_however_many_records_wait_for_a_period_they_cost_one_call_a_day(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline)
    assert states(days.pipeline) == {"failed"}
    letters = len(days.pipeline.rows("qbo_outbox"))
    assert days.later(hours=23) == (0, 0)
    for _ in range(4):
        assert days.later(hours=2) == (1, 1)
        assert [days.later(hours=2) for _ in range(11)] == [(0, 0)] * 11
    assert len(days.pipeline.rows("qbo_outbox")) == letters


@pytest.mark.usefixtures("no_background_trouble")
def test_when_the_daily_retry_goes_through_the_others_follow(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline)
    days.later(hours=25)
    close_books(days.pipeline, None)
    taken, calls = days.later(hours=25)
    assert (taken, calls) == (1, WAITING)
    assert states(days.pipeline) == {"synced"}
    assert len(days.pipeline.objects("Invoice")) == WAITING
    happened = [
        (one.what, one.outcome)
        for one in days.pipeline.rows("qbo_history")
        if one.outcome in ("daily-retry", "resolved")
    ]
    assert happened == [("due", "daily-retry"), ("due", "daily-retry"), ("recovered", "resolved")]
    (resolved,) = [one.message for one in days.pipeline.rows("qbo_history") if one.outcome == "resolved"]
    assert resolved == f"QuickBooks takes it again (books-closed): the {WAITING - 1} others are due"
    assert days.pipeline.rows("qbo_probe") == []
    assert "resolved" in days.pipeline.recovered
    assert days.later(hours=50) == (0, 0)


def test_the_newest_document_is_tried_for_a_period_reopens_at_its_end(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline, count=2, day=dt.date(2026, 1, 5), prefix="january")
    waiting(days.pipeline, count=2, day=dt.date(2026, 5, 5), prefix="may")
    close_books(days.pipeline, "2026-03-31")
    assert days.later(hours=25)[0] == 1
    settled = {row.kompass_id for row in days.pipeline.links(kind="invoice", state="synced")}
    assert settled == {"may0", "may1"}
    assert states(days.pipeline) == {"synced", "failed"}


def test_an_item_made_active_again_is_found_and_another_stays_waiting(days: Days) -> None:
    pipeline = days.pipeline
    surveying = pipeline.object_id(UK, "Item", "Surveying")
    pipeline.ingest(event(project()))
    pipeline.drive()
    edit(pipeline, action="deactivate", entity="Item", id=surveying)
    waiting(pipeline, count=5)
    assert {row.cause for row in pipeline.links(kind="invoice")} <= {"inactive-or-deleted", "invalid-reference"}
    assert days.later(hours=25) == (1, 1)
    edit(pipeline, action="reactivate", entity="Item", id=surveying)
    assert days.later(hours=25) == (1, 5)
    assert states(pipeline) == {"synced"}


def test_two_processes_take_a_group_once(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline, count=3)
    days.ahead = timedelta(hours=25)
    other = DailyRetries(days.pipeline.engine, Metrics(), clock=lambda: datetime.now(UTC) + days.ahead)
    assert [days.daily_retries.turn(), other.turn()] == [1, 0]


def test_what_is_tried_elsewhere_or_not_at_all(days: Days) -> None:
    edit(days.pipeline, action="create", entity="Vendor", members={"DisplayName": "Harbour & Sons c1"})
    waiting(days.pipeline, count=2)
    assert days.pipeline.one("client", "c1").cause == "name-taken"
    assert days.later(hours=25) == (0, 0)


def test_a_company_of_many_causes_is_tried_in_turn(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline, count=MOST_A_PERIOD + 5)
    with days.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_failure SET value = 'thing ' || id")
    # The refusals put the values back to what they are: by then they are one group.
    assert days.later(hours=25)[0] == MOST_A_PERIOD


def test_nothing_is_tried_while_the_company_is_disconnected_or_not_enabled(days: Days) -> None:
    close_books(days.pipeline, "2026-06-30")
    waiting(days.pipeline, count=2)
    with days.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_connection SET state = 'disconnected'")
    days.ahead = timedelta(hours=25)
    assert days.daily_retries.turn() == 0
