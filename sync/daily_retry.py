"""Once a day, one record is tried for all that wait for the same change inside QuickBooks, which sends no message about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from schemas.counting import counted
from schemas.link_state import Because
from store import daily_retry, history
from store.daily_retry import DailyRetry
from store.engine import retrying
from sync import link
from sync.metrics import Metrics

log = logging.getLogger(__name__)

FIXED_IN_QUICKBOOKS = frozenset({"books-closed", "inactive-or-deleted", "invalid-reference", "customer-inactive"})
"""A period that is reopened, an item, class or customer that is made active again: causes of `mapping.causes`."""
PERIOD = timedelta(days=1)
MOST_A_PERIOD = 20
"""Groups of a company that are tried in a period, however many there are."""
# How often a process looks: the look reads all open failures of these causes.
_EVERY = timedelta(minutes=5)


class DailyRetries:
    """The daily retries of one process. Any number of processes may look: each group is taken once."""

    def __init__(
        self, engine: Engine, metrics: Metrics, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._clock = clock
        self._next = datetime.min.replace(tzinfo=UTC)

    def turn(self) -> int:
        """Make due what is to be tried now; gives how many. The claim sends it like any other write."""
        now = self._clock()
        if now < self._next:
            return 0
        self._next = now + _EVERY
        taken = retrying(self._engine, partial(_take, now=now))
        for one in taken:
            log.info("trying %s for the %d that wait for the same", one.cause, one.waiting, extra={"org": one.org_id})
            self._metrics.count("recoveries", how="tried")
        return len(taken)


def _take(db: Connection, *, now: datetime) -> list[DailyRetry]:
    taken = daily_retry.take(db, causes=FIXED_IN_QUICKBOOKS, now=now, period=PERIOD, most=MOST_A_PERIOD)
    for one in taken:
        words = f"tried again for the {one.waiting:,} that wait for the same ({one.cause})"
        link.make_due(db, [one.link_id], Because.DAILY_RETRY, words)
    return taken


def went_through(db: Connection, link_ids: Collection[int]) -> int:
    """Make those due that wait for the same as these links did, where these were tried for them; gives how many.

    Those that another transaction holds at this moment are decided again by it.
    """
    found = daily_retry.passed(db, link_ids)
    for one in found:
        retry = one.retry
        link.make_due(
            db, one.others, Because.FIXED_IN_QUICKBOOKS, f"QuickBooks takes it again ({retry.cause})", free_only=True
        )
        words = f"QuickBooks takes it again ({retry.cause}): the {counted(retry.waiting, 'other is', 'others are')} due"
        history.append(db, [_recovered(retry, words)])
    return sum(len(one.others) for one in found)


def _recovered(retry: DailyRetry, words: str) -> history.Entry:
    return history.Entry(
        org_id=retry.org_id,
        realm_id=retry.realm_id,
        kind=retry.kind,
        kompass_id=retry.kompass_id,
        link_id=retry.link_id,
        what="recovered",
        outcome="resolved",
        message=words,
        detail={"cause": retry.cause, "waiting": retry.waiting},
    )
