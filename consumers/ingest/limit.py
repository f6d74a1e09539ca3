"""When to stop reading rather than to empty a topic into the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumers.errors import ConsumersError
from consumers.ingest.batch import BatchResult, Undecodable
from schemas.counting import counted
from store.stretches import Accepted

RUN = 100
_SHOWN = 3


class TooManyUndecodable(ConsumersError):
    """So many records in a row cannot be read that the fault is ours, or the producer's, and dead letters do not help."""


class DecodeLimit:
    """Stops the consumer rather than empty a topic into the dead letters after a bad deploy (arroyo's DlqLimit).

    Parameters
    ----------
    accepted
        gives the stretches of the topic that a person accepted as unreadable; asked only before the consumer would stop.
    """

    def __init__(self, *, run: int = RUN, accepted: Callable[[], Sequence[Accepted]] = tuple) -> None:
        self._limit = run
        self._accepted = accepted
        self._run: list[Undecodable] = []

    def count(self, result: BatchResult, events: int) -> None:
        """Take a batch's result into account. Raises `TooManyUndecodable` once the run is too long, and the database's errors."""
        if len(result.undecodable) < events:
            self._run = []
            return
        self._run += result.undecodable
        if len(self._run) < self._limit:
            return
        accepted = self._accepted()
        self._run = [
            bad for bad in self._run if not any(one.holds(bad.source.partition, bad.source.offset) for one in accepted)
        ]
        if len(self._run) >= self._limit:
            raise TooManyUndecodable(_words(self._run))


def _words(run: Sequence[Undecodable]) -> str:
    topic = run[-1].source.topic
    places: dict[int, tuple[int, int]] = {}
    for bad in run:
        first, last = places.get(bad.source.partition, (bad.source.offset, bad.source.offset))
        places[bad.source.partition] = (min(first, bad.source.offset), max(last, bad.source.offset))
    shown = [f"{topic} {partition} --from {first} --to {last}" for partition, (first, last) in sorted(places.items())]
    more = f" (and {counted(len(shown) - _SHOWN, 'more partition')})" if len(shown) > _SHOWN else ""
    commands = "; ".join(f"kompass-qbo dead-letters accept {one}" for one in shown[:_SHOWN])
    return (
        f"the last {counted(len(run), 'record')} of {topic} could not be read ({run[-1].message}); "
        "stopped before the topic is emptied into the dead letters: check the producer's schema and this version's. "
        "Each record is kept as a dead letter. To go on past those that you looked at: "
        f"{commands}{more}"
    )
