"""What a loop logs while it waits for a part that is away: a line when the wait begins, one a minute while it lasts, one when it ends.

A loop turns about once a second, and a process has eight of them. With a line for each turn, an hour without a database would be
ten thousand lines for each process, and nobody would find the one that says something else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

AGAIN_S: Final = 60.0


class Wait:
    """One loop's wait, which begins and ends any number of times. Any thread may report."""

    def __init__(
        self, what: str, *, begins: str = "waits", ends: str = "goes on", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``what``: the subject of its lines, ``begins`` and ``ends`` what they say of it."""
        self._begins = f"{what} {begins}"
        self._ends = f"{what} {ends}"
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._logged = 0.0

    def goes_on(self, reason: object) -> None:
        """Note that the part is away: of an error's words, the first line is logged."""
        words = next(iter(str(reason).splitlines()), "") or type(reason).__name__
        with self._lock:
            now = self._clock()
            if self._since is None:
                self._since = self._logged = now
                log.warning("%s: %s", self._begins, words)
            elif now - self._logged >= AGAIN_S:
                self._logged = now
                log.warning("%s, for %s now: %s", self._begins, _lasting(now - self._since), words)

    def over(self) -> None:
        """Note that the part is there."""
        with self._lock:
            if self._since is not None:
                log.info("%s, after %s", self._ends, _lasting(self._clock() - self._since))
                self._since = None


def _lasting(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
