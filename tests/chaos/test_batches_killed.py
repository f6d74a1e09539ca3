"""Killed at each moment in the life of a batch, and stopped past its lease: the batch is recovered as it was, one object for each."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from demo.embedded.postgres import EmbeddedPostgres
from schemas.events import Event
from sync.crash_points import VARIABLE
from tests.builders import client, event, invoice, project
from tests.chaos.surroundings import ORGS, Surroundings

ORG = ORGS[0]
SIZE = 12
FAULTS: dict[str, dict[str, object] | None] = {"none": None, "lost": {"kind": "reset_after", "count": 2}}


def backlog(surroundings: Surroundings, name: str) -> None:
    """Have more invoices due at once than go one by one; their customer is in QuickBooks already."""
    owner = project("p", org=ORG, of=client("c", org=ORG))
    take(surroundings, [event(invoice(f"{name}-{number}", of=owner, org=ORG)) for number in range(SIZE)])


def take(surroundings: Surroundings, events: list[Event]) -> None:
    surroundings.pipeline.ingest(*events)
    surroundings.published += events


def stop_between_transactions(surroundings: Surroundings, process_id: int) -> None:
    """SIGSTOP it when it holds no lock: what a process has locked that stands still is locked for as long, and nobody can take over."""
    while True:
        os.kill(process_id, signal.SIGSTOP)
        with surroundings.pipeline.engine.begin() as db:
            inside = db.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
            ).scalar_one()
        if not inside:
            return
        os.kill(process_id, signal.SIGCONT)
        time.sleep(0.005)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("fault", FAULTS)
def test_killed_between_any_two_effects_of_a_batch(
    postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path, fault: str
) -> None:
    with Surroundings(postgres, restartable_database, tmp_path) as surroundings:
        take(surroundings, [event(project("p", org=ORG, of=client("c", org=ORG)))])
        surroundings.pipeline.drive()
        for point in ("claiming", "claimed", "sending", "answered", "settling", "settled"):
            backlog(surroundings, point)
            if (rule := FAULTS[fault]) is not None:
                surroundings.trouble(**rule, operation="batch")
            process = surroundings.start("invoice", **{VARIABLE: point})
            process.join(60)
            assert process.exitcode == -signal.SIGKILL, (point, surroundings.log_of("invoice"))
            if point in ("claimed", "sending", "answered") and fault == "none":
                assert any(row.batch_id for row in surroundings.pipeline.rows("qbo_attempt"))
        last = surroundings.start("invoice")
        # Where QuickBooks takes ten in a batch, most of them are looked up and then sent one by one, at ten calls a second.
        surroundings.wait_until_at_rest(timeout=150)
        assert surroundings.differences() == []
        assert last.is_alive()


@pytest.mark.timeout(120)
def test_a_process_that_was_stopped_in_a_batch_past_its_lease(
    postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path
) -> None:
    with Surroundings(postgres, restartable_database, tmp_path) as surroundings:
        take(surroundings, [event(project("p", org=ORG, of=client("c", org=ORG)))])
        surroundings.pipeline.drive()
        surroundings.trouble(kind="latency", seconds=0.5, operation="batch", count=1)
        backlog(surroundings, "stopped")
        stopped = surroundings.start("invoice")
        until = time.monotonic() + 60
        while not surroundings.simulator.call(lambda world: [one for one in world.journal if one.operation == "batch"]):
            assert time.monotonic() < until
            time.sleep(0.005)
        assert stopped.pid is not None
        stop_between_transactions(surroundings, stopped.pid)
        other = surroundings.start("invoice")
        surroundings.wait_until_at_rest(timeout=60)
        os.kill(stopped.pid, signal.SIGCONT)
        backlog(surroundings, "after")
        surroundings.wait_until_at_rest(timeout=60)
        assert surroundings.differences() == []
        assert stopped.is_alive()
        assert other.is_alive()
