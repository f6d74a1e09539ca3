"""What a process depends on, and whether each is there: exported as `dependency_up`, for alerts that name the part that is away.

Each part is asked in turn, on a thread of its own. Besides, code that waits for a part says so: a database may answer a question and
yet take no write (its disk is full, say).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import requests
from sqlalchemy import Engine

from consumers.waits import Wait
from store import presence
from sync.metrics import Metrics

PERIOD_S: Final = 10.0
_REGISTRY_S: Final = 5.0

Check = Callable[[], str | None]
"""Gives None when the part is there, else what is wrong, in a few words. What it raises is wrong too."""


class Dependency(StrEnum):
    DATABASE = "database"
    BROKER = "broker"
    REGISTRY = "registry"
    INTUIT = "intuit"
    SMTP = "smtp"


@dataclass(frozen=True, slots=True)
class _Watched:
    check: Check
    period: float


class Dependencies:
    """Any thread may report; one thread asks."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._watched: dict[Dependency, _Watched] = {}
        self._asked: dict[Dependency, float] = {}
        self._answers: dict[Dependency, str] = {}
        self._missing: dict[Dependency, str] = {}
        self._shown: dict[Dependency, str] = {}
        self._waits = {
            what: Wait(what.value, begins="is not available", ends="is available again", clock=clock)
            for what in Dependency
        }
        self._lock = threading.Lock()

    def watch(self, what: Dependency, check: Check, *, period: float = PERIOD_S) -> None:
        """Ask this every ``period`` seconds."""
        self._watched[what] = _Watched(check, period)

    def missing(self, what: Dependency, reason: str) -> None:
        """Note that something waits for this part."""
        with self._lock:
            self._missing[what] = reason
        self._show(what)

    def served(self, *parts: Dependency) -> None:
        """Note that nothing waits for these any more."""
        with self._lock:
            over = [what for what in parts if self._missing.pop(what, None) is not None]
        for what in over:
            self._show(what)

    def is_away(self, what: Dependency) -> bool:
        """Say whether a part was missing when it was last asked or waited for."""
        with self._lock:
            return bool(self._shown.get(what))

    def run(self, stopping: threading.Event) -> None:
        """Ask until stopped."""
        while not stopping.is_set():
            self.ask()
            stopping.wait(1.0)

    def ask(self) -> None:
        """Ask the parts whose time has come."""
        for what, watched in self._watched.items():
            if self._clock() - self._asked.get(what, float("-inf")) < watched.period:
                continue
            try:
                reason = watched.check()
            except Exception as error:  # noqa: BLE001 - what a check meets is the answer
                reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            self._asked[what] = self._clock()
            with self._lock:
                self._answers[what] = reason or ""
            self._show(what)

    def _show(self, what: Dependency) -> None:
        with self._lock:
            reason = self._answers.get(what) or self._missing.get(what, "")
            self._shown[what] = reason
        self._metrics.set("dependency_up", 0.0 if reason else 1.0, what=what.value)
        if reason:
            self._waits[what].goes_on(reason)
        else:
            self._waits[what].over()


def database_check(engine: Engine, metrics: Metrics) -> Check:
    """Give the check of the database, which also measures how far its clock is from ours."""

    def check() -> str | None:
        try:
            found = presence.ask(engine)
        except Exception:
            metrics.forget("clock_offset_seconds")
            raise
        metrics.set("clock_offset_seconds", found.clock_ahead)
        return "it is read-only" if found.read_only else None

    return check


def registry_check(url: str) -> Check:
    """Give the check of the schema registry; what its address holds of a password stays out of every message."""

    return lambda: registry_problem(url)


def registry_problem(url: str) -> str | None:
    """Ask the schema registry; gives what is wrong. A proxy's page, say, is an answer with 200 and no registry's."""
    try:
        answer = requests.get(f"{url}/subjects", params={"limit": "1"}, timeout=_REGISTRY_S)
        subjects = answer.json() if answer.ok else None
    except requests.JSONDecodeError:
        return "what answers is no schema registry"
    except requests.RequestException as error:
        return f"it does not answer ({type(error).__name__})"
    if not answer.ok:
        return f"it answers {answer.status_code}"
    return None if isinstance(subjects, list) else "what answers is no schema registry"
