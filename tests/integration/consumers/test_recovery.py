"""An answer that never came: in every case, the record has one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from qbo_client.faults import Fault
from qbo_client.outcomes import Forbidden, NotSent, Refused, Throttled, Unauthorized, Unknown
from schemas.events import Record, Step
from simulator import bookkeeper
from simulator.seeds import UK
from sync.attempt import Late
from sync.settle import Answer
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline

SECOND = {
    "nothing": None,
    "not sent": NotSent("connection refused"),
    "throttled": Throttled(0.0),
    "unauthorized": Unauthorized(),
    "forbidden": Forbidden(()),
    "refused": Refused(400, (Fault(code="6000", message="", detail="", element=None),)),
    "late": Late(),
    "no answer again": Unknown("timed out"),
}
KINDS = ("customer", "invoice", "credit note", "update", "void")


@pytest.fixture
def impatient(opened: Callable[..., Pipeline]) -> Pipeline:
    """Takes over at once; the company lets two documents have one number, so that a second one would not be refused."""
    made = opened(lease=0.0, server_timeout=0.0)
    made.link()
    made.map_vat_rate("vat-20", "20.0% S")
    made.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", False))
    made.sweep()
    return made


def trouble(pipeline: Pipeline, **rule: Any) -> None:
    pipeline.simulator.call(lambda world: world.troubles.add(rule))


def forget_request_ids(pipeline: Pipeline) -> None:
    """Intuit forgets earlier than we trust it to; then only its own check of numbers stands between us and a second document."""
    pipeline.simulator.call(lambda world: world.requestids.clear())
    pipeline.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", True))


def ask_again(pipeline: Pipeline) -> None:
    """Press Try again, on everything."""
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET due_at = now()"))


def state_of(pipeline: Pipeline, link_id: int) -> str:
    (row,) = [one for one in pipeline.links() if one.id == link_id]
    return str(row.state)


def record_of(pipeline: Pipeline, kind: str) -> Record:
    """The record whose next call is the one that gets lost; what it depends on is in QuickBooks already."""
    if kind == "customer":
        return client()
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    if kind == "invoice":
        return invoice()
    if kind == "credit note":
        return invoice(lines=(line("-100.00"),))
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    changed = invoice(sequence=2, lines=(line("300.00"),))
    return changed if kind == "update" else replace(changed, step=Step.VOIDED)


def expect_once(pipeline: Pipeline, kind: str, latest: Record) -> None:
    if kind == "customer":
        assert len(pipeline.objects("Customer")) == 1
        assert pipeline.one("client", "c1").state == "synced"
        return
    link = pipeline.one("invoice", "i1")
    assert link.state == "synced", link
    (document,) = [
        one
        for one in pipeline.objects("CreditMemo" if kind == "credit note" else "Invoice")
        if one["PrivateNote"].endswith("i1)\nProject 24-p1 Survey p1")
    ]
    assert document["Id"] == link.qbo_id
    gross = {"invoice": "120.00", "credit note": "120.00", "update": "360.00", "void": "0"}[kind]
    if kind == "void":
        assert link.voided
    if latest.sequence > 2:
        gross = "600.00"
    assert Decimal(str(document["TotalAmt"])) == Decimal(gross)
    assert pipeline.rows("qbo_attempt") == []


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgot"])
@pytest.mark.parametrize(
    ("kind", "second"),
    [(kind, second) for kind in KINDS for second in SECOND
     if kind in ("customer", "invoice") or second in ("nothing", "refused")],
)  # fmt: skip
def test_a_lost_answer_and_what_follows_it_make_one_object(
    impatient: Pipeline, kind: str, second: str, remembers: bool
) -> None:
    latest = record_of(impatient, kind)
    impatient.ingest(event(latest))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="reset_after", count=1)
    outcome = impatient.call(attempt)
    assert isinstance(outcome, Unknown)
    impatient.settle(Answer(attempt, outcome))
    if not remembers:
        forget_request_ids(impatient)
    if (then := SECOND[second]) is not None:
        (again,) = impatient.claim().attempts
        assert (again.request_id, again.body, again.tries) == (attempt.request_id, attempt.body, 2)
        impatient.settle(Answer(again, then))
        if second == "forbidden":
            impatient.drive()
            impatient.link()
        if second == "unauthorized":
            (link,) = [one for one in impatient.links() if one.id == attempt.link.id]
            impatient.jobs.prepare(link.org_id, link.realm_id)
    impatient.drive()
    expect_once(impatient, kind, latest)


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize(("name", "characters"), [("Włodarski – Söhne", "latin-1"), ("小鳥遊", "ascii")])
def test_a_lost_customer_is_found_by_a_name_that_no_query_can_hold(
    opened: Callable[..., Pipeline], impatient: Pipeline, name: str, characters: str
) -> None:
    """quickbooks-ruby 362: QuickBooks refuses the question. Another customer that is like it is not ours."""
    impatient.simulator.call(lambda world: world.change_settings({"query_characters": characters}))
    impatient.ingest(event(client(name=name)))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="reset_after", count=1)
    outcome = impatient.call(attempt)
    other = {"action": "create", "entity": "Customer", "members": {"DisplayName": "Wxodarski - Sxhne"}}
    impatient.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], other))
    impatient.settle(Answer(attempt, outcome))
    asked = len(impatient.requests())
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0)
    later.drive()
    link = later.one("client", "c1")
    assert sorted(one["DisplayName"] for one in impatient.objects("Customer")) == ["Wxodarski - Sxhne", name]
    (ours,) = [one for one in impatient.objects("Customer") if one["DisplayName"] == name]
    assert (link.state, link.qbo_id) == ("synced", ours["Id"])
    assert [(one.operation, one.status) for one in impatient.requests()[asked:]] == [("query", 200)]


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("second", ["not sent", "throttled", "unauthorized", "refused", "late", "no answer again"])
@pytest.mark.parametrize("kind", ["customer", "invoice", "update"])
def test_a_look_up_that_fails_is_made_again(
    opened: Callable[..., Pipeline], impatient: Pipeline, kind: str, second: str
) -> None:
    latest = record_of(impatient, kind)
    impatient.ingest(event(latest))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="reset_after", count=1)
    impatient.settle(Answer(attempt, impatient.call(attempt)))
    forget_request_ids(impatient)
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0)
    (look,) = later.claim().attempts
    assert look.phase == "lookup"
    later.settle(Answer(look, SECOND[second]))  # type: ignore[arg-type]
    if second == "unauthorized":
        later.jobs.prepare("org-uk", UK)
    later.drive()
    if second == "refused":
        assert state_of(later, attempt.link.id) == "failed"
        ask_again(later)
        later.drive()
    expect_once(later, kind, latest)


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_after_the_resend_window_nothing_is_sent_before_it_was_looked_up(
    opened: Callable[..., Pipeline], impatient: Pipeline, kind: str, committed: bool
) -> None:
    latest = record_of(impatient, kind)
    impatient.ingest(event(latest))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="reset_after" if committed else "reset_before", count=1)
    impatient.settle(Answer(attempt, impatient.call(attempt)))
    forget_request_ids(impatient)
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0)
    before = len(later.requests())
    later.drive()
    made = [one.operation for one in later.requests()[before:]]
    assert made[0] in ("query", "read")
    assert [one for one in made if one not in ("query", "read")] == ([] if committed else [attempt.operation])
    expect_once(later, kind, latest)


@pytest.mark.parametrize("kind", ["update", "void"])
def test_news_after_a_lost_update_is_not_taken_for_a_bookkeepers_edit(
    opened: Callable[..., Pipeline], impatient: Pipeline, kind: str
) -> None:
    """QuickBooks holds what our lost call wrote: neither what was known to be sent, nor what is to be sent now."""
    latest = record_of(impatient, "update")
    impatient.ingest(event(latest))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="reset_after", count=1)
    impatient.settle(Answer(attempt, impatient.call(attempt)))
    newest = invoice(sequence=3, lines=(line("500.00"),))
    impatient.ingest(event(newest))
    forget_request_ids(impatient)
    window = 0.0 if kind == "void" else 600.0
    later = opened(lease=0.0, server_timeout=0.0, resend_window=window)
    later.drive()
    expect_once(later, "update", newest)


def test_code_600_says_that_the_first_call_is_still_running(impatient: Pipeline) -> None:
    impatient.ingest(event(client()))
    impatient.simulator.call(lambda world: world.change_settings({"requestid_in_flight": "600"}))
    (attempt,) = impatient.claim().attempts
    trouble(impatient, kind="fault", code="600", count=1)
    outcome = impatient.call(attempt)
    assert isinstance(outcome, Unknown)
    impatient.settle(Answer(attempt, outcome))
    assert len(impatient.rows("qbo_attempt")) == 1
    impatient.drive()
    expect_once(impatient, "customer", client())
    assert {one.requestid for one in impatient.requests() if one.operation == "create"} == {attempt.request_id}


def test_a_customer_that_appeared_meanwhile_and_says_something_else_is_not_attached(
    opened: Callable[..., Pipeline], impatient: Pipeline
) -> None:
    impatient.ingest(event(client(name="Harbour")))
    (attempt,) = impatient.claim().attempts
    impatient.settle(Answer(attempt, Unknown("timed out")))
    edit = {"action": "create", "entity": "Customer", "members": {"DisplayName": "Harbour"}}
    impatient.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0)
    later.drive()
    link = later.one("client", "c1")
    assert (link.state, link.cause, link.qbo_id) == ("failed", "conflict:in-doubt", None)


def test_a_customer_made_by_another_links_lost_call_is_not_taken(
    opened: Callable[..., Pipeline], impatient: Pipeline
) -> None:
    """Two clients that look alike: the one made the customer and does not know it yet, the other looks for its own."""
    one, two = client("c1", name="Twin", email=None), client("c2", name="Twin", email=None)
    impatient.ingest(event(one), event(two))
    first, second = sorted(impatient.claim().attempts, key=lambda attempt: attempt.link.kompass_id)
    trouble(impatient, kind="reset_after", count=1)
    impatient.settle(Answer(first, impatient.call(first)))
    trouble(impatient, kind="reset_after", count=1)
    impatient.settle(Answer(second, impatient.call(second)))
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0)
    (look,) = later.claim([second.link.id]).attempts
    later.settle(Answer(look, later.call(look)))
    later.drive()
    held = [row.qbo_id for row in later.links() if row.qbo_id is not None]
    assert len(held) == len(set(held)) == 1
    assert {row.state for row in later.links()} == {"synced", "failed"}


def test_a_stale_epoch_changes_nothing(opened: Callable[..., Pipeline], impatient: Pipeline) -> None:
    impatient.ingest(event(client()))
    (slow,) = impatient.claim().attempts
    other = opened(lease=0.0, server_timeout=0.0)
    ask_again(other)
    (quick,) = other.claim().attempts
    assert (quick.request_id, quick.epoch) == (slow.request_id, slow.epoch + 1)
    other.settle(Answer(quick, other.call(quick)))
    before = other.one("client", "c1")
    late = impatient.settle(Answer(slow, NotSent("woke up late")))
    assert late.fenced == 1
    assert other.one("client", "c1") == before
    assert len(other.objects("Customer")) == 1
