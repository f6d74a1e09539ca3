"""The trail: who changed what in Kompass, when it came, what was sent and what QuickBooks answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from schemas.events import Kind
from store.tidying import DETAIL


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the trail, with the record that it is about as Kompass has it now."""

    kind: str
    """invoice | client | project"""
    kompass_id: str
    reference: str
    date: str | None
    """Of a document."""
    client: str | None
    at: datetime
    what: str
    """event | called | asked | mailed"""
    outcome: str
    message: str
    intuit_tid: str
    detail: Mapping[str, object]


def read_trail(
    db: Connection,
    org_id: str,
    *,
    kind: Kind = Kind.INVOICE,
    month: dt.date | None = None,
    client: str | None = None,
    document: str | None = None,
) -> Iterator[Step]:
    """Give the trail of an Org's documents, clients or projects, record by record, oldest first.

    :param month: its first day. Documents that either side dated in it at any time, with all their entries; of clients and projects, the
        entries of that month by UTC.
    :param client: only what is of, or billed to, the client of this Kompass id or name, or that client itself.
    :param document: only the one of this Kompass id or reference.
    """
    asked: dict[str, object] = {"org": org_id, "kind": kind.value, "client": client, "document": document}
    in_month = ""
    if month is not None:
        in_month = _DATED if kind is Kind.INVOICE else _AT
        after = (month + dt.timedelta(days=32)).replace(day=1)
        asked |= {"month": f"{month:%Y-%m}", "first": _utc(month), "after": _utc(after)}
    statement = text(f"{_TRAIL} {_OF_CLIENT[kind]} {in_month} {_ORDER}")
    rows = db.execution_options(yield_per=1000).execute(statement, asked)
    return (Step(*row) for row in rows)


def _utc(day: dt.date) -> datetime:
    return datetime.combine(day, dt.time(), dt.UTC)


_TRAIL = (
    "SELECT r.kind, r.kompass_id, r.reference, r.body ->> 'date',"
    " CASE r.kind WHEN 'client' THEN r.body ->> 'name' ELSE r.body -> 'client' ->> 'name' END, h.at, h.what, h.outcome, h.message,"
    " h.intuit_tid, h.detail FROM qbo_record r JOIN qbo_history h ON h.org_id = r.org_id AND h.kind = r.kind"
    f" AND h.kompass_id = r.kompass_id WHERE r.org_id = :org AND r.kind = :kind AND NOT h.{DETAIL}"
    " AND (CAST(:document AS text) IS NULL OR :document IN (r.kompass_id, r.reference))"
)
_BILLED = (
    " AND (CAST(:client AS text) IS NULL OR :client IN (r.body -> 'client' ->> 'id', r.body -> 'client' ->> 'name',"
    " r.body -> {payer} ->> 'id', r.body -> {payer} ->> 'name'))"
)
_OF_CLIENT: Mapping[Kind, str] = {
    Kind.INVOICE: _BILLED.format(payer="'project' -> 'billing_client'"),
    Kind.PROJECT: _BILLED.format(payer="'billing_client'"),
    Kind.CLIENT: " AND (CAST(:client AS text) IS NULL OR :client IN (r.kompass_id, r.reference))",
}
_DATED = (
    " AND (left(r.body ->> 'date', 7) = :month OR r.kompass_id IN (SELECT d.kompass_id FROM qbo_history d"
    " WHERE d.org_id = :org AND d.kind = :kind AND left(d.detail ->> 'date', 7) = :month))"
)
_AT = " AND h.at >= :first AND h.at < :after"
_ORDER = " ORDER BY r.body ->> 'date', r.reference, r.id, h.id"
