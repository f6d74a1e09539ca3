"""The simulator's clock: the time of day, plus what a test has moved it by, in Intuit's Pacific form on the wire."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


class Clock:
    """Seconds since the epoch, movable forwards, and stoppable for tests that need exact moments."""

    def __init__(self, *, start: datetime | None = None) -> None:
        """With `start` (aware) the clock stands still there until it is advanced; without, it runs."""
        if start is not None and start.tzinfo is None:
            raise ValueError("a clock starts at an aware datetime")
        self._offset = 0.0
        self._frozen = None if start is None else start.timestamp()
        self._stamped = (-1, "")

    def time(self) -> float:
        """Now, in seconds since the epoch."""
        return time.time() + self._offset if self._frozen is None else self._frozen

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"the clock cannot go back ({seconds} s)")
        if self._frozen is None:
            self._offset += seconds
        else:
            self._frozen += seconds

    def freeze(self) -> None:
        self._frozen = self.time()

    def run(self) -> None:
        if self._frozen is not None:
            self._offset, self._frozen = self._frozen - time.time(), None

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def today(self) -> date:
        """The server's date: Pacific, as Intuit's servers keep it."""
        return date.fromisoformat(self.stamp()[:10])

    def stamp(self) -> str:
        """MetaData form: `2020-09-28T22:58:07-07:00`."""
        return self._stamp_of(int(self.time()))

    def envelope_stamp(self) -> str:
        """The `time` of a response: `2020-09-28T22:58:07.300-07:00`."""
        now = self.time()
        second = int(now)
        stamp = self._stamp_of(second)
        return f"{stamp[:19]}.{int((now - second) * 1_000):03d}{stamp[19:]}"

    def _stamp_of(self, second: int) -> str:
        """Worked out once a second, since every answer and every change has one."""
        kept, stamp = self._stamped
        if second != kept:
            stamp = datetime.fromtimestamp(second, UTC).astimezone(PACIFIC).isoformat(timespec="seconds")
            self._stamped = (second, stamp)
        return stamp


def add_days(day: str, days: int) -> str:
    """ISO date + days → ISO date, kept inside the calendar that Intuit accepts."""
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except OverflowError:
        return day
