"""`kompass-qbo agree`: the agreement sheet of one Org and month, printed, as CSV or as JSON."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from typing import Final, TextIO

import click
from sqlalchemy import Engine

from consumers.agreement.showing import printed, to_json
from consumers.errors import ConsumersError, ExitCode
from consumers.inquiry.showing import pretty
from consumers.process import owner_name
from mapping.control import ControlError, Listed, read_list
from mapping.sheet import Sheet
from mapping.sheet_rows import as_csv
from qbo_client.calls import Call
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Outcome
from qbo_client.queries import patient
from qbo_client.transport import Transport
from store import companies, connections
from store.engine import check_database, open_engine
from store.quota import count_metered
from store.searching import find_orgs
from store.secrets import TokenKeys
from sync.agreement import read_sheet
from sync.budget import Budget
from sync.metrics import Metrics
from sync.permits import wait_for_permit
from sync.policy import Policy
from sync.preparation import CompanyPreparation
from sync.settings import Settings, settings_from

PERMIT_S: Final = 60.0
"""How long each read waits for the company's quota, which its pushes draw on too."""


class Month(click.ParamType[dt.date]):
    """``2026-03``"""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        if isinstance(value, dt.date):
            return value
        if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", str(value)):
            self.fail(f"{value!r} is no month; give it as 2026-03", param, ctx)
        return dt.date.fromisoformat(f"{value}-01")


@click.command("agree")
@click.option("--org", required=True, help="The Org, by id or name.")
@click.option("--month", required=True, type=Month(), help="The month by the documents' dates: 2026-03.")
@click.option(
    "--control",
    type=click.File("r", encoding="utf-8"),
    help="Kompass's own list of the month (- for standard input): CSV or JSON lines with id, reference and total.",
)
@click.option("--csv", "table", is_flag=True, help="One line a document, for a spreadsheet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def agree(org: str, month: dt.date, control: TextIO | None, table: bool, as_json: bool) -> int:
    """Compare a month's documents in Kompass with those in QuickBooks: the sheet a bookkeeper files.

    Takes a few metered reads. Exit code 1 when they do not agree to the cent.
    """
    try:
        listed = None if control is None else read_list(control)
    except ControlError as error:
        raise click.BadParameter(str(error), param_hint="--control") from error
    except UnicodeDecodeError as error:
        raise click.BadParameter("the list is not UTF-8: save it as CSV UTF-8", param_hint="--control") from error
    settings = settings_from(os.environ)
    engine = open_engine(settings.database_url, pool_size=2)
    transport = Transport(settings.intuit)
    try:
        check_database(engine)
        sheet = make_sheet(engine, settings, transport, org=org, month=month, listed=listed)
    finally:
        transport.close()
        engine.dispose()
    if table:
        click.echo(as_csv(sheet), nl=False)
    elif as_json:
        click.echo(pretty(to_json(sheet)))
    else:
        for line in printed(sheet):
            click.echo(line)
    return ExitCode.OK if sheet.agrees else ExitCode.FAILED


def make_sheet(
    engine: Engine,
    settings: Settings,
    transport: Transport,
    *,
    org: str,
    month: dt.date,
    listed: Sequence[Listed] | None = None,
) -> Sheet:
    """Read both sides and compare them. Raises `ConsumersError`, `qbo_client.errors.ReadFailed`."""
    with engine.connect() as db:
        orgs = find_orgs(db, org)
        if len(orgs) != 1:
            raise ConsumersError(
                f"no Org has the id or name {org!r}" if not orgs else f"{org!r} names several Orgs; give the id"
            )
        configuration = companies.read_configuration(db, orgs[0][0])
    if configuration is None or configuration.realm_id is None:
        raise ConsumersError(f"{orgs[0][1]} is linked to no QuickBooks company; run Authorize with QuickbooksOnline")
    realm_id = configuration.realm_id
    token = _token(engine, settings, transport, org_id=configuration.org_id, realm_id=realm_id)

    made = 0

    def send(call: Call) -> Outcome:
        nonlocal made
        if not wait_for_permit(engine, realm_id, patience=PERMIT_S):
            raise ConsumersError(
                f"Intuit's limit of calls for {orgs[0][1]} is used up by what is being sent; run it again in a minute"
            )
        made += 1
        return transport.send(realm_id, token, call, deadline=settings.attempts.call_deadline_seconds)

    with engine.connect() as db:
        facts = companies.read_facts(db, [realm_id])[realm_id]
    sheet = read_sheet(engine, patient(send), configuration, facts, month, listed)
    with engine.begin() as db:
        # Intuit allows metered reads by the month; every one of them counts.
        count_metered(db, made)
    return sheet


def _token(engine: Engine, settings: Settings, transport: Transport, *, org_id: str, realm_id: str) -> str:
    """Give an access token, refreshed like any consumer would: under the lease, so that no two refresh at once."""
    oauth = OAuthApp(settings.intuit, settings.intuit_client_id, settings.intuit_client_secret)
    try:
        jobs = CompanyPreparation(
            engine,
            Policy.of(settings, owner=owner_name(), lane=0, budget=Budget()),
            oauth=oauth,
            transport=transport,
            keys=TokenKeys(settings.token_keys),
            metrics=Metrics(),
        )
        jobs.prepare(org_id, realm_id)
    finally:
        oauth.close()
    with engine.connect() as db:
        connection = connections.read_connections(db, [realm_id]).get(realm_id)
    token = jobs.tokens.get(realm_id, connection.version) if connection is not None and connection.connected else None
    if token is None:
        raise ConsumersError(
            "the connection to QuickBooks has ended; run Authorize with QuickbooksOnline on the Configuration"
        )
    return token
