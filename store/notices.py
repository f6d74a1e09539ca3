"""What is open, what of it was mailed, and what is resolved: the notifier's questions to the database.

A notice's subject is the cause where one remedy fixes all its records, else ``<cause>#<failure id>``; of a document that was withdrawn
``withdrawn:<cause>#<link id>``. While a notice is open its subject is not mailed again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from schemas.applied import NOTHING_SENT
from schemas.link_state import LinkState
from schemas.observed import reference
from store import differences, history, outages
from store.sql import unpack_applied

UNTOLD = (
    "f.closed_at IS NULL AND NOT EXISTS (SELECT 1 FROM qbo_notice n WHERE n.cleared_at IS NULL AND n.org_id = f.org_id"
    " AND n.subject IN (f.cause, f.cause || '#' || f.id))"
)
_OF_FAILURES = f"n.subject NOT LIKE '{differences.SUBJECT}%' AND n.subject <> '{outages.SUBJECT}'"
_LOCK = 7_202_611_226


def take_turn(db: Connection) -> bool:
    """Become the one notifier that writes mails until the transaction ends; False when another one is at it."""
    return bool(db.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one())


@dataclass(frozen=True, slots=True)
class Untold:
    org_id: str
    cause: str
    stage: str
    count: int
    oldest: datetime


def untold(db: Connection) -> list[Untold]:
    """Give the open failures that nobody was notified of, by Org and cause, the largest group of each Org first."""
    rows = db.execute(
        text(
            "SELECT f.org_id, f.cause, min(f.stage), count(*), min(f.first_failed_at) FROM qbo_failure f"
            f" WHERE {UNTOLD} GROUP BY f.org_id, f.cause ORDER BY f.org_id, count(*) DESC, f.cause"
        )
    )
    return [Untold(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Sample:
    """One open failure, as a mail shows it."""

    id: int
    link_id: int | None
    kind: str
    reference: str
    message: str
    remedy: str
    field: str
    value: str
    intuit_tid: str
    client: str
    """Whose document it is; empty for what is none."""
    currency: str
    total: Decimal | None


def samples(db: Connection, org_id: str, cause: str, *, limit: int) -> list[Sample]:
    """Give some failures of a cause that nobody was notified of, the newest first."""
    rows = db.execute(
        text(
            "SELECT f.id, f.link_id, f.kind, coalesce(nullif(f.reference, ''), f.kompass_id), f.message, f.remedy, f.field,"
            " f.value, f.intuit_tid, coalesce(r.body -> 'client' ->> 'name', ''), coalesce(r.body ->> 'currency', ''),"
            " CAST(r.body ->> 'amount_gross' AS numeric) FROM qbo_failure f"
            " LEFT JOIN qbo_record r ON r.org_id = f.org_id AND r.kind = f.kind AND r.kompass_id = f.kompass_id AND f.kind = 'invoice'"
            f" WHERE f.org_id = :org AND f.cause = :cause AND {UNTOLD}"
            " ORDER BY f.id DESC LIMIT :limit"
        ),
        {"org": org_id, "cause": cause, "limit": limit},
    )
    return [Sample(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Withdrawn:
    link_id: int
    org_id: str
    reference: str
    cause: str
    reason: str
    entity: str
    qbo_id: str
    name: str
    total: Decimal | None
    currency: str

    @property
    def subject(self) -> str:
        return f"withdrawn:{self.cause}#{self.link_id}"


def withdrawn(db: Connection, *, before: datetime) -> list[Withdrawn]:
    """Give the documents that were taken back in Kompass before that moment, are in QuickBooks, and were not mailed."""
    rows = db.execute(
        text(
            "SELECT l.id, l.org_id, coalesce(nullif(l.reference, ''), l.kompass_id) AS named, l.cause, l.reason, l.entity, l.qbo_id,"
            " l.name, l.qbo_total, l.applied"
            " FROM qbo_configuration c JOIN qbo_link l ON l.realm_id = c.realm_id AND l.org_id = c.org_id"
            f" WHERE l.state = '{LinkState.WITHDRAWN}' AND l.qbo_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM qbo_notice n"
            "  WHERE n.cleared_at IS NULL AND n.org_id = l.org_id AND n.subject = 'withdrawn:' || l.cause || '#' || l.id)"
            # Since when: its last decision; where the history was pruned, long enough.
            " AND coalesce((SELECT max(h.at) FROM qbo_history h WHERE h.org_id = l.org_id AND h.kind = l.kind"
            f"  AND h.kompass_id = l.kompass_id AND h.what = '{history.DECIDED}' AND h.outcome = '{LinkState.WITHDRAWN}'),"
            " l.created_at) <= :before"
            " ORDER BY l.org_id, l.id"
        ),
        {"before": before},
    )
    return [
        Withdrawn(
            link_id=row.id, org_id=row.org_id, reference=row.named, cause=row.cause, reason=row.reason, entity=row.entity,
            qbo_id=row.qbo_id, name=row.name, total=row.qbo_total,
            currency=reference((unpack_applied(row.applied) or NOTHING_SENT).members, "CurrencyRef"),
        )
        for row in rows
    ]  # fmt: skip


def tell_failures(
    db: Connection, org_id: str, headlines: Mapping[str, str], *, shared: bool, mail_id: int, now: datetime
) -> None:
    """Note that the failures of these causes are in this mail: one notice a cause, or one a failure."""
    if not headlines:
        return
    columns = "c.cause, c.cause, c.headline, NULL" if shared else "f.cause || '#' || f.id, f.cause, c.headline, f.id"
    source = "" if shared else f" JOIN qbo_failure f ON f.org_id = :org AND f.cause = c.cause AND {UNTOLD}"
    db.execute(
        text(
            "INSERT INTO qbo_notice (org_id, subject, cause, headline, failure_id, mail_id, told_at)"
            f" SELECT :org, {columns}, :mail, :now FROM"
            f" unnest(CAST(:causes AS text[]), CAST(:headlines AS text[])) AS c(cause, headline){source}"
        ),
        {
            "org": org_id, "mail": mail_id, "now": now, "causes": list(headlines), "headlines": list(headlines.values()),
        },
    )  # fmt: skip


def remember_mailed(db: Connection, org_id: str, causes: Collection[str], *, mail_id: int, subject: str) -> None:
    """Put a mail into the history of every record in it, before `tell_failures` marks them."""
    db.execute(
        text(
            "INSERT INTO qbo_history (org_id, realm_id, kind, kompass_id, link_id, what, outcome, message, detail)"
            " SELECT f.org_id, f.realm_id, f.kind, f.kompass_id, f.link_id, 'mailed', 'digest', :subject,"
            " jsonb_build_object('mail', CAST(:mail AS bigint)) FROM qbo_failure f"
            f" WHERE f.org_id = :org AND f.cause = ANY(CAST(:causes AS text[])) AND f.kompass_id <> '' AND {UNTOLD}"
        ),
        {"org": org_id, "causes": sorted(causes), "mail": mail_id, "subject": subject},
    )


def tell_withdrawn(db: Connection, listed: Sequence[Withdrawn], *, mail_id: int, now: datetime) -> None:
    if not listed:
        return
    db.execute(
        text(
            "INSERT INTO qbo_notice (org_id, subject, cause, headline, link_id, mail_id, told_at)"
            " VALUES (:org, :subject, :cause, :headline, :link, :mail, :now)"
        ),
        [
            {
                "org": one.org_id, "subject": one.subject, "cause": f"withdrawn:{one.cause}", "headline": one.reference,
                "link": one.link_id, "mail": mail_id, "now": now,
            }
            for one in listed
        ],
    )  # fmt: skip


def clear_ended(db: Connection, *, now: datetime) -> int:
    """Close the notices of what is resolved; gives how many."""
    ended = db.execute(
        text(
            "UPDATE qbo_notice n SET cleared_at = :now WHERE n.cleared_at IS NULL AND n.link_id IS NULL"
            f" AND {_OF_FAILURES} AND NOT EXISTS ("
            " SELECT 1 FROM qbo_failure f WHERE f.closed_at IS NULL AND f.org_id = n.org_id AND f.cause = n.cause"
            " AND (n.failure_id IS NULL OR f.id = n.failure_id))"
        ),
        {"now": now},
    ).rowcount
    differences.clear_ended(db, now=now)
    outages.clear_ended(db, now=now)
    # A withdrawn document that is synced again is no reason for an all clear.
    db.execute(
        text(
            "UPDATE qbo_notice n SET cleared_at = :now, all_clear_id = n.mail_id WHERE n.cleared_at IS NULL"
            " AND n.link_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM qbo_link l WHERE l.id = n.link_id"
            f" AND l.state = '{LinkState.WITHDRAWN}'"
            " AND n.subject = 'withdrawn:' || l.cause || '#' || l.id)"
        ),
        {"now": now},
    )
    return ended


@dataclass(frozen=True, slots=True)
class Over:
    org_id: str
    cleared_at: datetime
    headlines: tuple[str, ...]
    """What it was, in the words of its mail."""


def over(db: Connection) -> list[Over]:
    """Give the Orgs where everything that was mailed is resolved and nothing else has failed since, and no all clear went out yet."""
    rows = db.execute(
        text(
            "SELECT n.org_id, max(n.cleared_at), array_agg(DISTINCT n.headline) FROM qbo_notice n"
            f" WHERE n.all_clear_id IS NULL AND n.link_id IS NULL AND {_OF_FAILURES}"
            " AND NOT EXISTS (SELECT 1 FROM qbo_failure f WHERE f.org_id = n.org_id AND f.closed_at IS NULL)"
            " GROUP BY n.org_id HAVING bool_and(n.cleared_at IS NOT NULL)"
        )
    )
    return [Over(row[0], row[1], tuple(row[2])) for row in rows]


def tell_over(db: Connection, org_id: str, *, mail_id: int) -> None:
    db.execute(
        text(
            "UPDATE qbo_notice SET all_clear_id = :mail WHERE org_id = :org AND all_clear_id IS NULL AND cleared_at IS NOT NULL"
        ),
        {"org": org_id, "mail": mail_id},
    )


def told_before(db: Connection, org_id: str) -> int:
    """Count the causes that were mailed earlier and are still open."""
    return int(
        db.execute(
            text(
                "SELECT count(DISTINCT cause) FROM qbo_notice n WHERE org_id = :org AND cleared_at IS NULL AND link_id IS NULL"
                f" AND {_OF_FAILURES}"
            ),
            {"org": org_id},
        ).scalar_one()
    )


@dataclass(frozen=True, slots=True)
class Audience:
    org_id: str
    org_name: str
    recipients: tuple[str, ...]


def audiences(db: Connection, org_ids: Collection[str]) -> dict[str, Audience]:
    """Give the Notification recipients of these Orgs."""
    rows: Sequence[Any] = db.execute(
        text(
            "SELECT o.id, o.name, coalesce(c.notification_recipients, '{}') AS recipients FROM qbo_org o"
            " LEFT JOIN qbo_configuration c ON c.org_id = o.id WHERE o.id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": sorted(org_ids)},
    ).all()
    return {row.id: Audience(row.id, row.name, tuple(row.recipients)) for row in rows}
