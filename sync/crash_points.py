"""Named moments between two effects, at which a test kills the process. In production `reached` does nothing.

``KOMPASS_CRASH_AT=settling`` kills at the first time that point is reached, ``settling:3`` at the third.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Final

VARIABLE: Final = "KOMPASS_CRASH_AT"

POINTS: Final = (
    "polled",  # records taken from Kafka, nothing written
    "ingesting",  # records and links written, not committed
    "ingested",  # durable, offsets not committed
    "offsets-committed",
    "claiming",  # attempts written, not committed
    "claimed",  # attempts durable, nothing sent
    "sending",  # fenced and about to send
    "answered",  # Intuit has answered, nobody knows
    "settling",  # the answer written, not committed
    "settled",
    "dead-letters-taken",  # about to be produced
    "dead-letters-produced",  # acknowledged by the broker, still in the outbox
    "dead-letters-deleted",
)


@dataclass(slots=True)
class _Crash:
    point: str
    left: int
    lock: threading.Lock = field(default_factory=threading.Lock)


_crash: _Crash | None = None


def arm(wanted: str) -> None:
    """Have the process killed at ``point`` or ``point:count``; an empty text disarms. Raises ``ValueError``."""
    global _crash
    point, _, count = wanted.partition(":")
    if point and point not in POINTS:
        raise ValueError(f"{VARIABLE} is {wanted!r}; a crash point is one of {', '.join(POINTS)}")
    _crash = _Crash(point, int(count or 1)) if point else None


def reached(point: str) -> None:
    """Note that the process is at this point."""
    if _crash is None or _crash.point != point:
        return
    with _crash.lock:
        _crash.left -= 1
        if _crash.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE, ""))
