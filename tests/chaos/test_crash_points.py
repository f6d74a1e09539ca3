"""Killed at each named moment between two effects, under each fault: one object each, in its newest state.

Every process meets its end while it also mends what the one before it left behind. Three at a time, one for each topic, since they all
pass the same moments.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import pytest

from consumers.crash_points import POINTS, VARIABLE
from consumers.embedded.postgres import EmbeddedPostgres
from consumers.errors import ExitCode
from schemas.events import Event, Kind
from tests.chaos.intuit import each_way
from tests.chaos.kompass import Kompass
from tests.chaos.surroundings import ORGS, REPEAT, Surroundings

SEED: Final = 20_260
GARBAGE: Final = b"\xc3\x01 not Avro"
PATIENCE_S: Final = 40.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong besides the kill."""

    rule: dict[str, object] | None = None
    """Of Intuit's, by the simulator."""
    of_events: str = ""
    """duplicated | reordered"""
    of_processes: str = ""
    """rebalanced | stopped"""
    of_database: bool = False


FAULTS: Final = {
    "none": Fault(),
    "lost": Fault({"kind": "reset_after", "probability": 0.4}),
    "refused": Fault({"kind": "http", "status": 503, "probability": 0.4}),
    "throttled": Fault({"kind": "throttle", "probability": 0.15}),
    "duplicated": Fault(of_events="duplicated"),
    "reordered": Fault(of_events="reordered"),
    "rebalanced": Fault(of_processes="rebalanced"),
    "stopped": Fault(of_processes="stopped"),
    "restarted": Fault(of_database=True),
}


class Story:
    """One fault's: three processes at a time are killed, each at a point of its own, until every point had its turn."""

    def __init__(self, surroundings: Surroundings, fault: Fault, chance: random.Random) -> None:
        self.surroundings = surroundings
        self.killed: list[str] = []
        self.garbage = 0
        self._fault = fault
        self._chance = chance
        self._kompass = Kompass(ORGS, chance)
        self._companion: BaseProcess | None = None

    def kill_three(self, points: tuple[str, ...], switches: dict[str, object]) -> None:
        self.surroundings.simulator.call(lambda world: world.change_settings(switches))
        if self._fault.rule is not None:
            self.surroundings.trouble(**self._fault.rule, seed=self._chance.randrange(1 << 30))
        kinds = self._chance.sample([kind.value for kind in Kind], len(points))
        armed = {
            point: (kind, self.surroundings.start(kind, **{VARIABLE: f"{point}:{self._chance.randint(1, 2)}"}))
            for kind, point in zip(kinds, points, strict=True)
        }
        self._befall_processes()
        for turn in range(int(PATIENCE_S / 0.15)):
            self.surroundings.publish(self._news())
            for point, (kind, process) in armed.items():
                if point.startswith("dead-letters") and process.is_alive():
                    self.surroundings.publish_bytes(f"kompass.{kind}s", GARBAGE)
                    self.garbage += 1
            if turn == 3 and self._fault.of_database:
                self.surroundings.restart_database(self._chance.choice([signal.SIGINT, signal.SIGQUIT]))
                armed = {point: self._as_its_supervisor(point, *one) for point, one in armed.items()}
            time.sleep(0.15)
            if not any(process.is_alive() for _, process in armed.values()):
                break
        for point, (kind, process) in armed.items():
            told = self.surroundings.trouble_told(kind)
            assert process.exitcode == -signal.SIGKILL, (point, kind, process.exitcode, told)
            self.killed.append(point)

    def _as_its_supervisor(self, point: str, kind: str, process: BaseProcess) -> tuple[str, BaseProcess]:
        """Start again a process that was only just starting and found no database; any other end is not mended here."""
        process.join(0.3)
        if process.exitcode != ExitCode.UNREACHABLE:
            return kind, process
        return kind, self.surroundings.start(kind, **{VARIABLE: point})

    def _news(self) -> list[Event]:
        events = list(self._kompass.steps(8))
        if self._fault.of_events == "duplicated":
            return [one for event in events for one in (event, event)]
        return events[::-1] if self._fault.of_events == "reordered" else events

    def _befall_processes(self) -> None:
        """Another invoices process joins and leaves by turns; or it is stopped for longer than its lease, in the middle of its work."""
        if not self._fault.of_processes:
            return
        if self._fault.of_processes == "rebalanced" and self._companion is not None:
            self.surroundings.kill(self._companion)
            self._companion = None
            return
        if self._companion is None:
            self._companion = self.surroundings.start("invoice")
        if self._fault.of_processes == "stopped":
            self.surroundings.publish(self._news())
            self.surroundings.pause(self._companion)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--seed")
    return SEED if given is None else int(given)


@pytest.fixture
def surroundings(postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path) -> Iterator[Surroundings]:
    with Surroundings(postgres, restartable_database, tmp_path) as made:
        yield made


@pytest.mark.timeout(280)
@pytest.mark.parametrize("fault", FAULTS)
def test_killed_between_any_two_effects(surroundings: Surroundings, fault: str, seed: int) -> None:
    print(f"seed {seed}; repeat with: {REPEAT} tests/chaos/test_crash_points.py -k {fault} --seed {seed}")
    story = Story(surroundings, FAULTS[fault], random.Random(f"{seed} {fault}"))
    switches = each_way()
    for turn in range(0, len(POINTS), len(Kind)):
        story.kill_three(POINTS[turn : turn + len(Kind)], switches[turn % len(switches)])
    assert sorted(story.killed) == sorted(POINTS)
    surroundings.no_more_trouble()
    last = [surroundings.start(kind.value) for kind in Kind]
    surroundings.wait_until_at_rest(timeout=60)
    assert surroundings.differences() == []
    assert all(process.is_alive() for process in last)
    assert "batch" in surroundings.simulator.call(lambda world: {one.operation for one in world.journal})
    letters = surroundings.dead_letters()
    assert {value for value, _ in letters} == {GARBAGE}
    assert (
        len({tuple(headers[f"dlq.{name}"] for name in ("topic", "offset", "partition")) for _, headers in letters})
        == story.garbage
    )
