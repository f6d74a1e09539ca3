"""Kompass's side of an agreement sheet: a month's documents with what is known of sending them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from schemas.applied import NOTHING_SENT
from schemas.documents import CHOSEN, Answered, Left, SentDocument
from schemas.events import Invoice, Kind
from schemas.jsonlines import record_from_json
from schemas.observed import Observed
from store.sql import unpack, unpack_applied

_DOCUMENTS = (
    "SELECT r.body, r.deleted, coalesce(l.state, '') AS state, coalesce(l.reason, '') AS reason,"
    " coalesce(l.entity, '') AS entity, coalesce(l.qbo_id, '') AS qbo_id, coalesce(l.cause, '') AS cause,"
    " l.applied, l.observed, l.qbo_tax, coalesce(l.kept, '{}') AS kept, coalesce(l.adopted, false) AS linked_by_hand,"
    " coalesce(l.by_hand, '{}') AS edited,"
    " coalesce(l.id, 0) AS link_id"
    " FROM qbo_record r LEFT JOIN qbo_link l ON l.org_id = r.org_id AND l.kind = r.kind AND l.kompass_id = r.kompass_id"
    " AND l.realm_id = :realm WHERE r.org_id = :org AND r.kind = 'invoice'"
)


def documents_dated(
    db: Connection, *, org_id: str, realm_id: str, first: dt.date, after: dt.date
) -> list[SentDocument]:
    """Give the documents that Kompass dates from ``first`` to before ``after``, sent or not."""
    rows = db.execute(
        text(f"{_DOCUMENTS} AND r.body ->> 'date' >= :first AND r.body ->> 'date' < :after ORDER BY r.id"),
        {"org": org_id, "realm": realm_id, "first": first.isoformat(), "after": after.isoformat()},
    )
    return [_document(row) for row in rows]


def documents_under(db: Connection, *, org_id: str, realm_id: str, ids: Collection[str]) -> list[SentDocument]:
    """Give the documents that stand in QuickBooks under these Ids, of any date in Kompass."""
    if not ids:
        return []
    rows = db.execute(
        text(f"{_DOCUMENTS} AND l.qbo_id = ANY(CAST(:ids AS text[])) ORDER BY r.id"),
        {"org": org_id, "realm": realm_id, "ids": sorted(ids)},
    )
    return [_document(row) for row in rows]


def documents_of(db: Connection, *, org_id: str, realm_id: str, ids: Collection[str]) -> list[SentDocument]:
    """Give the documents with these Kompass ids, of any date."""
    if not ids:
        return []
    rows = db.execute(
        text(f"{_DOCUMENTS} AND r.kompass_id = ANY(CAST(:ids AS text[])) ORDER BY r.id"),
        {"org": org_id, "realm": realm_id, "ids": sorted(ids)},
    )
    return [_document(row) for row in rows]


def documents_numbered(db: Connection, *, org_id: str, realm_id: str, numbers: Collection[str]) -> list[SentDocument]:
    """Give the documents of any date that may have one of these numbers, however it is written: those of its digits above zero."""
    if not numbers:
        return []
    rows = db.execute(
        text(
            f"{_DOCUMENTS} AND regexp_replace(r.reference, '[^1-9]', '', 'g') = ANY(CAST(:digits AS text[])) ORDER BY r.id"
        ),
        {"org": org_id, "realm": realm_id, "digits": sorted({re.sub("[^1-9]", "", one) for one in numbers})},
    )
    return [_document(row) for row in rows]


def customers_of(
    db: Connection, *, org_id: str, realm_id: str, clients: Collection[str]
) -> dict[tuple[Kind, str], set[str]]:
    """Give the Ids of these clients' customers, in each currency, and of their jobs: by (client | project, the client's Kompass id)."""
    rows = db.execute(
        text(
            "SELECT * FROM (SELECT kind, CASE kind WHEN 'client' THEN kompass_id ELSE party_id END AS client, qbo_id FROM qbo_link"
            " WHERE org_id = :org AND realm_id = :realm AND kind IN ('client', 'project') AND qbo_id IS NOT NULL) l"
            " WHERE l.client = ANY(CAST(:clients AS text[]))"
        ),
        {"org": org_id, "realm": realm_id, "clients": sorted(clients)},
    )
    found: dict[tuple[Kind, str], set[str]] = {}
    for row in rows:
        found.setdefault((Kind(row.kind), row.client), set()).add(row.qbo_id)
    return found


def _document(row: Any) -> SentDocument:
    invoice = record_from_json(Kind.INVOICE, row.body)
    assert isinstance(invoice, Invoice)
    sent_last, observed = unpack_applied(row.applied) or NOTHING_SENT, unpack(row.observed) or {}
    applied = sent_last.members
    # What a person chose to keep as QuickBooks has it counts as sent. Lines are compared with Kompass's all the same, and so is whom a
    # document is for that was linked by hand: nobody chose that.
    chosen = CHOSEN in row.kept
    kept = set(row.kept) - ({"Line"} if chosen else {"Line", "CustomerRef"})
    sent = {name: value for name, value in applied.items() if name not in kept}
    # What it was at when it was linked by hand says nothing of what it should be at.
    rate = None if row.linked_by_hand else observed.get("ExchangeRate")
    return SentDocument(
        invoice=invoice,
        deleted=row.deleted,
        state=row.state,
        reason=row.reason,
        entity=row.entity,
        qbo_id=row.qbo_id,
        cause=row.cause,
        sent={**sent, **{name: observed[name] for name in kept if name in observed}},
        answered=Answered(None if rate is None else Decimal(rate), row.qbo_tax, "TxnTaxDetail" in row.edited),
        left=Left(frozenset((*row.kept, *row.edited)), Observed(observed), applied, sent_last.notes.billed)
        if chosen
        else None,
        link_id=row.link_id,
    )
