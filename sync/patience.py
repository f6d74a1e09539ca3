"""How long a record is tried again that QuickBooks refuses without saying that it always will.

Two things look alike: an outage, with any status, and a rule of the company that this record does not meet. A
bookkeeper wants to know of the second within minutes and must not hear of the first. What tells them apart is whether others go through
meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from qbo_client.faults import FaultCode
from qbo_client.outcomes import Refused
from store import history, links
from store.links import Link
from sync.settings import RetryPolicy


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds."""

    tries: int = 5
    lone: float = 180.0
    """A record fails after so many tries in so long, if others of its kind went through between each of them and the next."""
    quiet: float = 2 * 3600.0
    """It fails after so long if others of the company go through again and again, or if none goes and no other is being retried."""
    rule: float = 4 * 3600.0
    """It fails after so long, while none goes, if the refusal may be a rule of the company (6000), which a person has to know."""
    failed: float = 24 * 3600.0
    """Then it is tried once in so long."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """One record's refusals so far, this one included."""

    tries: int
    """While others of its kind went through: what an outage costs in tries does not count against the record."""
    since: float
    """Seconds since the first."""
    fails: bool
    """It is this record that QuickBooks does not take."""

    def wait(self, *, first: float, longest: float) -> float:
        """Seconds until the next try: with each, three times as much time has gone by."""
        return min(max(first, 2 * self.since), longest)


def weigh(
    db: Connection, patience: Patience, link: Link, row: Any, refused: Refused, *, now: datetime, company_answers: bool
) -> Refusals:
    """Tell an outage from a record that is refused for its own sake. ``row`` is the link's, as the answer found it."""
    since = (now - (row.first_failed_at or now)).total_seconds()

    def others_go(**more: Any) -> bool:
        # Between its last refusal and this one: in an outage none does, however recent the last success.
        return company_answers and links.others_settled_since(
            db, realm_id=link.realm_id, other_than=link.id, moment=row.last_failed_at, **more
        )

    before, half = int(row.attempts), max(patience.tries // 2, 1)
    others = before == 0 or others_go()
    kin = before == 0 or (others and others_go(kind=link.kind))
    # Neither does a try in an outage count, nor is one forgotten that counted before it.
    tries = before + 1 if kin else max(before, min(before + 1, half) if others else 1)
    if since >= patience.lone and tries >= patience.tries:
        fails = True
    elif since < patience.quiet or kin:
        # However long an outage was, the first refusal after it says nothing more than any other.
        fails = False
    elif others:
        fails = before >= half
    else:
        fails = _fails_in_silence(db, patience, link, row, refused, now=now)
    return Refusals(tries, since, fails)


def _fails_in_silence(
    db: Connection, patience: Patience, link: Link, row: Any, refused: Refused, *, now: datetime
) -> bool:
    """Whether a record fails while none of its company goes. An outage counts neither while it lasts nor when it has just ended."""
    recently = now - timedelta(seconds=patience.quiet)
    if links.others_settled_since(db, realm_id=link.realm_id, other_than=link.id, moment=recently):
        return False

    def refused_for(code: str | None) -> float:
        began = history.last_answered_otherwise(db, link, code=code)
        since: datetime = row.first_failed_at or now
        return (now - (since if began is None else max(since, began))).total_seconds()

    if not links.others_retrying(db, realm_id=link.realm_id, other_than=link.id):
        return refused_for(None) >= patience.quiet
    code = FaultCode.BUSINESS_VALIDATION
    return code in refused.codes and refused_for(code) >= patience.rule


def tries_for(row: Any, cause: str) -> int:
    """Give how often in a row a link was tried with this cause: tries that another one cost say nothing about it."""
    return int(row.attempts) if row.cause == cause else 0


def backoff(retries: RetryPolicy, row: Any, *, now: datetime, alone: bool) -> float:
    """Give the seconds until a call without an answer is made again.

    Tries in an outage do not count (``alone`` is False), so there it is the time that makes the wait longer: up to half of the tries of a
    record that fails alone, so that all go soon after it ends.
    """
    first, half = retries.backoff_first_seconds, retries.reject_after_attempts // 2
    wait = first * 2.0 ** min(int(row.attempts), 30)
    if not alone:
        since = (now - (row.first_failed_at or now)).total_seconds()
        wait = max(wait, min(2 * since, first * 2.0 ** min(half, 30)))
    return min(wait, retries.backoff_longest_seconds)
