"""How many calls to claim ahead of the workers, so that one whose call has ended starts the next at once.

A worker without this waits, after each call, for the claim of the next one: with 64 of them, 100 ms a call and claims of 20 to 50 ms,
half of their time.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# What is claimed ahead lasts the workers so long at the rate at which calls end: two to four claims' time, and half of what a permit of the
# quota is good for (PERMIT_VALID). Calls that are slow end seldom, so next to none are claimed ahead of them.
AHEAD_S = 0.08
# Calls end in waves, for they are claimed together: the rate is taken over several calls' time.
RATE_OVER_S = 0.5


@dataclass(slots=True)
class Pace:
    """The rate at which the calls of ``workers`` end. Not for several threads at once."""

    workers: int
    clock: Callable[[], float] = time.monotonic
    _ended: deque[float] = field(default_factory=deque)

    def ended(self) -> None:
        """Note that a call ended just now."""
        self._ended.append(self.clock())
        self._forget()

    def claimable(self, calling: int) -> int:
        """Give how many calls can be claimed now, beside so many that were; not positive when none.

        None are while more than half of what may be claimed ahead still waits for a worker: a claim costs about as much for one link
        as for thirty.
        """
        self._forget()
        ahead = min(int(len(self._ended) * AHEAD_S / RATE_OVER_S), self.workers)
        waiting = calling - self.workers
        return ahead - waiting if waiting <= ahead // 2 else min(ahead - waiting, 0)

    def _forget(self) -> None:
        since = self.clock() - RATE_OVER_S
        while self._ended and self._ended[0] < since:
            self._ended.popleft()
