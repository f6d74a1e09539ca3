"""`kompass-qbo trail`: who changed what in Kompass, and what was sent and answered for it, as CSV."""

from __future__ import annotations

import csv
import datetime as dt
import os
import sys
from collections.abc import Iterable, Mapping

import click

from consumers.agreement.command import Month
from consumers.errors import ConsumersError, ExitCode
from schemas.events import Kind
from store.engine import check_database, open_engine
from store.searching import find_orgs
from store.trail import read_trail
from sync.settings import Environment, read_database
from sync.trail import COLUMNS, rows_of


@click.command("trail")
@click.option("--org", required=True, help="The Org, by id or name.")
@click.option(
    "--kind",
    type=click.Choice([one.value for one in Kind]),
    default=Kind.INVOICE.value,
    show_default=True,
    help="Whose trail: of invoices and credit notes, of clients or of projects.",
)
@click.option(
    "--month",
    type=Month(),
    help="Documents that were dated in this month at any time, each with all it went through: 2026-03. "
    "Of clients and projects: what happened in this month, by UTC.",
)
@click.option("--client", help="What is of, or billed to, this client, by id or name; of clients, this one.")
@click.option("--invoice", help="One document, by id or reference.")
def trail(org: str, kind: str, month: dt.date | None, client: str | None, invoice: str | None) -> int:
    """Write the trail as CSV: who changed what in Kompass, when, what was sent and what QuickBooks answered.

    Of clients and projects it says which members changed; name, address, VAT number and currency with their values.

    Calls nothing. Exit code 1 when there is nothing of what was asked for.
    """
    if invoice is not None and kind != Kind.INVOICE:
        raise click.UsageError(f"--invoice goes with --kind invoice, not with --kind {kind}; give --month or --client")
    if month is None and client is None and invoice is None:
        raise click.UsageError("give --month, --client or --invoice")
    engine = open_engine(read_database(Environment(os.environ)), pool_size=1)
    try:
        check_database(engine)
        with engine.connect() as db:
            orgs = find_orgs(db, org)
            if len(orgs) != 1:
                found = "no Org has" if not orgs else "several Orgs have"
                raise ConsumersError(f"{found} the id or name {org!r}")
            steps = read_trail(db, orgs[0][0], kind=Kind(kind), month=month, client=client, document=invoice)
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
