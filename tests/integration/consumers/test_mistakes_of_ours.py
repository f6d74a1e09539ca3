"""A mistake of ours, in one record or one company, stops no process, holds up no other, and never sends a thing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consumers.runner import Reconciler
from mapping.decide import Case, Decision, decide_case
from qbo_client.faults import Fault
from qbo_client.outcomes import Done, Refused, Unknown
from simulator.seeds import UK
from store.secrets import TokenKeys
from sync import explaining
from sync.batches import Batch
from sync.claim import Claimed
from sync.gates import Gates
from tests.builders import client, event
from tests.pipeline import Pipeline

Opened = Callable[..., Reconciler]


@pytest.fixture
def reconciling(pipeline: Pipeline) -> Iterator[Opened]:
    """Put a process's reconciler on the pipeline's parts, not started."""
    made: list[Reconciler] = []

    def another(*, gates: Gates | None = None, **more: Any) -> Reconciler:
        steps = pipeline.another(**more)
        steps.gates = gates or steps.gates
        made.append(pipeline.reconciler(steps, workers=2))
        return made[-1]

    yield another
    for one in made:
        one._workers.shutdown()
        one._housekeeping._threads.shutdown()


def test_an_error_of_ours_after_the_call_keeps_its_request_id(
    pipeline: Pipeline, reconciling: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(event(client()))
    pipeline.sweep()

    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("a metric of the wrong name")

    monkeypatch.setattr("sync.steps.observe_call", broken)
    process = reconciling()
    (attempt,) = pipeline.claim().attempts
    process._work(Batch((attempt,)))
    (answer,) = process._settler._answers.get(timeout=60) or []
    assert len(pipeline.objects("Customer")) == 1
    pipeline.settle(answer)
    (stored,) = pipeline.rows("qbo_attempt")
    assert stored.request_id == attempt.request_id


def test_an_answer_is_written_back_although_nothing_could_be_learned_of_it(
    pipeline: Pipeline, reconciling: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its link would count as in work for as long as the process lives, and nobody would take it over."""
    pipeline.ingest(event(client()))
    pipeline.sweep()
    (attempt,) = pipeline.claim().attempts
    refused = Refused(400, (Fault(code="2500", message="", detail="", element=None),))
    process = reconciling()
    monkeypatch.setattr(process._steps.sender, "send", lambda batch: refused)

    def away(*args: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    monkeypatch.setattr(explaining, "of_payload", away)
    process._work(Batch((attempt,)))
    (answer,) = process._settler._answers.get(timeout=60) or []
    assert (answer.outcome, answer.learned) == (refused, None)


def poison(monkeypatch: pytest.MonkeyPatch, kompass_id: str) -> None:
    """Make a record one that cannot be decided."""

    def poisoned(case: Case) -> Decision:
        if case.record.id == kompass_id:
            raise AssertionError("nobody thought of this")
        return decide_case(case)

    monkeypatch.setattr("sync.decide.decide_case", poisoned)


def test_a_record_that_cannot_be_decided_fails_and_the_others_go(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(event(client("c1")), event(client("c2")), event(client("c3")))
    pipeline.sweep()
    poison(monkeypatch, "c2")
    claimed = pipeline.steps.claim(pipeline.due(), calls_allowed={})
    assert sorted(attempt.link.kompass_id for attempt in claimed.attempts) == ["c1", "c3"]
    link = pipeline.one("client", "c2")
    assert (link.state, link.cause, link.due_at) == ("failed", "unforeseen", None)
    assert [row.cause for row in pipeline.rows("qbo_failure")] == ["unforeseen"]
    monkeypatch.undo()
    pipeline.ingest(event(client("c2", sequence=2)))
    (attempt,) = [one for one in pipeline.claim().attempts if one.link.kompass_id == "c2"]
    assert attempt.operation == "create"


def test_a_trial_call_goes_past_a_record_that_cannot_be_decided(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(event(client("c1")), event(client("c2")), event(client("c3")))
    pipeline.sweep()
    poison(monkeypatch, "c1")
    assert len(pipeline.steps.claim(pipeline.due(), calls_allowed={UK: 1}).attempts) == 1


def test_a_trial_call_that_was_not_sent_is_followed_by_another_at_once(pipeline: Pipeline, reconciling: Opened) -> None:
    pipeline.ingest(event(client()))
    pipeline.sweep()
    now = 0.0
    gates = Gates(clock=lambda: now)
    process = reconciling(gates=gates)
    for _ in range(5):
        gates.answered(UK, Unknown("no answer"))
    now = 2.0
    (attempt,) = pipeline.claim().attempts
    gates.called(UK)
    assert gates.permits().blocked == {UK}
    # The process was stopped meanwhile, and another took the link over.
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET epoch = epoch + 1"))
    process._work(Batch((replace(attempt, claimed_at=float("-inf")),)))
    assert pipeline.objects("Customer") == []
    assert gates.permits().trials == {UK}


def test_tokens_that_no_key_opens_stop_no_process(pipeline: Pipeline, reconciling: Opened) -> None:
    pipeline.ingest(event(client()))
    pipeline.sweep()
    gates = Gates()
    process = reconciling(keys=TokenKeys([Fernet.generate_key().decode()]), gates=gates)
    assert process._claim_some()
    (answer,) = process._settler._answers.get(timeout=60) or []
    pipeline.settle(answer)
    assert pipeline.one("client", "c1").state == "retrying"
    assert pipeline.rows("qbo_attempt") == []
    # It is no word of Intuit's, so nobody else's calls are held back for it.
    assert gates.open_breakers() == ([], False)


def test_a_company_that_waits_to_be_prepared_is_not_looked_at_again_and_again(
    pipeline: Pipeline, reconciling: Opened
) -> None:
    gates = Gates()
    process = reconciling(gates=gates)
    gone = threading.Event()
    for _ in range(4):
        process._housekeeping._threads.submit(gone.wait, 10)
    process._housekeeping.prepare(UK, "org-uk", Claimed())
    gates.unblock(UK)  # as when its time is over, and it still stands in the queue
    process._housekeeping.prepare(UK, "org-uk", Claimed())
    assert UK in gates.permits().blocked
    gone.set()


def test_an_answer_without_ids_to_a_look_up_is_no_answer(
    opened: Callable[..., Pipeline], pipeline: Pipeline, reconciling: Opened
) -> None:
    pipeline.ingest(event(client()))
    pipeline.sweep()
    (attempt,) = pipeline.claim().attempts
    pipeline.call(attempt)
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 day', resend_after = now()"))
        db.execute(text("UPDATE qbo_link SET due_at = now()"))
    later = opened(lease=0.0, resend_window=0.0)
    (look,) = later.claim().attempts
    assert look.phase == "lookup"

    class WithoutTokens:
        def send(self, *args: Any, **more: Any) -> Any:
            outcome = pipeline.transport.send(*args, **more)
            assert isinstance(outcome, Done)
            (found,) = outcome.rows("Customer")
            del found["SyncToken"]
            return outcome

    process = reconciling(transport=WithoutTokens())
    process._work(Batch((look,)))
    (answer,) = process._settler._answers.get(timeout=60) or []
    assert type(answer.outcome).__name__ == "Unknown"
