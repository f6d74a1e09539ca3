"""Random histories of Kompass, a bookkeeper, an admin and passing refusals: what is synced is there, and the books are protected.

A handful runs always, with the seeds that once found something. ``--rounds 500 --first-seed 1000`` runs as many others, and
``make explore`` runs them for an hour: ``--minutes 60``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.engine import URL

from simulator import Simulator
from simulator.settings import Settings
from tests.chaos.bookkeeper_history import History
from tests.chaos.surroundings import REPEAT
from tests.database import cloned_database
from tests.pipeline import Pipeline, open_pipeline

ALWAYS = (1, 2, 3, 4, 5, 6)
FOUND: tuple[int, ...] = (1026449213, 1026449546, 375864279, 176195747)
"""Seeds that found something once."""
PER_WORLD = 40
"""Companies that share a database and a simulator."""


@contextmanager
def world(server: URL, template: URL) -> Iterator[Pipeline]:
    settings = Settings.from_environment(quota_enabled=False, concurrent_refresh_seconds=0)
    with cloned_database(server, template) as url, Simulator(settings=settings) as simulator:
        pipeline = open_pipeline(url, simulator, lease=0.0, server_timeout=0.0)
        yield pipeline
        pipeline.close()
        pipeline.engine.dispose()


def play(pipeline: Pipeline, seed: int) -> str:
    """Play one history; gives what went wrong and the way there, or nothing."""
    history = History(pipeline, seed)
    try:
        history.play()
    except AssertionError as wrong:
        return "\n".join([f"seed {seed}: {wrong}", *history.journal])
    return ""


def test_the_books_are_protected_and_what_is_synced_is_there(
    database_server: URL, template_database: URL, request: pytest.FixtureRequest
) -> None:
    options = request.config.getoption
    seed, rounds, minutes = options("--seed", None), options("--rounds", 0), options("--minutes", 0.0)
    first = options("--first-seed", 1) if rounds else random.randrange(1 << 30)
    seeds = iter([seed] if seed is not None else [*FOUND, *ALWAYS])
    if seed is None and (rounds or minutes):
        seeds = iter(range(first, first + (rounds or 1 << 30)))
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    finds: list[str] = []
    played, left = 0, True
    while left and time.monotonic() < until:
        with world(database_server, template_database) as pipeline:
            for _ in range(PER_WORLD):
                one = next(seeds, None)
                if one is None or time.monotonic() >= until:
                    left = False
                    break
                played += 1
                if found := play(pipeline, one):
                    finds.append(found)
                    print(found, flush=True)
                    break
    print(f"{played} histories from {first if rounds or minutes else 'the kept seeds'}, {len(finds)} finds")
    assert not finds, f"repeat one with {REPEAT} tests/chaos/test_bookkeeper_histories.py --seed N\n\n" + "\n\n".join(
        finds[:3]
    )
