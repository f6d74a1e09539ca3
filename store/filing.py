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
    dated_here: bool
    """Whether one of these entries dates it in the month, on either side."""
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


_LOOKED_BACK = "31 days"
"""So far back an entry is looked for that nobody was mailed of: a mail is a day late at most, unless nobody can be written to."""

_TOUCHED = (
    "WITH months AS MATERIALIZED (SELECT f.id, f.org_id, f.realm_id, f.month, f.filed_at, f.filed_by, f.rows, c.id AS configuration_id"
    "  FROM qbo_filed_month f JOIN qbo_configuration c ON c.org_id = f.org_id AND c.realm_id = f.realm_id),"
    " entries AS MATERIALIZED (SELECT h.org_id, h.kompass_id, h.at, h.what, h.detail FROM qbo_history h"
    f"  WHERE h.at > now() - interval '{_LOOKED_BACK}' AND h.kind = 'invoice' AND h.org_id IN (SELECT org_id FROM months)"
    "  AND (h.what = 'event' OR (h.what = 'called' AND h.outcome = 'done'"
    f"   AND h.detail ->> 'operation' IN ('create', 'update', 'void') AND {SENT.format(entry='h')}))"
    "  AND NOT EXISTS (SELECT 1 FROM qbo_history n WHERE n.org_id = h.org_id AND n.kind = h.kind"
    "   AND n.kompass_id = h.kompass_id AND n.what = 'mailed' AND n.outcome = 'filed' AND n.id > h.id)),"
    # An entry of an earlier version names no day: then the one that Kompass says now counts.
    " dated AS MATERIALIZED (SELECT r.org_id, r.kompass_id, left(r.body ->> 'date', 7) AS month"
    "  FROM (SELECT DISTINCT org_id, kompass_id FROM entries WHERE NOT detail ? 'date') h"
    "  JOIN qbo_record r ON r.org_id = h.org_id AND r.kind = 'invoice' AND r.kompass_id = h.kompass_id),"
    # In the month by its rows, or by the day that either side said,
    " counted AS (SELECT f.id, e ->> 'kompass_id' AS kompass_id FROM months f, jsonb_array_elements(f.rows) e"
    "  UNION SELECT f.id, h.kompass_id FROM months f JOIN entries h ON h.org_id = f.org_id AND left(h.detail ->> 'date', 7) = f.month"
    "  UNION SELECT f.id, r.kompass_id FROM months f JOIN dated r ON r.org_id = f.org_id AND r.month = f.month"
    # or by a mail about it: it may have left the month again.
    "  UNION SELECT f.id, h.kompass_id FROM months f JOIN (SELECT DISTINCT org_id, kompass_id FROM entries) h ON h.org_id = f.org_id"
    "  WHERE EXISTS (SELECT 1 FROM qbo_history n WHERE n.org_id = h.org_id AND n.kind = 'invoice' AND n.kompass_id = h.kompass_id"
    "   AND n.what = 'mailed' AND n.outcome = 'filed' AND n.detail -> 'said' ? f.month))"
    " SELECT f.org_id, f.configuration_id, f.month, f.filed_at, f.filed_by, l.id AS link_id, l.kompass_id,"
    " coalesce(nullif(l.reference, ''), l.kompass_id) AS reference,"
    " array_agg(DISTINCT h.detail ->> 'operation') FILTER (WHERE h.what = 'called') AS operations,"
    " array_agg(DISTINCT m.name) FILTER (WHERE m.name IS NOT NULL) AS members, min(h.at) AS first_at,"
    " bool_or(NOT h.detail ? 'date' OR left(h.detail ->> 'date', 7) = f.month) AS dated_here,"
    " (SELECT t.detail FROM qbo_history t WHERE t.org_id = f.org_id AND t.kind = 'invoice' AND t.kompass_id = l.kompass_id"
    "  AND t.what = 'mailed' AND t.outcome = 'filed' ORDER BY t.id DESC LIMIT 1) AS mailed"
    " FROM counted d JOIN months f ON f.id = d.id"
    " JOIN entries h ON h.org_id = f.org_id AND h.kompass_id = d.kompass_id AND h.at > f.filed_at"
    " JOIN qbo_link l ON l.org_id = f.org_id AND l.kind = 'invoice' AND l.kompass_id = d.kompass_id AND l.realm_id = f.realm_id"
    " LEFT JOIN LATERAL jsonb_array_elements_text(h.detail -> 'members') AS m(name) ON true"
    " GROUP BY f.org_id, f.realm_id, f.configuration_id, f.month, f.filed_at, f.filed_by, f.id, l.id"
    " ORDER BY f.org_id, f.month, l.id"
)
