"""What `make differential` does with one checkout: it pushes a world's events and says how each record ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.jsonlines import read_json_lines
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Simulator
from simulator.settings import Settings
from tests.differential.drive import Remote, push

SAMPLES = Path(__file__).parents[3] / "demo" / "samples" / "demo.jsonl"


@pytest.mark.usefixtures("no_background_trouble")
def test_a_world_is_pushed_by_a_checkout_and_its_ends_are_given(migrated_database: str) -> None:
    with SAMPLES.open(encoding="utf-8") as lines:
        events = [event for _, event in read_json_lines(lines)]
    with Simulator(settings=Settings(quota_enabled=False, concurrent_refresh_seconds=0)) as simulator:
        remote = Remote(simulator.base_url)
        ends = push(migrated_database, remote, events, (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET))
        asked = remote.ask("GET", "requests")["requests"]
    assert [end for end in ends if "\t" not in end] == []
    states = [end.split("\t")[4] for end in ends]
    assert states.count("synced") > 10
    assert {"synced", "failed"} <= set(states) <= {"synced", "failed", "skipped", "waiting", "withdrawn"}
    assert len(asked) > states.count("synced")
