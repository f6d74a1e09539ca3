"""A process with its threads: a company with a backlog goes in batches and keeps nobody waiting; without one, every call is one link's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from consumers.runner import Reconciler
from qbo_client.outcomes import NotSent
from qbo_client.quota import INTUIT
from qbo_client.transport import Transport
from sync.attempt import Late
from sync.batches import Batch, Split, as_batches
from sync.settings import AttemptPolicy
from tests.builders import event, invoice, project
from tests.pipeline import SEND_WITHIN_S, Pipeline

Opened = Callable[..., Reconciler]


@pytest.fixture
def process(pipeline: Pipeline) -> Iterator[Opened]:
    """Put a process's reconciler on the pipeline's parts."""
    made: list[Reconciler] = []

    def another(**more: object) -> Reconciler:
        transport, numbers = more.pop("transport", None), more.pop("numbers", {})
        one = pipeline.reconciler(pipeline.another(transport=transport, **more), **numbers)  # type: ignore[arg-type]
        made.append(one)
        return one

    yield another
    for one in made:
        one._workers.shutdown()
        one._housekeeping._threads.shutdown()


@pytest.fixture
def settled_customer(pipeline: Pipeline) -> Pipeline:
    pipeline.ingest(event(project()))
    pipeline.drive()
    pipeline.simulator.call(lambda world: world.journal.clear())
    # A batch is thirty here: that QuickBooks may take fewer is in the tests of batches.
    pipeline.simulator.call(lambda world: world.change_settings({"batch_items": 30, "batch_requestid": "item"}))
    return pipeline


def wait_until_settled(pipeline: Pipeline, count: int) -> None:
    until = time.monotonic() + 60
    while len(pipeline.links(kind="invoice", state="synced")) < count:
        assert time.monotonic() < until, pipeline.links(kind="invoice")
        time.sleep(0.02)


@pytest.mark.usefixtures("no_background_trouble")
def test_a_backlog_is_pushed_in_batches_and_what_comes_later_by_itself(
    settled_customer: Pipeline, process: Opened
) -> None:
    pipeline = settled_customer
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(100)))
    one = process()
    one.start()
    wait_until_settled(pipeline, 100)
    assert [request.operation for request in pipeline.requests()] == ["batch"] * 4
    pipeline.ingest(event(invoice("later")))
    one.wake()
    wait_until_settled(pipeline, 101)
    assert one.stop()
    assert [request.operation for request in pipeline.requests()] == ["batch"] * 4 + ["create"]
    assert len(pipeline.objects("Invoice")) == 101


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize(("due", "numbers"), [(10, {}), (40, {"batch_items": 1})], ids=["no backlog", "switched off"])
def test_without_a_backlog_or_switched_off_every_call_is_of_one_link(
    settled_customer: Pipeline, process: Opened, due: int, numbers: dict[str, int]
) -> None:
    pipeline = settled_customer
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(due)))
    one = process(numbers=numbers)
    one.start()
    wait_until_settled(pipeline, due)
    assert one.stop()
    assert [request.operation for request in pipeline.requests()] == ["create"] * due


@pytest.mark.usefixtures("no_background_trouble")
def test_batches_leave_half_of_the_workers_to_others(settled_customer: Pipeline, process: Opened) -> None:
    pipeline = settled_customer
    pipeline.simulator.call(lambda world: world.troubles.add({"kind": "latency", "seconds": 0.5, "operation": "batch"}))
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(400)))
    one = process()
    most, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            most[0] = max(most[0], one._batches_calling)

    watching = threading.Thread(target=watch)
    watching.start()
    one.start()
    wait_until_settled(pipeline, 400)
    stop.set()
    watching.join()
    assert one.stop()
    assert most == [2]


def test_a_batch_of_which_one_member_was_taken_over_does_not_go(settled_customer: Pipeline, process: Opened) -> None:
    """We were stopped for longer than the lease; the others go in another batch."""
    pipeline = settled_customer
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(4)))
    stalled = [
        replace(attempt, claimed_at=attempt.claimed_at - 100) for attempt in pipeline.claim(together=30).attempts
    ]
    (batch,) = as_batches(stalled)
    with pipeline.engine.begin() as db:
        db.execute(
            text("UPDATE qbo_link SET epoch = epoch + 1, due_at = now() WHERE id = :id"), {"id": stalled[0].link.id}
        )
        db.execute(text("DELETE FROM qbo_attempt WHERE link_id = :id"), {"id": stalled[0].link.id})
    one = process()
    one._work(batch)
    answers = one._settler._answers.get(timeout=60) or []
    assert pipeline.requests() == []
    assert [type(answer.outcome) for answer in answers] == [Late] * 4
    settled = pipeline.settle(*answers)
    assert settled.fenced == 1
    pipeline.together = 30
    pipeline.drive()
    assert len(pipeline.objects("Invoice")) == 4


def test_a_member_that_cannot_be_written_down_is_found_by_halves(settled_customer: Pipeline, process: Opened) -> None:
    """A mistake of ours in one record: nothing is sent, and the others are not held up by it for long."""
    pipeline = settled_customer
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(6)))
    attempts = pipeline.claim(together=30).attempts
    (batch,) = as_batches([replace(attempts[0], body='{"no": "end"'), *attempts[1:]])
    one = process()
    one._work(batch)
    answers = one._settler._answers.get(timeout=60) or []
    assert pipeline.requests() == []
    assert [type(answer.outcome) for answer in answers] == [Split] * 6
    pipeline.settle(*(answer for answer in answers if answer is not None))
    assert {row.batch_most for row in pipeline.links(kind="invoice")} == {3}
    pipeline.together = 30
    pipeline.drive()
    assert [request.operation for request in pipeline.requests()] == ["batch", "batch"]
    assert len(pipeline.objects("Invoice")) == 6


@pytest.mark.usefixtures("no_background_trouble")
def test_where_so_few_go_in_a_batch_that_single_calls_are_faster_a_backlog_goes_one_by_one(
    settled_customer: Pipeline, process: Opened
) -> None:
    pipeline = settled_customer
    pipeline.simulator.call(lambda world: world.change_settings({"batch_items": 10}))
    pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(100)))
    one = process(limits=INTUIT)
    one.start()
    wait_until_settled(pipeline, 100)
    assert one.stop()
    sent = [request.operation for request in pipeline.requests()]
    # Two at a time are refused: at 30, at 15, and at 7 it is known that 40 of them a minute would be fewer than 500 calls.
    assert 2 <= sent.count("batch") <= 6
    assert sent.count("create") == len(pipeline.objects("Invoice")) == 100


def resent_in(pipeline: Pipeline) -> float:
    """Seconds until the one open attempt may be sent again."""
    with pipeline.engine.begin() as db:
        return float(db.execute(text("SELECT extract(epoch FROM resend_after - now()) FROM qbo_attempt")).scalar_one())


def test_stopped_between_its_look_at_the_claim_and_its_first_byte_it_sends_nothing(
    settled_customer: Pipeline, process: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its successor may be sending the same at this moment, and nobody knows whether Intuit would do both."""
    pipeline = settled_customer
    pipeline.ingest(event(invoice()))
    (attempt,) = pipeline.claim().attempts
    stopped = 0.0

    def stop(point: str) -> None:
        nonlocal stopped
        if point == "sending":
            stopped = SEND_WITHIN_S

    with Transport(pipeline.transport.environment, clock=lambda: time.monotonic() + stopped) as transport:
        one = process(transport=transport)
        monkeypatch.setattr("sync.steps.reached", stop)
        one._work(Batch((attempt,)))
    (answer,) = one._settler._answers.get(timeout=60) or []
    assert isinstance(answer.outcome, NotSent)
    assert pipeline.requests() == []


def test_what_goes_out_late_may_be_sent_again_only_so_much_later(
    settled_customer: Pipeline, process: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = settled_customer
    pipeline.ingest(event(invoice()))
    (attempt,) = pipeline.claim().attempts
    assert resent_in(pipeline) <= 0
    found: list[float] = []
    monkeypatch.setattr("sync.steps.reached", lambda point: found.append(resent_in(pipeline)))
    one = process(attempts=AttemptPolicy())
    one._work(Batch((replace(attempt, claimed_at=attempt.claimed_at - 100),)))
    assert len(pipeline.objects("Invoice")) == 1
    assert found[0] > 125.0
