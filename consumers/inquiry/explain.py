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
from consumers.inquiry.foresight import (
    Foreseen,
    assumed_facts,
    foresee,
    foresee_alone,
    label_of,
    links_of,
    record_case,
)
from consumers.inquiry.foresight import read_company as read_company_of
from consumers.inquiry.showing import foreseen_lines, one_line_json
from schemas.events import Client, Event, Invoice, Record, kind_of
from schemas.jsonlines import read_json_lines
from store.connections import read_connections
from store.engine import check_database, open_engine
from store.errors import StoreError
from store.records import SeenRecord, SourceEvent, known_sequences
from sync.settings import Environment, read_database

_FROM_FILE = SourceEvent(topic="", partition=-1, offset=-1)


@click.command("explain")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record.")
@click.option("--offline", is_flag=True, help="Ask no database: judge with a Configuration of defaults.")
@click.option("--own", is_flag=True, help="Leave out the client and project that an event carries.")
def explain(file: BinaryIO, as_json: bool, offline: bool, own: bool) -> int:
    """Say what would be sent for the events of FILE (JSON lines; - is standard input), and why.

    With the database of DATABASE_URL, each record is judged by its Org's Configuration and by what QuickBooks has of it
    already; records that are not in QuickBooks yet count as sent first. Exit code 1 when a record could not be sent.
    """
    with ExitStack() as stack:
        db = None if offline else _database(stack)
        refused = False
        seen: set[tuple[object, ...]] = set()
        for number, event in read_json_lines(file):
            for told, change in explained(event, db, own=own):
                key = (told.org_id, told.kind, told.kompass_id, change, one_line_json(told.to_json()))
                if key in seen:
                    continue
                seen.add(key)
                refused = refused or told.outcome == "reject"
                if as_json:
                    click.echo(one_line_json({"line": number, **told.to_json()}))
                else:
                    click.echo(f"line {number}: " + "\n".join(foreseen_lines(told)) + "\n")
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
        print("no DATABASE_URL: judging without a database", file=sys.stderr)
        return None
    return stack.enter_context(engine.connect())


def explained(event: Event, db: Connection | None, *, own: bool = False) -> Iterator[tuple[Foreseen, int]]:
    """Judge the records of an event, its own first, with their sequences."""
    for seen in _in_order(records_in(event, _FROM_FILE), event):
        record = seen.record
        if own and (seen.kind, seen.kompass_id) != (kind_of(event.object), event.object.id):
            continue
        if db is None:
            yield foresee_alone(record, org_id=seen.org_id, deleted=seen.deleted), seen.sequence
        else:
            for told in explain_record(db, seen, record):
                yield told, seen.sequence


def _in_order(found: Iterable[SeenRecord], event: Event) -> list[SeenRecord]:
    """Customers before jobs before documents, as QuickBooks needs them; each record once for an Org."""
    once = {(seen.org_id, seen.kind, seen.kompass_id): seen for seen in found}
    order = {"client": 0, "project": 1, "invoice": 2}
    return sorted(once.values(), key=lambda seen: (seen.org_id, order[seen.kind.value]))


def explain_record(db: Connection, seen: SeenRecord, record: Record) -> Iterator[Foreseen]:
    """Judge one record of an event as its Org's consumers would."""
    told = Foreseen(seen.org_id, seen.kind, seen.kompass_id, label_of(record), outcome="nothing")
    company = read_company_of(db, seen.org_id)
    if company is None:
        yield replace(
            told, outcome="unconfigured", cause="unconfigured", reason=f"the Org {seen.org_id} has no Configuration"
        )
        return
    known = known_sequences(db, [seen.key]).get(seen.key)
    if known is not None and known > seen.sequence:
        yield replace(
            told, outcome="stale", cause="stale",
            reason=f"sequence {seen.sequence} is older than sequence {known}, which is known already",
        )  # fmt: skip
        return
    assumed: list[str] = []
    configuration = company.configuration
    if not configuration.enabled:
        assumed.append("the Configuration is not enabled yet: nothing is sent before it is")
        configuration = replace(configuration, enabled=True)
    facts = company.facts
    realm_id = configuration.realm_id or ""
    if facts is None:
        facts = assumed_facts(_currency(record), realm_id=realm_id)
        assumed.append(
            f"nothing is known of the QuickBooks company yet: home currency {facts.home_currency}, tax on"
            if realm_id
            else f"no company is linked yet: home currency {facts.home_currency}, tax on"
        )
    elif (connection := read_connections(db, [realm_id]).get(realm_id)) is None or not connection.connected:
        assumed.append("the connection to QuickBooks has ended: nothing is sent before the company is authorised again")
    company = replace(company, configuration=configuration)
    for link in links_of(db, realm_id=realm_id, org_id=seen.org_id, record=record):
        case = record_case(record, company, facts, link, deleted=seen.deleted, sequence=seen.sequence)
        judged = foresee(db, link, company, case)
        yield replace(judged, assumed=(*assumed, *judged.assumed))


def _currency(record: Record) -> str:
    if isinstance(record, Invoice):
        return record.currency
    return (record if isinstance(record, Client) else record.client).currency or "GBP"
