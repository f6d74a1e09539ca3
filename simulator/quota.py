"""Intuit's limits on calls, counted on the simulator's clock.

500 a minute and 10 a second for each company (and app), 10 at once, 40 batches a minute for each company and app and 120
for each company; and a monthly budget of reads for each app, past which reads are blocked until the next month.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass

from simulator.clock import Clock
from simulator.settings import Settings

CORE = "core"
"""Data in: creates, updates, deletes. Free."""
CORE_PLUS = "core-plus"
"""Data out: reads and queries. Counted."""
_MINUTE = 60.0
_SECOND = 1.0
_DAY = 86_400.0


@dataclass(slots=True)
class Metered:
    """What an app has used of its budget in one calendar month."""

    month: str = ""
    used: int = 0


class Window:
    """How many calls there were in the last `length` seconds: sliding, or in the present stretch of a fixed grid."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._moments: deque[float] = deque()

    def full(self, now: float, limit: int, *, fixed: bool) -> bool:
        since = now - now % self._length if fixed else now - self._length
        while self._moments and (self._moments[0] < since or (not fixed and self._moments[0] == since)):
            self._moments.popleft()
        return len(self._moments) >= limit

    def add(self, now: float) -> None:
        self._moments.append(now)

    def clear(self) -> None:
        self._moments.clear()


class Quotas:
    """Decides whether a call may go on; refused calls do not count."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day, self._month = -1.0, ""
        self._minutes: dict[str, Window] = defaultdict(lambda: Window(_MINUTE))
        self._seconds: dict[tuple[str, str], Window] = defaultdict(lambda: Window(_SECOND))
        self._batches: dict[tuple[str, str], Window] = defaultdict(lambda: Window(_MINUTE))
        self._realm_batches: dict[str, Window] = defaultdict(lambda: Window(_MINUTE))
        self.in_flight: dict[tuple[str, str], int] = defaultdict(int)
        self.metered: dict[str, Metered] = defaultdict(Metered)

    def admit(self, realm: str, client: str, *, batch: bool, settings: Settings) -> bool:
        """Count one call, or refuse it. A call that is admitted must be ended with :meth:`finish`."""
        key = (realm, client)
        if settings.quota_enabled:
            now = self._clock.time()
            fixed = settings.quota_window == "fixed"
            minute, second = self._minutes[realm], self._seconds[key]
            limits = [(minute, settings.quota_per_minute), (second, settings.quota_per_second)]
            if batch:
                limits.append((self._batches[key], settings.quota_batch_per_minute))
                limits.append((self._realm_batches[realm], settings.quota_batch_per_minute_realm))
            if self.in_flight[key] >= settings.quota_in_flight:
                return False
            if any(window.full(now, limit, fixed=fixed) for window, limit in limits):
                return False
            for window, _ in limits:
                window.add(now)
        self.in_flight[key] += 1
        return True

    def finish(self, realm: str, client: str) -> None:
        self.in_flight[(realm, client)] -= 1

    def month(self) -> str:
        """The calendar month, UTC; worked out once a day."""
        day = self._clock.time() // _DAY
        if day != self._day:
            self._day, self._month = day, self._clock.now().strftime("%Y-%m")
        return self._month

    def budget_spent(self, client: str, settings: Settings) -> bool:
        return self.meter(client).used >= settings.metered_per_month

    def count_reads(self, client: str, reads: int) -> None:
        """Only the reads of a successful call are counted."""
        self.meter(client).used += reads

    def meter(self, client: str) -> Metered:
        found = self.metered[client]
        month = self.month()
        if found.month != month:
            found.month, found.used = month, 0
        return found

    def clear(self) -> None:
        for windows in (self._minutes, self._seconds, self._batches, self._realm_batches):
            windows.clear()
        self.metered.clear()
