"""An outage is a longer queue: nothing is dead-lettered for it, nothing is made twice, and afterwards everything is sent."""

from __future__ import annotations

import gc
import re
import threading
import tracemalloc
from collections.abc import Callable

import pytest
from confluent_kafka import Producer
from sqlalchemy import create_engine, text

from consumers.dead_letters import OutboxPublisher
from demo.embedded.ports import HOST, free_port
from qbo_client.outcomes import NotSent, Outcome
from sync.metrics import Metrics
from sync.settle import Answer
from tests.builders import client, event
from tests.pipeline import Pipeline


def hasten(pipeline: Pipeline, seconds: int = 0) -> None:
    """Let time go by: what was put off is due, and what was being called is over."""
    with pipeline.engine.begin() as db:
        for table, column in (
            ("qbo_attempt", "heartbeat_at"), ("qbo_attempt", "resend_after"), ("qbo_attempt", "first_sent_at"),
            ("qbo_link", "due_at"), ("qbo_link", "last_failed_at"), ("qbo_link", "first_failed_at"),
            ("qbo_link", "synced_at"),
        ):  # fmt: skip
            db.execute(text(f"UPDATE {table} SET {column} = {column} - :by * interval '1 second'"), {"by": seconds})
        db.execute(text("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL"))


def turn(pipeline: Pipeline, call: Callable[..., Outcome] | None = None) -> int:
    claimed = pipeline.claim(pipeline.due())
    answers = [Answer(attempt, (call or pipeline.call)(attempt)) for attempt in claimed.attempts]
    if answers:
        pipeline.settle(*answers)
    return len(answers)


@pytest.mark.parametrize("how", ["503", "reset", "refused"])
def test_an_outage_rejects_nothing_however_often_it_is_tried(pipeline: Pipeline, how: str) -> None:
    pipeline.ingest(event(client("before")))
    pipeline.drive()
    pipeline.ingest(*[event(client(f"c{number}")) for number in range(4)])
    rule = {"503": {"kind": "outage"}, "reset": {"kind": "reset_before"}, "refused": {"kind": "outage"}}[how]
    pipeline.simulator.call(lambda world: world.troubles.add(rule))
    down: Callable[..., Outcome] | None = (lambda attempt: NotSent("connection refused")) if how == "refused" else None
    for _ in range(15):
        hasten(pipeline, 130)
        assert turn(pipeline, down) == 4
    assert {row.state for row in pipeline.links(applied=None)} == {"retrying"}
    assert pipeline.rows("qbo_failure") == []
    pipeline.simulator.call(lambda world: world.troubles.remove())
    # Intuit flickers as it comes back: one record goes through, the others fail once more.
    hasten(pipeline, 130)
    first = pipeline.due()[0]
    (attempt,) = pipeline.claim([first]).attempts
    pipeline.settle(Answer(attempt, pipeline.call(attempt)))
    hasten(pipeline, 130)
    turn(pipeline, lambda attempt: NotSent("connection refused"))
    assert pipeline.rows("qbo_failure") == []
    for _ in range(4):
        hasten(pipeline, 130)
        turn(pipeline)
    assert {row.state for row in pipeline.links()} == {"synced"}
    assert len(pipeline.objects("Customer")) == 5
    assert pipeline.rows("qbo_outbox") == []


def test_one_record_that_keeps_failing_while_others_go_through_is_rejected_after_a_while(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("bad", name="Bad")))
    for number in range(10):
        pipeline.ingest(event(client(f"c{number}")))
        hasten(pipeline, 10)
        turn(
            pipeline, lambda attempt: NotSent("broken") if attempt.link.kompass_id == "bad" else pipeline.call(attempt)
        )
    link = pipeline.one("client", "bad")
    assert (link.state, link.cause) == ("failed", "keeps-failing")
    assert len(pipeline.rows("qbo_outbox")) == 1


@pytest.mark.usefixtures("no_background_trouble")
def test_half_an_hour_without_intuit_over_many_events(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    """A scaled-down half hour: every record changes again and again meanwhile, and memory stays flat."""
    count, rounds = 40, 15
    pipeline.ingest(*[event(client(f"c{number}", name=f"First {number}")) for number in range(count)])
    while turn(pipeline):
        pass
    pipeline.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    before = len([one for one in pipeline.requests() if one.operation == "create"])
    sizes = []
    tracemalloc.start()
    for number in range(rounds):
        pipeline.ingest(
            *[event(client(f"c{one}", sequence=number + 2, name=f"State {number} of {one}")) for one in range(count)]
        )
        hasten(pipeline, 120)
        turn(pipeline)
        if number in (4, rounds - 1):
            # What the test's own log keeps is not measured, nor what is about to be collected.
            caplog.clear()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        # The simulator keeps what it was asked; that is not what is measured.
        pipeline.simulator.call(lambda world: world.journal.clear())
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 2_000_000, sizes
    assert before == count
    assert pipeline.rows("qbo_failure") == []
    pipeline.simulator.call(lambda world: world.troubles.remove())
    for _ in range(5):
        hasten(pipeline, 130)
        turn(pipeline)
    assert {row.state for row in pipeline.links()} == {"synced"}
    names = sorted(one["DisplayName"] for one in pipeline.objects("Customer"))
    assert names == sorted(f"State {rounds - 1} of {number}" for number in range(count))
    assert [one.operation for one in pipeline.requests() if one.operation == "create"] == []


def test_a_pool_that_is_used_up_by_a_database_that_hangs_does_not_end_the_outbox(pipeline: Pipeline) -> None:
    engine = create_engine(pipeline.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    producer = Producer({"bootstrap.servers": f"{HOST}:{free_port()}", "log_level": "0"})
    stopping = threading.Event()
    turns: list[str] = []

    def beat(name: str) -> None:
        turns.append(name)
        if len(turns) == 3:
            stopping.set()

    with engine.connect():
        OutboxPublisher(engine, lambda: producer, metrics=Metrics(), beat=beat).run(stopping, pause=0.01)
    engine.dispose()
    assert turns == ["outbox"] * 3


def test_dead_letters_that_wait_for_the_broker_are_one_line(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    away = {"bootstrap.servers": f"{HOST}:{free_port()}", "log_level": "0", "delivery.timeout.ms": "100"}
    pipeline.ingest(*(event(client(f"c{number}", currency="euro")) for number in range(3)))
    pipeline.drive()
    outbox = OutboxPublisher(pipeline.engine, lambda: Producer(away), metrics=Metrics(), beat=lambda name: None)
    caplog.clear()
    assert [outbox.publish_some() for _ in range(3)] == [0, 0, 0]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "consumers.waits"]
    assert re.fullmatch(r"publishing dead letters waits: dead letter \d+ is not acknowledged: .* \(2 more wait\)", line)
    assert not [record for record in caplog.records if record.name == "consumers.dead_letters"]
    assert len(pipeline.rows("qbo_outbox")) == 3
