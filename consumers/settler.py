"""The thread of a process that writes answers back, many together."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from consumers.housekeeping import DATABASE_AWAY_S
from consumers.run_metrics import count_settled
from consumers.waits import Wait
from store.engine import AWAY
from sync.attempt import Attempt
from sync.crash_points import reached
from sync.settle import Answer
from sync.steps import Steps

SETTLE_BATCH = 64

# A claim and a settle cost about as much for one link as for thirty, so each waits this long for company: 2.5 ms on average against a call
# of 100 ms or more. Measured at 16 workers and a 2 ms Intuit, that more than halves the CPU of a push.
GATHER_S = 0.005


class Settler:
    def __init__(
        self,
        steps: Steps,
        *,
        beat: Callable[[str], None],
        stopping: threading.Event,
        calling: Callable[[], int],
        busy: Callable[[], int],
        done: Callable[[Iterable[Attempt]], None],
    ) -> None:
        """``calling``: calls under way; ``busy``: attempts that are not written back; ``done``: takes those that are."""
        self._steps = steps
        self._beat = beat
        self._stopping = stopping
        self._calling = calling
        self._busy = busy
        self._done = done
        self._answers: queue.SimpleQueue[Sequence[Answer] | None] = queue.SimpleQueue()
        self._wait = Wait("writing answers back")

    def take(self, answers: Sequence[Answer]) -> None:
        """Have the answers of one request written back together: a batch of which some have theirs can never be sent again as it was."""
        self._answers.put(answers)

    def end(self) -> None:
        """Write back what was taken, and nothing more."""
        self._answers.put(None)

    def run(self) -> None:
        last = False
        while not last:
            self._beat("settler")
            try:
                first = self._answers.get(timeout=1.0)
            except queue.Empty:
                continue
            answers: list[Answer] = []
            until = time.monotonic() + GATHER_S
            more = first
            while more is not None:
                answers += more
                if len(answers) >= SETTLE_BATCH:
                    break
                # Nobody waits for company that cannot come.
                left = until - time.monotonic() if self._calling() else 0.0
                try:
                    more = self._answers.get(timeout=max(left, 0.0))
                except queue.Empty:
                    break
            last = more is None
            if answers:
                self._write_back(answers)

    def _write_back(self, answers: Sequence[Answer]) -> None:
        """Write answers back, for as long as it takes: an answer that is not written costs a look-up later."""
        while True:
            try:
                settled = self._steps.settle(answers)
                self._wait.over()
                break
            except AWAY as error:
                self._wait.goes_on(error)
                if self._stopping.wait(DATABASE_AWAY_S) and self._busy() == 0:
                    return
        reached("settled")
        count_settled(self._steps.metrics, settled)
        self._done(answer.attempt for answer in answers)
