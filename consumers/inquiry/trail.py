"""`kompass-qbo trail`: who changed what in Kompass, and what was sent and answered for it, as CSV."""

from __future__ import annotations

import csv
import datetime as dt
import os
import sys
from collections.abc import Iterable, Mapping

import click

from consumers.agreement.command import Month
from consumers.errors import ExitCode
from consumers.inquiry.why import NoSuchRecord
from store.engine import check_database, open_engine
from store.searching import find_orgs
from store.trail import read_trail
from sync.settings import Environment, read_database
from sync.trail import COLUMNS, rows_of


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


def _write(rows: Iterable[Mapping[str, str]]) -> int:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    written = 0
    for row in rows:
        writer.writerow(row)
        written += 1
    return written
