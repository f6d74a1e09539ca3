"""A circuit breaker as a value: it stops calls to something that is down, and lets one through now and then to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a breaker opens, and for how long. Times in seconds.

    An interval doubles with each failed trial call from `first_interval` to `longest_interval`, and is drawn from its upper
    half, so that many processes do not come back at once. A trial call that nobody reports on within `trial_patience` is
    given up: a process may have died with it.
    """

    failures_to_open: int = 5
    first_interval: float = 1.0
    longest_interval: float = 300.0
    trial_patience: float = 150.0  # longer than the 120 s after which Intuit gives up on a call


DEFAULT_POLICY: Final = BreakerPolicy()


@dataclass(frozen=True, slots=True)
class Breaker:
    """Immutable: each method returns the breaker that takes its place. Hold it under a lock when threads share it.

    `failures` is the run of failures so far, `openings` the run of openings without a success between, `opens_at` the
    moment from which a trial call may go, `trial_since` when the trial call under way went.
    """

    policy: BreakerPolicy = DEFAULT_POLICY
    failures: int = 0
    openings: int = 0
    opens_at: float | None = None
    trial_since: float | None = None

    def state(self, now: float) -> State:
        """Closed: calls go. Open: none does. Half-open: one may go, or is under way."""
        if self.opens_at is None:
            return State.CLOSED
        return State.HALF_OPEN if self.trial_since is not None or now >= self.opens_at else State.OPEN

    def attempt(self, now: float) -> tuple[bool, Breaker]:
        """Whether a call may go at `now`. When half-open, the first to ask gets the trial call, all others a no."""
        if self.opens_at is None:
            return True, self
        if self.trial_since is not None:
            # The same sum as in `retry_at`: a difference may be rounded to the other side of it.
            if now < self.trial_since + self.policy.trial_patience:
                return False, self
        elif now < self.opens_at:
            return False, self
        return True, replace(self, trial_since=now)

    @property
    def trial_under_way(self) -> bool:
        """Whether the one call of a half-open breaker has gone and has no answer yet."""
        return self.trial_since is not None

    def withdrawn(self) -> Breaker:
        """The call that was to go was not sent after all: if it was the trial call, another may take its place at once."""
        return replace(self, trial_since=None)

    def retry_at(self, now: float) -> float:
        """The earliest moment at which asking again is of use."""
        if self.opens_at is None:
            return now
        if self.trial_since is not None:
            return max(now, self.trial_since + self.policy.trial_patience)
        return max(now, self.opens_at)

    def forgiven(self, failures: int) -> Breaker:
        """So many of the failures turned out to say nothing. One that is open stays so until a trial call comes through."""
        return self if self.opens_at is not None else replace(self, failures=max(self.failures - failures, 0))

    def succeeded(self) -> Breaker:
        """A call came through: closed, with no memory of failures."""
        return Breaker(policy=self.policy)

    def failed(self, now: float, random: Callable[[], float]) -> Breaker:
        """A call failed for a reason that is the other side's. `random` gives a number from 0 to 1 (`random.random`).

        When the breaker is open already, the failure of a call that went before it opened changes nothing.
        """
        if self.opens_at is not None and self.trial_since is None:
            return self
        failures = self.failures + 1
        if self.trial_since is None and failures < self.policy.failures_to_open:
            return replace(self, failures=failures)
        interval = self._interval() * (0.5 + random() / 2)
        return replace(self, failures=failures, openings=self.openings + 1, opens_at=now + interval, trial_since=None)

    def _interval(self) -> float:
        # The exponent is bounded: 2 ** 60 seconds is beyond any longest interval, and 2.0 ** 2000 would overflow.
        grown = self.policy.first_interval * 2.0 ** min(self.openings, 60)
        return min(grown, self.policy.longest_interval)
