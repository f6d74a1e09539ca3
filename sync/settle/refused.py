"""What a refusal makes of a link: read again, tried again later, sent otherwise, or failed for a person to act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mapping.conflicts import NAME_HELD, NAME_IN_USE, NUMBER_IN_USE, RENAME_ONE
from mapping.results import Problem
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Done, Refused
from qbo_client.verdicts import Verdict, verdict
from schemas.events import Kind
from schemas.link_state import LinkState
from store import attempts, companies, links
from store.references import of_payload
from store.sql import loads
from sync.attempt import Attempt
from sync.companies import CONTRADICTS_FACTS
from sync.contact_details import without_details
from sync.daily_retry import FIXED_IN_QUICKBOOKS
from sync.giving_way import in_the_way
from sync.patience import Refusals, tries_for, weigh
from sync.refusals import books_are_closed, keeps_changing, problem_for, says_closed
from sync.settle.found import gone, looked_up, nothing_to_void
from sync.settle.transaction import Answer, Fate, Transaction, doubtful
from sync.settle.unanswered import BATCH_TRIES

# A document that somebody changes at every one of our tries is not ours to win.
MAX_REREADS = 5
REFUSED_FOR_NOW = "refused-for-now"
_TAKEN = frozenset({FaultCode.DUPLICATE_NAME, FaultCode.DUPLICATE_DOCUMENT_NUMBER})
_BY_REFERENCE = frozenset({FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID, FaultCode.CUSTOMER_INVALID})


def refused(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> Mapping[str, Any] | None:
    """Write a refusal back. Gives the object that an earlier call wrote, where the answer to another question shows it."""
    if answer.attempt.phase == "lookup":
        return _question_refused(transaction, answer, refusal, row)
    _write_refused(transaction, answer, refusal, row)
    return None


def _write_refused(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> None:
    attempt, learned = answer.attempt, answer.learned
    if attempt.tries > 1:
        # The first call may have done it and Intuit forgotten its request id: a refusal of the second is no proof. Look.
        codes = ", ".join(sorted(refusal.codes)) or str(refusal.status)
        words = f"refused ({codes}), perhaps because an earlier call of ours has done it: looking"
        transaction.look(attempt, row, words)
    elif FaultCode.STALE_OBJECT in refusal.codes and says_closed(attempt, learned):
        _closed(transaction, answer, refusal, row)
    elif FaultCode.STALE_OBJECT in refusal.codes and attempt.operation in ("update", "void"):
        _stale(transaction, attempt, refusal, row)
    elif (
        FaultCode.BUSINESS_VALIDATION in refusal.codes
        and attempt.operation == "void"
        and row.cause not in (links.READ, REFUSED_FOR_NOW)
    ):
        # QuickBooks voids nothing that a payment is applied to, and says only that: what is read tells which payment.
        words = "QuickBooks does not void it: looking why"
        transaction.retry(attempt, row, "stale", words, after=0.0, sync_token=None)
    elif learned is not None and learned.gone and attempt.operation == "void":
        nothing_to_void(transaction, attempt, row)
    elif verdict(refusal, attempt.asks) is Verdict.PASSING:
        _refused_for_now(transaction, answer, refusal, row)
    elif (applied := without_details(attempt, refusal)) is not None:
        words = "QuickBooks refuses an address: sent without it"
        transaction.retry(attempt, row, "left-out", words, after=0.0, applied=applied)
    elif _says_gone(answer, refusal):
        gone(transaction, attempt, row)
    elif not (refusal.codes & _TAKEN and _beside_ours(transaction, answer, refusal, row)):
        _final(transaction, answer, refusal, row)


def _closed(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> None:
    attempt = answer.attempt
    if books_are_closed(transaction.db, attempt, row):
        problem = problem_for(attempt.link, attempt.entity, refusal, texts_alone=not attempt.changes_books)
        transaction.fail(attempt, row, problem, tid=refusal.intuit_tid, overwrite=row.overwrite and row.again)
        return
    # What the company says of its closing date decides, as soon as it is read.
    companies.mark_facts_stale(transaction.db, attempt.link.realm_id)
    _refused_for_now(transaction, answer, refusal, row)


def _stale(transaction: Transaction, attempt: Attempt, refusal: Refused, row: Any) -> None:
    """Somebody else wrote since: forget the SyncToken, and the decision asks for a read."""
    tries = tries_for(row, links.READ) + 1
    if tries >= MAX_REREADS:
        problem = keeps_changing(attempt.link, attempt.entity, tries=MAX_REREADS)
        transaction.fail(attempt, row, problem, tid=refusal.intuit_tid, overwrite=row.overwrite and row.again)
        return
    words = "a person changed it in QuickBooks"
    transaction.retry(attempt, row, "stale", words, after=0.0, sync_token=None, attempts=tries)


def _says_gone(answer: Answer, refusal: Refused) -> bool:
    """Whether QuickBooks has the object no more. A body that names others may be refused for one of those instead."""
    attempt = answer.attempt
    if FaultCode.OBJECT_NOT_FOUND not in refusal.codes or attempt.operation == "create":
        return False
    return answer.learned.gone if answer.learned is not None else 'Ref":' not in attempt.body


def _final(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> None:
    """Fail it, unless the settings of the company are to be read first."""
    attempt = answer.attempt
    problem = problem_for(
        attempt.link,
        attempt.entity,
        refusal,
        used=lambda: of_payload(transaction.db, attempt.link, attempt.body),
        learned=answer.learned,
        texts_alone=not attempt.changes_books,
    )
    if _facts_first(transaction, attempt, row, problem):
        return
    transaction.fail(
        attempt, row, problem, tid=refusal.intuit_tid, overwrite=_still_chosen(row),
        depends_on=_refused_party(transaction, attempt, refusal),
    )  # fmt: skip


def _facts_first(transaction: Transaction, attempt: Attempt, row: Any, problem: Problem) -> bool:
    """Have the settings of the company read that a refusal contradicts, and decide by them; False where that was just done."""
    asks = problem.cause in CONTRADICTS_FACTS and row.attempts + 1 < MAX_REREADS
    if not asks or not companies.mark_facts_stale(transaction.db, attempt.link.realm_id):
        return False
    tries = row.attempts + 1
    transaction.put(attempt, row, state=LinkState.PENDING, cause="", reason="", due_at=transaction.now, attempts=tries)
    transaction.become(attempt, Fate.RETIRED)
    words = "the settings of the company are read again: they say otherwise"
    transaction.decided(attempt, problem.cause, words)
    transaction.result.events.append((attempt, "read", ""))
    return True


def _refused_party(transaction: Transaction, attempt: Attempt, refusal: Refused) -> int | None:
    """Give the link of the customer or job that the refused body names: linked to another one, the record goes."""
    if not refusal.codes & _BY_REFERENCE or not attempt.body:
        return None
    body = loads(attempt.body)
    party = body.get("CustomerRef") or body.get("ParentRef")
    if not isinstance(party, Mapping):
        return None
    found = links.holder_of(
        transaction.db,
        realm_id=attempt.link.realm_id,
        entity="Customer",
        qbo_id=str(party["value"]),
        other_than=attempt.link.id,
    )
    return None if found is None else found.id


def _beside_ours(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> bool:
    """Decide again, or fail until it gives way, where another record of ours has the name or number; False where none has."""
    attempt, learned = answer.attempt, answer.learned
    # Others of this transaction may have got or given up the name.
    transaction.flush()
    there = learned.holder if learned is not None else None
    stranger = there.entity if there is not None and there.entity != "Customer" else None
    found = in_the_way(transaction.db, attempt, refusal, stranger=stranger)
    if found is None:
        return False
    holder = found.holder
    cause = NUMBER_IN_USE if attempt.link.kind is Kind.INVOICE else NAME_IN_USE
    rests_on = None if holder is None else holder.id
    tries = tries_for(row, cause)
    if found.passes and tries < MAX_REREADS:
        who = f"{holder.kind.value} {holder.reference}" if holder is not None else "another call of ours"
        after = 0.0 if found.at_once else transaction.backoff(row)
        reason = f"waits for {who} to settle, which has or had “{attempt.name}” in QuickBooks"
        transaction.retry(attempt, row, cause, reason, after=after, depends_on=rests_on, attempts=tries + 1)
        return True
    if holder is None:
        return False
    problem = problem_for(attempt.link, attempt.entity, refusal, learned=learned)
    held = f": {holder.kind.value} “{holder.reference}” of Kompass"
    problem = replace(problem, message=problem.message + held)
    changes: dict[str, Any] = {}
    if cause == NAME_IN_USE and row.refresh_names:
        # Asked since a person wanted it: the matter is what it was.
        problem, changes = replace(problem, cause=NAME_HELD, remedy=RENAME_ONE), {"refresh_names": row.again}
    transaction.fail(attempt, row, problem, tid=refusal.intuit_tid, depends_on=rests_on, **changes)
    return True


def _refused_for_now(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> None:
    """Try again what QuickBooks may take later; of a create it may even have done it, so that is looked for before the next."""
    attempt, so_far = answer.attempt, _so_far(transaction, answer, refusal, row)
    problem = problem_for(attempt.link, attempt.entity, refusal)
    looks_first = attempt.operation == "create"
    if looks_first:
        attempts.to_lookup(transaction.db, attempt.link.id)
    # An item has its answer in one that says 200.
    with_its_batch = answer.together > 1 and refusal.status != 200
    if so_far.fails and not with_its_batch:
        transaction.fail(
            attempt, row, problem, tid=refusal.intuit_tid, retire=not looks_first,
            # One is tried daily for all that wait for the same.
            due_at=None if problem.cause in FIXED_IN_QUICKBOOKS else _next_try_of_failed(transaction),
            overwrite=_still_chosen(row),
        )  # fmt: skip
        return
    _retry(transaction, attempt, row, so_far, problem.message)
    if looks_first:
        transaction.become(attempt, Fate.OVER)
    if with_its_batch and (so_far.tries >= BATCH_TRIES or so_far.since >= transaction.policy.patience.lone):
        # One of its members may be what QuickBooks stumbles over, and no member is to blame for another.
        transaction.limit_batch(-(-answer.together // 2))


def _question_refused(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> Mapping[str, Any] | None:
    """Take what another question said. A refused one is no answer: what became of the earlier call is looked up again."""
    attempt, learned = answer.attempt, answer.learned
    if learned is not None and learned.elsewhere is not None:
        return looked_up(transaction, answer, Done({"QueryResponse": {}}, refusal.intuit_tid), row)
    if learned is not None and learned.itself is not None:
        return looked_up(transaction, answer, Done({attempt.entity: learned.itself}, refusal.intuit_tid), row)
    if learned is not None and learned.gone and attempt.operation == "void":
        nothing_to_void(transaction, attempt, row)
    elif learned is not None and learned.gone:
        gone(transaction, attempt, row)
    elif (so_far := _so_far(transaction, answer, refusal, row)).fails:
        problem = problem_for(attempt.link, attempt.entity, refusal)
        again = _next_try_of_failed(transaction)
        transaction.fail(attempt, row, problem, tid=refusal.intuit_tid, retire=False, due_at=again)
    else:
        said = ", ".join(sorted(refusal.codes)) or f"HTTP status {refusal.status}"
        reason = f"QuickBooks does not say what became of an earlier call ({said})"
        _retry(transaction, attempt, row, so_far, reason)
        transaction.become(attempt, Fate.OVER)
    return None


def _so_far(transaction: Transaction, answer: Answer, refusal: Refused, row: Any) -> Refusals:
    return weigh(
        transaction.db, transaction.policy.patience, answer.attempt.link, row, refusal,
        now=transaction.now, company_answers=answer.company_answers,
    )  # fmt: skip


def _next_try_of_failed(transaction: Transaction) -> datetime:
    return transaction.now + timedelta(seconds=transaction.uniform(0.9, 1.0) * transaction.policy.patience.failed)


def _retry(transaction: Transaction, attempt: Attempt, row: Any, so_far: Refusals, reason: str) -> None:
    retries = transaction.policy.retries
    wait = so_far.wait(first=retries.backoff_first_seconds, longest=retries.backoff_longest_seconds)
    after = transaction.jittered(wait)
    transaction.retry(attempt, row, REFUSED_FOR_NOW, reason, after=after, attempts=so_far.tries)


def split(transaction: Transaction, answer: Answer, row: Any) -> None:
    """None of a batch was done: its members go in halves, and the one to blame will in the end be refused alone."""
    attempt, half = answer.attempt, -(-answer.together // 2)
    if doubtful(attempt):
        transaction.look(attempt, row, "refused with its whole batch, perhaps after an earlier call of ours: looking")
        transaction.limit_batch(half)
        return
    reason = f"Intuit refused a batch of {answer.together} as a whole; it goes in one of at most {half}"
    # In its old place in the queue, not behind all that came later.
    transaction.retry(
        attempt, row, "batch-refused", reason, after=0.0, attempts=row.attempts, batch_most=half,
        due_at=row.due_since or transaction.now,
    )  # fmt: skip


def _still_chosen(row: Any) -> bool:
    """Whether a choice outlives a refusal: Kompass's side was chosen for this call, "another one" until it is made."""
    return bool(row.overwrite) and (bool(row.again) or row.qbo_id is None)
