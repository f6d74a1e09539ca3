"""When the next digest may go: at once after quiet, then at growing intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.mails import PastMail


@dataclass(frozen=True, slots=True)
class Pacing:
    gather: timedelta = timedelta(seconds=5)
    """What fails together is mailed together: a first failure waits so long for others."""
    intervals: tuple[timedelta, ...] = (
        timedelta(minutes=15),
        timedelta(hours=1),
        timedelta(hours=4),
        timedelta(hours=24),
    )
    """After the first digest, the second, … and every further one."""
    quiet: timedelta = timedelta(hours=1)
    """So long after an all clear the next failure is a first one again."""
    calm: timedelta = timedelta(minutes=1)
    """So long everything has to be well before it is called over."""
    withdrawn_after: timedelta = timedelta(days=1)
    """So long a document may stand in QuickBooks, taken back in Kompass, before a mail is sent."""
    differs_after: timedelta = timedelta(hours=1)
    """So long differences to the cent gather before they are mailed, a cause in one."""

    filed_after: timedelta = timedelta(hours=1)
    """So long changes in filed months gather before they are mailed."""
    filed_every: timedelta = timedelta(days=1)
    """So long after such a mail the next one may follow."""
    outage_after: timedelta = timedelta(minutes=30)
    """So long nothing of a company has to go through before its outage is worth a mail."""

    @property
    def memory(self) -> timedelta:
        """How far back past mails matter."""
        return self.intervals[-1] * 8

    def level(self, past: Sequence[PastMail], now: datetime) -> int:
        """Count the digests since the first open failure: 0 when nothing is open."""
        level, cleared_at = 0, None
        for mail in past:
            if cleared_at is not None and mail.created_at - cleared_at >= self.quiet:
                level = 0
            if mail.kind == "all-clear":
                cleared_at = mail.created_at
            elif mail.kind != "note":
                level, cleared_at = level + 1, None
        return 0 if cleared_at is not None and now - cleared_at >= self.quiet else level

    def next_digest_at(self, past: Sequence[PastMail], now: datetime) -> datetime:
        """Give the moment from which the next digest may go; ``now`` when that is already."""
        level = self.level(past, now)
        if level == 0:
            return now
        last = max(mail.created_at for mail in past if mail.kind == "digest")
        return last + self.intervals[min(level, len(self.intervals)) - 1]
