"""What is mended inside QuickBooks is told by nobody: once a day one record is tried for all that wait for the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Engine

from store import probes
from store.transactions import retrying
from sync.metrics import Metrics

log = logging.getLogger(__name__)

MENDED_IN_QUICKBOOKS = frozenset({"books-closed", "inactive-or-deleted", "invalid-reference", "customer-inactive"})
"""A period that is reopened, an item, class or customer that is made active again: causes of `mapping.causes`."""
PERIOD = timedelta(days=1)
MOST_A_PERIOD = 20
"""Groups of a company that are probed in a period, however many there are."""
# How often a process looks: the look reads all open failures of these causes.
_EVERY = timedelta(minutes=5)


class Probes:
    """The daily probes of one process. Any number of processes may look: each group is taken once."""

    def __init__(
        self, engine: Engine, metrics: Metrics, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._clock = clock
        self._next = datetime.min.replace(tzinfo=UTC)

    def turn(self) -> int:
        """Make due what is to be probed now; gives how many. The claim sends it like any other write."""
        now = self._clock()
        if now < self._next:
            return 0
        self._next = now + _EVERY
        taken = retrying(
            self._engine,
            partial(probes.take, causes=MENDED_IN_QUICKBOOKS, now=now, period=PERIOD, most=MOST_A_PERIOD),
        )
        for one in taken:
            log.info("probing %s for the %d that wait for the same", one.cause, one.waiting, extra={"org": one.org_id})
            self._metrics.count("recoveries", how="probed")
        return len(taken)
