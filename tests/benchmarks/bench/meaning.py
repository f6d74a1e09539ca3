"""What each figure says to the person who sizes and runs the machines, and the command that measures it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MEANING: Final[Mapping[str, tuple[str, str]]] = {
    "backfill-calls": (
        "python tests/benchmarks/backfill.py",
        "A company's first thousands of invoices take few of its calls: nothing else of that company waits for them, and writes are free.",
    ),
    "backfill-speed": (
        "python tests/benchmarks/backfill.py",
        "How much sooner a newly linked company is up to date. It is a matter of Intuit's limits: more machines change nothing.",
    ),
    "backfill-speed-lasting": (
        "python tests/benchmarks/backfill.py",
        "The same for a backlog of many minutes: reckon with 1,200 invoices a minute and company.",
    ),
    "fairness": (
        "python tests/benchmarks/fairness.py",
        "What the other companies notice while one has 20,000 invoices to send: their slowest changes take so many times as long.",
    ),
    "fairness-memory": (
        "python tests/benchmarks/fairness.py",
        "A backlog needs no larger machine.",
    ),
    "ingest-1-distinct": (
        "python tests/benchmarks/ingest.py",
        "Of the CPU of an event that is new, so much goes into reading it, which nobody can spare; the rest is what keeping it safe costs.",
    ),
    "ingest-2-repeats": (
        "python tests/benchmarks/ingest.py",
        "An event that comes a second time costs no more than reading it. Above 100 % it is not even decoded.",
    ),
    "ingest-3-repeats-restarted": (
        "python tests/benchmarks/ingest.py",
        "The same right after a restart: to read a topic from its start again is safe, and cheap.",
    ),
    "latency-1-event": (
        "python tests/benchmarks/latency.py",
        "From Kompass's event to the document in QuickBooks it takes what Intuit takes, and so much more: nobody notices it.",
    ),
    "latency-2-start": (
        "python tests/benchmarks/latency.py",
        "For so long nothing is pushed when the only process of a kind is restarted; with two of them nobody notices a restart.",
    ),
    "push-calls": (
        "python tests/benchmarks/push.py",
        "A change is one call. A company's quota (500 a minute) is 500 changes a minute, and no read is paid for.",
    ),
    "push-cpu": (
        "python tests/benchmarks/push.py",
        "The CPU of a consumer process for each change that it sends, against that of the bare HTTP call: so many cores to request.",
    ),
    "push-cpu-postgres": (
        "python tests/benchmarks/push.py",
        "The same for the database server.",
    ),
    "push-latency": (
        "python tests/benchmarks/push.py",
        "The workers wait for Intuit and for nothing else: at 100 %, twice the workers are twice the calls.",
    ),
    "push-size": (
        "python tests/benchmarks/push.py",
        "The disk that an invoice needs for as long as it is kept: 1 million invoices take so many GB.",
    ),
    "push-transactions": (
        "python tests/benchmarks/push.py",
        "What the database server has to make durable: far below one write to the disk for each change.",
    ),
    "scale-1-companies": (
        "python tests/benchmarks/scale.py",
        "Size by the changes, not by the companies. A company that wakes for a single change pays more for it than one that has fifty.",
    ),
    "scale-2-claim": (
        "python tests/benchmarks/scale.py",
        "With a long queue the next work is found as fast as with a short one.",
    ),
    "scale-3-links": (
        "python tests/benchmarks/scale.py",
        "A change costs the same in the first year and in the tenth.",
    ),
    "scale-4-processes": (
        "python tests/benchmarks/processes.py",
        "A second process sends twice as much: they do not stand in each other's way.",
    ),
    "scale-5-memory": (
        "make memory",
        "A process does not grow with what passes through it: no restart is needed for its memory, and a limit set once will do.",
    ),
    "idle-1-core": (
        "make idle",
        "What a process costs while nothing changes in Kompass, with this many companies linked.",
    ),
    "idle-2-database": (
        "make idle",
        "What the same quiet costs the database server. It grows with the number of consumer processes.",
    ),
    "idle-3-memory": (
        "make idle",
        "The least that a process takes: request more than this.",
    ),
}  # fmt: skip
"""By a figure's key, or what it begins with."""


def meaning_of(key: str) -> tuple[str, str]:
    """Give the command and the meaning of the figure with this key."""
    return MEANING[max((known for known in MEANING if key.startswith(known)), key=len)]
