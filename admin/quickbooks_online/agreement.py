"""The agreement sheet of one Configuration and month, made now: two or three metered reads, and nothing written."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from admin.quickbooks_online.companies import Company, CompanyTrouble, trouble_of
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.runtime import engine
from mapping.agreement import Sheet, lines_of, month_after, theirs_by_key, unknown, unread
from qbo_client import documents
from qbo_client.calls import Call
from qbo_client.errors import ReadFailed
from qbo_client.outcomes import Outcome
from store.agreement import documents_dated, documents_under


def make_sheet(configuration: Configuration, month: dt.date) -> Sheet:
    """Read both sides of the month that begins with ``month`` and compare them.

    Raises
    ------
    CompanyTrouble
    """
    realm_id, org_id, after = configuration.realm_id or "", configuration.org_id, month_after(month)
    if not realm_id:
        raise CompanyTrouble(
            f"{configuration} is not linked to a QuickBooks company", "Run Authorize with QuickbooksOnline first."
        )
    company = Company(realm_id)
    reads = 0

    def send(call: Call) -> Outcome:
        nonlocal reads
        reads += 1
        return company.send(call)

    facts = company.known_facts()
    with engine().begin() as db:
        ours = documents_dated(db, org_id=org_id, realm_id=realm_id, first=month, after=after)
    try:
        observed = theirs_by_key(
            documents.documents_dated(send, first=month, after=after), home_currency=facts.home_currency
        )
        observed |= theirs_by_key(
            documents.documents_under(send, unread(ours, observed)), home_currency=facts.home_currency
        )
    except ReadFailed as error:
        raise trouble_of(error.outcome) from error
    with engine().begin() as db:
        ours += documents_under(db, org_id=org_id, realm_id=realm_id, ids=unknown(ours, observed))
    return Sheet(
        org_name=str(configuration),
        company_name=facts.name,
        month=f"{month:%Y-%m}",
        made_at=timezone.now(),
        reads=reads,
        lines=lines_of(ours, observed, first=month, automated_tax=facts.automated_tax),
    )
