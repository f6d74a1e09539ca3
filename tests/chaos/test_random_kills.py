"""Kills, stops and database restarts at random moments, while events come in and Intuit has its troubles: one object each, the newest.

``pytest tests/chaos --rounds 2000`` has so many such rounds, each in one of the seeded worlds; a failure names the seed of its world.
"""

from __future__ import annotations

import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from consumers.errors import ExitCode
from demo.embedded.postgres import EmbeddedPostgres
from tests.chaos.intuit import switched
from tests.chaos.kompass import Kompass
from tests.chaos.surroundings import ORGS, REPEAT, Surroundings

KINDS = ("invoices", "invoices", "clients", "projects")
ROUNDS_A_WORLD = 26


def _worlds(first: int, rounds: int) -> range:
    return range(first, first + (-(-rounds // ROUNDS_A_WORLD) or 2))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" not in metafunc.fixturenames:
        return
    wanted = metafunc.config.getoption("--seed", default=None)
    kills = metafunc.config.getoption("--rounds", default=0)
    seeds = [wanted] if wanted is not None else _worlds(metafunc.config.getoption("--first-seed", default=1), kills)
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


class Staff:
    """The processes of one round, and who starts again what was killed."""

    def __init__(self, surroundings: Surroundings, chance: random.Random) -> None:
        self._surroundings = surroundings
        self._chance = chance
        self._running = [(kind, self._start(kind)) for kind in KINDS]

    def _start(self, kind: str) -> BaseProcess:
        return self._surroundings.start(kind.removesuffix("s"))

    def something_happens(self) -> None:
        """Mostly a kill; else one is stopped past its lease, leaves in order, or all lose the database."""
        index = self._chance.randrange(len(self._running))
        _, process = self._running[index]
        dice = self._chance.random()
        if dice < 0.06:
            self._surroundings.restart_database(self._chance.choice([signal.SIGINT, signal.SIGQUIT]))
            self.start_what_found_no_database()
        elif dice < 0.25 and process.is_alive():
            self._surroundings.pause(process)
        elif dice < 0.33 and process.is_alive():
            self._again(index, self._surroundings.stop(process))
        else:
            self._surroundings.kill(process)
            self._again(index)

    def _again(self, index: int, code: int | None = 0) -> None:
        # One that had hardly begun has nothing to finish when it is asked to end: SIGTERM ends it as it would any program.
        kind, _ = self._running[index]
        said = self._surroundings.log_of(kind.removesuffix("s"))
        assert code in (0, ExitCode.UNREACHABLE, -signal.SIGTERM), (code, said)
        self._running[index] = (kind, self._start(kind))

    def start_what_found_no_database(self) -> None:
        """Do as a supervisor does for a process that had just been started while the database was away."""
        for index, (_, process) in enumerate(self._running):
            if process.exitcode is not None:
                self._again(index, process.exitcode)

    def look_after(self) -> None:
        """Start what has ended."""
        self.start_what_found_no_database()
        self._surroundings.authorise_again()

    def stop(self) -> list[int | None]:
        return [self._surroundings.stop(process) for _, process in self._running]


@pytest.mark.timeout(280)
def test_killed_at_random_moments_it_ends_as_if_nothing_had_happened(
    postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path, seed: int
) -> None:
    print(f"seed {seed}; repeat with: {REPEAT} tests/chaos/test_random_kills.py --seed {seed}")
    chance = random.Random(seed)
    with Surroundings(postgres, restartable_database, tmp_path) as surroundings:
        switches = {**switched(chance), "rotation_seconds": 86_400}
        print(f"Intuit: {switches}")
        surroundings.simulator.call(lambda world: world.change_settings(switches))
        make_trouble(surroundings, chance)
        events = Kompass(ORGS, chance).steps(chance.randint(220, 300))
        staff = Staff(surroundings, chance)
        more = True
        for _ in range(ROUNDS_A_WORLD):
            batch = [one for _, one in zip(range(chance.randint(3, 20)), events, strict=False)] if more else []
            more = bool(batch)
            surroundings.publish(batch)
            time.sleep(chance.uniform(0.05, 0.7))
            staff.something_happens()
        surroundings.publish(events)
        surroundings.no_more_trouble()
        surroundings.wait_until_at_rest(timeout=120, alive=staff.look_after)
        differences = surroundings.differences()
        assert not differences, "\n".join(differences)
        # Who was started a moment ago has nothing to finish: SIGTERM ends it as it would any program.
        codes = staff.stop()
        assert set(codes) <= {0, -signal.SIGTERM}, codes
