"""Simulated time: the database's clock and the simulator's, moved together, so that minutes of Intuit's quota pass in seconds.

The pipeline asks no clock but the database's for what it may call when. Here `now()` and `clock_timestamp()` are functions of the test
database that give the time which the test has set; nothing of the pipeline is replaced.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.event import listen

from qbo_client.calls import MAX_BATCH_ITEMS
from qbo_client.outcomes import Outcome, Throttled
from qbo_client.quota import INTUIT
from schemas.events import Kind
from simulator import Simulator
from simulator.seeds import UK
from simulator.settings import Settings
from store.backlogs import due_of
from store.links import LANES
from sync.batches import Batch
from tests.builders import event, invoice, project
from tests.database import cloned_database
from tests.pipeline import Pipeline, answers_of, open_pipeline

WORKERS = 16

_CLOCK = (
    "CREATE SCHEMA simulated",
    "CREATE TABLE simulated.clock (moment timestamptz NOT NULL)",
    "INSERT INTO simulated.clock VALUES (pg_catalog.clock_timestamp())",
    "CREATE FUNCTION simulated.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT moment FROM simulated.clock'",
    "CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT moment FROM simulated.clock'",
)


def latency(operations: int) -> float:
    """Seconds that Intuit takes for a request, by assumption: half a second for one operation, and 0.2 s for each more of a batch.

    So a full batch takes 6.3 s: nobody gives figures for it, and the limits count for more than this does.
    """
    return 0.3 + 0.2 * operations


def _by_the_simulated_clock(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL search_path = simulated, pg_catalog, public")


@dataclass
class SimulatedTime:
    """Drives one company's work by the clock alone: claims when the quota allows it, settles when the answers are there."""

    pipeline: Pipeline
    seconds: float = 0.0
    throttled: int = 0
    _flying: list[tuple[float, int, Batch, Outcome]] = field(default_factory=list)
    _numbers: Callable[[], int] = field(default_factory=lambda: itertools.count().__next__)

    def __post_init__(self) -> None:
        self.pipeline.simulator.call(lambda world: world.clock.freeze())
        with self.pipeline.engine.begin() as db:
            for statement in _CLOCK:
                db.execute(text(statement))
        # After the engine's own settings of a transaction, which take the path of a role or database back.
        listen(self.pipeline.engine, "begin", _by_the_simulated_clock)

    def run(self) -> float:
        """Push all that is due; gives the seconds it took."""
        started = self.seconds
        while True:
            wait = self._claim()
            moments = [moment for moment, *_ in self._flying[:1]] + ([self.seconds + wait] if wait is not None else [])
            if not moments:
                return self.seconds - started
            self.advance(max(min(moments) - self.seconds, 0.0))
            self._settle()

    def _claim(self) -> float | None:
        """Claim and send for the free workers; gives the seconds until the quota allows more, None when nothing is due."""
        pipeline = self.pipeline
        while len(self._flying) < (WORKERS if pipeline.together == 1 else WORKERS // 2):
            with pipeline.engine.begin() as db:
                ids = due_of(
                    db, UK, lane=LANES[Kind.INVOICE], limit=max(pipeline.together, WORKERS - len(self._flying))
                )
            if not ids:
                return None
            claimed = pipeline.claim(ids)
            for batch in claimed.batches:
                # Permitted at this moment: the time of the tests, which goes on between two calls, is not the simulated one.
                outcome = pipeline.send(Batch(batch.attempts))
                self.throttled += isinstance(outcome, Throttled)
                done = self.seconds + latency(len(batch.attempts))
                heapq.heappush(self._flying, (done, self._numbers(), batch, outcome))
            if UK in claimed.blocked:
                return claimed.blocked[UK][1]
        return None

    def advance(self, seconds: float) -> None:
        """Let so much time go by, in both."""
        self.seconds += seconds
        self.pipeline.simulator.call(lambda world: world.clock.advance(seconds))
        with self.pipeline.engine.begin() as db:
            db.execute(text("UPDATE simulated.clock SET moment = moment + :by"), {"by": timedelta(seconds=seconds)})

    def _settle(self) -> None:
        answers = []
        while self._flying and self._flying[0][0] <= self.seconds:
            _, _, batch, outcome = heapq.heappop(self._flying)
            answers += answers_of(batch, outcome)
        if answers:
            self.pipeline.settle(*answers)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A company's backlog of new invoices, whose customer exists, from the first call until the last answer was written back."""

    invoices: int
    seconds: float
    """Simulated."""
    calls: int
    metered: int


def push_backlog(server: URL, template: URL, invoices: int, *, together: int) -> Backlog:
    """Push so many invoices of one company under Intuit's published limits, of which so many go together."""
    limits = Settings.from_environment(batch_items=MAX_BATCH_ITEMS)
    with cloned_database(server, template) as url, Simulator(settings=limits) as simulator:
        pipeline = open_pipeline(url, simulator, together=together, limits=INTUIT)
        try:
            pipeline.link()
            pipeline.map_vat_rate("vat-20", "20.0% S")
            pipeline.ingest(event(project()))
            pipeline.drive()
            time = SimulatedTime(pipeline)
            # What the set-up called is no longer in any window.
            time.advance(120)
            simulator.call(lambda world: world.journal.clear())
            pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(invoices)))
            seconds = time.run()
            made = len(pipeline.objects("Invoice")), len(pipeline.links(kind="invoice", state="synced"))
            assert made == (invoices, invoices), made
            assert time.throttled == 0
            requests = pipeline.requests()
            return Backlog(invoices, seconds, len(requests), sum(one.metering != "core" for one in requests))
        finally:
            pipeline.close()
            pipeline.engine.dispose()
