"""Killed at each named moment between two effects, under each fault: one object each, in its newest state.

Every process meets its end while it also fixes what the one before it left behind. Three at a time, one for each topic, since they all
pass the same moments.
"""

from __future__ import annotations

import random
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

import pytest

from consumers.errors import ExitCode
from demo.embedded.postgres import EmbeddedPostgres
from schemas.events import Event, Kind
from sync.crash_points import POINTS, VARIABLE
from tests.chaos.kompass import Kompass
from tests.chaos.surroundings import ORGS, REPEAT, Surroundings

SEED: Final = 20_260
GARBAGE: Final = b"\xc3\x01 not Avro"
TICK_S: Final = 0.15
PATIENCE_S: Final = 90.0


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


@dataclass(slots=True)
class Armed:
    """A process that is to be killed when it comes to its point."""

    point: str
    process: BaseProcess
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)


class Story:
    """One fault's: three processes at a time are killed, each at a point of its own, until every point had its turn.

    A process that is killed is followed at once by the next one on its topic. It goes in acts of three points.
    """

    def __init__(self, surroundings: Surroundings, fault: Fault, chance: random.Random) -> None:
        self.surroundings = surroundings
        self.killed: list[str] = []
        self.garbage = 0
        self._fault = fault
        self._chance = chance
        self._kompass = Kompass(ORGS, chance)
        self._companion: BaseProcess | None = None
        self._waiting: dict[str, deque[str]] = {kind.value: deque() for kind in Kind}
        for start in range(0, len(POINTS), len(Kind)):
            points = POINTS[start : start + len(Kind)]
            for kind, point in zip(chance.sample(list(self._waiting), len(points)), points, strict=True):
                self._waiting[kind].append(point)
        self._armed: dict[str, Armed] = {}
        self._started = 0
        self._restart_in = 0

    def tell(self) -> None:
        while self._arm_all():
            self.surroundings.publish(self._news())
            for kind, armed in self._armed.items():
                if armed.point.startswith("dead-letters") and armed.process.is_alive():
                    self.surroundings.publish_bytes(f"kompass.{kind}s", GARBAGE)
                    self.garbage += 1
            self._restart_in -= 1
            if self._restart_in == 0 and self._fault.of_database:
                self.surroundings.restart_database(self._chance.choice([signal.SIGINT, signal.SIGQUIT]))
            time.sleep(TICK_S)
            for kind, armed in list(self._armed.items()):
                self._look_at(kind, armed)

    def _arm_all(self) -> bool:
        """Start a process for each topic that has none and for which points are left; tells whether there is any."""
        for kind, points in self._waiting.items():
            if points and kind not in self._armed:
                if self._started % len(Kind) == 0:
                    self._next_act()
                self._started += 1
                self._arm(kind, points.popleft(), self._chance.randint(1, 2))
        return bool(self._armed)

    def _arm(self, kind: str, point: str, time_reached: int) -> None:
        process = self.surroundings.start(kind, **{VARIABLE: f"{point}:{time_reached}"})
        self._armed[kind] = Armed(point, process)

    def _next_act(self) -> None:
        if self._fault.rule is not None:
            self.surroundings.trouble(**self._fault.rule, seed=self._chance.randrange(1 << 30))
        self._befall_processes()
        self._restart_in = 4

    def _look_at(self, kind: str, armed: Armed) -> None:
        """See whether it has met its end; one that was only just starting and found no database is started again, and nothing else."""
        code = armed.process.exitcode
        if code is None and time.monotonic() < armed.until:
            return
        del self._armed[kind]
        if self._fault.of_database and code == ExitCode.UNREACHABLE:
            self._arm(kind, armed.point, 1)
            return
        said = self.surroundings.log_of(kind)
        assert code == -signal.SIGKILL, (armed.point, kind, code, said)
        self.killed.append(armed.point)

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
    story.tell()
    assert sorted(story.killed) == sorted(POINTS)
    surroundings.no_more_trouble()
    last = [surroundings.start(kind.value) for kind in Kind]
    surroundings.wait_until_at_rest(timeout=90)
    assert surroundings.differences() == []
    assert all(process.is_alive() for process in last)
    assert "batch" in surroundings.simulator.call(lambda world: {one.operation for one in world.journal})
    letters = surroundings.dead_letters()
    deadline = time.monotonic() + 60
    while len(_places(letters)) < story.garbage and time.monotonic() < deadline:
        # At rest is who has read all records; what is none may still lie before a reader.
        letters = surroundings.dead_letters()
    assert {value for value, _ in letters} == {GARBAGE}
    assert len(_places(letters)) == story.garbage


def _places(letters: list[tuple[bytes, dict[str, str]]]) -> set[tuple[str, ...]]:
    return {tuple(headers[f"dlq.{name}"] for name in ("topic", "offset", "partition")) for _, headers in letters}
