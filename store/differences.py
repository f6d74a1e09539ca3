"""What is in QBO otherwise than Kompass says, although the record is there and waits for nothing, and which of it people were notified of.

A row for each link and cause, as long as it is so: a total that is another than what Kompass billed, or something that was left out or not
taken. Only those of the company that is linked now count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, select, text

from store.links import Link
from store.sql import Statement, insert_rows
from store.tables import difference

SUBJECT = "difference:"
"""How every cause of a difference begins, and with it the subject of its notice: one for an Org and cause."""

_OPEN = (
    "FROM (SELECT r.link_id, r.org_id, r.realm_id, r.cause, r.message, r.found_at, coalesce(abs(r.qbo_total - r.kompass_total), 0) AS size"
    "  FROM qbo_difference r"
    # One that became a failure is mailed as such.
    "  WHERE r.kompass_total IS NOT NULL OR NOT EXISTS (SELECT 1 FROM qbo_failure f WHERE f.link_id = r.link_id AND f.closed_at IS NULL"
    "   AND f.cause LIKE 'not-taken:%')) d"
    " JOIN qbo_configuration c ON c.org_id = d.org_id AND c.realm_id = d.realm_id"
    " JOIN qbo_link l ON l.id = d.link_id"
)
QUIET = "difference:tax-rounding"
"""Shown wherever the document is shown, but no reason for a mail: both ways of rounding are right."""
_TOLD = "SELECT 1 FROM qbo_notice n WHERE n.cleared_at IS NULL AND n.org_id = d.org_id AND n.subject = d.cause"
_UNTOLD = f"d.cause <> '{QUIET}' AND NOT EXISTS ({_TOLD})"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a document comes to on both sides, in its currency."""

    kompass_total: Decimal
    kompass_tax: Decimal
    qbo_total: Decimal
    qbo_tax: Decimal


@dataclass(frozen=True, slots=True)
class Found:
    """A difference of one link."""

    link: Link
    cause: str
    message: str
    figures: Figures | None = None
    """Of a total that is another; None of what was left out or not taken."""


def write(db: Connection, *, ended: Mapping[frozenset[str], Collection[int]], found: Sequence[Found]) -> None:
    """Forget the differences of these causes that links had (causes → links), and keep those that were found."""
    for causes, link_ids in ended.items():
        _FORGET.count(db, ids=sorted(link_ids), causes=sorted(causes))
    insert_rows(
        db,
        difference,
        [
            {
                "link_id": one.link.id, "org_id": one.link.org_id, "realm_id": one.link.realm_id, "cause": one.cause,
                "message": one.message, **(_NO_FIGURES if one.figures is None else asdict(one.figures)),
            }
            for one in found
        ],
        tail="ON CONFLICT (link_id, cause) DO UPDATE SET org_id = excluded.org_id, message = excluded.message,"
        " kompass_total = excluded.kompass_total, kompass_tax = excluded.kompass_tax, qbo_total = excluded.qbo_total,"
        " qbo_tax = excluded.qbo_tax",
    )  # fmt: skip


_FORGET = Statement(
    "DELETE FROM qbo_difference WHERE link_id = ANY(%(ids)s::bigint[]) AND cause = ANY(%(causes)s::text[])"
)
_NO_FIGURES = dict.fromkeys(("kompass_total", "kompass_tax", "qbo_total", "qbo_tax"))


def messages(db: Connection, link_ids: Collection[int]) -> dict[int, str]:
    """Give the sentences of the differences that these links have, by link."""
    if not link_ids:
        return {}
    wanted = select(difference.c.link_id, difference.c.message).where(difference.c.link_id.in_(sorted(link_ids)))
    texts: dict[int, list[str]] = {}
    for row in db.execute(wanted.order_by(difference.c.cause)):
        texts.setdefault(row.link_id, []).append(row.message)
    return {link_id: "; ".join(messages) for link_id, messages in texts.items()}


@dataclass(frozen=True, slots=True)
class Untold:
    """The differences of one cause in an Org, of which nobody was notified."""

    org_id: str
    cause: str
    count: int
    oldest: datetime


def untold(db: Connection) -> list[Untold]:
    """Give what nobody was notified of, by Org and cause, the largest group of each Org first."""
    rows = db.execute(
        text(
            f"SELECT d.org_id, d.cause, count(*), min(d.found_at) {_OPEN} WHERE {_UNTOLD}"
            " GROUP BY d.org_id, d.cause ORDER BY d.org_id, count(*) DESC, d.cause"
        )
    )
    return [Untold(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Sample:
    """One document that differs, as a mail shows it."""

    link_id: int
    kind: str
    reference: str
    message: str


def samples(db: Connection, org_id: str, cause: str, *, limit: int) -> list[Sample]:
    """Give some documents of a cause, the largest difference first."""
    rows = db.execute(
        text(
            f"SELECT d.link_id, l.kind, coalesce(nullif(l.reference, ''), l.kompass_id), d.message {_OPEN}"
            " WHERE d.org_id = :org AND d.cause = :cause"
            " ORDER BY d.size DESC, d.link_id LIMIT :limit"
        ),
        {"org": org_id, "cause": cause, "limit": limit},
    )
    return [Sample(*row) for row in rows]


def tell(db: Connection, org_id: str, headlines: Mapping[str, str], *, mail_id: int, now: datetime) -> None:
    """Note that the differences of these causes are in this mail, in the history of each of them too."""
    if not headlines:
        return
    db.execute(
        text(
            "INSERT INTO qbo_history (org_id, realm_id, kind, kompass_id, link_id, what, outcome, message, detail)"
            " SELECT l.org_id, l.realm_id, l.kind, l.kompass_id, l.id, 'mailed', 'digest', d.message,"
            f" jsonb_build_object('mail', CAST(:mail AS bigint)) {_OPEN}"
            f" WHERE d.org_id = :org AND d.cause = ANY(CAST(:causes AS text[])) AND {_UNTOLD}"
        ),
        {"org": org_id, "mail": mail_id, "causes": list(headlines)},
    )
    db.execute(
        text(
            "INSERT INTO qbo_notice (org_id, subject, cause, headline, mail_id, told_at)"
            " SELECT :org, n.cause, n.cause, n.headline, :mail, :now"
            " FROM unnest(CAST(:causes AS text[]), CAST(:headlines AS text[])) AS n(cause, headline)"
        ),
        {
            "org": org_id, "mail": mail_id, "now": now, "causes": list(headlines), "headlines": list(headlines.values()),
        },
    )  # fmt: skip


def clear_ended(db: Connection, *, now: datetime) -> None:
    """Close the notices of causes of which nothing differs any more; that is no reason for an all clear."""
    db.execute(
        text(
            "UPDATE qbo_notice n SET cleared_at = :now, all_clear_id = n.mail_id WHERE n.cleared_at IS NULL"
            f" AND n.subject LIKE '{SUBJECT}%' AND NOT EXISTS (SELECT 1 {_OPEN}"
            " WHERE d.org_id = n.org_id AND d.cause = n.subject)"
        ),
        {"now": now},
    )


def counts(db: Connection) -> list[tuple[str, str, int]]:
    """Give (cause, Org id, documents) for all that differ."""
    rows = db.execute(text(f"SELECT d.cause, d.org_id, count(*) {_OPEN} GROUP BY d.cause, d.org_id"))
    return [(row[0], row[1], row[2]) for row in rows]
