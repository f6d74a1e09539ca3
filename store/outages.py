"""Companies of which nothing goes through for a while, and what people were notified of it: one notice for each outage.

An outage shows in the records: some are being retried since before a moment, and none of the company was synced after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from schemas.link_state import LinkState

SUBJECT: Final = "outage"
CAUSES: Final = ("no-answer", "unreachable", "refused-for-now", "throttled", "token-expired", "batch-refused")
"""Causes of `mapping.causes` for which a record is retried because of Intuit."""

_RETRIED = (
    "FROM qbo_configuration c JOIN qbo_link l ON l.realm_id = c.realm_id AND l.org_id = c.org_id"
    f" WHERE c.enabled AND l.due_at IS NOT NULL AND l.state = '{LinkState.RETRYING}'"
    " AND l.cause = ANY(CAST(:causes AS text[]))"
)


@dataclass(frozen=True, slots=True)
class Outage:
    org_id: str
    since: datetime
    """When the first record failed that still waits."""
    waiting: Mapping[str, int]
    """Records by kind."""


def lasting(db: Connection, *, before: datetime) -> list[Outage]:
    """Give the outages that began before a moment and still last, of which nobody was notified."""
    rows = db.execute(
        text(
            f"SELECT l.org_id, l.kind, count(*) AS waiting, min(l.first_failed_at) AS since {_RETRIED}"
            " AND NOT EXISTS (SELECT 1 FROM qbo_notice n WHERE n.org_id = c.org_id AND n.subject = :subject"
            "  AND n.cleared_at IS NULL)"
            " AND NOT EXISTS (SELECT 1 FROM qbo_link s WHERE s.realm_id = c.realm_id AND s.synced_at > :before)"
            " GROUP BY l.org_id, l.kind"
        ),
        {"causes": list(CAUSES), "subject": SUBJECT, "before": before},
    ).all()
    since: dict[str, datetime] = {}
    waiting: dict[str, dict[str, int]] = {}
    for row in rows:
        since[row.org_id] = min(row.since, since.get(row.org_id, row.since))
        waiting.setdefault(row.org_id, {})[row.kind] = row.waiting
    return [Outage(org, since[org], waiting[org]) for org in sorted(since) if since[org] <= before]


def tell(db: Connection, org_id: str, headline: str, *, mail_id: int, now: datetime) -> None:
    """Note that people were notified of an outage."""
    db.execute(
        text(
            "INSERT INTO qbo_notice (org_id, subject, cause, headline, mail_id, told_at)"
            " VALUES (:org, :subject, :subject, :headline, :mail, :now)"
        ),
        {"org": org_id, "subject": SUBJECT, "headline": headline, "mail": mail_id, "now": now},
    )


def clear_ended(db: Connection, *, now: datetime) -> None:
    """Close the notices of outages that are over, since when a record of the company was synced; nobody gets a mail for that."""
    db.execute(
        text(
            "UPDATE qbo_notice n SET cleared_at = :now, all_clear_id = n.mail_id WHERE n.cleared_at IS NULL"
            " AND n.subject = :subject AND (NOT EXISTS (SELECT 1 " + _RETRIED + " AND c.org_id = n.org_id)"
            "  OR EXISTS (SELECT 1 FROM qbo_configuration o JOIN qbo_link s ON s.realm_id = o.realm_id"
            "   WHERE o.org_id = n.org_id AND s.synced_at > n.told_at))"
        ),
        {"now": now, "subject": SUBJECT, "causes": list(CAUSES)},
    )
