"""Mails: written together with the notices in them, claimed by one sender at a time, marked when the server has taken them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, text, update

from store.tables import mail, notice

FILED = "filed"
"""The kind of a mail about filed months: it has nothing to do with what waits."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to be written."""

    org_id: str
    """Empty: to the operator."""
    kind: str
    """digest | note | all-clear | forwarded | filed"""
    recipients: tuple[str, ...]
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    message_id: str
    thread_id: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail that was claimed to be sent."""

    id: int
    org_id: str
    kind: str
    recipients: tuple[str, ...]
    """Those who have not got it yet."""
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    message_id: str
    thread_id: str
    created_at: datetime
    attempts: int


def write(db: Connection, letter: Letter, *, now: datetime) -> int:
    """Put a mail on its way; gives its id."""
    return int(
        db.execute(
            insert(mail)
            .values(
                org_id=letter.org_id, kind=letter.kind, recipients=list(letter.recipients), subject=letter.subject,
                text=letter.text, html=letter.html, message_id=letter.message_id,
                thread_id=letter.thread_id or letter.message_id, created_at=now, due_at=now,
            )
            .returning(mail.c.id)
        ).scalar_one()
    )  # fmt: skip


def claim(db: Connection, *, owner: str, now: datetime, lease: timedelta) -> Outgoing | None:
    """Take the oldest mail that is due and that nobody else is sending; None when there is none. Commit before it is sent.

    One whose sender died is due again when its lease has ended: whether the server took it then, nobody knows, which is what
    SMTP makes unavoidable; its Message-ID stays the same.
    """
    row = db.execute(
        text(
            "UPDATE qbo_mail SET claimed_by = :owner, claimed_until = :until, attempts = attempts + 1 WHERE id = ("
            " SELECT id FROM qbo_mail WHERE state = 'waiting' AND due_at <= :now"
            " AND (claimed_until IS NULL OR claimed_until < :now) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING id, org_id, kind, recipients, delivered, subject, text, html, message_id, thread_id, created_at, attempts"
        ),
        {"owner": owner, "until": now + lease, "now": now},
    ).one_or_none()
    if row is None:
        return None
    return Outgoing(
        id=row.id,
        org_id=row.org_id,
        kind=row.kind,
        recipients=tuple(one for one in row.recipients if one not in row.delivered),
        subject=row.subject,
        text=row.text,
        html=row.html,
        message_id=row.message_id,
        thread_id=row.thread_id,
        created_at=row.created_at,
        attempts=row.attempts,
    )


def mark(
    db: Connection,
    mail_id: int,
    *,
    owner: str,
    state: str,
    now: datetime,
    delivered: Sequence[str] = (),
    error: str = "",
    retry_at: datetime | None = None,
) -> bool:
    """Write down what the server said: ``waiting`` with ``retry_at``, ``sent``, ``refused`` or ``failed``.

    False when somebody else has taken the mail over meanwhile.
    """
    return (
        db.execute(
            update(mail)
            .where(mail.c.id == mail_id, mail.c.claimed_by == owner, mail.c.state == "waiting")
            .values(
                state=state,
                delivered=mail.c.delivered.op("||")(list(delivered)),
                last_error=error,
                due_at=retry_at,
                claimed_by="",
                claimed_until=None,
                sent_at=now if state == "sent" else None,
            )
        ).rowcount
        == 1
    )


@dataclass(frozen=True, slots=True)
class PastMail:
    id: int
    kind: str
    state: str
    created_at: datetime
    message_id: str
    thread_id: str


def of_org(db: Connection, org_id: str, *, since: datetime) -> list[PastMail]:
    """Give what an Org (empty: the operator) was mailed lately about what waits, oldest first."""
    rows = db.execute(
        select(mail.c.id, mail.c.kind, mail.c.state, mail.c.created_at, mail.c.message_id, mail.c.thread_id)
        .where(mail.c.org_id == org_id, mail.c.created_at >= since, mail.c.kind.not_in(("forwarded", FILED)))
        .order_by(mail.c.id)
    )
    return [PastMail(*row) for row in rows]


def last_about_filed(db: Connection, org_id: str) -> datetime | None:
    """Give when an Org was last mailed about its filed months."""
    return db.execute(select(func.max(mail.c.created_at)).where(mail.c.org_id == org_id, mail.c.kind == FILED)).scalar()


def read_states(db: Connection, ids: Collection[int]) -> dict[int, str]:
    """Say of each mail where it stands, in words."""
    if not ids:
        return {}
    rows = db.execute(
        select(mail.c.id, mail.c.state, mail.c.recipients, mail.c.sent_at, mail.c.last_error).where(
            mail.c.id.in_(sorted(ids))
        )
    )
    words = {}
    for row in rows:
        to = ", ".join(row.recipients)
        if row.state == "sent":
            words[row.id] = f"sent to {to} at {row.sent_at:%Y-%m-%d %H:%M:%S} UTC"
        else:
            words[row.id] = f"to {to}: {row.state}" + (f" ({row.last_error})" if row.last_error else "")
    return words


def tell(db: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Note what a mail tells: columns of `qbo_notice`."""
    if rows:
        db.execute(insert(notice), list(rows))


def waiting(db: Connection) -> int:
    """Count the mails that the server has not taken yet."""
    return int(db.execute(select(func.count()).where(mail.c.state == "waiting")).scalar_one())
