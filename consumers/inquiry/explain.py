"""`kompass-qbo explain`: what would be sent for these events, and why. Calls nothing and writes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import BinaryIO

import click
from sqlalchemy import Connection

from consumers.errors import ExitCode
from consumers.ingest.findings import records_in
from consumers.inquiry.forecast import Forecast, assumed_facts, forecast_alone, forecast_of
from consumers.inquiry.showing import forecast_lines, one_line_json
from schemas.events import Client, Event, Invoice, Record, kind_of, reference_of
from schemas.jsonlines import read_json_lines
from store.engine import check_database, open_engine
from store.errors import StoreError
from store.records import SeenRecord, SourceEvent, known_sequences
from store.searching import links_of_record
from sync.case_loader import Said
from sync.companies import read_company
from sync.decide import link_to_be, predict
from sync.settings import Environment, read_database

_FROM_FILE = SourceEvent(topic="", partition=-1, offset=-1)


@click.command("explain")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
@click.option("--offline", is_flag=True, help="Ask no database: decide with a Configuration of defaults.")
@click.option("--own", is_flag=True, help="Leave out the client and project that an event carries.")
def explain(file: BinaryIO, as_json: bool, offline: bool, own: bool) -> int:
    """Say what would be sent for the events of FILE (JSON lines; - is standard input), and why.

    With the database of DATABASE_URL, each record is decided by its Org's Configuration and by what QuickBooks has of it
    already; records that are not in QuickBooks yet count as sent first. Exit code 1 when a record could not be sent.
    """
    with ExitStack() as stack:
        db = None if offline else _database(stack)
        refused = False
        seen: set[tuple[object, ...]] = set()
        for number, event in read_json_lines(file):
            for one, change in explained(event, db, own=own):
                key = (one.org_id, one.kind, one.kompass_id, change, one_line_json(one.to_json()))
                if key in seen:
                    continue
                seen.add(key)
                refused = refused or one.outcome == "fail"
                if as_json:
                    click.echo(one_line_json({"line": number, **one.to_json()}))
                else:
                    click.echo(f"line {number}: " + "\n".join(forecast_lines(one)) + "\n")
    return ExitCode.FAILED if refused else ExitCode.OK


def _database(stack: ExitStack) -> Connection | None:
    """Connect to the database; to none, said aloud, when none was named and the embedded one does not run."""
    environment = Environment(os.environ)
    engine = open_engine(read_database(environment), pool_size=1)
    stack.callback(engine.dispose)
    try:
        check_database(engine)
    except StoreError:
        if environment.given("DATABASE_URL"):
            raise
        print("no DATABASE_URL: deciding without a database", file=sys.stderr)
        return None
    return stack.enter_context(engine.connect())


def explained(event: Event, db: Connection | None, *, own: bool = False) -> Iterator[tuple[Forecast, int]]:
    """Decide about the records of an event, its own first, with their sequences."""
    for seen in _in_order(records_in(event, _FROM_FILE), event):
        record = seen.record
        if own and (seen.kind, seen.kompass_id) != (kind_of(event.object), event.object.id):
            continue
        if db is None:
            yield forecast_alone(record, org_id=seen.org_id, deleted=seen.deleted), seen.sequence
        else:
            for one in explain_record(db, seen):
                yield one, seen.sequence


def _in_order(found: Iterable[SeenRecord], event: Event) -> list[SeenRecord]:
    """Customers before jobs before documents, as QuickBooks needs them; each record once for an Org."""
    once = {(seen.org_id, seen.kind, seen.kompass_id): seen for seen in found}
    order = {"client": 0, "project": 1, "invoice": 2}
    return sorted(once.values(), key=lambda seen: (seen.org_id, order[seen.kind.value]))


def explain_record(db: Connection, seen: SeenRecord) -> Iterator[Forecast]:
    """Decide about one record of an event as its Org's consumers would."""
    found = Forecast(seen.org_id, seen.kind, seen.kompass_id, reference_of(seen.record), outcome="nothing")
    company = read_company(db, seen.org_id)
    if company is None:
        yield replace(
            found, outcome="unconfigured", cause="unconfigured", reason=f"the Org {seen.org_id} has no Configuration"
        )
        return
    known = known_sequences(db, [seen.key]).get(seen.key)
    if known is not None and known > seen.sequence:
        yield replace(
            found, outcome="stale", cause="stale",
            reason=f"sequence {seen.sequence} is older than sequence {known}, which is known already",
        )  # fmt: skip
        return
    assumed: list[str] = []
    realm_id = company.configuration.realm_id or ""
    if company.facts is None:
        facts = assumed_facts(_currency(seen.record), realm_id=realm_id)
        company = replace(company, facts=facts)
        assumed.append(
            f"nothing is known of the QuickBooks company yet: home currency {facts.home_currency}, tax on"
            if realm_id
            else f"no company is linked yet: home currency {facts.home_currency}, tax on"
        )
    links = links_of_record(db, org_id=seen.org_id, kind=seen.kind, kompass_id=seen.kompass_id, realm_id=realm_id)
    wanted = [(link, company) for link in links or [link_to_be(seen.record, org_id=seen.org_id, realm_id=realm_id)]]
    said = {seen.key: Said(seen.record, seen.sequence, seen.deleted)}
    for one in map(forecast_of, predict(db, wanted, said=said)):
        yield replace(one, assumed=(*assumed, *one.assumed))


def _currency(record: Record) -> str:
    if isinstance(record, Invoice):
        return record.currency
    return (record if isinstance(record, Client) else record.client).currency or "GBP"
