"""Deletes what is done and old, a batch to a transaction, so that nobody waits for it.

Never deleted: a link that stands for something in QuickBooks, the record behind it, an open failure. They are what keeps an object
from being made twice, however old it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class Tidied:
    """What one batch deleted."""

    rows: int
    """Rows of the kind that was asked for."""
    more: bool
    """Whether another batch may find more."""


DETAIL: Final = "what IN ('judged', 'due', 'failed', 'recovered')"
"""SQL: entries of the history that explain a record's way. All others are the trail: who changed what in Kompass, each call and its
answer, what people asked for and were mailed. As the index `qbo_history_detail` has it."""

_DETAIL = (
    f"DELETE FROM qbo_history WHERE id IN (SELECT id FROM qbo_history WHERE {DETAIL} AND at < :before ORDER BY at LIMIT :batch"
    " FOR UPDATE SKIP LOCKED)"
)

_TRAIL = (
    "DELETE FROM qbo_history WHERE id IN (SELECT id FROM qbo_history WHERE at < :before ORDER BY at LIMIT :batch"
    " FOR UPDATE SKIP LOCKED)"
)

_FAILURES = (
    "DELETE FROM qbo_failure WHERE id IN (SELECT f.id FROM qbo_failure f WHERE f.last_failed_at < :before"
    # A dead letter that is still to be produced names its failure.
    " AND f.closed_at < :before AND NOT EXISTS (SELECT 1 FROM qbo_outbox o WHERE o.failure_id = f.id)"
    " ORDER BY f.last_failed_at LIMIT :batch FOR UPDATE OF f SKIP LOCKED)"
)

# Events of such an Org would not be kept today.
_RECORDS_OF_NOBODY = (
    "DELETE FROM qbo_record WHERE id IN (SELECT r.id FROM qbo_record r WHERE r.received_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM qbo_configuration c WHERE c.org_id = r.org_id)"
    " AND NOT EXISTS (SELECT 1 FROM qbo_link l WHERE l.org_id = r.org_id AND l.kind = r.kind"
    " AND l.kompass_id = r.kompass_id)"
    " LIMIT :batch FOR UPDATE OF r SKIP LOCKED)"
)

# Records are locked before links, as ingest does. A link that anybody works on, waits for or has an open failure of stays, and its record
# with it.
_DELETED_UNSENT = (
    "WITH gone AS ("
    " SELECT r.id, r.org_id, r.kind, r.kompass_id FROM qbo_record r WHERE r.deleted AND r.received_at < :before"
    " AND EXISTS (SELECT 1 FROM qbo_link l WHERE l.org_id = r.org_id AND l.kind = r.kind AND l.kompass_id = r.kompass_id)"
    " AND NOT EXISTS (SELECT 1 FROM qbo_link l WHERE l.org_id = r.org_id AND l.kind = r.kind"
    " AND l.kompass_id = r.kompass_id AND (l.qbo_id IS NOT NULL OR l.due_at IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM qbo_attempt i WHERE i.link_id = l.id)"
    " OR EXISTS (SELECT 1 FROM qbo_link d WHERE d.depends_on = l.id)"
    " OR EXISTS (SELECT 1 FROM qbo_failure f WHERE f.link_id = l.id AND f.closed_at IS NULL)))"
    " ORDER BY r.id LIMIT :batch FOR UPDATE OF r SKIP LOCKED"
    "), links AS ("
    " DELETE FROM qbo_link WHERE id IN (SELECT l.id FROM qbo_link l JOIN gone USING (org_id, kind, kompass_id)"
    " ORDER BY l.id FOR UPDATE OF l)"
    ") DELETE FROM qbo_record WHERE id IN (SELECT id FROM gone)"
)

TRAIL: Final = "entries of the trail"

STATEMENTS: Final[Mapping[str, str]] = {
    "history": _DETAIL,
    TRAIL: _TRAIL,
    "closed failures": _FAILURES,
    "records of Orgs without a Configuration": _RECORDS_OF_NOBODY,
    "records deleted in Kompass and never sent": _DELETED_UNSENT,
}
"""What is deleted, in words → how."""


def delete_batch(db: Connection, *, what: str, before: datetime, batch: int = BATCH) -> Tidied:
    """Delete one batch of ``what`` (a key of `STATEMENTS`) that was done before that moment."""
    rows = db.execute(text(STATEMENTS[what]), {"before": before, "batch": batch}).rowcount
    return Tidied(rows, rows == batch)
