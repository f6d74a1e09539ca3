"""QuickBooks takes one write of a name at a time in a company: we never have two under way, in any number of processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from consumers.runner import Reconciler
from qbo_client.quota import Limits
from simulator.seeds import CANADA, UK, USA
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests.builders import client, event, invoice, project
from tests.pipeline import Pipeline

ONE_NAME = Limits(per_second=10_000, in_flight=1_000, per_minute=100_000)


@pytest.fixture
def process(opened: Callable[..., Pipeline]) -> Iterator[Callable[..., Pipeline]]:
    """Start a process of its own: threads, owner and database connections, with the limit on names."""
    made: list[Reconciler] = []

    def another() -> Pipeline:
        pipeline = opened(limits=ONE_NAME, retries=RetryPolicy(), patience=Patience())
        one = pipeline.reconciler()
        made.append(one)
        one.start()
        return pipeline

    yield another
    for one in made:
        assert one.stop()


def lock_names(pipeline: Pipeline, milliseconds: int = 20) -> None:
    wanted = {"name_lock": "on", "name_write_milliseconds": milliseconds, "batch_items": 30, "batch_requestid": "item"}
    pipeline.simulator.call(lambda world: world.change_settings(wanted))


def wait_for(pipeline: Pipeline, states: int, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while len(pipeline.links(state="synced")) < states:
        assert time.monotonic() < until, [
            (row.kompass_id, row.state, row.cause, row.reason) for row in pipeline.links()
        ]
        time.sleep(0.05)


def refused(pipeline: Pipeline) -> int:
    return sum(1 for row in pipeline.rows("qbo_history") if row.what == "called" and row.outcome == "refused")


@pytest.mark.usefixtures("no_background_trouble")
def test_two_hundred_new_clients_end_as_two_hundred_customers(
    pipeline: Pipeline, process: Callable[..., Pipeline]
) -> None:
    lock_names(pipeline, 100)
    pipeline.ingest(*[event(client(f"c{number}", name=f"Client {number}")) for number in range(200)])
    process(), process()
    wait_for(pipeline, 200)
    assert len(pipeline.objects("Customer")) == 200
    assert pipeline.rows("qbo_failure") == []
    assert refused(pipeline) == 0


@pytest.mark.parametrize("realm", [UK, CANADA, USA])
def test_clients_and_jobs_below_a_backlog_never_meet_the_lock(
    unlinked: Pipeline, process: Callable[..., Pipeline], realm: str
) -> None:
    unlinked.link(realm=realm)
    lock_names(unlinked, 100)
    for number in range(4):
        owner = client(f"c{number}", name=f"Client {number}")
        unlinked.ingest(event(owner), event(project(f"p{number}", of=owner)))
    process(), process()
    wait_for(unlinked, 8)
    assert refused(unlinked) == 0


def test_a_claim_lets_one_name_go_and_as_many_documents_as_before(
    opened: Callable[..., Pipeline], pipeline: Pipeline
) -> None:
    pipeline.ingest(event(project()))
    pipeline.drive()
    claiming, other = opened(limits=ONE_NAME), opened(limits=ONE_NAME)
    pipeline.ingest(*[event(client(f"n{number}", name=f"New {number}")) for number in range(3)])
    pipeline.ingest(*[event(invoice(f"i{number}")) for number in range(5)])
    first = claiming.claim()
    assert sorted(attempt.entity for attempt in first.attempts) == ["Customer"] + ["Invoice"] * 5
    assert first.blocked == {}
    # The others wait for it, in this process and in any other, and keep nothing from going.
    assert [attempt.entity for attempt in other.claim([row.id for row in pipeline.links(entity="")]).attempts] == []
    claiming.settle(*claiming.answers(first.attempts))
    claiming._hasten()
    assert [attempt.entity for attempt in other.claim().attempts] == ["Customer"]


def test_a_batch_of_names_is_one(opened: Callable[..., Pipeline], pipeline: Pipeline) -> None:
    claiming = opened(limits=ONE_NAME)
    owner = client("c0", name="Harbour")
    pipeline.ingest(event(owner))
    pipeline.drive()
    pipeline.ingest(*[event(client(f"n{number}", name=f"New {number}")) for number in range(3)])
    pipeline.ingest(*[event(project(f"p{number}", of=owner)) for number in range(3)])
    attempts = claiming.claim(together=30).attempts
    assert len({attempt.batch_id for attempt in attempts}) == 1
    assert len(attempts) == 3
