"""What a process does before it has a database and a broker: it waits for them, alive but not ready, and not for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from consumers.errors import BrokerRefuses, BrokerUnreachable
from consumers.health import Health
from consumers.waits import Wait
from store.errors import DatabaseRefuses, DatabaseUnreachable

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
    wait = Wait(f"the {what}", begins=f"is not there, waiting up to {seconds:.0f} s to start", ends="is there")
    until = time.monotonic() + seconds
    while not stopping.is_set():
        try:
            see()
        except _AWAY as error:
            if isinstance(error, _REFUSES) or time.monotonic() + _PAUSE_S > until:
                raise
            reason = str(error)
            wait.goes_on(error)
            health.metrics.set("dependency_up", 0.0, what=what)
        else:
            wait.over()
            health.metrics.set("dependency_up", 1.0, what=what)
            return True
        stopping.wait(_PAUSE_S)
    return False
