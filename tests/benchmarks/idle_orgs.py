"""A consumer process beside very many idle Orgs: its memory, its share of a core, the size and time of a scrape.

``make idle``, or ``python tests/benchmarks/idle_orgs.py [orgs]``. The process is a real one, with the settings it has by default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request

import psutil
from bench.figures import Figure, publish
from bench.stage import stage
from sqlalchemy import text

from demo.embedded.broker import EmbeddedBroker
from demo.embedded.ports import HOST, free_port
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.idle_orgs import idle_orgs
from tests.pipeline import KEY

ORGS, SETTLING_S, MEASURED_S = 100_000, 30.0, 90.0


def main(count: int) -> None:
    topics = dict.fromkeys(("kompass.clients", "kompass.projects", "kompass.invoices", "kompass.qbo.dead-letters"), 4)
    with stage() as ours, EmbeddedBroker(topics=topics) as broker:
        with ours.watching.begin() as db:
            # On a busy machine to make so many rows takes longer than a statement may.
            db.execute(text("SET LOCAL statement_timeout = 0"))
            idle_orgs(db, count)
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-c", "from consumers.cli import main; main()", "consume", "invoices"],
            env={
                **os.environ, "DATABASE_URL": ours.url, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "INTUIT_ENVIRONMENT": ours.simulator.base_url, "INTUIT_CLIENT_ID": DEFAULT_CLIENT_ID,
                "INTUIT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET, "TOKEN_KEYS": KEY, "METRICS_PORT": f"{HOST}:{port}",
            },
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            time.sleep(SETTLING_S)
            watched = psutil.Process(process.pid)
            before, started = watched.cpu_times(), time.perf_counter()
            scrapes = []
            while time.perf_counter() - started < MEASURED_S:
                scrapes.append(scrape(port))
                time.sleep(15.0)
            after, elapsed = watched.cpu_times(), time.perf_counter() - started
            busy = (after.user + after.system - before.user - before.system) / elapsed
            size, seconds = max(one[0] for one in scrapes), max(one[1] for one in scrapes)
            memory = watched.memory_info().rss / 1e6
            publish(
                Figure(
                    "idle-1-core", "At rest", f"CPU of a process beside {count:,} idle Orgs", "% of a core", [100 * busy], "lower", 2.0,
                    f"over {MEASURED_S:.0f} s, with a scrape every 15 s: {size / 1e3:.0f} kB in {seconds * 1e3:.0f} ms.",
                ),
                Figure(
                    "idle-2-memory", "At rest", f"Memory of a process beside {count:,} idle Orgs", "MB", [memory], "lower", 150.0,
                    f"resident, after {SETTLING_S + MEASURED_S:.0f} s.",
                ),
            )  # fmt: skip
        finally:
            process.terminate()
            process.wait(60)


def scrape(port: int) -> tuple[int, float]:
    started = time.perf_counter()
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=60) as answer:
        page = answer.read()
    return len(page), time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ORGS)
