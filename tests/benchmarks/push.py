"""Pushing: bound by Intuit's latency, by our CPU, and what it costs the database.

``python tests/benchmarks/push.py [companies]``; four minutes, one of which it takes to link 2,000 companies.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import requests
from bench.figures import Figure, publish
from bench.stage import Overlaps, Run, Stage, stage
from sqlalchemy import text

from schemas.events import Event, Kind
from simulator.seeds import UK
from tests.builders import client, event, invoice, project

WORKERS, LATENCY_S, COMPANIES, PER_COMPANY = 64, 0.1, 2_000, 8
BARE_CALLS = 3_200
FEW = 100
"""With so many companies or fewer only CPU is measured, which takes half a minute."""
CPU_RUNS, CPU_PUSHES = 5, 600

_numbers = itertools.count(1)


def main(companies: int) -> None:
    with stage() as ours:
        started = time.perf_counter()
        ours.link_companies(companies)
        print(f"{companies} companies linked in {time.perf_counter() - started:.0f} s", flush=True)
        cpu_bound(ours)
        if companies > FEW:
            latency_bound(ours)


def latency_bound(ours: Stage) -> None:
    # What is known of a company is read with its first push, and kept.
    ours.pipeline.ingest(*(event(client("warm", org=org)) for org, _ in ours.orgs))
    ours.push(workers=WORKERS, kind=Kind.CLIENT)
    ours.pipeline.ingest(*(event(client(f"l{n}", org=org)) for n in range(PER_COMPANY) for org, _ in ours.orgs))
    ours.simulator.latency(LATENCY_S)
    seen = Overlaps()
    bare = [_bare_rate(ours)]
    run = ours.push(workers=WORKERS, kind=Kind.CLIENT, seen=seen)
    bare.append(_bare_rate(ours))
    ours.simulator.latency(0)
    possible = WORKERS / LATENCY_S
    rate = run.links / run.seconds
    if seen.overlaps or seen.calls != run.links:
        raise SystemExit(f"{seen.overlaps} overlaps, {seen.calls} calls for {run.links} links")
    publish(
        Figure(
            "push-latency", "Push", "Latency-bound: share of workers ÷ latency", "%", [100 * rate / possible], "higher", 96.0,
            f"{run.links:,} links of {len(ours.orgs):,} companies, {WORKERS} workers, {LATENCY_S * 1000:.0f} ms: {rate:.0f} of "
            f"{possible:.0f} a second, from start to the last settle; {statistics.mean(bare):.0f} by a bare loop: as many threads that "
            f"post customers with requests, before and after; {seen.calls:,} calls, {seen.overlaps} of them while another "
            f"worker had the same link; {run.statements / run.links:.1f} statements a push. "
            f"{run.cpu / run.seconds:.2f} cores of ours, {run.postgres_cpu / run.seconds:.2f} of "
            "Postgres, and the simulator's.",
            cause=_LATENCY_CAUSE if rate < 0.96 * possible else "",
        ),
    )  # fmt: skip


def _bare_rate(ours: Stage) -> float:
    """Posts a second of as many threads as there are workers, each with a kept-alive session, a company and its token."""
    companies = [(realm, ours.simulator.authorize(realm)["access_token"]) for _, realm in ours.orgs[:WORKERS]]
    # A list's iterator hands each number to one thread alone.
    numbers = iter([next(_numbers) for _ in range(BARE_CALLS)])

    def post(realm: str, token: str) -> None:
        with requests.Session() as session:
            session.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})
            url = f"{ours.simulator.base_url}/v3/company/{realm}/customer?minorversion=75"
            for number in numbers:
                body = {"DisplayName": f"Bare {number}"}
                session.post(f"{url}&requestid=bare{number}", json=body, timeout=10).raise_for_status()

    started = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as threads:
        for done in [threads.submit(post, *companies[n % len(companies)]) for n in range(WORKERS)]:
            done.result()
    return BARE_CALLS / (time.perf_counter() - started)


def cpu_bound(ours: Stage) -> None:
    orgs = ours.orgs[:50]
    ours.pipeline.ingest(*(event(invoice(f"w{n}", org=org, of=_project(org))) for n, (org, _) in enumerate(orgs)))
    ours.push(workers=16, kind=Kind.INVOICE)
    # Tables whose rows come and go with each call reach their size with the first run; what is measured grows with the invoices.
    ours.pipeline.ingest(*(_next_invoice(orgs[n % len(orgs)][0]) for n in range(CPU_PUSHES)))
    ours.push(workers=16, kind=Kind.INVOICE)
    token = ours.simulator.authorize(UK)["access_token"]
    customer = next(one["Id"] for one in ours.pipeline.objects("Customer"))
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {token}", "Accept": "application/json"})
    bare: list[float] = []
    runs: list[Run] = []
    ours.simulator.ask("DELETE", "requests")
    _vacuum(ours)
    before = _database_bytes(ours)
    for number in range(CPU_RUNS):
        for what in ("bare", "ours") if number % 2 else ("ours", "bare"):
            if what == "bare":
                bare.append(_post(ours, session, customer))
            else:
                ours.pipeline.ingest(*(_next_invoice(orgs[n % len(orgs)][0]) for n in range(CPU_PUSHES)))
                runs.append(ours.push(workers=16, kind=Kind.INVOICE))
    invoices = CPU_RUNS * CPU_PUSHES
    unvacuumed = (sum(_database_bytes(ours).values()) - sum(before.values())) / invoices
    _vacuum(ours)
    after = _database_bytes(ours)
    grown = {name: (after[name] - before.get(name, 0)) / invoices for name in after}
    made = [one for one in ours.simulator.ask("GET", "requests?bodies=false")["requests"] if one["realm"]]
    calls = (len(made) - CPU_RUNS * CPU_PUSHES) / (CPU_RUNS * CPU_PUSHES)
    reads = sum(one["metering"] == "metered" for one in made)
    each = [one.cpu / one.links for one in runs]
    ratios = [mine / observed for mine, observed in zip(each, bare, strict=True)]
    postgres = statistics.median(one.postgres_cpu / one.links for one in runs)
    rate = statistics.median(one.links / one.seconds for one in runs)
    posts = [one.postgres_cpu / one.links / theirs for one, theirs in zip(runs, bare, strict=True)]
    met = statistics.median(ratios) <= 1.6
    publish(
        Figure(
            "push-cpu", "Push", "CPU of ours for a pushed link ÷ a bare POST", "times", ratios, "lower", 1.6,
            f"{statistics.median(each) * 1000:.2f} ms against {statistics.median(bare) * 1000:.2f} ms of a keep-alive "
            f"requests.Session.post of an invoice, {CPU_PUSHES} of each a run, in turns; {rate:.0f} pushed a second without latency. "
            "Claim, mapping, call, settle and history are in it.",
            cause="" if met else _CPU_CAUSE,
        ),
        Figure(
            "push-cpu-postgres", "Push", "CPU of Postgres for a pushed link ÷ a bare POST", "times", posts, "lower", 1.0,
            f"{postgres * 1000:.2f} ms; all of its processes, also the autovacuum.",
        ),
        Figure(
            "push-transactions", "Push", "Transactions a push", "", [one.commits / one.links for one in runs], "lower", 2.0,
            "commits of the whole process, the heartbeats and looks for work too; claims and settles are batched, none is open "
            f"across a call. {statistics.median(one.statements / one.links for one in runs):.1f} statements a push.",
        ),
        Figure(
            "push-size", "Push", "Database for an invoice that was pushed", "kB", [sum(grown.values()) / 1000], "lower", 4.0,
            f"with indexes, after the automatic vacuum of Postgres ({unvacuumed / 1000:.1f} before it: a row of qbo_attempt lives "
            "as long as its call); "
            + ", ".join(f"{name} {size / 1000:.1f}" for name, size in sorted(grown.items(), key=lambda one: -one[1])[:4]) + ".",
        ),
        Figure(
            "push-calls", "Push", "Calls an invoice, live", "", [calls], "lower", 1.0,
            f"{CPU_RUNS * CPU_PUSHES:,} invoices whose customers exist, counted by the simulator; {reads} metered reads.",
        ),
    )  # fmt: skip


def _database_bytes(ours: Stage) -> dict[str, int]:
    """Each table's size with its indexes and what it keeps out of line."""
    with ours.watching.begin() as db:
        rows = db.execute(
            text(
                "SELECT relname, pg_total_relation_size(oid) AS size FROM pg_class WHERE relkind = 'r' AND relname ~ '^qbo_'"
            )
        )
        return {row.relname: int(row.size) for row in rows}


