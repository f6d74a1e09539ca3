"""A process with its threads, its workers held in a call: what is claimed ahead of them, and what becomes of it; and how it is settled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from consumers import settler
from consumers.runner import Reconciler
from consumers.settler import SETTLE_BATCH
from qbo_client.calls import Call
from qbo_client.environment import environment_for
from qbo_client.outcomes import Outcome
from qbo_client.quota import Limits
from qbo_client.transport import Transport
from schemas.events import Kind, OrgRef
from simulator.seeds import IRELAND, UK
from store.engine import open_engine
from store.links import LANES
from sync.pace import Pace
from sync.settle import Answer
from sync.tokens import AccessTokens
from tests.builders import client, event
from tests.pipeline import ALL_LANES, KEYS, UNLIMITED, Pipeline

WORKERS, AHEAD, PATIENCE_S = 2, 2, 60.0


class HeldTransport(Transport):
    """The transport, which keeps every call back until `let_go`."""

    def __init__(self, base_url: str) -> None:
        super().__init__(environment_for(base_url))
        self._gone = threading.Event()
        self.held: list[str] = []

    def let_go(self) -> None:
        self._gone.set()

    def send(self, realm_id: str, access_token: str, call: Call, *, deadline: float, send_by: float = inf) -> Outcome:
        # What is held back here has left in time.
        self.held.append(realm_id)
        self._gone.wait(PATIENCE_S)
        return super().send(realm_id, access_token, call, deadline=deadline)


@dataclass
class Busy:
    """A process whose calls end at such a rate that two are claimed ahead of its two workers."""

    pipeline: Pipeline
    send_within: float = 30.0
    lane: int = ALL_LANES
    limits: Limits = UNLIMITED
    transport: HeldTransport = field(init=False)
    process: Reconciler = field(init=False)

    def __post_init__(self) -> None:
        pipeline = self.pipeline
        self.transport = HeldTransport(pipeline.simulator.base_url)
        steps = pipeline.another(
            transport=self.transport,
            attempts=replace(pipeline.policy.attempts, heartbeat_seconds=0.02),
            send_within=self.send_within,
            lane=self.lane,
            limits=self.limits,
        )
        self.process = pipeline.reconciler(steps, workers=WORKERS, drain_seconds=PATIENCE_S)
        pace = Pace(WORKERS, clock=lambda: 100.0)
        for _ in range(20):
            pace.ended()
        self.process._pace = pace

    def answers(self, count: int) -> list[Answer]:
        found = [self.process._settler._answers.get(timeout=PATIENCE_S) for _ in range(count)]
        return [one for answers in found for one in answers or ()]

    def close(self) -> None:
        self.transport.let_go()
        self.process._stopping.set()
        self.process._in_flight = {}
        self.process._workers.shutdown()
        self.process._housekeeping._threads.shutdown()
        self.transport.close()


@pytest.fixture
def held(pipeline: Pipeline) -> Iterator[Callable[..., Busy]]:
    made: list[Busy] = []

    # Here more clients go at once than a company's limit on names lets go.
    pipeline.simulator.call(lambda world: world.change_settings({"name_lock": "off"}))

    def another(**more: Any) -> Busy:
        made.append(Busy(pipeline, **more))
        return made[-1]

    yield another
    for one in made:
        one.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_the_next_calls_are_claimed_while_every_worker_is_in_a_call(
    pipeline: Pipeline, held: Callable[..., Busy]
) -> None:
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(6)))
    pipeline.sweep()
    busy = held()
    assert busy.process._claim_some()
    wait_for(lambda: len(busy.transport.held) == WORKERS)
    assert len(pipeline.rows("qbo_attempt")) == WORKERS + AHEAD
    # No more than that, however often it looks; and no transaction is open while they call and wait.
    assert not busy.process._claim_some()
    assert len(pipeline.rows("qbo_attempt")) == WORKERS + AHEAD
    with pipeline.engine.begin() as db:
        open_ones = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%'"
        )
        assert db.execute(text(open_ones)).scalar_one() == 0
    busy.transport.let_go()
    pipeline.settle(*busy.answers(WORKERS + AHEAD))
    assert len(pipeline.objects("Customer")) == len(pipeline.links(state="synced")) == WORKERS + AHEAD


def test_what_waits_for_a_worker_is_in_turn_of_the_companies(pipeline: Pipeline, held: Callable[..., Busy]) -> None:
    pipeline.link("org-ie", "Meridian Ireland", realm=IRELAND)
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(10)))
    pipeline.ingest(event(client("c-ie", org=OrgRef("org-ie", "Meridian Ireland"))))
    pipeline.sweep()
    busy = held()
    assert busy.process._claim_some()
    assert {row.realm_id for row in pipeline.rows("qbo_attempt")} == {UK, IRELAND}


@pytest.mark.usefixtures("no_background_trouble")
def test_a_name_that_would_only_wait_for_another_of_its_company_is_left_as_it_is(
    pipeline: Pipeline, held: Callable[..., Busy]
) -> None:
    ireland = OrgRef("org-ie", "Meridian Ireland")
    pipeline.link("org-ie", "Meridian Ireland", realm=IRELAND)
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(4)))
    pipeline.ingest(*(event(client(f"c-ie{number}", org=ireland)) for number in range(2)))
    pipeline.sweep()
    busy = held(lane=LANES[Kind.CLIENT], limits=replace(UNLIMITED, names_in_flight=1))
    for turn in range(1, 3):
        due = {row.id: row.due_at for row in pipeline.links() if row.due_at is not None}
        assert busy.process._claim_some()
        called = {row.link_id: row.realm_id for row in pipeline.rows("qbo_attempt")}
        assert sorted(called.values()) == sorted([UK, IRELAND])
        # Neither decided nor put off: the next of them is claimed at the moment at which this one is written back.
        waiting = {row.id: row.due_at for row in pipeline.links() if row.id not in called and row.state != "synced"}
        assert waiting == {link_id: at for link_id, at in due.items() if link_id not in called}
        assert not busy.process._claim_some()
        busy.transport.let_go()
        for _ in range(2):
            busy.process._settler._write_back(busy.answers(1))
        assert len(pipeline.links(state="synced")) == 2 * turn
    assert busy.process._claim_some()
    assert [row.realm_id for row in pipeline.rows("qbo_attempt")] == [UK]


def test_a_database_that_goes_away_right_after_a_claim_loses_none_of_it(
    pipeline: Pipeline, held: Callable[..., Busy]
) -> None:
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(WORKERS)))
    pipeline.sweep()
    busy = held()
    away = open_engine("postgresql://nobody@127.0.0.1:1/away", pool_size=1)
    busy.process._steps.tokens = AccessTokens(away, KEYS)
    assert busy.process._claim_some()
    wait_for(lambda: len(busy.transport.held) == WORKERS)
    away.dispose()


def test_what_waits_for_a_worker_is_beaten_for_and_nobody_takes_it(
    pipeline: Pipeline, held: Callable[..., Busy], opened: Callable[..., Pipeline]
) -> None:
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(WORKERS + AHEAD)))
    pipeline.sweep()
    busy = held()
    assert busy.process._claim_some()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour', resend_after = now()"))
        db.execute(text("UPDATE qbo_link SET due_at = now()"))
    beating = threading.Thread(target=busy.process._heartbeats, daemon=True)
    beating.start()

    def beaten() -> bool:
        with pipeline.engine.begin() as db:
            late = "SELECT count(*) FROM qbo_attempt WHERE heartbeat_at < now() - interval '30 minutes'"
            return int(db.execute(text(late)).scalar_one()) == 0

    wait_for(beaten)
    assert opened().claim().attempts == []
    busy.transport.let_go()
    busy.process._settler._write_back(busy.answers(WORKERS + AHEAD))
    busy.process._stopping.set()
    beating.join(PATIENCE_S)
    assert len(pipeline.objects("Customer")) == WORKERS + AHEAD


def test_what_was_taken_over_while_it_waited_for_a_worker_is_not_sent(
    pipeline: Pipeline, held: Callable[..., Busy]
) -> None:
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(WORKERS + AHEAD)))
    pipeline.sweep()
    # So short that the claim is asked about before every call.
    busy = held(send_within=0.0)
    assert busy.process._claim_some()
    wait_for(lambda: len(busy.transport.held) == WORKERS)
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET epoch = epoch + 1"))
    busy.transport.let_go()
    busy.answers(WORKERS)
    wait_for(lambda: busy.process._calling == 0)
    assert len(busy.transport.held) == len(pipeline.objects("Customer")) == WORKERS


def test_a_process_that_stops_makes_the_calls_it_had_claimed_ahead(
    pipeline: Pipeline, held: Callable[..., Busy]
) -> None:
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(6)))
    pipeline.sweep()
    busy = held()
    busy.process.start()
    wait_for(lambda: len(pipeline.rows("qbo_attempt")) == WORKERS + AHEAD)
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(busy.process.stop()), daemon=True)
    stopping.start()
    wait_for(busy.process._stopping.is_set)
    busy.transport.let_go()
    stopping.join(PATIENCE_S)
    assert stopped == [True]
    settled = len(pipeline.links(state="synced"))
    # One claim may have been under way when it was asked to stop.
    assert settled >= WORKERS + AHEAD
    assert len(pipeline.objects("Customer")) == settled
    assert pipeline.rows("qbo_attempt") == []


@pytest.mark.usefixtures("no_background_trouble")
def test_answers_are_written_back_together(pipeline: Pipeline, held: Callable[..., Busy]) -> None:
    count = SETTLE_BATCH + 6
    pipeline.ingest(*(event(client(f"c{number}")) for number in range(count)))
    pipeline.sweep()
    answers = pipeline.answers(pipeline.claim().attempts)
    process = held().process
    process._in_flight = {answer.attempt.link.id: answer.attempt for answer in answers}
    for answer in answers:
        process._settler.take([answer])
    process._settler.end()
    committed: list[object] = []
    listen(pipeline.engine, "commit", committed.append)
    process._settler.run()
    assert len(committed) == 2
    assert process._in_flight == {}
    assert len(pipeline.links(state="synced")) == count


def test_an_answer_is_kept_until_the_database_takes_it(
    pipeline: Pipeline, held: Callable[..., Busy], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settler, "DATABASE_AWAY_S", 0.01)
    pipeline.ingest(event(client()))
    pipeline.sweep()
    (answer,) = pipeline.answers(pipeline.claim().attempts)
    with pipeline.engine.begin() as db:
        db.execute(text("ALTER TABLE qbo_attempt RENAME TO qbo_intent_away"))
    writing = threading.Thread(target=held().process._settler._write_back, args=([answer],), daemon=True)
    writing.start()
    wait_for(lambda: "writing answers back waits: " in caplog.text)
    with pipeline.engine.begin() as db:
        db.execute(text("ALTER TABLE qbo_intent_away RENAME TO qbo_attempt"))
    writing.join(PATIENCE_S)
    assert pipeline.one("client", "c1").state == "synced"
    assert pipeline.rows("qbo_attempt") == []
