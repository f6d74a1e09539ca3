"""The memory of a consumer process while it ingests very many events, each of which is a change.

``make memory``, or ``python tests/benchmarks/memory.py [events]``: a million take 10 to 30 minutes and 4 GB of disk. The process is a real
one; what it ingests belongs to an Org that no company is linked to yet, so that nothing is pushed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil
from bench import ROOT
from bench.figures import Figure, publish
from bench.stage import stage
from confluent_kafka import Consumer, Producer, TopicPartition
from sqlalchemy import text

from demo.embedded.broker import EmbeddedBroker
from schemas.events import OrgRef
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.builders import client, event, invoice, project
from tests.pipeline import KEY

EVENTS, PARTITIONS, CHUNK, AHEAD = 1_000_000, 8, 2_000, 8_000
TOPIC, GROUP = "kompass.invoices", "kompass-qbo.invoices"
SETTLED = 0.3
"""From this share of the events on memory must not grow: the caches that have a bound have reached it (200,000 sequences)."""
_PATIENCE_S = 120.0
_CHART = ROOT / "docs" / "memory.svg"

Sample = tuple[int, float]
"""Events made durable, megabytes."""


def main(count: int) -> None:
    org = OrgRef("org-idle", "Not linked yet")
    with stage() as ours, EmbeddedBroker(topics={TOPIC: PARTITIONS}) as broker:
        with ours.watching.begin() as db:
            db.execute(text("INSERT INTO qbo_org (id, name) VALUES (:id, :name)"), {"id": org.id, "name": org.name})
            db.execute(text("INSERT INTO qbo_configuration (org_id, locale) VALUES (:id, 'EU')"), {"id": org.id})
        environment = {
            **os.environ, "DATABASE_URL": ours.url, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "INTUIT_ENVIRONMENT": ours.simulator.base_url, "INTUIT_CLIENT_ID": DEFAULT_CLIENT_ID,
            "INTUIT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET, "TOKEN_KEYS": KEY, "METRICS_PORT": "off",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", "from consumers.cli import main; main()", "consume", "invoices"],
            env=environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started = time.perf_counter()
        try:
            samples = feed(
                broker.bootstrap_servers, psutil.Process(process.pid), ours.pipeline.codec.encode, org, count
            )
        finally:
            process.terminate()
            process.wait(60)
        seconds = time.perf_counter() - started
    settled = [size for done, size in samples if done >= SETTLED * count]
    grown = samples[-1][1] / settled[0]
    _CHART.write_text(chart(samples), "utf-8")
    publish(
        Figure(
            "scale-5-memory", "Scale", f"Memory after {count:,} events ÷ after {int(SETTLED * count):,}", "times", [grown],
            "lower", 1.02,
            f"resident memory of `consume invoices`: {samples[0][1]:.0f} MB at the first event, {settled[0]:.0f} MB after "
            f"{int(SETTLED * count):,}, {samples[-1][1]:.0f} MB at the end, at most {max(size for _, size in samples):.0f} MB "
            f"([chart](memory.svg)); {count / seconds:,.0f} events a second, each a new invoice.",
            cause="" if grown <= 1.02 else _CAUSE,
        )
    )  # fmt: skip


def feed(servers: str, process: psutil.Process, encode, org: OrgRef, count: int) -> list[Sample]:  # type: ignore[no-untyped-def]
    """Publish so many events, never far ahead of the process: the stand-in broker keeps a few megabytes a partition."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5})
    watcher = Consumer({"bootstrap.servers": servers, "group.id": GROUP, "enable.auto.commit": False})
    partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    samples: list[Sample] = []
    published = done = 0
    moved = time.monotonic()
    try:
        while done < count:
            if published < count and published - done < AHEAD:
                for number in range(published, min(published + CHUNK, count)):
                    owner = project(f"p{number % 1000}", org=org, of=client(f"c{number % 500}", org=org))
                    value = encode(event(invoice(f"m{number}", org=org, of=owner)))
                    producer.produce(TOPIC, value, key=f"invoice/m{number}".encode(), partition=number % PARTITIONS)
                    producer.poll(0)
                producer.flush()
                published = min(published + CHUNK, count)
            else:
                time.sleep(0.1)
            now = sum(max(one.offset, 0) for one in watcher.committed(partitions, timeout=10))
            if now != done:
                done, moved = now, time.monotonic()
                samples.append((done, process.memory_info().rss / 1e6))
            elif time.monotonic() - moved > _PATIENCE_S:
                raise SystemExit(f"nothing was ingested for {_PATIENCE_S:.0f} s after {done:,} events")
    finally:
        watcher.close()
    return samples


def chart(samples: Sequence[Sample]) -> str:
    """Resident memory over events."""
    width, height, left, bottom = 760, 260, 60, 40
    most, events = max(size for _, size in samples) * 1.2, samples[-1][0]
    step = max(len(samples) // 400, 1)
    points = " ".join(
        f"{left + (width - left - 20) * done / events:.1f},{height - bottom - (height - bottom - 30) * size / most:.1f}"
        for done, size in samples[::step]
    )
    return (
        "\n".join(
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
                'font-family="sans-serif" font-size="12" role="img">',
                "<title>Memory of a consumer process over the events it has ingested</title>",
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
                '<text x="12" y="18" font-size="14" fill="#1f2933">Memory of a consumer process over the events it has ingested</text>',
                f'<line x1="{left}" y1="{height - bottom}" x2="{width - 20}" y2="{height - bottom}" stroke="#52606d"/>',
                f'<line x1="{left}" y1="30" x2="{left}" y2="{height - bottom}" stroke="#52606d"/>',
                f'<text x="{left - 6}" y="34" text-anchor="end" fill="#52606d">{most:.0f} MB</text>',
                f'<text x="{left - 6}" y="{height - bottom}" text-anchor="end" fill="#52606d">0</text>',
                f'<text x="{width - 20}" y="{height - 16}" text-anchor="end" fill="#52606d">{events:,} events</text>',
                f'<polyline points="{points}" fill="none" stroke="#2f7d5b" stroke-width="2"/>',
                "</svg>",
            )
        )
        + "\n"
    )


_CAUSE = (
    "Cause: none of the two that were found: a dict from which the oldest entry is taken for each new one is rebuilt at 350,000 and 850,000"
    " events, and a heap of the C library keeps what is free (consumers/heap.py)."
)

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
