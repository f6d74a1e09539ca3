"""What became of the documents of filed months since: by what Kompass says now, and by what was written in QuickBooks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection

from mapping.expected import Month
from mapping.filing import former_row, kompass_changes, kompass_row
from store.agreement import documents_of
from store.filing import Touched, read_filed, touched_since_filed
from sync.companies import read_company


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """A document of a filed month that changed since, on either side, and that nobody was notified of."""

    document: Touched
    words: tuple[str, ...]
    """What Kompass says otherwise; empty where only QuickBooks was written."""
    said: Mapping[str, str]
    """What Kompass says of it now: the next change is compared with it."""


def changed_since_filed(db: Connection) -> list[ChangedSince]:
    """Give what changed in filed months, by Org, month and document.

    An event that says again what is known is no change. One that QuickBooks has not taken, in a closed period say, is one.
    """
    found: list[ChangedSince] = []
    for _, some in groupby(touched_since_filed(db), key=lambda one: (one.org_id, one.month)):
        found += _of_month(db, list(some))
    return found


def _of_month(db: Connection, touched: Sequence[Touched]) -> Iterator[ChangedSince]:
    org_id, name = touched[0].org_id, touched[0].month
    company = read_company(db, org_id)
    if company is None or company.facts is None:
        return
    realm_id = company.facts.realm_id
    filed = read_filed(db, org_id=org_id, realm_id=realm_id, month=name)
    if filed is None:
        return
    month = Month(dt.date.fromisoformat(f"{name}-01"), company.configuration, company.facts)
    ids = {one.kompass_id for one in touched}
    documents = {one.invoice.id: one for one in documents_of(db, org_id=org_id, realm_id=realm_id, ids=ids)}
    for one in touched:
        document = documents.get(one.kompass_id)
        if document is None:
            continue
        now = kompass_row(document, month)
        before = one.mailed.get(name) or former_row(filed.rows, one.kompass_id)
        if not one.dated_here and not any(row["date"].startswith(name) for row in (before, now) if row is not None):
            # It has left the month, and a mail has said so.
            continue
        words = kompass_changes(before, now, name)
        if words or one.operations:
            yield ChangedSince(one, words, now)
