"""Which companies may be called now, as this process knows: quota waits, breakers, and the preparation of a company."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from qbo_client.breaker import Breaker, State
from qbo_client.outcomes import NotSent, Outcome, Unknown

INTUIT = ""
"""The breaker of Intuit as a whole stands beside those of the companies."""

LATELY_S = 600.0
"""Calls of a company that came through in so long show that it answers."""

SILENT_S = 45.0
"""Longer than Intuit mostly takes over a large batch, and short enough to page within five minutes."""


@dataclass(frozen=True, slots=True)
class Permits:
    blocked: frozenset[str]
    """Companies to leave out of the claim."""
    trials: frozenset[str]
    """Companies of which one call may go, to see whether they answer again."""
    all_blocked: bool = False
    next_in: float | None = None
    """Seconds until the first block ends."""


@dataclass(slots=True)
class _Silence:
    """Companies that wait for an answer while Intuit answers nobody: seen long before their calls are given up. `Gates` locks it."""

    _in_flight: Counter[str] = field(default_factory=Counter)
    _asked: dict[str, float] = field(default_factory=dict)
    """Realm → since when it has waited for a first answer."""
    _heard: float = float("-inf")

    def called(self, realm_id: str, now: float) -> None:
        """Note that a call goes out."""
        self._in_flight[realm_id] += 1
        self._asked.setdefault(realm_id, now)

    def over(self, realm_id: str, now: float, *, answered: bool | None) -> None:
        """Note the end of a call: with an answer, without one, or (None) that it was not sent after all."""
        self._in_flight[realm_id] = max(self._in_flight[realm_id] - 1, 0)
        if answered:
            self._heard = now
        if answered is not False and not self._in_flight[realm_id]:
            self._asked.pop(realm_id, None)

    def companies(self, now: float, *, seconds: float) -> int:
        """Count the companies that have waited for so long, in which nobody had an answer."""
        return sum(1 for since in self._asked.values() if now - max(since, self._heard) >= seconds)


@dataclass(slots=True)
class Gates:
    """Shared by the dispatcher and the settler of a process."""

    clock: Callable[[], float] = time.monotonic
    uniform: Callable[[], float] = random.random
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _blocked: dict[str, float] = field(default_factory=dict)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _refused: dict[str, set[int]] = field(default_factory=dict)
    """The links that a company refused for now since it last took a write."""
    _unanswered: dict[str, set[int]] = field(default_factory=dict)
    """The links whose question a company refused since it last answered one."""
    _intuit: Breaker = field(default_factory=lambda: Breaker())
    _last_success: dict[str, float] = field(default_factory=dict)
    _silence: _Silence = field(default_factory=_Silence)

    def block(self, realm_id: str, seconds: float) -> None:
        """Leave a company alone for some seconds."""
        with self._lock:
            self._blocked[realm_id] = self.clock() + seconds

    def unblock(self, realm_id: str) -> None:
        with self._lock:
            self._blocked.pop(realm_id, None)

    def permits(self) -> Permits:
        """Tell which companies to leave out now; a half-open breaker lets one call through."""
        now = self.clock()
        with self._lock:
            self._blocked = {realm: until for realm, until in self._blocked.items() if until > now}
            blocked = set(self._blocked)
            waits = [until - now for until in self._blocked.values()]
            trials = set()
            for realm, breaker in self._breakers.items():
                if breaker.state(now) is State.CLOSED:
                    continue
                if breaker.retry_at(now) > now:
                    blocked.add(realm)
                    waits.append(breaker.retry_at(now) - now)
                else:
                    trials.add(realm)
            if self._intuit.state(now) is not State.CLOSED and self._intuit.retry_at(now) > now:
                return Permits(frozenset(blocked), frozenset(), True, self._intuit.retry_at(now) - now)
            return Permits(frozenset(blocked), frozenset(trials), False, min(waits, default=None))

    @property
    def trying_intuit(self) -> bool:
        """Whether Intuit as a whole is being tried again: one call only."""
        with self._lock:
            return self._intuit.state(self.clock()) is State.HALF_OPEN

    def called(self, realm_id: str) -> None:
        """Note that a call goes out: it is the trial call, if one is due."""
        now = self.clock()
        with self._lock:
            if (breaker := self._breakers.get(realm_id)) is not None:
                self._breakers[realm_id] = breaker.attempt(now)[1]
            self._intuit = self._intuit.attempt(now)[1]
            self._silence.called(realm_id, now)

    def not_called(self, realm_id: str) -> None:
        """Note that a call that was to go was not sent: it has shown nothing, and another may be the trial call."""
        with self._lock:
            if (breaker := self._breakers.get(realm_id)) is not None:
                self._breakers[realm_id] = breaker.withdrawn()
            self._intuit = self._intuit.withdrawn()
            self._silence.over(realm_id, self.clock(), answered=None)

    def answered(self, realm_id: str, outcome: Outcome, *, refused: Collection[int] = (), wrote: bool = True) -> None:
        """Take an outcome into account. Any answer of Intuit's is a success here, a final refusal too.

        :param refused: the links of the request, if all were refused for now. One alone says nothing of its company, many do.
        :param wrote: it was a write: a read that is answered does not show that writes are taken again. Nor do reads that are refused
            count where others are answered: a company with many calls to look up has no write between them.
        """
        now = self.clock()
        with self._lock:
            self._silence.over(realm_id, now, answered=not isinstance(outcome, NotSent | Unknown))
            breaker = self._breakers.get(realm_id, Breaker())
            if refused:
                known = (self._refused if wrote else self._unanswered).setdefault(realm_id, set())
                for _ in range(len(set(refused) - known) or breaker.trial_under_way):
                    breaker = breaker.failed(now, self.uniform)
                known |= set(refused)
                self._breakers[realm_id] = breaker
                self._intuit = self._intuit.succeeded()
            elif isinstance(outcome, NotSent | Unknown):
                self._breakers[realm_id] = breaker.failed(now, self.uniform)
                failing = sum(1 for one in self._breakers.values() if one.failures)
                # One company that does not answer is down alone; Intuit is down when several do not and none does.
                if failing > 1 or isinstance(outcome, NotSent):
                    self._intuit = self._intuit.failed(now, self.uniform)
            elif not wrote and realm_id in self._refused:
                # The trial goes on with what was read: the write that follows it.
                answered = len(self._unanswered.pop(realm_id, ()))
                self._breakers[realm_id] = breaker.withdrawn().forgiven(answered)
                self._intuit = self._intuit.succeeded()
            else:
                self._breakers.pop(realm_id, None)
                self._refused.pop(realm_id, None)
                self._unanswered.pop(realm_id, None)
                self._intuit = self._intuit.succeeded()
                self._last_success[realm_id] = now

    def answers_lately(self, realm_id: str) -> bool:
        """Whether other calls of the company came through lately."""
        with self._lock:
            return self.clock() - self._last_success.get(realm_id, float("-inf")) < LATELY_S

    def intuit_trouble(self) -> str | None:
        """Give why Intuit as a whole counts as away; None while it is there, or while nobody asks it anything."""
        now = self.clock()
        with self._lock:
            if self._intuit.state(now) is not State.CLOSED:
                return "its breaker is open"
            # A batch may take two minutes, and the breaker opens after several that fail: people are to know sooner.
            if self._silence.companies(now, seconds=SILENT_S) > 1:
                return f"it has answered none of several companies for {SILENT_S:.0f} s"
        return None

    def open_breakers(self) -> tuple[list[str], bool]:
        """Give the companies whose breaker is not closed, and whether Intuit's is."""
        now = self.clock()
        with self._lock:
            return (
                [realm for realm, breaker in self._breakers.items() if breaker.state(now) is not State.CLOSED],
                self._intuit.state(now) is not State.CLOSED,
            )
