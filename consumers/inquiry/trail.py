"""`kompass-qbo trail`: who changed what in Kompass, and what was sent and answered for it, as CSV."""

from __future__ import annotations

import csv
import datetime as dt
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import click

from consumers.agreement.command import Month
from consumers.errors import ExitCode
from consumers.inquiry.why import NoSuchRecord
from mapping.texts import harmless
from store.engine import check_database, open_engine
from store.searching import find_orgs
from store.trail import Step, read_trail
from sync.settings import Environment, read_database

COLUMNS: Final = (
    "document", "kompass_id", "date", "client", "at", "what", "outcome", "changed_by", "changed_at", "sequence", "operation",
    "members", "entity", "qbo_id", "sync_token", "total", "home_total", "intuit_tid", "message",
)  # fmt: skip


@click.command("trail")
@click.option("--org", required=True, help="The Org, by id or name.")
@click.option("--month", type=Month(), help="Documents that Kompass dates in this month: 2026-03.")
@click.option("--client", help="Documents of, or billed to, this client, by id or name.")
@click.option("--invoice", help="One document, by id or reference.")
def trail(org: str, month: dt.date | None, client: str | None, invoice: str | None) -> int:
    """Write the trail of documents as CSV: who changed what in Kompass, when, what was sent and what QuickBooks answered.

    Calls nothing. Exit code 1 when there is nothing of what was asked for.
    """
    if month is None and client is None and invoice is None:
        raise click.UsageError("give --month, --client or --invoice")
    engine = open_engine(read_database(Environment(os.environ)), pool_size=1)
    try:
        check_database(engine)
        with engine.connect() as db:
            orgs = find_orgs(db, org)
            if len(orgs) != 1:
                found = "no Org has" if not orgs else "several Orgs have"
                raise NoSuchRecord(f"{found} the id or name {org!r}")
            chosen = None if month is None else f"{month:%Y-%m}"
            steps = read_trail(db, orgs[0][0], month=chosen, client=client, document=invoice)
            written = _write(rows_of(steps))
    finally:
        engine.dispose()
    return ExitCode.OK if written else ExitCode.FAILED


def rows_of(steps: Iterable[Step]) -> Iterator[Mapping[str, str]]:
    """Give a row of the file for each step."""
    for one in steps:
        detail = one.detail
        members = detail.get("members")
        yield {
            "document": harmless(one.reference),
            "kompass_id": harmless(one.kompass_id),
            "date": one.date,
            "client": harmless(one.client or ""),
            "at": one.at.isoformat(timespec="milliseconds"),
            "what": one.what,
            "outcome": one.outcome,
            "changed_by": harmless(_text(detail.get("user"))),
            "changed_at": _text(detail.get("created")),
            "members": " ".join(map(str, members)) if isinstance(members, list) else "",
            "intuit_tid": one.intuit_tid,
            "message": harmless(one.message),
            **{
                name: _text(detail.get(name))
                for name in ("sequence", "operation", "entity", "qbo_id", "sync_token", "total")
            },
            "home_total": _text(detail.get("home_total", detail.get("total"))),
        }


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _write(rows: Iterable[Mapping[str, str]]) -> int:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    written = 0
    for row in rows:
        writer.writerow(row)
        written += 1
    return written
