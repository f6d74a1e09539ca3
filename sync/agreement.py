"""Read both sides of a month and compare them: what `kompass-qbo agree` and the admin's page share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Engine

from mapping.agreement import Month, lines_of, unknown, unread
from mapping.booked import booked_by_key
from mapping.sheet import Sheet
from qbo_client import documents
from qbo_client.calls import Call
from qbo_client.outcomes import Outcome
from schemas.company import CompanyFacts, Configuration
from store.agreement import documents_dated, documents_under

Send = Callable[[Call], Outcome]


def read_sheet(engine: Engine, send: Send, configuration: Configuration, facts: CompanyFacts, first: dt.date) -> Sheet:
    """Make the sheet of the month that begins with ``first``: two metered reads, and one for what is dated elsewhere.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    month = Month(first, configuration, facts)
    org_id, realm_id = configuration.org_id, facts.realm_id
    reads = 0

    def counted(call: Call) -> Outcome:
        nonlocal reads
        reads += 1
        return send(call)

    with engine.begin() as db:
        ours = documents_dated(db, org_id=org_id, realm_id=realm_id, first=first, after=month.after)
    dated = documents.documents_dated(counted, first=first, after=month.after)
    theirs = booked_by_key(dated, home_currency=facts.home_currency)
    elsewhere = documents.documents_under(counted, unread(ours, theirs))
    theirs |= booked_by_key(elsewhere, home_currency=facts.home_currency)
    with engine.begin() as db:
        ours += documents_under(db, org_id=org_id, realm_id=realm_id, ids=unknown(ours, theirs))
    return Sheet(
        org_name=configuration.org_name,
        company_name=facts.name,
        month=f"{first:%Y-%m}",
        made_at=datetime.now(UTC),
        reads=reads,
        lines=lines_of(ours, theirs, month),
        home_currency=facts.home_currency,
    )
