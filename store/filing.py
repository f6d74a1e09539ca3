"""Filed months: the sheet as it was, who filed it and when, and which of their documents came or were written since."""

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
class Touched:
    """A document of a filed month of which an event came or that was written since, and that nobody was notified of."""

    org_id: str
    configuration_id: int
    month: str
    filed_at: datetime
    filed_by: str
    link_id: int
    kompass_id: str
    reference: str
    operations: tuple[str, ...]
    """What was done in QuickBooks: create, update, void."""
    members: tuple[str, ...]
    """The members that the updates sent."""
    first_at: datetime
    mailed: Mapping[str, Mapping[str, str]]
    """What Kompass said of it at the last mail about filed months, by month (`mapping.filing.kompass_row`)."""


def touched_since_filed(db: Connection) -> list[Touched]:
    """Give the documents that count in a filed month, by either side's date or by its rows, and that came or were written since."""
    return [
        Touched(
            **{
                **row,
                "operations": tuple(sorted(row["operations"] or ())),
                "members": tuple(sorted(row["members"] or ())),
                "mailed": (row["mailed"] or {}).get("said", {}),
            }
        )
        for row in db.execute(text(_TOUCHED)).mappings()
    ]


_WRITTEN = (
    "(h.what = 'called' AND h.outcome = 'done' AND h.detail ->> 'operation' IN ('create', 'update', 'void')"
    f" AND {SENT.format(entry='h')})"
)

_TOUCHED = (
    "SELECT f.org_id, c.id AS configuration_id, f.month, f.filed_at, f.filed_by, l.id AS link_id, l.kompass_id,"
    " coalesce(nullif(l.reference, ''), l.kompass_id) AS reference,"
    " array_agg(DISTINCT h.detail ->> 'operation') FILTER (WHERE h.what = 'called') AS operations,"
    " array_agg(DISTINCT m.name) FILTER (WHERE m.name IS NOT NULL) AS members, min(h.at) AS first_at,"
    " (SELECT t.detail FROM qbo_history t WHERE t.org_id = f.org_id AND t.kind = 'invoice' AND t.kompass_id = l.kompass_id"
    "  AND t.what = 'mailed' AND t.outcome = 'filed' ORDER BY t.id DESC LIMIT 1) AS mailed"
    " FROM qbo_filed_month f JOIN qbo_configuration c ON c.org_id = f.org_id AND c.realm_id = f.realm_id"
    " JOIN qbo_history h ON h.org_id = f.org_id AND h.kind = 'invoice' AND h.at > f.filed_at"
    f" AND (h.what = 'event' OR {_WRITTEN})"
    " LEFT JOIN LATERAL jsonb_array_elements_text(h.detail -> 'members') AS m(name) ON true"
    " JOIN qbo_link l ON l.org_id = h.org_id AND l.kind = h.kind AND l.kompass_id = h.kompass_id AND l.realm_id = f.realm_id"
    " JOIN qbo_record r ON r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"
    " WHERE (left(r.body ->> 'date', 7) = f.month OR left(h.detail ->> 'date', 7) = f.month"
    "  OR f.rows @> jsonb_build_array(jsonb_build_object('kompass_id', l.kompass_id)))"
    " AND NOT EXISTS (SELECT 1 FROM qbo_history n WHERE n.org_id = h.org_id AND n.kind = h.kind"
    "  AND n.kompass_id = h.kompass_id AND n.what = 'mailed' AND n.outcome = 'filed' AND n.id > h.id)"
    " GROUP BY f.org_id, c.id, f.month, f.filed_at, f.filed_by, f.id, l.id ORDER BY f.org_id, f.month, l.id"
)
