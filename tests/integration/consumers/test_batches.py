"""A company's backlog goes in batches: whatever becomes of a batch, each of its records has one object, and none pays for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from consumers.reconcile.batching import Split, parcels
from consumers.reconcile.settle import Answer
from qbo_client.faults import Fault
from qbo_client.outcomes import Forbidden, NotSent, Refused, Throttled, Unauthorized, Unknown
from qbo_client.simulator.seeds import UK
from schemas.events import Invoice
from tests.builders import client, event, invoice, line, project
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
        assert (link.state, link.batch_most) == ("settled", None), link
    assert pipeline.rows("qbo_intent") == []


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
    records = [
        invoice(f"i{number}", of=project(f"p{number % 4}", of=client(f"c{number % 3}"))) for number in range(24)
    ]
    batching.ingest(*map(event, records))
    batching.drive()
    # All change at once: now nothing waits for anything else.
    renamed = [client(f"c{number}", sequence=2, name=f"Renamed {number}") for number in range(3)]
    moved = [project(f"p{number}", sequence=2, of=renamed[number % 3], name=f"Moved {number}") for number in range(4)]
    batching.ingest(*map(event, renamed), *map(event, moved), *(event(invoice(one.id, sequence=2, of=moved[int(one.id[1:]) % 4], details="new")) for one in records))
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
    from dataclasses import replace

    from schemas.events import Step

    with_customer(batching)
    records = invoices(3)
    batching.ingest(*map(event, records))
    batching.drive()
    batching.ingest(*(event(replace(one, sequence=2, step=Step.VOIDED)) for one in records))
    batching.drive()
    assert calls(batching) == ["batch"] + ["Invoice void"] * 3


def test_one_bad_in_thirty_hurts_nobody_else(batching: Pipeline) -> None:
    with_customer(batching)
    records = invoices(29)
    bad = invoice("bad", reference="X" * 30)
    execute(batching, "UPDATE qbo_configuration SET default_item_id = '999999'")
    batching.ingest(event(bad))
    (work,) = batching.claim(together=1).work
    batching.settle(Answer(work, NotSent("put back")))
    assert work.operation == "create"


@pytest.mark.parametrize("remembers", [True, False], ids=["remembers", "forgot"])
@pytest.mark.parametrize("second", WHOLE)
def test_a_lost_answer_to_a_batch_and_what_follows_it_make_one_object_each(
    batching: Pipeline, second: str, remembers: bool
) -> None:
    with_customer(batching)
    records = invoices(12)
    batching.ingest(*map(event, records))
    works = batching.claim().work
    (parcel,) = parcels(works)
    trouble(batching, kind="reset_after", count=1)
    outcome = batching.send(parcel)
    assert isinstance(outcome, Unknown)
    batching.settle(*answers_of(parcel, outcome))
    if not remembers:
        batching.simulator.call(lambda world: world.requestids.clear())
        batching.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", True))
    if (then := WHOLE[second]) is not None:
        # One of them alone is due: it brings the others with it.
        (again,) = parcels(batching.claim([works[5].link.id]).work)
        assert again.call() == parcel.call()
        assert {work.attempt for work in again.works} == {2}
        batching.settle(*answers_of(again, then))
        if second == "forbidden":
            batching.drive()
            batching.link()
        if second == "unauthorized":
            batching.jobs.prepare("org-uk", UK)
    batching.drive()
    expect_each_once(batching, records)
