"""How long a company's backlog takes under Intuit's real quotas, by a clock that is moved: in batches, and one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.engine import URL

from qbo_client.quota import INTUIT
from qbo_client.simulator import Simulator
from tests.builders import event, invoice, project
from tests.database import cloned_database
from tests.pipeline import open_pipeline
from tests.simulated_time import SimulatedTime

Timed = Callable[[int, int], SimulatedTime]


@pytest.fixture
def timed(database_server: URL, template_database: URL) -> Iterator[Timed]:
    """Push so many invoices, of which so many go together; gives the time that is over then."""
    ends: list[Callable[[], None]] = []

    def push(count: int, together: int) -> SimulatedTime:
        clone = cloned_database(database_server, template_database)
        simulator = Simulator().start()
        pipeline = open_pipeline(clone.__enter__(), simulator, together=together, limits=INTUIT)
        ends.extend((pipeline.close, pipeline.engine.dispose, simulator.stop, lambda: clone.__exit__(None, None, None)))
        pipeline.link()
        pipeline.map_vat_rate("vat-20", "20.0% S")
        pipeline.ingest(event(project()))
        pipeline.drive()
        time = SimulatedTime(pipeline)
        time._advance(120)
        simulator.call(lambda world: world.journal.clear())
        pipeline.ingest(*(event(invoice(f"i{number}")) for number in range(count)))
        time.seconds = 0.0
        time.run()
        assert len(pipeline.objects("Invoice")) == count
        assert len(pipeline.links(kind="invoice", state="settled")) == count
        assert {one.metering for one in pipeline.requests()} == {"core"}
        assert time.throttled == 0
        return time

    yield push
    for end in ends:
        end()


@pytest.mark.timeout(120)
def test_a_backlog_in_batches_is_more_than_twice_as_fast_as_one_by_one(timed: Timed) -> None:
    one_by_one, batches = timed(240, 1), timed(240, 30)
    assert one_by_one.calls == 240
    assert batches.calls <= 0.05 * 240
    # 10 calls in any 1.2 seconds is what the second's limit allows.
    assert one_by_one.seconds >= 240 / 10 * 1.2 - 1.2
    assert one_by_one.seconds / batches.seconds >= 2.2, (one_by_one.seconds, batches.seconds)
