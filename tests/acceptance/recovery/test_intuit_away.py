"""Half an hour without Intuit while Kompass goes on: a longer queue, and nothing else.

`make outage` has it over 10,000 events; here it is shorter. The half hour is on a moved clock: the database's and Intuit's are one, for a
look-up compares when a call went out with when Intuit made an object.
"""

from __future__ import annotations

import gc
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import text

from schemas.events import Event
from simulator import UK, Simulator
from simulator.world import company_shown
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests.builders import UK_ORG
from tests.chaos import oracle
from tests.chaos.kompass import Kompass
from tests.pipeline import Pipeline, open_pipeline
from tests.simulated_time import SimulatedTime

MINUTES: Final = 30
AT_ONCE: Final = 64
BATCH: Final = 500
GROWTH: Final = 16 * 1024 * 1024
"""Bytes that the process may grow by between the fifth minute of the outage and its last; all it keeps are sequences it has seen."""


@pytest.fixture
def pipeline(migrated_database: str, careless_intuit: Simulator) -> Iterator[Pipeline]:
    """As in production: it waits longer and longer."""
    made = open_pipeline(migrated_database, careless_intuit, retries=RetryPolicy(), patience=Patience())
    made.link()
    made.map_vat_rate("vat-20", "20.0% S")
    yield made
    made.close()
    made.engine.dispose()


def turn(pipeline: Pipeline) -> int:
    """Claim, call and settle once; gives how many calls that were."""
    claimed = pipeline.claim(pipeline.due()[:AT_ONCE])
    for realm_id, org_id in claimed.unready.items():
        pipeline.jobs.prepare(org_id, realm_id)
    if claimed.attempts:
        pipeline.settle(*pipeline.answers(claimed.attempts))
    return len(claimed.attempts) + len(claimed.decided)


def a_minute(time: SimulatedTime) -> None:
    """Be a minute later."""
    time.advance(60)
    with time.pipeline.engine.begin() as db:
        # The one moment that is compared with the clock of the process, which is not moved.
        age = "UPDATE qbo_connection SET access_expires_at = access_expires_at - interval '1 minute'"
        db.execute(text(age))


def catch_up(time: SimulatedTime) -> None:
    """Work until nothing is left that is due at any time."""
    while any(row.due_at is not None for row in time.pipeline.links()):
        while turn(time.pipeline):
            pass
        a_minute(time)


def resident() -> int:
    """Give the bytes of memory this process has."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
@pytest.mark.timeout(1800)
def test_half_an_hour_without_intuit(pipeline: Pipeline, request: pytest.FixtureRequest) -> None:
    count = request.config.getoption("--events", default=800)
    time = SimulatedTime(pipeline)
    said: list[Event] = []
    news = Kompass((UK_ORG,), random.Random(1)).steps(count)

    def say(some: int) -> None:
        events = list(islice(news, some))
        said.extend(events)
        for start in range(0, len(events), BATCH):
            pipeline.ingest(*events[start : start + BATCH])

    say(count // 5)
    catch_up(time)
    pipeline.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    memory = []
    for minute in range(1, MINUTES + 1):
        say(count * 3 // 5 // MINUTES)
        turn(pipeline)
        a_minute(time)
        # The simulator keeps what it was asked; that is not what is measured.
        pipeline.simulator.call(lambda world: world.journal.clear())
        if minute % 5 == 0:
            memory.append(resident())
    held = [row for row in pipeline.links() if row.state == "retrying"]
    assert held
    pipeline.simulator.call(lambda world: world.troubles.remove())
    say(2 * count)
    catch_up(time)

    print(
        f"{len(said)} events, {len(pipeline.links())} links; MB in the outage: {[round(size / 1e6, 1) for size in memory]}"
    )
    assert max(memory) - memory[0] < GROWTH, memory
    assert len(said) >= count
    assert pipeline.rows("qbo_failure") == []
    assert pipeline.rows("qbo_outbox") == []
    assert {row.state for row in pipeline.links()} <= {"synced", "skipped"}
    shown = pipeline.simulator.call(lambda world: company_shown(world.companies[UK])["objects"])
    assert oracle.differences(oracle.expected(said, {UK_ORG.id: UK})[UK], shown) == []
