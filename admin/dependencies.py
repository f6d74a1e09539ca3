"""What the admin depends on, asked at each scrape: `dependency_up` and `clock_offset_seconds` as every other process has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from schemas.metric_declarations import DECLARATIONS, PREFIX
from store.presence import Presence

ANSWER_S: Final = 3.0
"""A scrape is given up after ten seconds. By then it must have said that the database hangs."""
_HELP: Final = {one.name: one.help for one in DECLARATIONS}


class DatabaseWatch(Collector):
    """Asks the database on a thread of its own, one question at a time, so that one that hangs holds up no scrape.

    Not gauges of prometheus_client's: with several workers each would keep its last number in a file.
    """

    def __init__(self, ask: Callable[[], Presence], *, answer_s: float = ANSWER_S) -> None:
        self._ask = ask
        self._answer_s = answer_s
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="database-watch")
        self._question: Future[Presence] | None = None

    def collect(self) -> Iterator[Metric]:
        found = self._presence()
        up = GaugeMetricFamily(f"{PREFIX}dependency_up", _HELP["dependency_up"], labels=["what"])
        up.add_metric(["database"], float(found is not None and not found.read_only))
        yield up
        if found is not None:
            yield GaugeMetricFamily(
                f"{PREFIX}clock_offset_seconds", _HELP["clock_offset_seconds"], value=found.clock_ahead
            )

    def _presence(self) -> Presence | None:
        question, self._question = self._question, None
        if question is None or question.done():
            question = self._asking.submit(self._ask)
        try:
            return question.result(self._answer_s)
        except TooLate:
            # It is not asked a second time while the first question waits for its answer.
            self._question = question
        except SQLAlchemyError:
            pass
        return None
