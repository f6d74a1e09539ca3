"""A company's backlog goes in batches: in any outcome of a batch, each of its records has one object, and none pays for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from qbo_client.faults import Fault
from qbo_client.outcomes import Forbidden, NotSent, Refused, Throttled, Unauthorized, Unknown
from schemas.events import Invoice, Service, Step
from simulator import bookkeeper
from simulator.seeds import UK
from store import attempts
from sync.batches import as_batches
from sync.settle import Answer
from tests.builders import SCANNING, client, event, invoice, line, project
from tests.pipeline import Pipeline, answers_of

WHOLE = {
    "nothing": None,
    "not sent": NotSent("connection refused"),
    "throttled": Throttled(0.0),
    "unauthorized": Unauthorized(),
    "forbidden": Forbidden(()),
    "refused": Refused(400, (Fault(code="2010", message="", detail="", element=None),)),
    "no answer again": Unknown("timed out"),
}


@pytest.fixture
def batching(opened: Callable[..., Pipeline]) -> Pipeline:
    """Sends in batches and takes over at once; two documents may have one number, so that no second one would be refused."""
    made = opened(lease=0.0, server_timeout=0.0, together=30)
    made.link()
    made.map_vat_rate("vat-20", "20.0% S")
    made.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", False))
    made.sweep()
    # The calls are counted here: thirty go together, and an item keeps its request id when its batch comes with fewer.
    made.simulator.call(lambda world: world.change_settings({"batch_items": 30, "batch_requestid": "item"}))
    return made


def with_customer(pipeline: Pipeline) -> None:
    pipeline.ingest(event(project()))
    pipeline.drive()
    pipeline.simulator.call(lambda world: world.journal.clear())


def invoices(count: int, *, first: int = 1, **more: Any) -> list[Invoice]:
    return [invoice(f"i{number}", **more) for number in range(first, first + count)]


def trouble(pipeline: Pipeline, **rule: Any) -> None:
    pipeline.simulator.call(lambda world: world.troubles.add(rule))


def execute(pipeline: Pipeline, statement: str, **values: object) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text(statement), values)


def calls(pipeline: Pipeline) -> list[str]:
    return [f"{one.entity} {one.operation}".strip() for one in pipeline.requests()]


def bad_one(pipeline: Pipeline) -> Invoice:
    """An invoice whose service is mapped to an item that QuickBooks does not have."""
    execute(
        pipeline,
        "WITH made AS (INSERT INTO qbo_service (org_id, kompass_id, name) VALUES ('org-uk', 'svc-bad', 'Bad') RETURNING id)"
        " INSERT INTO qbo_item_service (configuration_id, realm_id, service_id, item_id, item_name)"
        " SELECT c.id, :realm, made.id, '999999', 'gone' FROM qbo_configuration c, made",
        realm=UK,
    )
    return invoice("bad", lines=(line(service=Service("svc-bad", "Bad", SCANNING)),))


def items(request: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(request.request_body)["BatchItemRequest"]
    return found


def expect_each_once(pipeline: Pipeline, records: Iterable[Invoice]) -> None:
    marks = sorted(
        one["PrivateNote"].split("(")[0] for one in pipeline.objects("Invoice") + pipeline.objects("CreditMemo")
    )
    assert marks == sorted(f"Kompass invoice {one.id} " for one in records)
    for one in records:
        link = pipeline.one("invoice", one.id)
        assert (link.state, link.batch_most) == ("synced", None), link
    assert pipeline.rows("qbo_attempt") == []


@pytest.mark.usefixtures("no_background_trouble")
def test_thirty_invoices_are_one_call_and_no_read(batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(65)
    batching.ingest(*map(event, records))
    batching.drive()
    assert calls(batching) == ["batch"] * 3
    assert [len(items(one)) for one in batching.requests()] == [30, 30, 5]
    assert [one.metering for one in batching.requests()] == ["core"] * 3
    expect_each_once(batching, records)


def test_a_customer_its_job_and_its_invoice_are_never_in_one_batch(batching: Pipeline) -> None:
    records = [invoice(f"i{number}", of=project(f"p{number % 4}", of=client(f"c{number % 3}"))) for number in range(24)]
    batching.ingest(*map(event, records))
    batching.drive()
    # All change at once: now nothing waits for anything else.
    renamed = [client(f"c{number}", sequence=2, name=f"Renamed {number}") for number in range(3)]
    moved = [project(f"p{number}", sequence=2, of=renamed[number % 3], name=f"Moved {number}") for number in range(4)]
    changed = [invoice(one.id, sequence=2, of=moved[number % 4], details="new") for number, one in enumerate(records)]
    batching.ingest(*map(event, renamed), *map(event, moved), *map(event, changed))
    batching.drive()
    seen = set()
    for request in batching.requests():
        if request.operation != "batch":
            continue
        kinds = {
            (entity, "ParentRef" in one[entity] or one[entity].get("Job", False))
            for one in items(request)
            for entity in one.keys() - {"bId", "operation"}
        }
        seen |= {tuple(sorted(kinds))}
        assert len({entity for entity, _ in kinds}) == 1, kinds
    assert seen
    made: dict[str, int] = {}
    for number, request in enumerate(batching.requests()):
        for answer in orjson.loads(request.response_body).get("BatchItemResponse", ()):
            for entity in answer.keys() & {"Customer", "Invoice"}:
                made.setdefault(answer[entity]["Id"], number)
        for one in items(request) if request.operation == "batch" else ():
            for entity in one.keys() & {"Customer", "Invoice"}:
                stands_on = one[entity].get("CustomerRef") or one[entity].get("ParentRef")
                if stands_on is not None:
                    assert made.get(stands_on["value"], -1) < number
    expect_each_once(batching, records)


def test_voids_and_reads_go_by_themselves(batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(3)
    batching.ingest(*map(event, records))
    batching.drive()
    batching.ingest(*(event(replace(one, sequence=2, step=Step.VOIDED)) for one in records))
    batching.drive()
    assert calls(batching) == ["batch"] + ["Invoice void"] * 3


@pytest.mark.usefixtures("no_background_trouble")
def test_one_bad_in_thirty_hurts_nobody_else(batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(29)
    batching.ingest(*map(event, records), event(bad_one(batching)))
    batching.drive()
    assert calls(batching) == ["batch"]
    bad = batching.one("invoice", "bad")
    assert (bad.state, bad.qbo_id) == ("failed", None)
    (failure,) = [one for one in batching.rows("qbo_failure") if one.closed_at is None]
    assert (failure.link_id, failure.stage) == (bad.id, "push")
    expect_each_once(batching, records)


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("place", [0, 11, 29])
def test_a_batch_that_is_refused_as_a_whole_is_halved_until_the_culprit_is_alone(
    batching: Pipeline, place: int
) -> None:
    with_customer(batching)
    records = invoices(30)
    batching.ingest(*map(event, records))
    culprit = records[place]
    trouble(batching, kind="fault", code="2010", holds=f"Kompass invoice {culprit.id} ")
    batching.drive()
    sizes = [len(items(one)) if one.operation == "batch" else 1 for one in batching.requests()]
    # Only halves with the culprit in them are refused and halved again: 30, 15 + 15, 8 + 7, 4 + 4, 2 + 2, 1 + 1.
    assert len(sizes) <= 11, sizes
    assert sizes[0] == 30
    assert batching.one("invoice", culprit.id).state == "failed"
    batching.simulator.call(lambda world: world.troubles.remove())
    others = [one for one in records if one is not culprit]
    expect_each_once(batching, others)
    # What was fixed goes again, and in the company of others.
    more = invoices(5, first=100)
    batching.ingest(event(invoice(culprit.id, sequence=2)), *map(event, more))
    batching.drive()
    expect_each_once(batching, records + more)


def test_a_batch_that_cannot_be_answered_is_given_up_for_the_sake_of_the_others(batching: Pipeline) -> None:
    """Intuit fails over one of its members, again and again, and knows all others well."""
    with_customer(batching)
    records = invoices(8)
    batching.ingest(*map(event, records))
    trouble(batching, kind="http", status=500, holds="Kompass invoice i3 ")
    for number in range(90, 140):
        # Others of the company go through meanwhile.
        batching.ingest(event(invoice(f"i{number}")))
        execute(batching, "UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
        batching.settle(*batching.answers(batching.claim().attempts))
        if batching.one("invoice", "i3").state == "failed":
            break
    assert batching.one("invoice", "i3").cause == "keeps-failing"
    for one in records:
        if one.id != "i3":
            assert batching.one("invoice", one.id).state == "synced"
    batching.simulator.call(lambda world: world.troubles.remove())
    execute(batching, "UPDATE qbo_link SET due_at = now(), again = true WHERE state = 'failed'")
    batching.drive()
    expect_each_once(batching, [*records, *(invoice(f"i{other}") for other in range(90, number + 1))])


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgot"])
@pytest.mark.parametrize("second", WHOLE)
def test_a_lost_answer_to_a_batch_and_what_follows_it_make_one_object_each(
    batching: Pipeline, second: str, remembers: bool
) -> None:
    with_customer(batching)
    records = invoices(12)
    batching.ingest(*map(event, records))
    attempts = batching.claim().attempts
    (batch,) = as_batches(attempts)
    trouble(batching, kind="reset_after", count=1)
    outcome = batching.send(batch)
    assert isinstance(outcome, Unknown)
    batching.settle(*answers_of(batch, outcome))
    if not remembers:
        batching.simulator.call(lambda world: world.requestids.clear())
        batching.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", True))
    if (then := WHOLE[second]) is not None:
        # One of them alone is due: it brings the others with it.
        (again,) = as_batches(batching.claim([attempts[5].link.id]).attempts)
        assert again.call() == batch.call()
        assert {attempt.tries for attempt in again.attempts} == {2}
        batching.settle(*answers_of(again, then))
        if second == "forbidden":
            batching.drive()
            batching.link()
        if second == "unauthorized":
            batching.jobs.prepare("org-uk", UK)
    batching.drive()
    expect_each_once(batching, records)


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("committed", [True, False])
def test_after_the_resend_window_each_is_looked_up_by_itself(
    opened: Callable[..., Pipeline], batching: Pipeline, committed: bool
) -> None:
    with_customer(batching)
    records = invoices(4)
    batching.ingest(*map(event, records))
    attempts = batching.claim().attempts
    trouble(batching, kind="reset_after" if committed else "reset_before", count=1)
    batching.settle(*batching.answers(attempts))
    batching.simulator.call(lambda world: world.requestids.clear())
    later = opened(lease=0.0, server_timeout=0.0, resend_window=0.0, together=30)
    later.drive()
    # What is not among its customer's is looked for in the whole company before it is created again.
    made = ["batch", *["Invoice query"] * 4] if committed else ["batch", *["Invoice query"] * 8, "batch"]
    assert calls(later) == made
    expect_each_once(later, records)


@pytest.mark.parametrize("committed", [True, False])
def test_what_is_left_of_a_batch_is_looked_up_and_never_sent_under_its_request_id(
    batching: Pipeline, committed: bool
) -> None:
    """The answer to a batch does not mention two of its items; the others have observed. Whose request id it is by then nobody knows."""
    with_customer(batching)
    records = invoices(5)
    batching.ingest(*map(event, records))
    (batch,) = as_batches(batching.claim().attempts)
    answers = answers_of(batch, batching.send(batch))
    lost = [Answer(one.attempt, Unknown("not mentioned"), together=5) for one in answers[:2]]
    batching.settle(*lost, *answers[2:])
    assert len(batching.rows("qbo_attempt")) == 2
    if not committed:
        for one in [one for one in batching.objects("Invoice") if one["PrivateNote"].split()[2] in ("i1", "i2")]:
            edit = {"action": "delete", "entity": "Invoice", "id": one["Id"]}
            batching.simulator.call(lambda world, edit=edit: bookkeeper.edit(world.companies[UK], edit))
    batching.drive()
    first, *looks = batching.requests()
    assert calls(batching) == ["batch", *["Invoice query"] * 2] + (
        [] if committed else [*["Invoice query"] * 2, "batch"]
    )
    assert first.requestid not in {one.requestid for one in looks}
    expect_each_once(batching, records)


@pytest.mark.parametrize("switch", [{}, {"batch_requestid": "batch", "requestid_other_body": "600"}], ids=str)
def test_a_batch_that_lost_a_member_to_a_person_is_not_sent_again(batching: Pipeline, switch: dict[str, Any]) -> None:
    """Its answer is lost, and meanwhile somebody said of one record which document it is: what is left is another body."""
    with_customer(batching)
    batching.simulator.call(lambda world: world.change_settings(switch))
    records = invoices(4)
    batching.ingest(*map(event, records))
    attempts = batching.claim().attempts
    trouble(batching, kind="reset_after", count=1)
    batching.settle(*batching.answers(attempts))
    (mine,) = [one for one in batching.objects("Invoice") if " i2 " in one["PrivateNote"]]
    taken = batching.one("invoice", "i2").id
    execute(batching, "DELETE FROM qbo_attempt WHERE link_id = :id", id=taken)
    execute(
        batching,
        "UPDATE qbo_link SET epoch = epoch + 1, entity = 'Invoice', qbo_id = :qbo_id, applied = NULL WHERE id = :id",
        id=taken,
        qbo_id=mine["Id"],
    )
    batching.drive()
    assert [one.operation for one in batching.requests()].count("batch") == 1
    expect_each_once(batching, records)


def test_code_600_to_a_batch_that_is_sent_again_is_looked_into_and_not_waited_out(batching: Pipeline) -> None:
    """Its first call is over, or it would not have been sent again: Intuit will never say more under this request id."""
    with_customer(batching)
    records = invoices(4)
    batching.ingest(*map(event, records))
    trouble(batching, kind="reset_after", count=1)
    batching.settle(*batching.answers(batching.claim().attempts))
    trouble(batching, kind="fault", code="600", count=1)
    batching.drive()
    assert calls(batching) == ["batch", "batch", *["Invoice query"] * 4]
    expect_each_once(batching, records)


def test_no_member_is_to_blame_for_a_batch_that_cannot_be_sent(batching: Pipeline) -> None:
    """However often: what went together says nothing of any one record."""
    batching.settle_with(retries=replace(batching.retries, reject_after_attempts=2))
    with_customer(batching)
    batching.ingest(*map(event, invoices(2)))
    attempts = batching.claim().attempts
    # Others of the company go through meanwhile.
    execute(
        batching, "UPDATE qbo_link SET attempts = 5, last_failed_at = now() - interval '1 hour' WHERE kind = 'invoice'"
    )
    batching.settle(*[Answer(attempt, NotSent("connection refused"), together=2) for attempt in attempts])
    assert [one.state for one in batching.links(kind="invoice")] == ["retrying", "retrying"]
    # Alone, it is.
    (attempt,) = batching.claim([attempts[0].link.id], together=1).attempts
    execute(batching, "UPDATE qbo_link SET last_failed_at = now() - interval '1 hour' WHERE kind = 'invoice'")
    batching.settle(Answer(attempt, NotSent("connection refused")))
    assert [one.cause for one in batching.links(kind="invoice")] == ["keeps-failing", "unreachable"]


def test_only_half_of_a_batch_was_written_back(batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(6)
    batching.ingest(*map(event, records))
    (batch,) = as_batches(batching.claim().attempts)
    answers = answers_of(batch, batching.send(batch))
    batching.settle(*answers[:3])
    batching.drive()
    expect_each_once(batching, records)


def test_a_stalled_process_changes_nothing_when_it_wakes(opened: Callable[..., Pipeline], batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(6)
    batching.ingest(*map(event, records))
    (slow,) = as_batches(batching.claim().attempts)
    other = opened(lease=0.0, server_timeout=0.0, together=30)
    (quick,) = as_batches(other.claim([slow.attempts[2].link.id]).attempts)
    assert quick.call() == slow.call()
    assert [attempt.epoch for attempt in quick.attempts] == [attempt.epoch + 1 for attempt in slow.attempts]
    other.settle(*answers_of(quick, other.send(quick)))
    before = other.rows("qbo_link")
    late = batching.settle(*answers_of(slow, batching.send(slow)))
    assert late.fenced == 6
    assert other.rows("qbo_link") == before
    expect_each_once(other, records)


def test_a_batch_is_taken_over_whole_or_not_now(opened: Callable[..., Pipeline], batching: Pipeline) -> None:
    """Somebody holds one of its members at this moment."""
    with_customer(batching)
    records = invoices(4)
    batching.ingest(*map(event, records))
    attempts = batching.claim().attempts
    other = opened(lease=0.0, server_timeout=0.0, together=30)
    execute(batching, "UPDATE qbo_link SET due_at = now() WHERE kind = 'invoice'")
    with batching.engine.begin() as db:
        db.execute(text("SELECT 1 FROM qbo_link WHERE id = :id FOR UPDATE"), {"id": attempts[3].link.id})
        assert other.claim([attempts[0].link.id]).attempts == []
    assert [one.batch_id for one in other.rows("qbo_attempt")] == [attempts[0].batch_id] * 4
    other.drive()
    expect_each_once(other, records)


def test_news_of_a_member_while_its_batch_hangs_follows_the_batch(batching: Pipeline) -> None:
    batching.simulator.call(lambda world: world.change_settings({"requestid_repeated": "replay"}))
    with_customer(batching)
    records = invoices(4)
    batching.ingest(*map(event, records))
    trouble(batching, kind="reset_after", count=1)
    batching.settle(*batching.answers(batching.claim().attempts))
    batching.ingest(event(invoice("i2", sequence=2, lines=(line("300.00"),))))
    batching.drive()
    first, again, update = batching.requests()
    assert (first.request_body, first.requestid) == (again.request_body, again.requestid)
    assert update.operation == "update"
    expect_each_once(batching, records)


@pytest.mark.parametrize(("retry_after", "at_least", "at_most"), [(0, 50, 60), (2, 1, 2)])
def test_a_company_that_asked_us_to_wait_gets_the_batch_later(
    batching: Pipeline, retry_after: int, at_least: int, at_most: int
) -> None:
    with_customer(batching)
    batching.simulator.call(lambda world: world.change_settings({"throttle_retry_after": retry_after}))
    records = invoices(12)
    batching.ingest(*map(event, records))
    trouble(batching, kind="throttle", count=1)
    (batch,) = as_batches(batching.claim().attempts)
    outcome = batching.send(batch)
    assert isinstance(outcome, Throttled)
    batching.settle(*answers_of(batch, outcome))
    assert batching.rows("qbo_attempt") == []
    execute(batching, "UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
    assert at_least < batching.claim().blocked[UK][1] <= at_most
    execute(batching, "UPDATE qbo_quota_lease SET blocked_until = NULL")
    batching.drive()
    expect_each_once(batching, records)


@pytest.mark.parametrize(
    "switch",
    [
        {"requestid_replays_faults": False},
        {"requestid_in_flight": "600"},
        {"requestid_in_flight": "twice"},
        {"requestid_other_body": "600"},
        {"batch_requestid": "batch"},
        {"batch_requestid": "batch", "requestid_other_body": "600"},
        {"batch_items": 10},
        {"validation_fault_status": 200},
        {"throttle_status": 403},
        {"throttle_shape": "service", "throttle_code": "003001"},
        {"throttle_shape": "xml"},
    ],
    ids=lambda switch: ",".join(f"{name}={value}" for name, value in switch.items()),
)
def test_whatever_intuit_does_where_nobody_knows(batching: Pipeline, switch: dict[str, Any]) -> None:
    with_customer(batching)
    batching.simulator.call(lambda world: world.change_settings({**switch, "throttle_retry_after": 1}))
    records = invoices(14)
    batching.ingest(*map(event, records), event(bad_one(batching)))
    for rule in (
        {"kind": "throttle"},
        {"kind": "reset_before"},
        {"kind": "fault", "code": "2010", "holds": "Kompass invoice i9 "},
        {"kind": "reset_after"},
        {"kind": "http", "status": 503},
    ):
        trouble(batching, **rule, count=1)
        execute(batching, "UPDATE qbo_quota_lease SET blocked_until = NULL")
        execute(batching, "UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
        batching.settle(*batching.answers(batching.claim().attempts))
    execute(batching, "UPDATE qbo_quota_lease SET blocked_until = NULL")
    batching.drive()
    assert batching.one("invoice", "bad").state == "failed"
    expect_each_once(batching, records)


def test_a_heartbeat_never_waits_for_a_settle_which_may_wait_for_it(batching: Pipeline) -> None:
    with_customer(batching)
    batching.ingest(*map(event, invoices(3)))
    first, second, third = sorted(attempt.link.id for attempt in batching.claim().attempts)
    execute(batching, "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour'")
    with batching.engine.begin() as settle, batching.engine.begin() as beat:
        attempts.to_lookup(settle, second)
        beat.execute(text("SET LOCAL lock_timeout = '1s'"))
        attempts.heartbeat(beat, batching.owner, [first, second, third])
    late = "SELECT link_id FROM qbo_attempt WHERE heartbeat_at < now() - interval '1 minute'"
    with batching.engine.begin() as db:
        assert list(db.execute(text(late)).scalars()) == [second]
