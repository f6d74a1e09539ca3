"""The agreement sheet of one Configuration and month, made now: a few metered reads, and nothing written."""

from __future__ import annotations

import datetime as dt

from admin.quickbooks_online.companies import Company, CompanyError, error_of
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.runtime import engine
from mapping.sheet import Sheet
from qbo_client.errors import ReadFailed
from store.companies import read_configuration
from sync.agreement import file_sheet, read_sheet


def keep_sheet(configuration: Configuration, sheet: Sheet, *, by: str) -> bool:
    """File the month of a sheet; False when it is filed already."""
    with engine().begin() as db:
        stored = read_configuration(db, configuration.org_id)
    assert stored is not None
    return file_sheet(engine(), sheet, stored, by=by)


def make_sheet(configuration: Configuration, month: dt.date) -> Sheet:
    """Read both sides of the month that begins with ``month`` and compare them.

    Raises
    ------
    CompanyError
    """
    realm_id = configuration.realm_id or ""
    if not realm_id:
        raise CompanyError(
            f"{configuration} is not linked to a QuickBooks company", "Run Authorize with QuickbooksOnline first."
        )
    company = Company(realm_id)
    with engine().begin() as db:
        stored = read_configuration(db, configuration.org_id)
    assert stored is not None
    try:
        return read_sheet(engine(), company.send, stored, company.known_facts(), month)
    except ReadFailed as error:
        raise error_of(error.outcome) from error
