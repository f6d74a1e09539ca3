"""What a read or a look-up found: QuickBooks' side is kept, and decided by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mapping.books import made_by_hand, still_kept
from mapping.results import Problem
from qbo_client.outcomes import Done
from schemas.applied import NOTHING_SENT
from schemas.link_state import LinkState
from schemas.observed import Observed, kept, with_applied_to
from store import links
from sync.attempt import Attempt
from sync.looking_up import arrived, not_among_its_customers, what_was_made
from sync.settle.transaction import Answer, Fate, Transaction


def read(transaction: Transaction, answer: Answer, document: Mapping[str, Any], row: Any) -> None:
    """Keep what QBO has now, and decide again: the three sides are compared there."""
    attempt, learned = answer.attempt, answer.learned
    if attempt.phase != "lookup" and learned is not None and learned.applied_to:
        document = with_applied_to(document, _named_invoices(transaction, attempt, learned.applied_to))
    token = str(document["SyncToken"])
    changes: dict[str, Any] = {}
    before = None if row.observed is None else Observed(row.observed)
    if row.overwrite and before is not None and before.sync_token != token:
        # The person who chose Kompass's side had seen another one: both are shown again, should they still disagree.
        changes["overwrite"] = False
        transaction.decided(attempt, "asked-again", "changed in QuickBooks since a person chose what Kompass says")
    now, sent = Observed(kept(document)), row.applied or NOTHING_SENT
    changes["kept"], no_more = still_kept(row.kept, before, now)
    edited = made_by_hand(sent.members, before, now, known=row.by_hand, tax=row.qbo_tax)
    changes["by_hand"] = sorted({*edited, *no_more})
    transaction.differences.put_right(attempt.link, sent.notes.billed, document)
    transaction.differences.seen(attempt.link, sent.members, now)
    _decide_by(transaction, attempt, row, now, token, **changes)


def gone(transaction: Transaction, attempt: Attempt, row: Any) -> None:
    """QuickBooks has the object no more: that is an observation like any other, and decided by."""
    there = Observed(row.observed or {"Id": attempt.object_id, "SyncToken": "0"}).as_deleted()
    _decide_by(transaction, attempt, row, there, there.sync_token or "0", overwrite=row.overwrite and row.again)
    transaction.decided(
        attempt, "deleted", f"{attempt.entity} {attempt.object_id} was deleted or made inactive in QuickBooks"
    )


def _decide_by(
    transaction: Transaction, attempt: Attempt, row: Any, there: Observed, token: str, **changes: Any
) -> None:
    transaction.put(
        attempt,
        row,
        state=LinkState.PENDING,
        cause=links.READ,
        due_at=transaction.now,
        observed=there.document,
        sync_token=token,
        **changes,
    )
    transaction.become(attempt, Fate.RETIRED)
    transaction.result.events.append((attempt, "read", ""))


def nothing_to_void(transaction: Transaction, attempt: Attempt, row: Any) -> None:
    """What Kompass voided is deleted in QuickBooks: both have nothing of it."""
    reason = f"voided in Kompass; {attempt.entity} {attempt.object_id} was deleted in QuickBooks"
    transaction.put(
        attempt, row, state=LinkState.SYNCED, cause="", reason=reason, voided=True, applied_sequence=attempt.sequence,
        observed=Observed(row.observed or {"Id": attempt.object_id}).as_deleted().document,
        synced_at=transaction.now, attempts=0, first_failed_at=None,
    )  # fmt: skip
    transaction.differences.over(attempt.link)
    transaction.decided(attempt, "deleted", reason)
    transaction.synced(attempt)
    transaction.result.events.append((attempt, "pushed", ""))


def looked_up(transaction: Transaction, answer: Answer, done: Done, row: Any) -> Mapping[str, Any] | None:
    """Give the object that an earlier call without an answer wrote; None when it wrote nothing, or that is not known."""
    attempt, learned = answer.attempt, answer.learned
    if attempt.operation != "create":
        # Whether the update arrived shows in the object. When it did, it is ours and nobody's edit, also if Kompass has changed by now;
        # when that is unknown, the decision compares the three sides.
        document = done.entity(attempt.entity)
        if attempt.operation == "update" and arrived(attempt, document):
            words = f"{attempt.entity} {attempt.object_id} has it from an earlier call without an answer"
            transaction.note(attempt, "recovered", words)
            return document
        read(transaction, answer, document, row)
        return None
    elsewhere = learned.elsewhere if learned is not None else None
    if elsewhere is None and not_among_its_customers(attempt, done):
        reason = "an earlier call without an answer is looked for, and the rest of the company could not be asked yet"
        transaction.retry(attempt, row, "no-answer", reason, after=transaction.backoff(row))
        return None
    made = what_was_made(transaction.db, attempt, done, elsewhere=elsewhere, decided=row.overwrite)
    if isinstance(made, Problem):
        transaction.result.recoveries.append("asked")
        seen_there = [*done.rows(attempt.entity), *(elsewhere.candidates if elsewhere is not None else ())]
        stranger = next((one for one in seen_there if str(one.get("Id")) == made.value), None)
        # Both sides are shown to the person who decides.
        seen: dict[str, Any] = {"observed": kept(stranger)} if stranger else {}
        # What came meanwhile is decided once a person has said whose it is. Due again, it would be looked up for ever.
        transaction.fail(attempt, row, made, tid=done.intuit_tid, again=False, **seen)
        return None
    if made is not None:
        words = f"{attempt.entity} {made.get('Id')} was made by an earlier call without an answer"
        transaction.note(attempt, "recovered", words)
        return made
    transaction.result.recoveries.append("abandoned")
    transaction.note(attempt, "recovered", "the earlier call made nothing; another goes out")
    # Before those that were not looked for yet: else an outage that ends would be all questions first.
    transaction.put(attempt, row, due_at=row.first_failed_at or transaction.now)
    transaction.become(attempt, Fate.RETIRED)
    return None


def _named_invoices(transaction: Transaction, attempt: Attempt, ids: Sequence[str]) -> list[str]:
    """Name invoices of QuickBooks by the Kompass references they stand for, or else by their Ids."""
    realm_id = attempt.link.realm_id
    held = {
        one: links.holder_of(transaction.db, realm_id=realm_id, entity="Invoice", qbo_id=one, other_than=0)
        for one in ids
    }
    return [f"invoice {link.reference}" if link is not None else f"Invoice Id {one}" for one, link in held.items()]
