"""The others' wait while one company has a backlog: the same traffic with it and without, in turns.

``python tests/benchmarks/fairness.py [backlog] [rounds] [seconds]``; 50,000 invoices take five minutes, 2,000 one.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from datetime import UTC, datetime

import psutil
from bench.figures import Figure, publish
from bench.stage import Stage, stage
from sqlalchemy import text

from qbo_client.quota import INTUIT
from schemas.events import Kind
from simulator.seeds import UK
from store.links import LANES
from tests.builders import client, event, invoice, project

BACKLOG, ROUNDS, SECONDS = 50_000, 3, 25.0
COMPANIES, PER_SECOND, WORKERS = 20, 12.0, 16
SINGLE_S, BATCH_S = 0.1, 1.5
INGESTED_AT_ONCE = 500


def main(backlog: int, rounds: int, seconds: float) -> None:
    with stage() as ours:
        ours.link_companies(COMPANIES + 1)
        ours.pipeline.ingest(*(event(_project(org)) for org, _ in ours.orgs))
        ours.pipeline.drive()
        ours.simulator.latency(SINGLE_S)
        ours.simulator.ask("POST", "faults", {"kind": "latency", "seconds": BATCH_S - SINGLE_S, "operation": "batch"})
        measure(ours, backlog, rounds, seconds)


def measure(ours: Stage, backlog: int, rounds: int, seconds: float) -> None:
    own = psutil.Process()
    traffic = Traffic(ours)
    # Once round before anything counts.
    traffic.run(5.0)
    org = ours.orgs[0][0]
    for start in range(0, backlog, INGESTED_AT_ONCE):
        numbers = range(start, min(start + INGESTED_AT_ONCE, backlog))
        ours.pipeline.ingest(*(event(invoice(f"b{number}", org=org, of=_project(org))) for number in numbers))
    alone: list[float] = []
    beside: list[float] = []
    grown: list[float] = []
    pushed = _pushed(ours)
    for _ in range(rounds):
        _put_off(ours, "1 hour")
        alone.append(traffic.run(seconds))
        _put_off(ours, "0")
        before = own.memory_info().rss
        beside.append(traffic.run(seconds))
        grown.append((own.memory_info().rss - before) / 1e6)
    pushed = _pushed(ours) - pushed
    ratios = [two / one for one, two in zip(alone, beside, strict=True)]
    calls = ours.simulator.ask("GET", f"requests?bodies=false&realm={UK}")["requests"]
    batches = sum(one["operation"] == "batch" for one in calls)
    figures = (
        f"{statistics.median(beside) * 1000:.0f} ms with it, {statistics.median(alone) * 1000:.0f} ms without, from ingest to the synced "
        f"link; medians of {rounds} rounds of {seconds:.0f} s each in turns, {PER_SECOND:.0f} new invoices a second over {COMPANIES} "
        f"companies, {SINGLE_S * 1000:.0f} ms a call and {BATCH_S * 1000:.0f} ms a batch, {WORKERS} workers, one process. Of the backlog "
        f"of {backlog:,} went {pushed:,} meanwhile, in {batches} batches, at the pace of the company's quota."
    )
    publish(
        Figure(
            "fairness", "Fairness", "Others' p99 beside a backlog ÷ without", "times", ratios, "lower", 1.5, figures,
            cause="" if statistics.median(ratios) <= 1.5 else _CAUSE,
        ),
        Figure(
            "fairness-memory", "Fairness", "Memory that a round beside the backlog adds", "MB", grown, "lower", 20.0,
            f"resident set of the process, which has {own.memory_info().rss / 1e6:.0f} MB; the backlog itself is in the database.",
        ),
    )  # fmt: skip


class Traffic:
    """New invoices of all companies but the first, at random moments; gives how long they took."""

    def __init__(self, ours: Stage) -> None:
        self._ours = ours
        self._chance = random.Random(7)
        self._made = 0

    def run(self, seconds: float) -> float:
        """Give the p99 in seconds, from before the ingest until the settle."""
        ours = self._ours
        process = ours.reconciler(workers=WORKERS, lane=LANES[Kind.INVOICE], limits=INTUIT, together=30)
        process.start()
        came: dict[str, float] = {}
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._chance.expovariate(PER_SECOND))
            org, _ = self._chance.choice(ours.orgs[1:])
            self._made += 1
            name = f"live{self._made}"
            came[name] = time.time()
            ours.pipeline.ingest(event(invoice(name, org=org, of=_project(org))))
            process.wake()
        waits = sorted(moment.timestamp() - came[name] for name, moment in self._settled(came).items())
        process.stop()
        return waits[int(len(waits) * 0.99)]

    def _settled(self, came: dict[str, float]) -> dict[str, datetime]:
        """Wait until all are in QuickBooks; gives when each was."""
        until = time.monotonic() + 60
        while True:
            with self._ours.watching.begin() as db:
                rows = db.execute(
                    text(
                        "SELECT kompass_id, synced_at FROM qbo_link WHERE kompass_id = ANY(:ids) AND state = 'synced'"
                    ),
                    {"ids": list(came)},
                )
                found = {row.kompass_id: row.synced_at.astimezone(UTC) for row in rows}
            if len(found) == len(came):
                return found
            if time.monotonic() > until:
                raise SystemExit(f"{len(came) - len(found)} of {len(came)} invoices were not pushed")
            time.sleep(0.2)


def _project(org: object) -> object:
    return project("p", org=org, of=client("c", org=org))  # type: ignore[arg-type]


def _put_off(ours: Stage, wait: str) -> None:
    """Let what is left of the backlog be due after so long."""
    with ours.watching.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_link SET due_at = now() + CAST(:wait AS interval) WHERE kompass_id LIKE 'b%' AND state <> 'synced'"
                " AND NOT EXISTS (SELECT 1 FROM qbo_attempt i WHERE i.link_id = qbo_link.id)"
            ),
            {"wait": wait},
        )


def _pushed(ours: Stage) -> int:
    with ours.watching.begin() as db:
        return int(
            db.execute(
                text("SELECT count(*) FROM qbo_link WHERE kompass_id LIKE 'b%' AND state = 'synced'")
            ).scalar_one()
        )


_CAUSE = (
    "Cause: claim and settle of a batch are 30 decisions and 30 links in one thread beside the others', and every millisecond of observed "
    "is waited for where the machine's cores are shared."
)

if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else BACKLOG,
        int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS,
        float(sys.argv[3]) if len(sys.argv) > 3 else SECONDS,
    )
