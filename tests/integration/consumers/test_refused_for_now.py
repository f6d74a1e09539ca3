"""A refusal that proves nothing: tried again, looked for before a second create, and shown to a person only when others go through."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from qbo_client.calls import Call
from qbo_client.faults import Fault
from qbo_client.outcomes import Done, Outcome, Refused
from schemas.link_state import Because
from simulator import bookkeeper
from simulator.seeds import UK
from sync.attempt import Attempt
from sync.explaining import Explainer
from sync.link import make_due
from sync.patience import Patience
from sync.settle import Answer
from tests.builders import client, event, invoice
from tests.pipeline import IMPATIENT, Pipeline


@pytest.fixture
def patient(pipeline: Pipeline) -> Pipeline:
    pipeline.settle_with(patience=Patience())
    return pipeline


def later(pipeline: Pipeline, seconds: float) -> None:
    """Let time go by for what is kept in the database."""
    with pipeline.engine.begin() as db:
        for column in ("due_at", "last_failed_at", "first_failed_at", "synced_at"):
            db.execute(text(f"UPDATE qbo_link SET {column} = {column} - :by * interval '1 second'"), {"by": seconds})
        db.execute(text("UPDATE qbo_history SET at = at - :by * interval '1 second'"), {"by": seconds})


def trouble(pipeline: Pipeline, **rule: Any) -> None:
    pipeline.simulator.call(lambda world: world.troubles.add(rule))


def over(pipeline: Pipeline) -> None:
    pipeline.simulator.call(lambda world: world.troubles.remove())


def turn(pipeline: Pipeline) -> list[Attempt]:
    claimed = pipeline.claim()
    for realm, org in claimed.unready.items():
        pipeline.jobs.prepare(org, realm)
    pipeline.settle(*pipeline.answers(claimed.attempts))
    return list(claimed.attempts)


@pytest.mark.parametrize("kind", ["saved_anyway", "try_again"])
@pytest.mark.parametrize("numbered", [True, False], ids=["numbered by us", "numbered by QuickBooks"])
@pytest.mark.parametrize("how", ["on its own", "by Try again"])
def test_a_create_that_was_refused_is_looked_for_before_the_next(
    patient: Pipeline, kind: str, numbered: bool, how: str
) -> None:
    if not numbered:
        edit = {"action": "preferences", "group": "SalesFormsPrefs", "members": {"CustomTxnNumbers": False}}
        patient.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    patient.ingest(event(invoice()))
    trouble(patient, kind=kind, operation="create", count=3)
    if how == "on its own":
        patient.drive()
    else:
        patient.settle_with(patience=IMPATIENT)
        for _ in range(4):
            patient.drive()
            with patient.engine.begin() as db:
                make_due(db, [row.id for row in patient.links(state="failed")], Because.RESEND, "test")
        patient.drive()
    assert {row.state for row in patient.links()} == {"synced"}
    assert len(patient.objects("Invoice")) == 1
    assert len(patient.objects("Customer")) == 2
    assert patient.rows("qbo_attempt") == []


def test_a_request_id_that_is_refused_when_it_is_used_again_is_looked_up(
    patient: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    patient.ingest(event(client("c1")), event(client("c2")))
    first = patient.claim(together=30).attempts
    assert len({attempt.batch_id for attempt in first}) == 1
    patient.answers(first)
    trouble(patient, kind="requestid_used")
    with patient.engine.begin() as db:
        db.execute(text("UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour', resend_after = now()"))
        db.execute(text("UPDATE qbo_link SET due_at = now()"))
    patient.drive()
    assert {row.state for row in patient.links()} == {"synced"}
    assert len(patient.objects("Customer")) == 2


def test_a_rule_that_one_record_breaks_is_told_within_minutes_while_others_of_its_kind_go(patient: Pipeline) -> None:
    trouble(patient, kind="try_again", operation="create", holds="Broken")
    patient.ingest(event(client("bad", name="Broken")))
    seconds = 0
    for number in range(30):
        patient.ingest(event(client(f"c{number}", name=f"Good {number}")))
        turn(patient)
        turn(patient)
        later(patient, 60)
        seconds += 60
        if patient.one("client", "bad").state == "failed":
            break
    assert 180 <= seconds <= 600
    (failure,) = patient.rows("qbo_failure")
    assert (failure.cause, failure.stage) == ("business-rule", "push")
    link = patient.one("client", "bad")
    assert link.due_at is not None
    # A day later it is tried all the same, looked for first, and goes when it may.
    over(patient)
    later(patient, 24 * 3600)
    assert [attempt.phase for attempt in turn(patient)] == ["lookup"]
    patient.drive()
    assert patient.one("client", "bad").state == "synced"
    assert [row.closed_because for row in patient.rows("qbo_failure")] == ["synced"]


def test_a_record_that_is_refused_alone_in_a_quiet_company_is_told_after_two_hours(patient: Pipeline) -> None:
    trouble(patient, kind="try_again", operation="create")
    patient.ingest(event(client()))
    for _ in range(11):
        turn(patient)
        later(patient, 600)
    assert patient.rows("qbo_failure") == []
    for _ in range(3):
        turn(patient)
        later(patient, 600)
    assert [row.cause for row in patient.rows("qbo_failure")] == ["business-rule"]


@pytest.mark.parametrize("kind", ["unsupported", "not_found_page"])
def test_what_no_rule_can_be_is_never_told_of_many_while_none_goes(patient: Pipeline, kind: str) -> None:
    patient.ingest(*[event(client(f"c{number}")) for number in range(4)])
    trouble(patient, kind=kind)
    for _ in range(20):
        turn(patient)
        later(patient, 3600)
    assert {row.state for row in patient.links()} == {"retrying"}
    assert patient.rows("qbo_failure") == []
    over(patient)
    patient.drive()
    assert {row.state for row in patient.links()} == {"synced"}
    assert len(patient.objects("Customer")) == 4


def looking(pipeline: Pipeline) -> Attempt:
    """Lose the answer to a create that QuickBooks did, and claim its look-up."""
    (attempt,) = pipeline.claim().attempts
    assert isinstance(pipeline.call(attempt), Done)
    with pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 day', resend_after = now(),"
                " first_sent_at = first_sent_at - interval '11 minutes'"
            )
        )
        db.execute(text("UPDATE qbo_link SET due_at = now() WHERE id IN (SELECT link_id FROM qbo_attempt)"))
    (look,) = pipeline.claim().attempts
    assert look.phase == "lookup"
    return look


@pytest.mark.parametrize("code", ["4002", "6000", "610", ""])
@pytest.mark.parametrize("kind", ["client", "invoice"])
def test_a_look_up_that_is_refused_is_asked_in_another_way(patient: Pipeline, kind: str, code: str) -> None:
    patient.ingest(event(client()), event(invoice("i0")))
    patient.drive()
    patient.ingest(event(client("c2", name="Quay") if kind == "client" else invoice("lost")))
    look = looking(patient)
    refused = Refused(400 if code else 404, (Fault(code, "", "", None),) if code else ())
    asked: list[str] = []

    def ask(attempt: Attempt, call: Call) -> Outcome | None:
        asked.append(str(call.query))
        return patient.steps.sender.ask(attempt, call)

    learned = Explainer(patient.engine, ask).learn(look, refused)
    patient.settle(Answer(look, refused, learned=learned))
    assert asked == [str(look.elsewhere().query)]
    assert patient.one(kind, "c2" if kind == "client" else "lost").state == "synced"
    assert patient.rows("qbo_failure") == []


def test_a_look_up_that_no_question_answers_leaves_the_record_retrying(patient: Pipeline) -> None:
    patient.ingest(event(client("c0")))
    patient.drive()
    patient.ingest(event(client("c2", name="Quay")))
    look = looking(patient)
    trouble(patient, kind="not_found_page")
    patient.settle(*patient.answers([look]))
    link = patient.one("client", "c2")
    assert (link.state, link.cause) == ("retrying", "refused-for-now")
    over(patient)
    patient.drive()
    assert len(patient.objects("Customer")) == 2


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("broken", ["another", "ours", "none"])
def test_a_document_that_breaks_every_query_is_worked_around(patient: Pipeline, broken: str) -> None:
    patient.simulator.call(lambda world: world.change_settings({"bad_email_in_query": "4002"}))
    patient.ingest(*[event(invoice(f"i{number}")) for number in range(12)])
    patient.drive()
    patient.ingest(event(invoice("lost")))
    look = looking(patient)
    patient.ingest(*[event(invoice(f"j{number}")) for number in range(3)])
    patient.settle(*patient.answers(patient.claim([one for one in patient.due() if one != look.link.id]).attempts))
    ours = next(one["Id"] for one in patient.objects("Invoice") if "(INV-lost)" in one["PrivateNote"])
    other = next(one["Id"] for one in patient.objects("Invoice") if "(INV-i7)" in one["PrivateNote"])
    if broken != "none":
        wrong = ours if broken == "ours" else other
        edit = {
            "action": "type",
            "entity": "Invoice",
            "id": wrong,
            "members": {"BillEmail": {"Address": "a@x.com b@x.com"}},
        }
        patient.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    patient.settle(*patient.answers([look]))
    assert patient.one("invoice", "lost").qbo_id == ours
    assert len(patient.objects("Invoice")) == 16


def test_an_update_whose_look_up_is_refused_is_found_by_a_query(patient: Pipeline) -> None:
    patient.ingest(event(client(name="Harbour")))
    patient.drive()
    patient.ingest(event(client(name="Harbour", sequence=2, email="new@example.com")))
    look = looking(patient)
    trouble(patient, kind="not_found_page", path="/customer/")
    patient.settle(*patient.answers([look]))
    over(patient)
    patient.drive()
    assert patient.one("client", "c1").state == "synced"
    assert [one["SyncToken"] for one in patient.objects("Customer")] == ["1"]


@pytest.mark.parametrize("written", ["create", "update"])
def test_a_period_that_is_reported_closed_for_a_moment_is_no_verdict(patient: Pipeline, written: str) -> None:
    if written == "update":
        patient.ingest(event(invoice()))
        patient.drive()
    trouble(patient, kind="period_closed", operation=written, count=2)
    patient.ingest(event(invoice(sequence=2, due_date=dt.date(2026, 4, 15))))
    patient.drive()
    (document,) = patient.objects("Invoice")
    assert (patient.one("invoice", "i1").state, document["DueDate"]) == ("synced", "2026-04-15")
    assert patient.rows("qbo_failure") == []


@pytest.mark.parametrize("written", ["create", "update"])
def test_a_period_that_is_closed_fails_as_soon_as_the_closing_date_is_read(patient: Pipeline, written: str) -> None:
    if written == "update":
        patient.ingest(event(invoice()))
    # The facts are older than the closing date.
    patient.ingest(event(client("c9")))
    patient.drive()
    closing = {"action": "close_books", "date": "2026-03-31"}
    patient.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], closing))
    patient.ingest(event(invoice(sequence=2, date=dt.date(2026, 3, 2))))
    patient.drive()
    link = patient.one("invoice", "i1")
    assert (link.state, link.cause, link.due_at) == ("failed", "books-closed", None)


def test_a_period_that_stays_closed_is_reported_within_minutes_while_others_go(patient: Pipeline) -> None:
    trouble(patient, kind="period_closed", holds="INV-bad")
    patient.ingest(event(invoice("bad")))
    for number in range(12):
        patient.ingest(event(invoice(f"i{number}")))
        for _ in range(4):
            turn(patient)
        later(patient, 60)
    link = patient.one("invoice", "bad")
    assert (link.state, link.cause, link.due_at) == ("failed", "books-closed", None)
    assert "code 5010" in link.reason
    assert {row.state for row in patient.links() if row.id != link.id} == {"synced"}


@pytest.mark.parametrize("hours", [0.5, 3, 7])
def test_the_first_refusal_after_an_outage_is_no_verdict(patient: Pipeline, hours: float) -> None:
    patient.ingest(*[event(client(f"c{number}", name=f"Client {number}")) for number in range(4)])
    trouble(patient, kind="outage")
    for _ in range(int(hours * 12)):
        turn(patient)
        later(patient, 300)
    over(patient)
    # The second call under a request id proves nothing in any case: it is looked for, and the next create is refused.
    trouble(patient, kind="try_again", operation="create", holds="Client 3", count=2)
    for _ in range(8):
        turn(patient)
        later(patient, 60)
    assert patient.rows("qbo_failure") == []
    assert {row.state for row in patient.links()} == {"synced"}


def test_neither_the_first_nor_the_last_record_after_an_outage_fails_alone(patient: Pipeline) -> None:
    patient.ingest(*[event(client(f"c{number}", name=f"Client {number}")) for number in range(3)])
    trouble(patient, kind="outage")
    for _ in range(7 * 12):
        turn(patient)
        later(patient, 300)
    over(patient)
    # Each is refused before any goes, and one again after all others went.
    trouble(patient, kind="try_again", operation="create", count=6)
    trouble(patient, kind="try_again", operation="create", holds="Client 2", count=6)
    for _ in range(30):
        turn(patient)
        later(patient, 60)
    assert patient.rows("qbo_failure") == []
    assert {row.state for row in patient.links()} == {"synced"}


def test_what_an_outage_cost_in_tries_is_no_sign_of_an_edit_at_each_of_them(patient: Pipeline) -> None:
    patient.ingest(event(client(name="Harbour")))
    patient.drive()
    # Saved, and said not to be: the next write is stale, and nobody changed anything.
    trouble(patient, kind="saved_anyway", operation="update", count=1)
    patient.ingest(event(client(name="Harbour", sequence=2, email="new@example.com")))
    turn(patient)
    over(patient)
    trouble(patient, kind="try_again", operation="update")
    for _ in range(12):
        turn(patient)
        later(patient, 300)
    with patient.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET attempts = 6"))
    over(patient)
    patient.drive()
    assert patient.rows("qbo_failure") == []
    assert patient.one("client", "c1").state == "synced"
    assert [one["PrimaryEmailAddr"]["Address"] for one in patient.objects("Customer")] == ["new@example.com"]
