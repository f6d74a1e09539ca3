"""When to stop reading rather than to empty a topic into the dead letters."""

from __future__ import annotations

from consumers.errors import ConsumersError
from consumers.ingest.batch import BatchResult


class TooManyUndecodable(ConsumersError):
    """So many events in a row cannot be read that the fault is ours, or the producer's, and no dead letter will mend it."""


class DecodeLimit:
    """Stops the consumer rather than empty a topic into the dead letters after a bad deploy (arroyo's DlqLimit)."""

    def __init__(self, *, run: int = 100) -> None:
        self._limit = run
        self._run = 0

    def count(self, result: BatchResult, events: int) -> None:
        """Take a batch's result into account; raises `TooManyUndecodable` once the run is too long."""
        bad = len(result.undecodable)
        self._run = self._run + bad if bad == events else 0
        if self._run >= self._limit:
            last = result.undecodable[-1]
            raise TooManyUndecodable(
                f"the last {self._run} records of {last.source.topic} could not be read ({last.message}); stopped before the "
                "topic is emptied into the dead letters: check the producer's schema and this version's"
            )
