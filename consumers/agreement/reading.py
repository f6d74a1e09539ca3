"""Both sides of a month: Kompass's from the database, QuickBooks' in two or three metered queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, text

from consumers.agreement.sheet import Ours, Theirs, theirs_of
from qbo_client.calls import Call
from qbo_client.outcomes import Outcome
from qbo_client.queries import compare, iterate, one_of
from qbo_client.transport import Transport
from schemas.company import CompanyFacts
from schemas.events import Invoice, Kind
from schemas.jsonlines import record_from_json

ENTITIES = ("Invoice", "CreditMemo")
_IDS_AT_ONCE = 200


class Reader:
    """Sends queries to one company and counts them."""

    def __init__(self, transport: Transport, *, realm_id: str, token: str, deadline: float) -> None:
        self._transport = transport
        self._realm_id = realm_id
        self._token = token
        self._deadline = deadline
        self.reads = 0

    def send(self, call: Call) -> Outcome:
        self.reads += 1
        return self._transport.send(self._realm_id, self._token, call, deadline=self._deadline)


_OURS = (
    "SELECT r.body, r.deleted, coalesce(l.state, '') AS state, coalesce(l.reason, '') AS reason,"
    " coalesce(l.entity, '') AS entity, coalesce(l.qbo_id, '') AS qbo_id"
    " FROM qbo_record r LEFT JOIN qbo_link l ON l.org_id = r.org_id AND l.kind = r.kind AND l.kompass_id = r.kompass_id"
    " AND l.realm_id = :realm WHERE r.org_id = :org AND r.kind = 'invoice'"
)


def read_ours(db: Connection, *, org_id: str, realm_id: str, first: dt.date, after: dt.date) -> list[Ours]:
    """Give the documents that Kompass dates in the month, sent or not."""
    rows = db.execute(
        text(f"{_OURS} AND r.body ->> 'date' >= :first AND r.body ->> 'date' < :after ORDER BY r.id"),
        {"org": org_id, "realm": realm_id, "first": first.isoformat(), "after": after.isoformat()},
    )
    return [_ours(row) for row in rows]


def read_ours_by_id(db: Connection, *, org_id: str, realm_id: str, ids: Collection[str]) -> list[Ours]:
    """Give the documents that stand in QuickBooks under these Ids: ours, though Kompass dates them in another month."""
    if not ids:
        return []
    rows = db.execute(
        text(f"{_OURS} AND l.qbo_id = ANY(CAST(:ids AS text[])) ORDER BY r.id"),
        {"org": org_id, "realm": realm_id, "ids": sorted(ids)},
    )
    return [_ours(row) for row in rows]


def _ours(row: Any) -> Ours:
    invoice = record_from_json(Kind.INVOICE, row.body)
    assert isinstance(invoice, Invoice)
    return Ours(invoice, row.deleted, row.state, row.reason, row.entity, row.qbo_id)


def read_theirs(
    reader: Reader, facts: CompanyFacts, ours: Iterable[Ours], *, first: dt.date, after: dt.date
) -> dict[tuple[str, str], Theirs]:
    """Give the documents that QuickBooks dates in the month, and those of ours that it dates otherwise.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    found: dict[tuple[str, str], Theirs] = {}
    in_month = (compare("TxnDate", ">=", first.isoformat()), compare("TxnDate", "<", after.isoformat()))
    sent = [(one.entity, one.qbo_id) for one in ours if one.qbo_id]
    for entity in ENTITIES:
        for document in iterate(reader.send, entity, *in_month):
            one = theirs_of(entity, document, home_currency=facts.home_currency)
            found[entity, one.id] = one
        missing = [qbo_id for kind, qbo_id in sent if kind == entity and (entity, qbo_id) not in found]
        for start in range(0, len(missing), _IDS_AT_ONCE):
            for document in iterate(reader.send, entity, one_of("Id", missing[start : start + _IDS_AT_ONCE])):
                one = theirs_of(entity, document, home_currency=facts.home_currency)
                found[entity, one.id] = one
    return found
