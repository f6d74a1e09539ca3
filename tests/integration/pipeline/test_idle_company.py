"""A company without changes keeps its connection: a refresh token ends 100 days after it was last used."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

from sqlalchemy import event, text

from consumers.housekeeping import Housekeeping
from simulator import UK
from store import connections
from tests.pipeline import Pipeline


def test_a_refresh_token_is_used_before_it_ends(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        assert connections.idle_connections(db) == []
        db.execute(
            text("UPDATE qbo_connection SET refreshed_at = now() - interval '31 days', access_expires_at = now()")
        )
        assert connections.idle_connections(db) == [("org-uk", UK)]
    pipeline.jobs.prepare("org-uk", UK)
    with pipeline.engine.begin() as db:
        assert connections.idle_connections(db) == []
        assert connections.read_connections(db)[UK].version > 1


def test_what_takes_days_to_come_is_not_looked_for_at_every_turn(pipeline: Pipeline) -> None:
    stopping, turns, looks = threading.Event(), Counter[str](), Counter[str]()

    def beat(loop: str) -> None:
        turns[loop] += 1
        if turns[loop] == 5:
            stopping.set()

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        looks["connections"] += "FROM qbo_connection" in statement

    pipeline.steps.policy = replace(
        pipeline.steps.policy, process=replace(pipeline.steps.policy.process, sweep_seconds=0.001)
    )
    housekeeping = Housekeeping(pipeline.steps, beat=beat, wake=lambda: None, stopping=stopping)
    event.listen(pipeline.engine, "before_cursor_execute", count)
    try:
        housekeeping.sweep()
    finally:
        event.remove(pipeline.engine, "before_cursor_execute", count)
        housekeeping.close()
    assert turns["sweeper"] >= 5
    assert looks["connections"] == 1
