"""`kompass-qbo agree`: the agreement sheet of one Org and month, printed, as CSV or as JSON."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import Engine

from consumers.errors import ConsumersError, ExitCode
from consumers.inquiry.showing import plain, pretty
from consumers.process import owner_name
from consumers.settings import Settings, settings_from
from mapping.agreement import (
    ORDER,
    Amounts,
    Sheet,
    as_csv,
    cells,
    lines_of,
    month_after,
    theirs_by_key,
    unknown,
    unread,
)
from mapping.problems import money
from qbo_client import documents
from qbo_client.calls import Call
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Outcome
from qbo_client.transport import Transport
from store import companies, connections
from store.agreement import documents_dated, documents_under
from store.engine import check_database, open_engine
from store.quota import count_metered
from store.searching import find_orgs
from store.secrets import TokenKeys
from sync.companies import CompanyCache
from sync.company import AccessTokens, CompanyJobs
from sync.metrics import Metrics


class CannotAgree(ConsumersError):
    """The sheet cannot be made: no such Org, no company, no connection."""


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
@click.option("--csv", "table", is_flag=True, help="One line a document, for a spreadsheet.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def agree(org: str, month: dt.date, table: bool, as_json: bool) -> int:
    """Compare a month's documents in Kompass with those in QuickBooks: the sheet a bookkeeper files.

    Takes a few metered reads. Exit code 1 when they do not agree to the cent.
    """
    settings = settings_from(os.environ)
    engine = open_engine(settings.database_url, pool_size=2)
    transport = Transport(settings.intuit)
    try:
        check_database(engine)
        sheet = make_sheet(engine, settings, transport, org=org, month=month)
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


def make_sheet(engine: Engine, settings: Settings, transport: Transport, *, org: str, month: dt.date) -> Sheet:
    """Read both sides and compare them. Raises `CannotAgree`, `qbo_client.errors.ReadFailed`."""
    with engine.connect() as db:
        orgs = find_orgs(db, org)
        if len(orgs) != 1:
            raise CannotAgree(
                f"no Org has the id or name {org!r}" if not orgs else f"{org!r} names several Orgs; give the id"
            )
        configuration = companies.read_configuration(db, orgs[0][0])
    if configuration is None or configuration.realm_id is None:
        raise CannotAgree(f"{orgs[0][1]} is linked to no QuickBooks company; run Authorize with QuickbooksOnline")
    realm_id = configuration.realm_id
    token = _token(engine, settings, transport, org_id=configuration.org_id, realm_id=realm_id)
    reads = 0

    def send(call: Call) -> Outcome:
        nonlocal reads
        reads += 1
        return transport.send(realm_id, token, call, deadline=settings.timings.call_deadline_seconds)

    with engine.connect() as db:
        facts = companies.read_facts(db, [realm_id])[realm_id]
        ours = documents_dated(
            db, org_id=configuration.org_id, realm_id=realm_id, first=month, after=month_after(month)
        )
    found = list(documents.documents_dated(send, first=month, after=month_after(month)))
    observed = theirs_by_key(found, home_currency=facts.home_currency)
    observed |= theirs_by_key(
        documents.documents_under(send, unread(ours, observed)), home_currency=facts.home_currency
    )
    with engine.begin() as db:
        ours += documents_under(db, org_id=configuration.org_id, realm_id=realm_id, ids=unknown(ours, observed))
        # Intuit grants metered reads by the month; every one of them counts.
        count_metered(db, reads)
    return Sheet(
        org_name=configuration.org_name,
        company_name=facts.name,
        month=f"{month:%Y-%m}",
        made_at=datetime.now(UTC),
        reads=reads,
        lines=lines_of(ours, observed, first=month, automated_tax=facts.automated_tax),
    )


def _token(engine: Engine, settings: Settings, transport: Transport, *, org_id: str, realm_id: str) -> str:
    """Give an access token, refreshed like any consumer would: under the lease, so that no two refresh at once."""
    keys = TokenKeys(settings.token_keys)
    tokens = AccessTokens(engine, keys)
    oauth = OAuthApp(settings.intuit, settings.intuit_client_id, settings.intuit_client_secret)
    try:
        CompanyJobs(
            engine,
            oauth=oauth,
            transport=transport,
            keys=keys,
            tokens=tokens,
            cache=CompanyCache(),
            owner=owner_name(),
            refresh_lease=settings.timings.refresh_lease_seconds,
            facts_age=timedelta(seconds=settings.timings.facts_seconds),
            deadline=settings.timings.call_deadline_seconds,
            metrics=Metrics(),
        ).prepare(org_id, realm_id)
    finally:
        oauth.close()
    with engine.connect() as db:
        connection = connections.read_connections(db, [realm_id]).get(realm_id)
    token = tokens.get(realm_id, connection.version) if connection is not None and connection.connected else None
    if token is None:
        raise CannotAgree(
            "the connection to QuickBooks has ended; run Authorize with QuickbooksOnline on the Configuration"
        )
    return token


# Showing


def printed(sheet: Sheet) -> Iterator[str]:
    """The sheet for paper: what needs a look first, the sums last."""
    verdict = "agrees to the cent" if sheet.agrees else "does not agree"
    yield plain(f"Agreement sheet {sheet.month}: {sheet.org_name} in Kompass, {sheet.company_name} in QuickBooks")
    yield f"Made {sheet.made_at:%Y-%m-%d %H:%M} UTC with {sheet.reads} reads. The month {verdict}."
    for standing, title in ORDER.items():
        lines = [line for line in sheet.lines if line.standing == standing]
        if not lines:
            continue
        yield ""
        yield f"{title} ({len(lines):,})"
        yield f"  {'Number':<22} {'Date':<10} {'':<11} {'':<3} {'Kompass':>15} {'QuickBooks':>15} {'Difference':>13}"
        for line in lines:
            yield plain(
                f"  {line.reference[:22]:<22} {line.date} {line.what:<11} {line.currency:<3} {_gross(line.kompass):>15} "
                f"{_gross(line.quickbooks):>15} {money(line.difference) if line.difference else '-':>13}"
            )
            if line.remark:
                yield plain(f"      {line.remark}")
    for currency, (ours, observed) in sheet.totals().items():
        yield ""
        yield f"Sums in {currency} of what both have {'Kompass':>18} {'QuickBooks':>15} {'Difference':>13}"
        for name in ("net", "tax", "gross"):
            mine, other = getattr(ours, name), getattr(observed, name)
            yield f"  {name:<36} {money(mine):>15} {money(other):>15} {money(other - mine) if other != mine else '-':>13}"


def _gross(amounts: Amounts | None) -> str:
    return "" if amounts is None else money(amounts.gross)


def to_json(sheet: Sheet) -> dict[str, object]:
    return {
        "org": sheet.org_name,
        "company": sheet.company_name,
        "month": sheet.month,
        "made_at": sheet.made_at,
        "reads": sheet.reads,
        "agrees": sheet.agrees,
        "lines": [cells(line) for line in sheet.lines],
        "totals": {
            currency: {
                side: {name: getattr(amounts, name) for name in ("net", "tax", "gross")}
                for side, amounts in (("kompass", ours), ("quickbooks", observed))
            }
            for currency, (ours, observed) in sheet.totals().items()
        },
    }
