"""The stage: a Postgres of its own, the simulator in a process of its own, and as many linked companies as a benchmark wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
from sqlalchemy import Engine, event, insert, select, text

import bench
from consumers.runner import Reconciler
from qbo_client.environment import environment_for
from qbo_client.oauth import OAuthApp
from qbo_client.quota import Limits
from schemas.events import Kind, OrgRef
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from simulator.seeds import UK
from store import connections
from store.connections import Tokens
from store.engine import open_engine
from store.links import LANES
from store.tables import company_facts
from sync.batches import Batch
from sync.settings import ProcessPolicy
from sync.steps import Steps
from tests.database import embedded_server, migrate
from tests.pipeline import KEYS, UNLIMITED, Pipeline

LIMIT_S = 120.0
"""What a run may take before a benchmark gives up; more where there is more than ten a second to push in it."""


class RemoteSimulator:
    """A simulator in its own process, so that its CPU is not ours."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # Without Intuit's limits, the one on names too: a figure that is about a limit sets it.
            [
                sys.executable,
                "-m",
                "simulator",
                "--port",
                "0",
                "--set",
                "quota_enabled=false",
                "--set",
                "name_lock=off",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=bench.ROOT,
        )
        assert self._process.stdout is not None
        self.base_url = self._process.stdout.readline().split()[-1]
        self._oauth = OAuthApp(environment_for(self.base_url), DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_simulator/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)

    def authorize(self, realm: str) -> dict[str, str]:
        code = self.ask("POST", "authorize", {"realm": realm, "client_id": DEFAULT_CLIENT_ID})["code"]
        granted = self._oauth.exchange_code(code=code, redirect_uri="http://localhost/callback")
        return {"access_token": granted.access_token, "refresh_token": granted.refresh_token}

    def latency(self, seconds: float) -> None:
        self.ask("DELETE", "faults")
        if seconds:
            self.ask("POST", "faults", {"kind": "latency", "seconds": seconds})

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


class RemotePipeline(Pipeline):
    """The tests' pipeline, with its simulator in another process, which has no troubles."""

    def days_of_trouble(self) -> int:
        return 0

    def objects(self, entity: str, realm: str = UK) -> list[dict[str, Any]]:
        found = self.simulator.ask("GET", f"state?realm={realm}")  # type: ignore[attr-defined]
        return list(found["objects"].get(entity, []))


@dataclass
class Stage:
    url: str
    simulator: RemoteSimulator
    pipeline: RemotePipeline
    postgres: psutil.Process
    orgs: list[tuple[OrgRef, str]] = field(default_factory=list)
    """Each company's Org and realm."""
    watching: Engine = field(init=False)
    _awake: dict[int, Steps] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Apart from the engine that is measured: its transactions are counted.
        self.watching = open_engine(self.url, pool_size=1, application_name="bench")

    def link_companies(self, count: int) -> None:
        """Make so many companies, linked and ready to be pushed to; only the first one's facts are asked for, all have the same."""
        pipeline = self.pipeline
        pipeline.link()
        pipeline.map_vat_rate("vat-20", "20.0% S")
        self.orgs.append((OrgRef("org-uk", "Meridian Geomatics Ltd"), UK))
        with pipeline.engine.begin() as db:
            for number in range(1, count):
                realm, org = f"8{number:015}", f"org-{number}"
                self.simulator.ask("POST", "companies", {"realm": realm, "like": UK})
                granted = self.simulator.authorize(realm)
                made = {"org": org, "realm": realm, "uk": UK}
                db.execute(text("INSERT INTO qbo_org (id, name) VALUES (:org, :org)"), made)
                made["id"] = db.execute(text(_LIKE_THE_FIRST), made).scalar_one()
                db.execute(text(_RATE_LIKE_THE_FIRST), made)
                connections.link_company(
                    db, KEYS, configuration_id=int(made["id"]), realm_id=realm, company_name="",
                    tokens=Tokens(
                        access_token=granted["access_token"], refresh_token=granted["refresh_token"],
                        access_expires_at=db.execute(text("SELECT now() + interval '1 hour'")).scalar_one(),
                    ),
                )  # fmt: skip
                self.orgs.append((OrgRef(org, org), realm))
            found = db.execute(select(company_facts).where(company_facts.c.realm_id == UK)).one()._mapping
            if count > 1:
                db.execute(insert(company_facts), [{**found, "realm_id": realm} for _, realm in self.orgs[1:]])
            db.execute(text("ANALYZE"))
        # What is measured is pushing, not what linking so many companies at one moment leaves to do.
        pipeline.sweep()

    def unsettled(self, kind: Kind) -> int:
        """Count what is due in the lane of one process kind."""
        with self.watching.begin() as db:
            return int(db.execute(text(f"SELECT count(*) {_due(kind)}")).scalar_one())

    def any_unsettled(self, kind: Kind) -> bool:
        """By that lane's index, and no more than needed: it is asked while Postgres's CPU is measured."""
        with self.watching.begin() as db:
            return bool(db.execute(text(f"SELECT EXISTS (SELECT 1 {_due(kind)})")).scalar_one())

    def reconciler(
        self,
        *,
        workers: int,
        lane: int,
        limits: Limits = UNLIMITED,
        seen: Overlaps | None = None,
        together: int = 1,
        awake: bool = False,
    ) -> Reconciler:
        pipeline = self.pipeline
        steps = pipeline.another(
            lane=lane,
            limits=limits,
            # What one process takes over from another is over at Intuit, as it is outside the tests.
            attempts=replace(pipeline.policy.attempts, server_timeout_seconds=pipeline.server_timeout),
        )
        if awake:
            # One that has met every company before: what it knows of them was read once.
            steps = self._awake.setdefault(lane, steps)
        numbers = {"workers": workers, "poll_seconds": 5.0, "sweep_seconds": 5.0, "drain_seconds": 20.0}
        if seen is None:
            return pipeline.reconciler(steps, batch_items=together, **numbers)
        steps.policy = replace(steps.policy, process=ProcessPolicy(batch_items=together, **numbers))
        return _watched(seen)(steps, beat=lambda name: None)

    def push(self, *, workers: int, kind: Kind, seen: Overlaps | None = None, awake: bool = False) -> Run:
        """Push what is due in the lane of one process kind, with threads that start now.

        ``awake``: they are those of a process that knows the companies it was run with before.
        """
        one = self.reconciler(workers=workers, lane=LANES[kind], seen=seen, awake=awake)
        due = self.unsettled(kind)
        committed = statements = 0

        def count(connection: object) -> None:
            nonlocal committed
            committed += 1

        execute = psycopg.Cursor.execute

        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal statements
            statements += 1
            return execute(*arguments, **options)

        event.listen(self.pipeline.engine, "commit", count)
        psycopg.Cursor.execute = counted  # type: ignore[method-assign]
        database = cpu(self.postgres)
        started, used, watch = time.perf_counter(), time.process_time(), time.thread_time()
        one.start()
        limit = max(LIMIT_S, due / 10)
        while (left := self.any_unsettled(kind)) and time.perf_counter() - started < limit:
            time.sleep(0.1)
        # This thread's own looks are not the reconciler's.
        watch = time.thread_time() - watch
        seconds, used = time.perf_counter() - started, time.process_time() - used - watch
        event.remove(self.pipeline.engine, "commit", count)
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]
        database = cpu(self.postgres) - database
        one.stop()
        if left:
            left = self.unsettled(kind)
            raise SystemExit(f"{left} of {due} links were not pushed within {limit:.0f} s")
        return Run(due, seconds, used, database, committed, statements)


