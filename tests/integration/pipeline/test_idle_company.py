"""A company without changes keeps its connection: a refresh token ends 100 days after it was last used."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from consumers.housekeeping import Housekeeping
from simulator import UK
from store import companies, connections
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


def test_a_turn_without_a_change_reads_no_row_of_each_company(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: Counter[str] = Counter()
    changed, idle_connections = companies.changed, connections.idle_connections

    def look_for_changed(db: Connection) -> list[int]:
        looks["changed"] += 1
        return changed(db)

    def look_for_idle(db: Connection) -> list[tuple[str, str]]:
        looks["idle"] += 1
        return idle_connections(db)

    monkeypatch.setattr(companies, "changed", look_for_changed)
    monkeypatch.setattr(connections, "idle_connections", look_for_idle)
    stopping, turns = threading.Event(), Counter[str]()

    def beat(loop: str) -> None:
        turns[loop] += 1
        if turns[loop] == 8:
            with pipeline.engine.begin() as db:
                db.execute(text("UPDATE qbo_configuration SET default_class_id = '1'"))
            housekeeping.configuration_changed()
        elif turns[loop] > 20:
            stopping.set()

    process = replace(pipeline.steps.policy.process, sweep_seconds=0.001)
    pipeline.steps.policy = replace(pipeline.steps.policy, process=process)
    housekeeping = Housekeeping(pipeline.steps, beat=beat, wake=lambda: None, stopping=stopping)
    try:
        housekeeping.sweep()
    finally:
        housekeeping.close()
    # The company is new, and changed once: each is followed by a look that finds nothing.
    assert looks == {"changed": 4, "idle": 1}
