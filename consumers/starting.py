"""What a process does before it has a database and a broker: it waits for them, alive but not ready, and not for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from consumers.errors import BrokerRefuses, BrokerUnreachable
from consumers.health import Health
from store.errors import DatabaseRefuses, DatabaseUnreachable

log = logging.getLogger(__name__)

_PAUSE_S: Final = 1.0

_AWAY: Final = (DatabaseUnreachable, BrokerUnreachable)
_REFUSES: Final = (DatabaseRefuses, BrokerRefuses)


def wait_for(
    what: str, see: Callable[[], None], *, seconds: float, health: Health, stopping: threading.Event | None = None
) -> bool:
    """Call ``see`` until it raises nothing; /readyz says what is missing meanwhile, and /metrics. False when stopped first.

    Raises
    ------
    DatabaseUnreachable, BrokerUnreachable
        after that many seconds, or at once where waiting is of no use: a wrong password, say.
    """
    stopping = stopping or threading.Event()
    reason = ""
    health.add_check(what, lambda: reason or "not asked yet")
    until = time.monotonic() + seconds
    while not stopping.is_set():
        try:
            see()
        except _AWAY as error:
            if isinstance(error, _REFUSES) or time.monotonic() + _PAUSE_S > until:
                raise
            if str(error) != reason:
                log.warning("waiting up to %.0f s to start: %s", seconds, error)
            reason = str(error)
            health.metrics.set("dependency_up", 0.0, what=what)
        else:
            health.metrics.set("dependency_up", 1.0, what=what)
            return True
        stopping.wait(_PAUSE_S)
    return False
