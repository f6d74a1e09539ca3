"""Intuit's limits across processes, and a bookkeeper who writes at the same time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import text

from qbo_client.outcomes import Throttled
from qbo_client.quota import Limits
from schemas.events import Step
from simulator import bookkeeper
from simulator.seeds import UK
from sync.settle import Answer
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline


def test_two_processes_together_keep_to_the_limits(pipeline: Pipeline, opened: Callable[..., Pipeline]) -> None:
    limits = Limits(per_second=10, in_flight=3, per_minute=25)
    processes = [opened(limits=limits), opened(limits=limits)]
    pipeline.ingest(*[event(client(f"c{number}")) for number in range(60)])
    pipeline.simulator.call(lambda world: world.troubles.add({"kind": "latency", "seconds": 0.05}))
    before = len(pipeline.requests())
    started = time.monotonic()
    problems: list[BaseException] = []

    def work(one: Pipeline) -> None:
        try:
            # Long enough for several seconds' calls, and on a busy machine until there were so many.
            while (gone := time.monotonic() - started) < 5 or (len(pipeline.requests()) - before <= 10 and gone < 60):
                answers = [Answer(attempt, one.call(attempt)) for attempt in one.claim(one.due()[:5]).attempts]
                if answers:
                    one.settle(*answers)
        except BaseException as problem:  # noqa: BLE001 - handed to the test
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(one,)) for one in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    calls = pipeline.requests()[before:]
    assert 10 < len(calls) <= 25
    recent: deque[float] = deque()
    for call in calls:
        recent.append(call.received)
        while recent[0] < call.received - 0.9:
            recent.popleft()
        assert len(recent) <= 10
        assert sum(1 for other in calls if other.received <= call.received < other.finished) <= 3


def test_a_429_keeps_every_process_away_for_as_long_as_intuit_says(
    pipeline: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    pipeline.ingest(event(client("c1")), event(client("c2")))
    first, second = pipeline.due()
    (attempt,) = pipeline.claim([first]).attempts
    pipeline.settle(Answer(attempt, Throttled(60.0)))
    other = opened()
    claimed = other.claim([second])
    assert claimed.attempts == []
    assert 55 < claimed.blocked[UK][1] <= 60


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], dict(wanted)))


@pytest.fixture
def sent(pipeline: Pipeline) -> Pipeline:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    return pipeline


def test_a_rename_and_a_note_survive_until_kompass_changes_that_very_member(sent: Pipeline) -> None:
    customer = sent.one("client", "c1").qbo_id
    edit(sent, action="update", entity="Customer", id=customer, members={"DisplayName": "By hand", "Notes": "VIP"})
    sent.ingest(event(client(sequence=2, phone="+44 1")))
    sent.drive()
    (shown,) = [one for one in sent.objects("Customer") if one["Id"] == customer]
    assert (shown["DisplayName"], shown["Notes"], shown["PrimaryPhone"]["FreeFormNumber"]) == (
        "By hand",
        "VIP",
        "+44 1",
    )
    sent.ingest(event(client(sequence=3, phone="+44 1", name="Renamed in Kompass")))
    sent.drive()
    (shown,) = [one for one in sent.objects("Customer") if one["Id"] == customer]
    assert (shown["DisplayName"], shown["Notes"]) == ("Renamed in Kompass", "VIP")


@pytest.mark.parametrize(
    ("by_hand", "cause"),
    [
        ({"action": "update", "members": {"Line": [{"Amount": 5, "DetailType": "SalesItemLineDetail",
          "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "TaxCodeRef": {"value": "1"}}}]}}, "conflict:edited-in-qbo"),
        ({"action": "pay"}, "conflict:paid"),
        ({"action": "void"}, "conflict:voided-in-qbo"),
        ({"action": "delete"}, "deleted-in-qbo"),
    ],
)  # fmt: skip
def test_amounts_changed_on_both_sides_stop_and_nothing_is_overwritten(
    sent: Pipeline, by_hand: dict[str, object], cause: str
) -> None:
    found = sent.one("invoice", "i1").qbo_id
    edit(sent, **{"entity": "Invoice", "id": found, **by_hand})
    before = sent.objects("Invoice")
    sent.ingest(event(invoice(sequence=2, lines=(line("300.00"),))))
    sent.drive()
    link = sent.one("invoice", "i1")
    assert (link.state, link.cause.startswith(cause)) == ("failed", True), link.cause
    assert sent.objects("Invoice") == before
    # A level, not an edge: an event that changes nothing about it changes nothing there.
    sent.ingest(event(invoice(sequence=3, lines=(line("300.00"),))))
    sent.drive()
    assert sent.objects("Invoice") == before


def test_a_document_somebody_edited_beside_our_lines_is_pushed_over_once_more(sent: Pipeline) -> None:
    found = sent.one("invoice", "i1").qbo_id
    edit(sent, action="update", entity="Invoice", id=found, members={"CustomerMemo": {"value": "Thank you"}})
    sent.ingest(event(invoice(sequence=2, lines=(line("300.00"),))))
    sent.drive()
    (document,) = sent.objects("Invoice")
    assert (Decimal(str(document["TotalAmt"])), document["CustomerMemo"]["value"]) == (Decimal("360.00"), "Thank you")


def test_what_stands_on_a_rejected_customer_waits_without_a_call(pipeline: Pipeline) -> None:
    edit(pipeline, action="create", entity="Vendor", members={"DisplayName": "Harbour & Sons c1"})
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.drive()
    assert pipeline.one("client", "c1").state == "failed"
    assert {row.state for row in pipeline.links() if row.kind != "client"} == {"waiting"}
    assert len(pipeline.rows("qbo_outbox")) == 1
    assert sum(1 for one in pipeline.requests() if one.operation == "create") == 1
    pipeline.ingest(event(client(sequence=2, name="Another name")))
    pipeline.drive()
    assert {row.state for row in pipeline.links()} == {"synced"}


def test_enable_later_sends_what_was_kept_from_the_start_date_on(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET enabled = false"))
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", date=invoice().date.replace(year=2025))))
    assert pipeline.drive() == []
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET enabled = true, start_date = '2026-01-01'"))
    pipeline.drive()
    assert [one["DocNumber"] for one in pipeline.objects("Invoice")] == ["INV-i1"]
    assert pipeline.one("invoice", "i2").cause == "before-start-date"


@pytest.mark.parametrize("change", [{"synchronize": False}, {"step": Step.REJECTED}])
def test_what_was_sent_and_taken_back_is_left_in_the_books_and_comes_back(
    sent: Pipeline, change: dict[str, object]
) -> None:
    before = sent.objects("Invoice")
    sent.ingest(event(invoice(sequence=2, **change)))
    assert sent.drive() == []
    assert sent.one("invoice", "i1").state == "withdrawn"
    assert sent.objects("Invoice") == before
    sent.ingest(event(invoice(sequence=3, lines=(line("200.00"),))))
    sent.drive()
    (document,) = sent.objects("Invoice")
    assert Decimal(str(document["TotalAmt"])) == Decimal("240.00")
