"""What each answer of QBO is written back as, and what a write that was done makes of its link."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from mapping.books import BOOKS, OF_THE_WHOLE, edited_since_sent, left_alone, not_taken
from mapping.conflicts import TYPE_CHANGED
from mapping.difference import TAX_BASES
from mapping.texts import folded
from qbo_client.outcomes import Done, Forbidden, NotSent, Refused, Throttled, Unauthorized, Unknown
from schemas.applied import NOTHING_SENT
from schemas.documents import CHOSEN
from schemas.link_state import LinkState
from schemas.observed import Observed, figures
from store import companies, links
from sync.attempt import AS_MADE, Attempt, Late
from sync.batches import Split
from sync.policy import Policy
from sync.settle.found import looked_up, read
from sync.settle.refused import refused, split
from sync.settle.transaction import Answer, Settled, Transaction
from sync.settle.unanswered import disconnected, late, not_sent, throttled, unauthorized, unknown


class Settle:
    def __init__(self, policy: Policy, *, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._policy = policy
        self._uniform = uniform

    def __call__(self, db: Connection, answers: Sequence[Answer]) -> Settled:
        """Write these answers back. Those of a call that somebody else has taken over since change nothing."""
        attempts = [answer.attempt for answer in answers]
        reads = {attempt.link.id for attempt in attempts if attempt.phase == "lookup" or attempt.operation == "read"}
        mine = links.still_mine(db, [(attempt.link.id, attempt.epoch) for attempt in attempts], whole=reads)
        if mine.now is None:
            return Settled(fenced=len(answers))
        transaction = Transaction(self._policy, self._uniform, db, mine.now)
        # What was refused may have been in the way of what was done in the same moment.
        for answer in sorted(answers, key=lambda one: isinstance(one.outcome, Refused)):
            row = mine.rows.get(answer.attempt.link.id)
            if row is None:
                transaction.result.fenced += 1
            else:
                _settle(transaction, answer, row)
        transaction.write()
        return transaction.result


def _settle(transaction: Transaction, answer: Answer, row: Any) -> None:
    attempt, outcome = answer.attempt, answer.outcome
    if isinstance(outcome, Late):
        late(transaction, attempt, row)
        return
    if isinstance(outcome, Split):
        transaction.called(attempt, outcome.whole)
        split(transaction, answer, row)
        return
    transaction.called(attempt, outcome)
    if answer.learned is not None and attempt.phase != "lookup":
        transaction.result.recoveries.append("explained")
    found: Mapping[str, Any] | None = None
    match outcome:
        case Done() if attempt.phase == "lookup":
            found = looked_up(transaction, answer, outcome, row)
        case Done() if attempt.operation == "read":
            read(transaction, answer, outcome.entity(attempt.entity), row)
        case Done():
            _pushed(transaction, attempt, outcome.entity(attempt.entity), row)
        case Refused():
            found = refused(transaction, answer, outcome, row)
        case Throttled():
            throttled(transaction, attempt, outcome, row)
        case Unauthorized():
            unauthorized(transaction, attempt, row)
        case Forbidden():
            disconnected(transaction, attempt, outcome, row)
        case NotSent():
            not_sent(transaction, answer, outcome, row)
        case Unknown():
            unknown(transaction, answer, outcome, row)
    if found is not None:
        _pushed(transaction, attempt, found, row, recovered=True)


def _pushed(
    transaction: Transaction, attempt: Attempt, document: Mapping[str, Any], row: Any, *, recovered: bool = False
) -> None:
    """Keep what QuickBooks has by a write. ``recovered``: by an earlier call, whose answer never came."""
    applied, makes_way = attempt.applied or NOTHING_SENT, attempt.temporary
    answered = figures(document)
    observed = Observed(answered["observed"])
    by_hand, kept = _left_by_hand(attempt, row, observed, recovered=recovered)
    voided = attempt.voided or attempt.operation == "void"
    missed = () if voided else not_taken(applied.members, observed, apart_from=left_alone(by_hand, kept))
    renumbers = voided and bool(attempt.name) and folded(attempt.name) != folded(observed.name)
    disagrees = bool(missed) or renumbers or bool(BOOKS.intersection(by_hand) - {*kept, "TxnTaxDetail"})
    if missed:
        # QuickBooks says "done" and something else than it was asked for: a setting of the company is another by now.
        companies.mark_facts_stale(transaction.db, attempt.link.realm_id)
        transaction.result.not_taken += [(attempt, one.cause) for one in missed]
        transaction.decided(attempt, missed[0].cause, f"QuickBooks has {missed[0].member} {missed[0].answered}")
    transaction.differences.sent(attempt.link, {} if voided else applied.notes.left_out, missed)
    batch = {} if row.batch_most is None else {"batch_most": None}
    transaction.put(
        attempt,
        row,
        # What the answer contradicts is decided again at once.
        state=LinkState.PENDING if disagrees or makes_way else LinkState.SYNCED,
        due_at=transaction.now if disagrees or makes_way else None,
        cause=makes_way,
        depends_on=attempt.link.depends_on if makes_way else None,
        reason="",
        entity=attempt.entity,
        qbo_id=observed.id,
        applied=applied,
        name=observed.name or attempt.name,
        voided=voided,
        by_hand=by_hand,
        kept=kept,
        applied_sequence=attempt.sequence,
        synced_at=transaction.now,
        attempts=0,
        first_failed_at=None,
        # What the admin asked for while the call was under way is not in it.
        refresh_names=row.refresh_names and row.again,
        overwrite=row.overwrite and (row.again or (makes_way == TYPE_CHANGED and not voided)),
        **batch,
        **answered,
    )
    if (note := applied.notes.billed) is not None:
        differs = transaction.differences.document(
            attempt.link, note, document, by_hand=bool({"Line", "TxnTaxDetail"} & set(by_hand))
        )
        if differs is not None:
            transaction.result.differences.append((attempt, differs.cause))
            transaction.decided(attempt, differs.cause, differs.message)
    if attempt.operation == "create" and attempt.link.qbo_id is not None:
        transaction.result.recoveries.append("recreated")
    if makes_way:
        words = f"written as “{observed.name}” for now: it exchanges its name with others, and gets its own next"
        if makes_way == TYPE_CHANGED:
            words = "the former document makes way: the new one is created next"
        transaction.decided(attempt, makes_way, words)
    transaction.synced(attempt, agrees=not (disagrees or makes_way), resolved=row.last_failed_at is not None)
    transaction.result.events.append((attempt, "recovered" if recovered else "pushed", ""))


def _left_by_hand(attempt: Attempt, row: Any, observed: Observed, *, recovered: bool) -> tuple[list[str], list[str]]:
    """Give the members that others changed and those that a person chose to keep, which still stand after a write of ours."""
    if attempt.operation == "create":
        # Somebody may have written to an object that was found later.
        touched = recovered and observed.sync_token != AS_MADE
        return (sorted(edited_since_sent((attempt.applied or NOTHING_SENT).members, observed)) if touched else []), []
    if attempt.operation == "void":
        return [], []
    written = attempt.members
    if TAX_BASES & written:
        written |= {"TxnTaxDetail"}
    by_hand = [one for one in row.by_hand if one not in written]
    kept = [one for one in row.kept if one not in written | OF_THE_WHOLE]
    return by_hand, kept if {*kept} - {CHOSEN} or "TxnTaxDetail" in by_hand else []
