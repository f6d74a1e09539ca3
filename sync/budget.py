"""The month's budget of metered reads: once it is spent, and if so wished, what needs one waits; writes are free and go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from store import quota

NO_BUDGET: Final = "no-budget"
"""The cause of a link that waits for it."""
REASON: Final = (
    "it needs a read from QuickBooks, and this month's metered reads are spent;"
    " it is sent with the new month (UTC) or a larger budget"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """``calls`` a month, for all companies together; None: reads go on without a limit."""

    calls: int | None = None

    def spent(self, db: Connection) -> bool:
        """Whether this month's are used up, by the count that all processes share and bring up to date every few seconds."""
        return self.calls is not None and quota.metered_this_month(db) >= self.calls


def next_month(now: datetime) -> datetime:
    """When the next calendar month begins (UTC), in which Intuit allows new calls."""
    now = now.astimezone(UTC)
    year, month = (now.year, now.month + 1) if now.month < 12 else (now.year + 1, 1)
    return datetime(year, month, 1, tzinfo=UTC)
