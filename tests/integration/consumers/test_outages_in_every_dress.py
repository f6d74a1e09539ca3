"""An outage is an outage, with any answer and for any time: no failure, one mail where it lasts, and everything there once.

The clocks of the database and of the simulator are moved together. ``OUTAGE_RECORDS=1000`` has the long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from consumers.notifier.notifier import Notifier, NotifierPolicy
from consumers.notifier.rendering import Renderer
from consumers.notifier.smtp import Mailer
from qbo_client.quota import Limits
from simulator import Simulator
from simulator.seeds import UK
from simulator.settings import Settings
from sync.batches import as_batches
from sync.gates import Gates
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests.builders import client, event, invoice, project
from tests.database import cloned_database
from tests.pipeline import Pipeline, open_pipeline
from tests.simulated_time import SimulatedTime

RECORDS = int(os.environ.get("OUTAGE_RECORDS", "12"))
LOOK_EVERY = 120.0
"""Seconds between two looks of the notifier."""
LENGTHS = {"three seconds": 3.0, "five minutes": 300.0, "an hour": 3600.0}
XML = '<IntuitResponse><Fault type="SERVICE"><Error code="6000" element=""><Message>m</Message></Error></Fault></IntuitResponse>'
DRESSES: dict[str, list[dict[str, Any]]] = {
    "503": [{"kind": "outage"}],
    "reset": [{"kind": "reset_before", "path": "/v3/"}],
    "done and reset": [{"kind": "reset_after", "path": "/v3/", "probability": 0.5}, {"kind": "outage"}],
    "404 with HTML": [{"kind": "not_found_page"}],
    "400 with code 500": [{"kind": "unsupported"}],
    "6000 try again": [{"kind": "try_again"}],
    "6000 and half of it saved": [{"kind": "saved_anyway", "probability": 0.5}, {"kind": "try_again"}],
    "4002 on queries": [{"kind": "bad_email"}, {"kind": "http", "status": 400, "body": XML, "operation": "query"},
                        {"kind": "saved_anyway", "probability": 0.5}, {"kind": "try_again"}],
    "500 with code 3100": [{"kind": "server_error", "code": "3100"}],
    "XML": [{"kind": "http", "status": 400, "body": XML, "path": "/v3/"}],
    "HTML with 200": [{"kind": "http", "status": 200, "body": "<html></html>", "path": "/v3/"}],
}  # fmt: skip


@dataclass
class Company:
    """One process with its gates, on clocks that are moved."""

    pipeline: Pipeline
    time: SimulatedTime
    gates: Gates = field(init=False)

    def __post_init__(self) -> None:
        self.gates = Gates(clock=lambda: self.time.seconds, uniform=lambda: 0.5)
        self.pipeline.steps.gates = self.gates

    def notifier(self) -> Notifier:
        policy = NotifierPolicy(
            owner="notifier", mail_from="sync@kompass.example", operator_mail="operator@kompass.example",
            public_url="https://kompass.example",
        )  # fmt: skip
        return Notifier(
            self.pipeline.engine, policy, renderer=Renderer(), mailer=Mailer("smtp://localhost", sender=policy.mail_from),
            metrics=self.pipeline.metrics, clock=self._now,
        )  # fmt: skip

    def _now(self) -> datetime:
        with self.pipeline.engine.begin() as db:
            moment: datetime = db.execute(text("SELECT now()")).scalar_one()
        return moment

    def run(self, seconds: float) -> None:
        """Do what is due until so much time has gone by."""
        until = self.time.seconds + seconds
        notifier, looked = self.notifier(), self.time.seconds
        while self.time.seconds < until:
            if self.time.seconds - looked > LOOK_EVERY:
                notifier.look()
                looked = self.time.seconds
            wait = self._turn()
            seconds = min(max(wait, 0.5), until - self.time.seconds)
            self.time.advance(seconds)
            with self.pipeline.engine.begin() as db:
                # The one moment that is compared with the clock of the process, which is not moved.
                age = text(
                    "UPDATE qbo_connection SET access_expires_at = access_expires_at - :by * interval '1 second'"
                )
                db.execute(age, {"by": seconds})

    def _turn(self) -> float:
        """Make the calls that may be made now; gives the seconds until more may be."""
        pipeline, permits = self.pipeline, self.gates.permits()
        if permits.all_blocked or UK in permits.blocked:
            return permits.next_in or 0.05
        ids = sorted(set(pipeline.due()))[:200]
        allowed = {UK: 1} if UK in permits.trials or self.gates.trying_intuit else {}
        claimed = pipeline.steps.claim(ids, calls_allowed=allowed, together=1 if allowed else 30)
        for realm, org in claimed.unready.items():
            # A process asks for its token again and again, five times a second: here every quarter of a minute.
            self.gates.block(realm, 15.0 if pipeline.jobs.prepare(org, realm) else 0.0)
        answers = []
        for batch in as_batches(claimed.attempts):
            self.gates.called(UK)
            answers += pipeline.steps.answers(pipeline.steps.send(batch))
        if answers:
            pipeline.settle(*answers)
            return 0.05
        with pipeline.engine.begin() as db:
            wait = db.execute(text("SELECT extract(epoch FROM min(due_at) - now()) FROM qbo_link")).scalar()
        return 60.0 if wait is None else float(wait)


@pytest.fixture
def company(database_server: URL, template_database: URL) -> Iterator[Company]:
    settings = Settings.from_environment(quota_enabled=False, batch_items=30, batch_requestid="item", name_lock="on")
    with cloned_database(database_server, template_database) as url, Simulator(settings=settings) as simulator:
        limits = Limits(per_second=10_000, in_flight=1_000, per_minute=100_000)
        pipeline = open_pipeline(url, simulator, retries=RetryPolicy(), patience=Patience(), limits=limits, together=30)
        pipeline.link()
        pipeline.map_vat_rate("vat-20", "20.0% S")
        pipeline.ingest(event(project()))
        pipeline.drive()
        yield Company(pipeline, SimulatedTime(pipeline))
        pipeline.close()
        pipeline.engine.dispose()


@pytest.mark.timeout(3600 if RECORDS > 100 else 120)
@pytest.mark.parametrize("dress", DRESSES)
def test_an_outage_leaves_nothing_but_a_longer_queue(company: Company, dress: str) -> None:
    pipeline = company.pipeline
    for made, (length, seconds) in enumerate(LENGTHS.items(), start=1):
        for rule in DRESSES[dress]:
            pipeline.simulator.call(lambda world, rule=rule: world.troubles.add(rule))
        pipeline.ingest(
            *[event(client(f"c{made}-{number}", name=f"Client {made}-{number}")) for number in range(RECORDS // 3)]
        )
        pipeline.ingest(*[event(invoice(f"i{made}-{number}")) for number in range(RECORDS - RECORDS // 3)])
        company.run(seconds)
        pipeline.simulator.call(lambda world: world.troubles.remove())
        # The longest pause between two tries, and the time that a look-up has to wait for the call it looks for.
        company.run(900)
        assert pipeline.rows("qbo_failure") == [], length
        unsettled = [
            (row.kompass_id, row.state, row.cause, row.attempts) for row in pipeline.links() if row.state != "synced"
        ]
        assert unsettled == [], length
        assert len(pipeline.objects("Customer")) == 2 + made * (RECORDS // 3)
        assert len(pipeline.objects("Invoice")) == made * (RECORDS - RECORDS // 3)
        assert pipeline.rows("qbo_outbox") == []
        subjects = [row.subject.partition(" since")[0] for row in pipeline.rows("qbo_mail")]
        assert subjects == (["QuickBooks does not answer"] if seconds >= 3600 else []), length
        assert pipeline.rows("qbo_attempt") == []
