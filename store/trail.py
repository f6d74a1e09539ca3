"""The trail of documents: who changed what in Kompass, when it came, what was sent and what QuickBooks answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from store.tidying import DETAIL


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the trail, with the document that it is about as Kompass has it now."""

    kompass_id: str
    reference: str
    date: str
    client: str
    at: datetime
    what: str
    """event | called | asked | mailed"""
    outcome: str
    message: str
    intuit_tid: str
    detail: Mapping[str, object]


def read_trail(
    db: Connection, org_id: str, *, month: str | None = None, client: str | None = None, document: str | None = None
) -> Iterator[Step]:
    """Give the trail of an Org's documents, document by document, oldest first.

    :param month: only documents that Kompass dates in it (2026-03).
    :param client: only those of, or billed to, the client of this Kompass id or name.
    :param document: only the one of this Kompass id or reference.
    """
    rows = db.execution_options(yield_per=1000).execute(
        text(_TRAIL), {"org": org_id, "month": month, "client": client, "document": document}
    )
    return (Step(*row) for row in rows)


_TRAIL = (
    "SELECT r.kompass_id, r.reference, r.body ->> 'date', r.body -> 'client' ->> 'name', h.at, h.what, h.outcome, h.message,"
    " h.intuit_tid, h.detail FROM qbo_record r JOIN qbo_history h ON h.org_id = r.org_id AND h.kind = r.kind"
    f" AND h.kompass_id = r.kompass_id WHERE r.org_id = :org AND r.kind = 'invoice' AND NOT h.{DETAIL}"
    " AND (CAST(:month AS text) IS NULL OR left(r.body ->> 'date', 7) = :month)"
    " AND (CAST(:document AS text) IS NULL OR :document IN (r.kompass_id, r.reference))"
    " AND (CAST(:client AS text) IS NULL OR :client IN (r.body -> 'client' ->> 'id', r.body -> 'client' ->> 'name',"
    "  r.body -> 'project' -> 'billing_client' ->> 'id', r.body -> 'project' -> 'billing_client' ->> 'name'))"
    " ORDER BY r.body ->> 'date', r.reference, r.id, h.id"
)