def _project(org: object) -> object:
    return project("pw", org=org, of=client("cw", org=org))  # type: ignore[arg-type]


def _next_invoice(org: object) -> Event:
    return event(invoice(f"i{next(_numbers)}", org=org, of=_project(org)))  # type: ignore[arg-type]


def _vacuum(ours: Stage) -> None:
    """Do what autovacuum does, a minute later."""
    with psycopg.connect(ours.url, autocommit=True) as db:
        db.execute("VACUUM")


def _post(ours: Stage, session: requests.Session, customer: str) -> float:
    """CPU seconds for one bare POST of an invoice like ours."""
    url = f"{ours.simulator.base_url}/v3/company/{UK}/invoice?minorversion=75"
    item = ours.pipeline.object_id(UK, "Item", "Surveying")
    code = ours.pipeline.object_id(UK, "TaxCode", "20.0% S")
    detail = {"ItemRef": {"value": item}, "Qty": 1, "UnitPrice": 100, "TaxCodeRef": {"value": code}}
    used = time.process_time()
    for _ in range(CPU_PUSHES):
        number = next(_numbers)
        body = {
            "CustomerRef": {"value": customer}, "DocNumber": f"B{number}", "TxnDate": "2026-03-01", "DueDate": "2026-03-31",
            "GlobalTaxCalculation": "TaxExcluded", "PrivateNote": "Kompass invoice", "CurrencyRef": {"value": "GBP"},
            "Line": [{"Amount": 100, "Description": "Survey work", "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}],
        }  # fmt: skip
        answer = session.post(f"{url}&requestid=bare{number}", json=body, timeout=10)
        answer.raise_for_status()
        answer.json()
    return (time.process_time() - used) / CPU_PUSHES


_LATENCY_CAUSE = (
    "Cause: what a call takes above Intuit's latency, and the first and last moments, in which not every worker has one. The next calls "
    "are claimed before the workers are free (sync/pace.py) and answers are written back by a thread of its own; the "
    "simulator, Postgres and our process share two cores, and where other work wants these too, workers wait."
)
_CPU_CAUSE = (
    "Cause: claim (the mapping more than half of it), settle, the call. How many links a claim and a settle have between them decides: "
    "where other work wants the cores fewer become due at once, and each pays more of a transaction."
)

if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COMPANIES)
