"""`kill -9` and SIGSTOP at random moments, while events come in and Intuit has its troubles: one object each, in its newest state.

``pytest tests/chaos --rounds 2000`` kills so many times; a failure names its seed and how to repeat it.
"""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests.chaos.kompass import Kompass
from tests.chaos.surroundings import ORGS, Surroundings

KINDS = ("invoices", "invoices", "clients", "projects")
KILLS_A_ROUND = 26
STOPPED_S = 1.6


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--seed", default=None)
    kills = metafunc.config.getoption("--rounds", default=0)
    seeds = [wanted] if wanted is not None else range(1, 3 if not kills else 1 + -(-kills // KILLS_A_ROUND))
    metafunc.parametrize("seed", list(seeds))


def make_trouble(surroundings: Surroundings, chance: random.Random) -> None:
    """Intuit answers late, not at all, or with errors, now and then."""
    rules = [
        {"kind": "latency", "distribution": "uniform", "low": 0.0, "high": 0.15},
        {"kind": "reset_after", "probability": 0.06},
        {"kind": "reset_before", "probability": 0.03},
        {"kind": "no_answer", "probability": 0.02},
        {"kind": "http", "status": 503, "probability": 0.03},
        {"kind": "throttle", "probability": 0.01},
        {"kind": "token_death", "probability": 0.01},
    ]
    for rule in rules:
        surroundings.trouble(**rule, seed=chance.randrange(1 << 30))


@pytest.mark.timeout(240)
def test_killed_at_random_moments_it_ends_as_if_nothing_had_happened(
    migrated_database: str, tmp_path: Path, seed: int
) -> None:
    print(f"seed {seed}; repeat with: pytest tests/chaos/test_random_kills.py --seed {seed}")
    chance = random.Random(seed)
    with Surroundings(migrated_database, tmp_path) as surroundings:
        surroundings.simulator.call(
            lambda world: world.change_settings(
                {
                    "requestid_in_flight": chance.choice(["wait", "600"]),
                    "requestid_replays_faults": chance.random() < 0.5,
                    "rotation_seconds": 86_400,
                }
            )
        )
        make_trouble(surroundings, chance)
        events = Kompass(ORGS, chance).steps(chance.randint(220, 300))
        running: list[tuple[str, BaseProcess]] = [(kind, surroundings.start(kind.removesuffix("s"))) for kind in KINDS]
        more = True
        for _ in range(KILLS_A_ROUND):
            batch = [one for _, one in zip(range(chance.randint(3, 20)), events, strict=False)] if more else []
            more = bool(batch)
            surroundings.publish(batch)
            time.sleep(chance.uniform(0.05, 0.7))
            index = chance.randrange(len(running))
            kind, process = running[index]
            if chance.random() < 0.2 and process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGSTOP)
                time.sleep(STOPPED_S)
                os.kill(process.pid, signal.SIGCONT)
            else:
                surroundings.kill(process)
                running[index] = (kind, surroundings.start(kind.removesuffix("s")))
        surroundings.publish(events)
        surroundings.no_more_trouble()
        surroundings.wait_until_at_rest(timeout=90)
        assert all(process.is_alive() for _, process in running)
        assert surroundings.differences() == []
        codes = [surroundings.stop(process) for _, process in running]
        assert codes == [0] * len(running)
