"""Every kind of process beside very many idle Orgs: its memory, its share of a core, the size and time of a scrape.

``make idle``, or ``python tests/benchmarks/idle_orgs.py [orgs]``; four minutes. The processes are real ones, with the settings they have by
default; all of them run at once, as on one machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import psutil
from bench.figures import Figure, publish
from bench.stage import Stage, cpu, stage
from sqlalchemy import text

from consumers.ingest.group import topic_of
from demo.embedded.broker import EmbeddedBroker
from demo.embedded.ports import HOST, free_port
from schemas.events import Kind
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.idle_orgs import idle_orgs
from tests.pipeline import KEY

ORGS, SETTLING_S, MEASURED_S, SCRAPE_S, START_S = 100_000, 30.0, 90.0, 15.0, 120.0
CORE, MEMORY = 2.0, 150.0
"""The targets: per cent of a core, and megabytes, for a process with the children it has."""
COMMANDS: Final = {
    **{f"consume {kind.value}s": ("consume", f"{kind.value}s") for kind in Kind},
    "notify": ("notify",),
    "admin": ("admin", "--bind", f"{HOST}:0"),
}


@dataclass(slots=True)
class Watched:
    """A process, and what it used."""

    process: psutil.Process
    port: int
    busy: float = 0.0
    """Per cent of a core, the scrapes among it."""
    scrape_bytes: int = 0
    scrape_seconds: float = 0.0

    def scrape(self) -> None:
        started = time.perf_counter()
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=60) as answer:
            size = len(answer.read())
        self.scrape_bytes = max(self.scrape_bytes, size)
        self.scrape_seconds = max(self.scrape_seconds, time.perf_counter() - started)

    def resident(self) -> Sequence[float]:
        """Megabytes of it and of each of its children."""
        return [one.memory_info().rss / 1e6 for one in (self.process, *self.process.children(recursive=True))]


def main(count: int) -> None:
    topics = dict.fromkeys((*map(topic_of, Kind), "kompass.qbo.dead-letters"), 4)
    with stage() as ours, EmbeddedBroker(topics=topics) as broker:
        with ours.watching.begin() as db:
            # On a busy machine to make so many rows takes longer than a statement may.
            db.execute(text("SET LOCAL statement_timeout = 0"))
            idle_orgs(db, count)
        with running(ours, broker.bootstrap_servers) as processes:
            time.sleep(SETTLING_S)
            database = measure(ours, processes.values())
            publish(*figures(processes, count, database))


@contextmanager
def running(ours: Stage, servers: str) -> Iterator[dict[str, Watched]]:
    """All kinds of processes, each ready."""
    environment = {
        **os.environ, "DATABASE_URL": ours.url, "KAFKA_BOOTSTRAP_SERVERS": servers,
        "INTUIT_ENVIRONMENT": ours.simulator.base_url, "INTUIT_CLIENT_ID": DEFAULT_CLIENT_ID,
        "INTUIT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET, "TOKEN_KEYS": KEY,
    }  # fmt: skip
    with ExitStack() as running_ones:
        processes: dict[str, Watched] = {}
        for name, command in COMMANDS.items():
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, "-m", "consumers", *command],
                env={**environment, "METRICS_PORT": f"{HOST}:{port}"}, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            running_ones.callback(_end, process)
            processes[name] = Watched(psutil.Process(process.pid), port)
        for name, one in processes.items():
            _wait_until_ready(name, one.port)
        yield processes


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def _wait_until_ready(name: str, port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.5)
    raise SystemExit(f"{name} was not ready within {START_S:.0f} s")


def measure(ours: Stage, processes: Iterator[Watched] | Sequence[Watched]) -> float:
    """Watch them for a while, and scrape them as Prometheus does; gives what Postgres used, in per cent of a core."""
    watched = list(processes)
    before, database, started = [cpu(one.process) for one in watched], cpu(ours.postgres), time.perf_counter()
    while time.perf_counter() - started < MEASURED_S:
        for one in watched:
            one.scrape()
        time.sleep(SCRAPE_S)
    elapsed = time.perf_counter() - started
    for one, used in zip(watched, before, strict=True):
        one.busy = 100 * (cpu(one.process) - used) / elapsed
    return 100 * (cpu(ours.postgres) - database) / elapsed


def figures(processes: Mapping[str, Watched], count: int, database: float) -> Iterator[Figure]:
    for number, (name, one) in enumerate(processes.items()):
        yield Figure(
            f"idle-1-core-{number}", "At rest", f"CPU of `{name}` beside {count:,} idle Orgs", "% of a core", [one.busy], "lower", CORE,
            f"over {MEASURED_S:.0f} s, with a scrape every {SCRAPE_S:.0f} s: {one.scrape_bytes / 1e3:.0f} kB in at most "
            f"{one.scrape_seconds * 1e3:.0f} ms.",
        )  # fmt: skip
    yield Figure(
        "idle-2-database", "At rest", f"CPU of Postgres beside {count:,} idle Orgs", "% of a core", [database], "lower", None,
        f"for all {len(processes)} processes at once. One of the consumers counts the gauges for all: that is most of it.",
    )  # fmt: skip
    for number, (name, one) in enumerate(processes.items()):
        resident = one.resident()
        children = (
            f": {', '.join(f'{size:.0f}' for size in resident)} of it and its workers" if len(resident) > 1 else ""
        )
        yield Figure(
            f"idle-3-memory-{number}", "At rest", f"Memory of `{name}` beside {count:,} idle Orgs", "MB", [max(resident)], "lower", MEMORY,
            f"resident, after {SETTLING_S + MEASURED_S:.0f} s{children}.",
        )  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ORGS)