def _due(kind: Kind) -> str:
    return f"FROM qbo_link WHERE due_at IS NOT NULL AND (lanes & {LANES[kind]:d}) <> 0 AND state <> 'synced'"


_LIKE_THE_FIRST = (
    "INSERT INTO qbo_configuration (org_id, realm_id, locale, default_item_id, enabled)"
    " SELECT :org, :realm, locale, default_item_id, true FROM qbo_configuration WHERE realm_id = :uk RETURNING id"
)
_RATE_LIKE_THE_FIRST = (
    "WITH rate AS (INSERT INTO qbo_vat_rate (org_id, kompass_id, name) VALUES (:org, 'vat-20', 'vat-20') RETURNING id)"
    " INSERT INTO qbo_tax_code_vat_rate (configuration_id, realm_id, vat_rate_id, tax_code_id, tax_code_name)"
    " SELECT :id, :realm, rate.id, t.tax_code_id, t.tax_code_name FROM qbo_tax_code_vat_rate t, rate WHERE t.realm_id = :uk"
)


@dataclass(frozen=True, slots=True)
class Run:
    links: int
    seconds: float
    cpu: float
    """CPU seconds of this process: the reconciler with all its threads."""
    postgres_cpu: float
    commits: int
    statements: int
    """Each of which is a round trip."""


@dataclass(slots=True)
class Overlaps:
    """Sees to it that no link is worked twice at once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at_work: set[int] = field(default_factory=set)
    calls: int = 0
    overlaps: int = 0


def _watched(seen: Overlaps) -> type[Reconciler]:
    class Watched(Reconciler):
        def _work(self, batch: Batch) -> None:
            worked = {attempt.link.id for attempt in batch.attempts}
            with seen.lock:
                seen.calls += 1
                seen.overlaps += len(worked & seen.at_work)
                seen.at_work |= worked
            try:
                super()._work(batch)
            finally:
                with seen.lock:
                    seen.at_work -= worked

    return Watched


def cpu(root: psutil.Process) -> float:
    """CPU seconds of a process and its children, also of those that have ended."""
    total = float(sum(root.cpu_times()[:4]))
    for child in root.children(recursive=True):
        try:
            total += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def in_turns(runs: int, *ways: Callable[[], float]) -> list[list[float]]:
    """Run each way once in every round, the order turned round each time; gives each way's values."""
    values: list[list[float]] = [[] for _ in ways]
    for number in range(runs):
        order: Sequence[int] = range(len(ways)) if number % 2 == 0 else range(len(ways) - 1, -1, -1)
        for which in order:
            values[which].append(ways[which]())
    return values


@contextmanager
def stage() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="kqbench", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        data = Path(directory) / "data"
        with embedded_server(data) as url:
            migrate(url)
            postgres = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
            simulator = RemoteSimulator()
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            pipeline = RemotePipeline(open_engine(address, pool_size=8), simulator, server_timeout=125.0)  # type: ignore[arg-type]
            try:
                yield Stage(address, simulator, pipeline, postgres)
            finally:
                pipeline.close()
                simulator.close()
