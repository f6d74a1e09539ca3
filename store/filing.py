"""Filed months: the sheet as it was, who filed it and when, and which of their documents were written since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from store.history import SENT
from store.tables import filed_month


@dataclass(frozen=True, slots=True)
class Filed:
    month: str
    filed_at: datetime
    filed_by: str
    digest: str
    """SHA-256 over the rows (`mapping.filing`)."""
    verdict: str
    rows: Sequence[Mapping[str, str]]


def read_filed(db: Connection, *, org_id: str, realm_id: str, month: str) -> Filed | None:
    """Give the month as it was filed; None when it was not."""
    row = db.execute(
        select(filed_month).where(
            filed_month.c.org_id == org_id, filed_month.c.realm_id == realm_id, filed_month.c.month == month
        )
    ).one_or_none()
    if row is None:
        return None
    return Filed(row.month, row.filed_at, row.filed_by, row.digest, row.verdict, row.rows)


def file_month(db: Connection, filed: Filed, *, org_id: str, realm_id: str) -> bool:
    """Keep a month as it is; False when it is filed already: the first filing stands."""
    made = db.execute(
        insert(filed_month)
        .values(
            org_id=org_id,
            realm_id=realm_id,
            month=filed.month,
            filed_at=filed.filed_at,
            filed_by=filed.filed_by,
            digest=filed.digest,
            verdict=filed.verdict,
            rows=[dict(row) for row in filed.rows],
        )
        .on_conflict_do_nothing()
        .returning(filed_month.c.id)
    )
    return made.one_or_none() is not None


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """A document of a filed month that was written in QuickBooks since, and that nobody was notified of."""

    org_id: str
    configuration_id: int
    month: str
    filed_at: datetime
    filed_by: str
    link_id: int
    kompass_id: str
    reference: str
    operations: tuple[str, ...]
    """What was done: create, update, void."""
    first_at: datetime


def changed_since_filed(db: Connection) -> list[ChangedSince]:
    """Give the documents that count in a filed month, by either side's date or by its rows, and were written since it was filed."""
    return [
        ChangedSince(**{**row, "operations": tuple(sorted(row["operations"]))})
        for row in db.execute(text(_CHANGED)).mappings()
    ]


_CHANGED = (
    "SELECT f.org_id, c.id AS configuration_id, f.month, f.filed_at, f.filed_by, l.id AS link_id, l.kompass_id,"
    " coalesce(nullif(l.reference, ''), l.kompass_id) AS reference, array_agg(DISTINCT h.detail ->> 'operation') AS operations,"
    " min(h.at) AS first_at"
    " FROM qbo_filed_month f JOIN qbo_configuration c ON c.org_id = f.org_id AND c.realm_id = f.realm_id"
    " JOIN qbo_history h ON h.org_id = f.org_id AND h.kind = 'invoice' AND h.what = 'called' AND h.outcome = 'done'"
    " AND h.at > f.filed_at AND h.detail ->> 'operation' IN ('create', 'update', 'void')"
    f" AND {SENT.format(entry='h')}"
    " JOIN qbo_link l ON l.id = h.link_id AND l.realm_id = f.realm_id"
    " JOIN qbo_record r ON r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"
    " WHERE (left(r.body ->> 'date', 7) = f.month OR left(h.detail ->> 'date', 7) = f.month"
    "  OR f.rows @> jsonb_build_array(jsonb_build_object('kompass_id', l.kompass_id)))"
    " AND NOT EXISTS (SELECT 1 FROM qbo_history m WHERE m.org_id = h.org_id AND m.kind = h.kind"
    "  AND m.kompass_id = h.kompass_id AND m.what = 'mailed' AND m.outcome = 'filed' AND m.id > h.id)"
    " GROUP BY f.org_id, c.id, f.month, f.filed_at, f.filed_by, l.id ORDER BY f.org_id, f.month, l.id"
)
