"""Filed months: the sheet as it was, who filed it and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

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
