"""Two processes against one: the same links, bound by Intuit's latency.

``python tests/benchmarks/processes.py [companies]``; about two minutes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from bench.figures import Figure, publish
from bench.stage import LIMIT_S, RemotePipeline, RemoteSimulator, Stage, stage

from consumers.listening import NewsListener
from schemas.events import Kind
from store.engine import open_engine
from store.links import LANES
from store.secrets import TokenKeys
from tests.builders import client, event
from tests.pipeline import KEY

COMPANIES, PER_COMPANY, WORKERS, LATENCY_S, RUNS = 100, 15, 16, 0.1, 3
_KEY_VARIABLE = "BENCH_TOKEN_KEY"


class _Address(RemoteSimulator):
    """The simulator that the parent runs."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url


def worker(url: str, simulator: str) -> None:
    """One process: a reconciler that works until its standard input ends."""
    pipeline = RemotePipeline(
        open_engine(url, pool_size=8), _Address(simulator), owner=f"bench-{os.getpid()}", server_timeout=125.0,  # type: ignore[arg-type]
        keys=TokenKeys([os.environ[_KEY_VARIABLE]]),
    )  # fmt: skip
    one = Stage(url, _Address(simulator), pipeline, psutil.Process()).reconciler(
        workers=WORKERS, lane=LANES[Kind.CLIENT]
    )
    listener = NewsListener(pipeline.engine, one, poll_seconds=5.0)
    one.start()
    listener.start()
    print("ready", flush=True)
    sys.stdin.read()
    one.stop()
    listener.stop()


@contextmanager
def processes(ours: Stage, count: int) -> Iterator[None]:
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", ours.url, ours.simulator.base_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, _KEY_VARIABLE: KEY},
        )
        for _ in range(count)
    ]  # fmt: skip
    try:
        for one in started:
            assert one.stdout is not None
            if one.stdout.readline().strip() != b"ready":
                raise SystemExit("a process did not start")
        yield
    finally:
        for one in started:
            assert one.stdin is not None
            one.stdin.close()
        for one in started:
            one.wait(30)


def main(companies: int) -> None:
    with stage() as ours:
        ours.link_companies(companies)
        ours.simulator.latency(LATENCY_S)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(RUNS):
            for count in (1, 2) if number % 2 else (2, 1):
                with processes(ours, count):
                    # What a process knows of a company is read with its first push, and kept.
                    drained(ours, f"warm{number}-{count}", 1)
                    rates[count].append(drained(ours, f"p{number}-{count}", PER_COMPANY))
        twice = sum(2 * PER_COMPANY + 2 for _ in range(RUNS)) * companies
        calls = sum(
            one["entity"].lower() == "customer"
            for one in ours.simulator.ask("GET", "requests?bodies=false")["requests"]
        )
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    met = statistics.median(ratios) >= 1.9
    publish(
        Figure(
            "scale-4-processes", "Scale", "Two processes ÷ one, latency-bound", "times", ratios, "higher", 1.9,
            f"{statistics.median(rates[2]):.0f} links a second against {statistics.median(rates[1]):.0f}, in turns; {WORKERS} workers a "
            f"process, {LATENCY_S * 1000:.0f} ms, {companies} companies of {PER_COMPANY} links each, which both processes work at once; "
            f"{min(calls, twice):,} calls for {twice:,} links.",
            cause="" if met else _CAUSE,
        )
    )  # fmt: skip


def drained(ours: Stage, name: str, per_company: int) -> float:
    """Links a second, from the events to the last settle."""
    ours.pipeline.ingest(*(event(client(f"{name}-{n}", org=org)) for n in range(per_company) for org, _ in ours.orgs))
    due, started = per_company * len(ours.orgs), time.perf_counter()
    while ours.unsettled(Kind.CLIENT):
        if time.perf_counter() - started > LIMIT_S:
            raise SystemExit(f"not all of {due} links were pushed within {LIMIT_S:.0f} s")
        time.sleep(0.02)
    return due / (time.perf_counter() - started)


_CAUSE = (
    "Cause: both processes, Postgres and the simulator share two cores, which one process and its calls keep half busy."
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else COMPANIES)
