"""Calls that QBO did not answer, or not now: outages, limits, and a connection that has ended."""

from __future__ import annotations

from typing import Any

from mapping.results import Problem
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Forbidden, NotSent, Throttled, Unknown
from schemas.link_state import LinkState
from store import connections, links, quota
from sync.attempt import Attempt
from sync.disconnection import connection_words, disconnect
from sync.settle.transaction import Answer, Fate, Transaction, doubtful

BATCH_TRIES = 3
"""A batch that stays without an answer while others of the company get theirs is given up after so many tries."""


def late(transaction: Transaction, attempt: Attempt, row: Any) -> None:
    words = "waits for Intuit's limit of calls a second"
    transaction.retry(attempt, row, "late", words, after=0.0, attempts=row.attempts)


def throttled(transaction: Transaction, attempt: Attempt, outcome: Throttled, row: Any) -> None:
    quota.block(transaction.db, attempt.link.realm_id, outcome.retry_after)
    words = "Intuit asked us to wait"
    transaction.retry(attempt, row, "throttled", words, after=outcome.retry_after, attempts=row.attempts)


def unauthorized(transaction: Transaction, attempt: Attempt, row: Any) -> None:
    connections.expire_access(transaction.db, realm_id=attempt.link.realm_id, version=attempt.connection_version)
    # At once, but for a token that is refused however often it is refreshed.
    after = transaction.backoff(row) if row.attempts else 0.0
    transaction.retry(attempt, row, "token-expired", "the access token is refreshed", after=after)


def disconnected(transaction: Transaction, attempt: Attempt, outcome: Forbidden, row: Any) -> None:
    message = connection_words(outcome)
    realm_id = attempt.link.realm_id
    if not disconnect(transaction.db, outcome, realm_id=realm_id, version=attempt.connection_version):
        # The connection has moved on since the call went out: whether it still stands is decided again.
        transaction.retry(attempt, row, "disconnected", message, after=0.0, attempts=row.attempts)
        return
    transaction.put(attempt, row, state=LinkState.WAITING, cause="disconnected", reason=message, due_at=None)
    transaction.become(attempt, Fate.OVER if doubtful(attempt) else Fate.RETIRED)
    transaction.result.disconnected.add(realm_id)
    transaction.result.events.append((attempt, LinkState.WAITING, "disconnected"))


def not_sent(transaction: Transaction, answer: Answer, outcome: NotSent, row: Any) -> None:
    _failed(transaction, answer, row, "unreachable", outcome.reason)


def unknown(transaction: Transaction, answer: Answer, outcome: Unknown, row: Any) -> None:
    attempt = answer.attempt
    if FaultCode.DUPLICATE_REQUEST_ID in outcome.codes and attempt.phase == "send" and attempt.tries > 1:
        # The first call is over, or it would not have been sent again: nothing more will be said under its request id.
        transaction.look(attempt, row, "refused as a duplicate of an earlier call of ours: looking")
    else:
        _failed(transaction, answer, row, "no-answer", outcome.reason)


def _failed(transaction: Transaction, answer: Answer, row: Any, cause: str, reason: str) -> None:
    """Try again later, or fail what fails alone. What went out without an answer keeps its attempt."""
    attempt, went_out = answer.attempt, cause == "no-answer"
    # Whether others went through between its last failure and this one: in an outage none does, however recent the last success.
    alone = answer.company_answers and links.others_settled_since(
        transaction.db, realm_id=attempt.link.realm_id, other_than=attempt.link.id, moment=row.last_failed_at
    )
    # What the outage of a company costs in tries does not count against the record once the others go again.
    attempts = row.attempts + 1 if alone else max(row.attempts, 1)
    if went_out and alone and answer.together > 1 and attempts >= BATCH_TRIES:
        # One of its members may be what Intuit cannot answer, and no member is to blame for another.
        transaction.look(attempt, row, f"no usable answer to its batch after {attempts} tries: looking")
        transaction.limit_batch(-(-answer.together // 2))
        return
    if attempts >= transaction.policy.retries.reject_after_attempts and alone and answer.together == 1:
        problem = Problem(
            cause="keeps-failing",
            message=f"{attempt.entity} {attempt.link.reference}: no usable answer from Intuit after {attempts} tries, "
            f"while other records of the company went through ({reason})",
            field="",
            value="",
            remedy="Look it up in QuickBooks; if it is missing there, press Try again",
        )
        transaction.fail(attempt, row, problem, tid=None, retire=not (went_out or doubtful(attempt)))
        if went_out:
            # It may still be under way at Intuit: not before that is over may anybody look for it.
            transaction.become(attempt, Fate.RELEASED)
        return
    after = transaction.backoff(row, alone=alone)
    transaction.retry(attempt, row, cause, reason, after=after, keep_attempt=went_out, attempts=attempts)
