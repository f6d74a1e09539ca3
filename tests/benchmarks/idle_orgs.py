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
from bench.stage import stage

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
            print(
                f"{count:,} idle Orgs: {watched.memory_info().rss / 1e6:.0f} MB, {busy:.1%} of a core, "
                f"a scrape of {size / 1e3:.0f} kB in {seconds * 1e3:.0f} ms"
            )
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
