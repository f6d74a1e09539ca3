"""The notifier: looks at what is open, writes mails with the notices in them, and hands them to the mail server.

Writing and sending are apart. A mail and the notices in it are written in one transaction, so nothing is mailed twice or forgotten; a mail
is then claimed, sent and marked, so that it goes once unless this process dies between the server's answer and the mark.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from html import escape

from sqlalchemy import Connection, Engine

from consumers.notifier.addresses import AdminPages, usable
from consumers.notifier.digest import Digest, gather, short, waiting_words
from consumers.notifier.filed import filed_mail, mailed_entries
from consumers.notifier.pacing import Pacing
from consumers.notifier.rendering import Rendered, Renderer
from consumers.notifier.smtp import Handed, Mailer
from mapping.causes.table import words_of
from store import differences, history, mails, notices, outages
from store.mails import Letter, Outgoing, PastMail
from store.notices import Audience, Over, Untold, Withdrawn
from store.outages import Outage
from sync.filed_months import ChangedSince, changed_since_filed
from sync.metrics import Metrics

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=10)
"""For one mail: longer than any server takes over it that answers each of our commands within `smtp.TIMEOUT_S`."""
MAILS_A_TURN = 20
FILED_LOOK = timedelta(minutes=10)
"""Between two looks at filed months, which read what was written since each was filed."""
_FIRST_RETRY = timedelta(minutes=1)
_LONGEST_RETRY = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)
"""As long as mail servers commonly try."""


@dataclass(frozen=True, slots=True)
class NotifierPolicy:
    owner: str
    mail_from: str
    operator_mail: str | None
    public_url: str
    pacing: Pacing = field(default_factory=Pacing)


class Notifier:
    """Not shared between threads. Several processes may run one each: only one writes mails at a time."""

    def __init__(
        self,
        engine: Engine,
        policy: NotifierPolicy,
        *,
        renderer: Renderer,
        mailer: Mailer,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._renderer = renderer
        self._mailer = mailer
        self._metrics = metrics
        self._clock = clock
        self._pages = AdminPages(policy.public_url)
        self._unreachable: set[str] = set()
        self._next_filed = datetime.min.replace(tzinfo=UTC)

    def turn(self) -> int:
        """Look once, and send what is due; gives how many mails the server took."""
        self.look()
        sent = self.send()
        self._metrics.set("notifier_last_run_timestamp_seconds", self._clock().timestamp())
        return sent

    # Writing

    def look(self) -> int:
        """Write the mails that are due; gives how many."""
        # One snapshot for the whole look: what fails meanwhile is neither counted nor marked as mailed.
        with self._engine.connect().execution_options(isolation_level="REPEATABLE READ") as db, db.begin():
            if not notices.take_turn(db):
                return 0
            now = self._clock()
            notices.clear_ended(db, now=now)
            return self._digests(db, now) + self._outages(db, now) + self._all_clears(db, now) + self._filed(db, now)

    def _digests(self, db: Connection, now: datetime) -> int:
        pacing = self._policy.pacing
        untold: dict[str, list[Untold]] = {}
        for one in notices.untold(db):
            untold.setdefault(one.org_id, []).append(one)
        withdrawn: dict[str, list[Withdrawn]] = {}
        for left in notices.withdrawn(db, before=now - pacing.withdrawn_after):
            withdrawn.setdefault(left.org_id, []).append(left)
        differing: dict[str, list[differences.Untold]] = {}
        for different in differences.untold(db):
            differing.setdefault(different.org_id, []).append(different)
        # What gathers for a while yet goes along with what is due now.
        ripe = {
            org for org, found in differing.items() if min(one.oldest for one in found) + pacing.differs_after <= now
        }
        audiences = notices.audiences(db, untold.keys() | withdrawn.keys() | ripe)
        written = 0
        for org_id in sorted(untold.keys() | withdrawn.keys() | ripe):
            news = untold.get(org_id, [])
            if (
                news
                and not withdrawn.get(org_id)
                and org_id not in ripe
                and min(one.oldest for one in news) + pacing.gather > now
            ):
                continue
            past = mails.of_org(db, org_id, since=now - pacing.memory)
            if _undelivered(past) or pacing.next_digest_at(past, now) > now:
                continue
            written += self._digest(
                db, audiences.get(org_id) or Audience(org_id, "", ()), news, withdrawn.get(org_id, []),
                differing.get(org_id, []), past, now,
            )  # fmt: skip
        return written

    def _digest(
        self,
        db: Connection,
        audience: Audience,
        news: list[Untold],
        withdrawn: list[Withdrawn],
        differing: list[differences.Untold],
        past: list[PastMail],
        now: datetime,
    ) -> int:
        recipients, note = self._recipients(audience)
        if not recipients:
            return 0
        digest = gather(
            db,
            org_id=audience.org_id,
            org_name=audience.org_name,
            untold=news,
            withdrawn=withdrawn,
            differing=differing,
            pages=self._pages,
            note=note,
        )
        begun = self._policy.pacing.level(past, now) > 0
        mail_id = self._write(
            db, "digest" if news else "note", audience.org_id, recipients, digest.subject, self._renderer.digest(digest),
            thread_id=past[-1].thread_id if begun and past else "", now=now,
        )  # fmt: skip
        self._note_notified(db, digest, news, withdrawn, mail_id=mail_id, now=now)
        differences.tell(
            db, audience.org_id, {one.cause: one.headline for one in digest.differing}, mail_id=mail_id, now=now
        )
        return 1

    def _note_notified(
        self,
        db: Connection,
        digest: Digest,
        news: Iterable[Untold],
        withdrawn: list[Withdrawn],
        *,
        mail_id: int,
        now: datetime,
    ) -> None:
        headlines = {section.cause: section.headline for section in digest.sections}
        shared: dict[str, str] = {}
        single: dict[str, str] = {}
        for one in news:
            words = words_of(one.cause)
            kept = headlines.get(one.cause) or short(words.headline_for(cause=one.cause), 160)
            (shared if words.shared else single)[one.cause] = kept
        notices.remember_mailed(
            db, digest.org_id, {*shared, *single}, mail_id=mail_id, subject=digest.subject
        )  # fmt: skip
        notices.tell_failures(db, digest.org_id, single, shared=False, mail_id=mail_id, now=now)
        notices.tell_failures(db, digest.org_id, shared, shared=True, mail_id=mail_id, now=now)
        notices.tell_withdrawn(db, withdrawn, mail_id=mail_id, now=now)

    def _outages(self, db: Connection, now: datetime) -> int:
        found = outages.lasting(db, before=now - self._policy.pacing.outage_after)
        audiences = notices.audiences(db, {one.org_id for one in found})
        return sum(
            self._outage(db, one, audiences.get(one.org_id) or Audience(one.org_id, "", ()), now) for one in found
        )

    def _outage(self, db: Connection, outage: Outage, audience: Audience, now: datetime) -> int:
        """Write the one mail about an outage, which is none of the records' own."""
        recipients, _ = self._recipients(audience)
        if not recipients:
            return 0
        name = short(audience.org_name, 80)
        since = outage.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
        subject = f"QuickBooks does not answer since {since} UTC" + (f" ({name})" if name else "")
        waiting = waiting_words(outage.waiting)
        rendered = self._renderer.outage(
            org_name=name, since=since, waiting=waiting, url=self._pages.sync_errors(outage.org_id)
        )
        mail_id = self._write(db, "note", outage.org_id, recipients, subject, rendered, thread_id="", now=now)
        outages.tell(db, outage.org_id, subject, mail_id=mail_id, now=now)
        return 1

    def _all_clears(self, db: Connection, now: datetime) -> int:
        found = [one for one in notices.over(db) if one.cleared_at + self._policy.pacing.calm <= now]
        audiences = notices.audiences(db, {one.org_id for one in found})
        return sum(
            self._all_clear(db, one, audiences.get(one.org_id) or Audience(one.org_id, "", ()), now) for one in found
        )

    def _all_clear(self, db: Connection, over: Over, audience: Audience, now: datetime) -> int:
        past = mails.of_org(db, over.org_id, since=now - self._policy.pacing.memory)
        recipients, _ = self._recipients(audience)
        if _undelivered(past) or not recipients:
            return 0
        name = short(audience.org_name, 80)
        subject = "All clear: nothing needs attention any more" + (f" ({name})" if name else "")
        rendered = self._renderer.all_clear(
            org_name=name,
            headlines=[short(one, 160) for one in over.headlines],
            url=self._pages.sync_errors(over.org_id),
        )
        mail_id = self._write(
            db, "all-clear", over.org_id, recipients, subject, rendered,
            thread_id=past[-1].thread_id if past else "", now=now,
        )  # fmt: skip
        notices.tell_over(db, over.org_id, mail_id=mail_id)
        return 1

    def _filed(self, db: Connection, now: datetime) -> int:
        """Write of documents that changed since their month was filed: gathered for an hour, once a day."""
        if now < self._next_filed:
            return 0
        self._next_filed = now + FILED_LOOK
        by_org: dict[str, list[ChangedSince]] = {}
        for one in changed_since_filed(db):
            by_org.setdefault(one.document.org_id, []).append(one)
        audiences = notices.audiences(db, by_org.keys())
        written = 0
        for org_id, changed in by_org.items():
            last = mails.last_about_filed(db, org_id)
            early = min(one.document.first_at for one in changed) + self._policy.pacing.filed_after > now
            if early or (last is not None and last + self._policy.pacing.filed_every > now):
                continue
            audience = audiences.get(org_id) or Audience(org_id, "", ())
            recipients, _ = self._recipients(audience)
            if not recipients:
                continue
            mail = filed_mail(changed, audience.org_name, self._pages)
            mail_id = self._write(
                db, mails.FILED, org_id, recipients, mail.subject, self._renderer.filed(mail), thread_id="", now=now
            )
            history.append(db, mailed_entries(changed, mail_id=mail_id, subject=mail.subject))
            written += 1
        return written

    def _recipients(self, audience: Audience) -> tuple[tuple[str, ...], str]:
        """Give whom to write to, and a note when it is not whom it should be."""
        operator = usable([self._policy.operator_mail] if self._policy.operator_mail else [])
        if not audience.org_id:
            found, note = operator, ""
        else:
            found, note = usable(audience.recipients), ""
            if not found:
                found = operator
                note = (
                    f"The Configuration of {short(audience.org_name, 80)} names no Notification recipients that can be mailed, so "
                    "this comes to you."
                )
        if not found and audience.org_id not in self._unreachable:
            self._unreachable.add(audience.org_id)
            log.warning(
                "nobody can be notified of the failures of %s: no Notification recipients, and OPERATOR_MAIL is not set",
                audience.org_name or "no Org",
            )
        elif found:
            self._unreachable.discard(audience.org_id)
        return found, note

    def _write(
        self,
        db: Connection,
        kind: str,
        org_id: str,
        recipients: tuple[str, ...],
        subject: str,
        rendered: Rendered,
        *,
        thread_id: str,
        now: datetime,
    ) -> int:
        domain = parseaddr(self._policy.mail_from)[1].rpartition("@")[2] or "localhost"
        return mails.write(
            db,
            Letter(
                org_id=org_id,
                kind=kind,
                recipients=recipients,
                subject=subject,
                text=rendered.text,
                html=rendered.html,
                message_id=f"<kompass-qbo.{uuid.uuid4().hex}@{domain}>",
                thread_id=thread_id,
            ),
            now=now,
        )

    # Sending

    def send(self) -> int:
        """Hand over the mails that are due, one after the other; gives how many the server took."""
        taken = 0
        for _ in range(MAILS_A_TURN):
            with self._engine.begin() as db:
                mail = mails.claim(db, owner=self._policy.owner, now=self._clock(), lease=LEASE)
            if mail is None:
                break
            taken += self._settle(mail, self._mailer.hand_over(mail))
        return taken

    def _settle(self, mail: Outgoing, handed: Handed) -> bool:
        now = self._clock()
        left = tuple(one for one in mail.recipients if one not in handed.delivered)
        reasons = {**handed.later, **handed.refused}
        error = handed.problem or "; ".join(f"{who}: {reason}" for who, reason in reasons.items())
        retry_at = None
        if left and (handed.problem or handed.later):
            state, retry_at = "waiting", now + min(_FIRST_RETRY * 2 ** min(mail.attempts - 1, 10), _LONGEST_RETRY)
            if now - mail.created_at >= GIVE_UP_AFTER:
                state, retry_at = "failed", None
        elif handed.delivered:
            state = "sent"
        else:
            state = "refused"
        with self._engine.begin() as db:
            mine = mails.mark(
                db, mail.id, owner=self._policy.owner, state=state, now=now, delivered=handed.delivered, error=error,
                retry_at=retry_at,
            )  # fmt: skip
            if mine and state == "refused":
                self._forward(db, mail, error, now)
        if error:
            log.warning("mail %d to %s: %s (%s)", mail.id, ", ".join(left), error, state)
        self._metrics.count("mails", outcome="sent" if handed.delivered else "failed", org=mail.org_id)
        return bool(handed.delivered)

    def _forward(self, db: Connection, mail: Outgoing, error: str, now: datetime) -> None:
        """A mail that nobody it was meant for can get goes to the operator."""
        operator = usable([self._policy.operator_mail] if self._policy.operator_mail else [])
        if not operator or mail.kind == "forwarded" or set(operator) <= set(mail.recipients):
            log.error("mail %d cannot be delivered to anybody: %s", mail.id, error)
            return
        note = f"The mail server refuses this mail's recipients ({short(error, 300)}). Correct the Notification recipients."
        paragraph = f'\\g<0><p style="font-family:sans-serif;padding:12px;margin:0;">{_literal(escape(note))}</p>'
        rendered = Rendered(text=f"{note}\n\n{mail.text}", html=re.sub("<body[^>]*>", paragraph, mail.html, count=1))
        self._write(db, "forwarded", "", operator, f"Undeliverable: {mail.subject}", rendered, thread_id="", now=now)


def _literal(text: str) -> str:
    """Text as the replacement of a regular expression."""
    return text.replace("\\", r"\\")


def _undelivered(past: Iterable[PastMail]) -> bool:
    """While the server has not taken a mail, further changes gather for the next one."""
    return any(mail.state == "waiting" for mail in past)
