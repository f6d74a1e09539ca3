"""Settle: write back what QBO answered, in one short transaction for many answers, each only if its epoch is still ours.

Any definitive answer, a fault too, retires the request id. Only an unknown outcome keeps its attempt, which is then sent again as it was
written, or looked up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from mapping.books import BOOKS, edited_since_sent, left_alone, made_by_hand, not_taken, still_kept
from mapping.conflicts import NAME_HELD, NAME_IN_USE, NUMBER_IN_USE, RENAME_ONE, TYPE_CHANGED
from mapping.difference import TAX_BASES
from mapping.results import Problem
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Refused, Throttled, Unauthorized, Unknown
from qbo_client.verdicts import Verdict, verdict
from schemas.applied import NOTHING_SENT
from schemas.events import Kind
from schemas.link_state import LinkState
from schemas.observed import Observed, kept, with_applied_to
from store import attempts, companies, connections, failures, history, json, links, quota
from store.references import of_payload
from sync.attempt import AS_MADE, Attempt, Late, booked, figures
from sync.batches import Split
from sync.companies import CONTRADICTS_FACTS
from sync.comparing import CentCheck
from sync.contact_details import without_details
from sync.crash_points import reached
from sync.daily_retry import FIXED_IN_QUICKBOOKS, went_through
from sync.disconnection import connection_words, disconnect
from sync.explaining import Learned
from sync.failing import in_call, record_failure
from sync.giving_way import in_the_way
from sync.link import answered, wake_dependents, write
from sync.looking_up import IN_DOUBT, arrived, not_among_its_customers, what_was_made
from sync.patience import Refusals, backoff, tries_for, weigh
from sync.policy import Policy
from sync.refusals import books_are_closed, keeps_changing, problem_for, says_closed
from sync.remarks import Remarks

# A document that somebody changes at every one of our tries is not ours to win.
MAX_REREADS = 5
# A batch that stays without an answer while others of the company get theirs is given up after so many tries.
BATCH_TRIES = 3
REFUSED_FOR_NOW = "refused-for-now"
_TAKEN = frozenset({FaultCode.DUPLICATE_NAME, FaultCode.DUPLICATE_DOCUMENT_NUMBER})
_BY_REFERENCE = frozenset({FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID, FaultCode.CUSTOMER_INVALID})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a claimed call."""

    attempt: Attempt
    outcome: Outcome | Late | Split
    company_answers: bool = True
    """Whether other calls of the company succeed meanwhile: then a record that keeps failing fails alone."""
    together: int = 1
    """With how many, itself included, it went in one request."""
    learned: Learned | None = None
    """What was read in QuickBooks for the sake of this answer."""


@dataclass(slots=True)
class Settled:
    """What a settle did, for the dispatcher and the metrics."""

    fenced: int = 0
    woken: bool = False
    events: list[tuple[Attempt, str, str]] = field(default_factory=list)
    """(attempt, result, cause): pushed | read | recovered | failed | retrying | waiting"""
    disconnected: set[str] = field(default_factory=set)
    recoveries: list[str] = field(default_factory=list)
    """What was recovered from beyond what ``events`` say, in the words of the metric."""
    differences: list[tuple[Attempt, str]] = field(default_factory=list)
    """(work, cause) of documents that QuickBooks totals otherwise than Kompass."""
    not_taken: list[tuple[Attempt, str]] = field(default_factory=list)
    """(work, cause) of writes whose answer disagrees with what was asked for."""


class Settle:
    def __init__(self, policy: Policy, *, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._policy = policy
        self._uniform = uniform

    def __call__(self, db: Connection, answers: Sequence[Answer]) -> Settled:
        """Write these answers back. Those of a call that somebody else has taken over since change nothing."""
        attempts = [answer.attempt for answer in answers]
        read = {attempt.link.id for attempt in attempts if attempt.phase == "lookup" or attempt.operation == "read"}
        mine = links.still_mine(db, [(attempt.link.id, attempt.epoch) for attempt in attempts], whole=read)
        if mine.now is None:
            return Settled(fenced=len(answers))
        transaction = _Transaction(self._policy, self._uniform, db, mine.now)
        # What was refused may have been in the way of what was done in the same moment.
        for answer in sorted(answers, key=lambda one: isinstance(one.outcome, Refused)):
            row = mine.rows.get(answer.attempt.link.id)
            if row is None:
                transaction.result.fenced += 1
            else:
                transaction.settle(answer, row)
        transaction.write()
        return transaction.result


class _Transaction:
    def __init__(self, policy: Policy, uniform: Callable[[float, float], float], db: Connection, now: datetime) -> None:
        self._policy = policy
        self._uniform = uniform
        self._db = db
        self._now = now
        self.result = Settled()
        self._changes: list[dict[str, Any]] = []
        self._history: list[history.Entry] = []
        self._retired: set[int] = set()
        self._released: set[int] = set()
        self._over: set[int] = set()
        self._well: set[int] = set()
        self._wake: set[int] = set()
        self._as_before: set[int] = set()
        self._cents = CentCheck()
        self._remarks = Remarks()
        self._resolved: set[int] = set()

    def settle(self, answer: Answer, row: Any) -> None:
        attempt, outcome = answer.attempt, answer.outcome
        if isinstance(outcome, Late):
            self._retry(attempt, row, "late", "waits for Intuit's limit of calls a second", after=0.0, counts=False)
            return
        if isinstance(outcome, Split):
            self._called(attempt, outcome.whole)
            self._split(answer, outcome, row)
            return
        self._called(attempt, outcome)
        if answer.learned is not None and attempt.phase != "lookup":
            self.result.recoveries.append("explained")
        match outcome:
            case Done() if attempt.phase == "lookup":
                self._looked_up(attempt, outcome, row, answer.learned)
            case Done() if attempt.operation == "read":
                document = outcome.entity(attempt.entity)
                if answer.learned is not None and answer.learned.applied_to:
                    document = with_applied_to(document, self._named_invoices(attempt, answer.learned.applied_to))
                self._read(attempt, document, row)
            case Done():
                self._pushed(attempt, outcome.entity(attempt.entity), row)
            case Refused():
                self._refused(answer, outcome, row)
            case Throttled():
                quota.block(self._db, attempt.link.realm_id, outcome.retry_after)
                self._retry(
                    attempt, row, "throttled", "Intuit asked us to wait", after=outcome.retry_after, counts=False
                )
            case Unauthorized():
                connections.expire_access(self._db, realm_id=attempt.link.realm_id, version=attempt.connection_version)
                # At once, but for a token that is refused however often it is refreshed.
                after = self._backoff(row) if row.attempts else 0.0
                self._retry(attempt, row, "token-expired", "the access token is refreshed", after=after)
            case Forbidden():
                self._disconnected(attempt, outcome, row)
            case NotSent():
                self._failed(answer, row, "unreachable", outcome.reason, keep_attempt=False)
            case Unknown():
                self._unknown(answer, outcome, row)

    # Done

    def _pushed(self, attempt: Attempt, document: Mapping[str, Any], row: Any, *, recovered: bool = False) -> None:
        applied, makes_way = attempt.applied or NOTHING_SENT, attempt.temporary
        answered = figures(document)
        observed = Observed(answered["observed"])
        by_hand, kept = _left_by_hand(attempt, row, observed, recovered=recovered)
        voided = attempt.voided or attempt.operation == "void"
        missed = () if voided else not_taken(applied.members, observed, apart_from=left_alone(by_hand, kept))
        disagrees = bool(missed) or bool(BOOKS.intersection(by_hand) - {*kept, "TxnTaxDetail"})
        if missed:
            # QuickBooks says "done" and something else than it was asked for: a setting of the company is another by now.
            companies.mark_facts_stale(self._db, attempt.link.realm_id)
            self.result.not_taken += [(attempt, one.cause) for one in missed]
            self._note(
                attempt,
                missed[0].cause,
                f"QuickBooks has {missed[0].member} {missed[0].answered}",
                what=history.DECIDED,
            )
        self._remarks.sent(attempt.link, {} if voided else applied.notes.left_out, missed)
        self._put(
            attempt,
            row,
            # What the answer contradicts is decided again at once.
            state=LinkState.PENDING if disagrees or makes_way else LinkState.SYNCED,
            due_at=self._now if disagrees or makes_way else None,
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
            synced_at=self._now,
            attempts=0,
            first_failed_at=None,
            # What the admin asked for while the call was under way is not in it.
            refresh_names=row.refresh_names and row.again,
            overwrite=row.overwrite and (row.again or (makes_way == TYPE_CHANGED and not voided)),
            **answered,
        )
        if row.batch_most is not None:
            self._changes[-1]["batch_most"] = None
        if (note := applied.notes.billed) is not None:
            differs = self._cents.document(
                attempt.link, note, document, by_hand=bool({"Line", "TxnTaxDetail"} & set(by_hand))
            )
            if differs is not None:
                self.result.differences.append((attempt, differs.cause))
                self._note(attempt, differs.cause, differs.message, what=history.DECIDED)
        if attempt.operation == "create" and attempt.link.qbo_id is not None:
            self.result.recoveries.append("recreated")
        if row.last_failed_at is not None:
            self._resolved.add(attempt.link.id)
        self._retired.add(attempt.link.id)
        if makes_way:
            words = f"written as “{observed.name}” for now: it exchanges its name with others, and gets its own next"
            if makes_way == TYPE_CHANGED:
                words = "the former document makes way: the new one is created next"
            self._note(attempt, makes_way, words, what=history.DECIDED)
        elif not disagrees:
            self._well.add(attempt.link.id)
        self._wake.add(attempt.link.id)
        self.result.events.append((attempt, "recovered" if recovered else "pushed", ""))

    def _read(self, attempt: Attempt, document: dict[str, Any], row: Any) -> None:
        """Keep what QBO has now, and decide again: the three sides are compared there."""
        token = str(document["SyncToken"])
        changes: dict[str, Any] = {}
        before = None if row.observed is None else Observed(row.observed)
        if row.overwrite and before is not None and before.sync_token != token:
            # The person who chose Kompass's side had seen another one: both are shown again, should they still disagree.
            changes["overwrite"] = False
            self._note(
                attempt,
                "asked-again",
                "changed in QuickBooks since a person chose what Kompass says",
                what=history.DECIDED,
            )
        now, sent = Observed(kept(document)), row.applied or NOTHING_SENT
        changes["kept"], no_more = still_kept(row.kept, before, now)
        edited = made_by_hand(sent.members, before, now, known=row.by_hand, tax=row.qbo_tax)
        changes["by_hand"] = sorted({*edited, *no_more})
        self._cents.agrees(attempt.link, sent.notes.billed, document)
        self._remarks.seen(attempt.link, sent.members, now)
        self._put(
            attempt,
            row,
            state=LinkState.PENDING,
            cause=links.READ,
            due_at=self._now,
            observed=now.document,
            sync_token=token,
            **changes,
        )
        self._retired.add(attempt.link.id)
        self.result.events.append((attempt, "read", ""))

    def _named_invoices(self, attempt: Attempt, ids: Sequence[str]) -> list[str]:
        """Name invoices of QuickBooks by the Kompass references they stand for, or else by their Ids."""
        held = {
            one: links.holder_of(self._db, realm_id=attempt.link.realm_id, entity="Invoice", qbo_id=one, other_than=0)
            for one in ids
        }
        return [f"invoice {link.reference}" if link is not None else f"Invoice Id {one}" for one, link in held.items()]

    def _nothing_to_void(self, attempt: Attempt, row: Any) -> None:
        """What Kompass voided is deleted in QuickBooks: both have nothing of it."""
        reason = f"voided in Kompass; {attempt.entity} {attempt.object_id} was deleted in QuickBooks"
        self._put(
            attempt, row, state=LinkState.SYNCED, cause="", reason=reason, voided=True, applied_sequence=attempt.sequence,
            observed=Observed(row.observed or {"Id": attempt.object_id}).as_deleted().document,
            synced_at=self._now, attempts=0, first_failed_at=None,
        )  # fmt: skip
        self._cents.over(attempt.link)
        self._note(attempt, "deleted", reason, what=history.DECIDED)
        self._retired.add(attempt.link.id)
        self._well.add(attempt.link.id)
        self._wake.add(attempt.link.id)
        self.result.events.append((attempt, "pushed", ""))

    def _looked_up(self, attempt: Attempt, done: Done, row: Any, learned: Learned | None) -> None:
        if attempt.operation != "create":
            # Whether the update arrived shows in the object. When it did, it is ours and nobody's edit, also if Kompass has changed by now;
            # when that is unknown, the decision compares the three sides.
            document = done.entity(attempt.entity)
            if attempt.operation == "update" and arrived(attempt, document):
                self._note(
                    attempt,
                    "recovered",
                    f"{attempt.entity} {attempt.object_id} has it from an earlier call without an answer",
                )
                self._pushed(attempt, document, row, recovered=True)
            else:
                self._read(attempt, document, row)
            return
        elsewhere = learned.elsewhere if learned is not None else None
        if elsewhere is None and not_among_its_customers(attempt, done):
            reason = (
                "an earlier call without an answer is looked for, and the rest of the company could not be asked yet"
            )
            self._retry(attempt, row, "no-answer", reason, after=self._backoff(row))
            return
        made = what_was_made(self._db, attempt, done, elsewhere=elsewhere, decided=row.overwrite)
        if isinstance(made, Problem):
            self.result.recoveries.append("asked")
            seen_there = [*done.rows(attempt.entity), *(elsewhere.candidates if elsewhere is not None else ())]
            stranger = next((one for one in seen_there if str(one.get("Id")) == made.value), None)
            # Both sides are shown to the person who decides.
            seen: dict[str, Any] = {"observed": kept(stranger)} if stranger and made.cause == IN_DOUBT else {}
            # What came meanwhile is decided once a person has said whose it is. Due again, it would be looked up for ever.
            self._fail(attempt, row, made, tid=done.intuit_tid, again=False, **seen)
        elif made is not None:
            self._note(
                attempt, "recovered", f"{attempt.entity} {made.get('Id')} was made by an earlier call without an answer"
            )
            self._pushed(attempt, made, row, recovered=True)
        else:
            self.result.recoveries.append("abandoned")
            self._note(attempt, "recovered", "the earlier call made nothing; another goes out")
            # Before those that were not looked for yet: else an outage that ends would be all questions first.
            self._put(attempt, row, due_at=row.first_failed_at or self._now)
            self._retired.add(attempt.link.id)

    # Refused

    def _refused(self, answer: Answer, refused: Refused, row: Any) -> None:
        attempt, learned = answer.attempt, answer.learned
        if attempt.phase == "lookup":
            self._question_refused(answer, refused, row)
            return
        if attempt.tries > 1:
            # The first call may have done it and Intuit forgotten its request id: a refusal of the second is no proof. Look.
            codes = ", ".join(sorted(refused.codes)) or str(refused.status)
            self._look(attempt, row, f"refused ({codes}), perhaps because an earlier call of ours has done it: looking")
            return
        if FaultCode.STALE_OBJECT in refused.codes and says_closed(attempt, learned):
            if books_are_closed(self._db, attempt, row):
                problem = problem_for(attempt.link, attempt.entity, refused)
                self._fail(attempt, row, problem, tid=refused.intuit_tid, overwrite=row.overwrite and row.again)
            else:
                # What the company says of its closing date decides, as soon as it is read.
                companies.mark_facts_stale(self._db, attempt.link.realm_id)
                self._refused_for_now(answer, refused, row)
            return
        if FaultCode.STALE_OBJECT in refused.codes and attempt.operation in ("update", "void"):
            tries = tries_for(row, links.READ) + 1
            if tries >= MAX_REREADS:
                problem = keeps_changing(attempt.link, attempt.entity, tries=MAX_REREADS)
                self._fail(attempt, row, problem, tid=refused.intuit_tid, overwrite=row.overwrite and row.again)
                return
            # Somebody else wrote since: forget the SyncToken, and the decision asks for a read.
            words = "a person changed it in QuickBooks"
            self._retry(attempt, row, "stale", words, after=0.0, sync_token=None, attempts=tries)
            return
        if (
            FaultCode.BUSINESS_VALIDATION in refused.codes
            and attempt.operation == "void"
            and attempt.tries == 1
            and row.cause not in (links.READ, REFUSED_FOR_NOW)
        ):
            # QuickBooks voids nothing that a payment is applied to, and says only that: what is read tells which payment.
            self._retry(attempt, row, "stale", "QuickBooks does not void it: looking why", after=0.0, sync_token=None)
            return
        if learned is not None and learned.gone and attempt.operation == "void":
            self._nothing_to_void(attempt, row)
            return
        if verdict(refused, attempt.asks) is Verdict.PASSING:
            self._refused_for_now(answer, refused, row)
            return
        if (applied := without_details(attempt, refused)) is not None:
            self._retry(
                attempt, row, "left-out", "QuickBooks refuses an address: sent without it", after=0.0, applied=applied
            )
            return
        gone = learned.gone if learned is not None else not _refers(attempt)
        if FaultCode.OBJECT_NOT_FOUND in refused.codes and attempt.operation != "create" and gone:
            self._gone(attempt, row)
            return
        if refused.codes & _TAKEN and self._beside_ours(answer, refused, row):
            return
        problem = problem_for(
            attempt.link,
            attempt.entity,
            refused,
            used=lambda: of_payload(self._db, attempt.link, attempt.body),
            learned=learned,
        )
        if self._facts_first(attempt, row, problem):
            return
        self._fail(
            attempt, row, problem, tid=refused.intuit_tid, overwrite=_still_chosen(row),
            depends_on=self._refused_party(attempt, refused),
        )  # fmt: skip

    def _facts_first(self, attempt: Attempt, row: Any, problem: Problem) -> bool:
        """Have the settings of the company read that a refusal contradicts, and decide by them; False where that was just done."""
        asks = problem.cause in CONTRADICTS_FACTS and row.attempts + 1 < MAX_REREADS
        if not asks or not companies.mark_facts_stale(self._db, attempt.link.realm_id):
            return False
        self._put(
            attempt, row, state=LinkState.PENDING, cause="", reason="", due_at=self._now, attempts=row.attempts + 1
        )
        self._retired.add(attempt.link.id)
        self._note(
            attempt,
            problem.cause,
            "the settings of the company are read again: they say otherwise",
            what=history.DECIDED,
        )
        self.result.events.append((attempt, "read", ""))
        return True

    def _refused_party(self, attempt: Attempt, refused: Refused) -> int | None:
        """Give the link of the customer or job that the refused body names: linked to another one, the record goes."""
        if not refused.codes & _BY_REFERENCE or not attempt.body:
            return None
        body = json.loads(attempt.body)
        party = body.get("CustomerRef") or body.get("ParentRef")
        if not isinstance(party, Mapping):
            return None
        found = links.holder_of(
            self._db,
            realm_id=attempt.link.realm_id,
            entity="Customer",
            qbo_id=str(party["value"]),
            other_than=attempt.link.id,
        )
        return None if found is None else found.id

    def _gone(self, attempt: Attempt, row: Any) -> None:
        """QuickBooks has the object no more: that is an observation like any other, and decided by."""
        gone = Observed(row.observed or {"Id": attempt.object_id, "SyncToken": "0"}).as_deleted()
        self._put(
            attempt, row, state=LinkState.PENDING, cause=links.READ, due_at=self._now, observed=gone.document,
            sync_token=gone.sync_token or "0", overwrite=row.overwrite and row.again,
        )  # fmt: skip
        self._note(
            attempt,
            "deleted",
            f"{attempt.entity} {attempt.object_id} was deleted or made inactive in QuickBooks",
            what=history.DECIDED,
        )
        self._retired.add(attempt.link.id)
        self.result.events.append((attempt, "read", ""))

    def _beside_ours(self, answer: Answer, refused: Refused, row: Any) -> bool:
        """Decide again, or fail until it gives way, where another record of ours has the name or number; False where none has."""
        attempt, learned = answer.attempt, answer.learned
        # Others of this transaction may have got or given up the name.
        self._flush()
        read = learned.holder if learned is not None else None
        found = in_the_way(
            self._db, attempt, refused, stranger=read.entity if read is not None and read.entity != "Customer" else None
        )
        if found is None:
            return False
        holder = found.holder
        cause = NUMBER_IN_USE if attempt.link.kind is Kind.INVOICE else NAME_IN_USE
        rests_on = None if holder is None else holder.id
        tries = tries_for(row, cause)
        if found.passes and tries < MAX_REREADS:
            who = f"{holder.kind.value} {holder.reference}" if holder is not None else "another call of ours"
            after = 0.0 if found.at_once else self._backoff(row)
            reason = f"waits for {who} to settle, which has or had “{attempt.name}” in QuickBooks"
            self._retry(attempt, row, cause, reason, after=after, depends_on=rests_on, attempts=tries + 1)
            return True
        if holder is None:
            return False
        problem = problem_for(attempt.link, attempt.entity, refused, learned=learned)
        held = f": {holder.kind.value} “{holder.reference}” of Kompass"
        problem = replace(problem, message=problem.message + held)
        changes: dict[str, Any] = {}
        if cause == NAME_IN_USE and row.refresh_names:
            # Asked since a person wanted it: the matter is what it was.
            problem, changes = replace(problem, cause=NAME_HELD, remedy=RENAME_ONE), {"refresh_names": row.again}
        self._fail(attempt, row, problem, tid=refused.intuit_tid, depends_on=rests_on, **changes)
        return True

    def _refused_for_now(self, answer: Answer, refused: Refused, row: Any) -> None:
        """Try again what QuickBooks may take later; of a create it may even have done it, so that is looked for before the next."""
        attempt, so_far = answer.attempt, self._so_far(answer, refused, row)
        problem = problem_for(attempt.link, attempt.entity, refused)
        looks_first = attempt.operation == "create"
        if looks_first:
            attempts.to_lookup(self._db, attempt.link.id)
        # An item has its answer in one that says 200.
        with_its_batch = answer.together > 1 and refused.status != 200
        if so_far.fails and not with_its_batch:
            again = self._now + timedelta(seconds=self._uniform(0.9, 1.0) * self._policy.patience.failed)
            self._fail(
                attempt, row, problem, tid=refused.intuit_tid, retire=not looks_first,
                # One is tried daily for all that wait for the same.
                due_at=None if problem.cause in FIXED_IN_QUICKBOOKS else again,
                overwrite=_still_chosen(row),
            )  # fmt: skip
            return
        self._retry_refused(attempt, row, so_far, problem.message, keep=looks_first)
        if with_its_batch and (so_far.tries >= BATCH_TRIES or so_far.since >= self._policy.patience.lone):
            # One of its members may be what QuickBooks stumbles over, and no member is to blame for another.
            self._changes[-1]["batch_most"] = -(-answer.together // 2)

    def _question_refused(self, answer: Answer, refused: Refused, row: Any) -> None:
        """Take what another question said. A refused one is no answer: what became of the earlier call is looked up again."""
        attempt, learned = answer.attempt, answer.learned
        if learned is not None and learned.elsewhere is not None:
            self._looked_up(attempt, Done({"QueryResponse": {}}, refused.intuit_tid), row, learned)
        elif learned is not None and learned.itself is not None:
            self._looked_up(attempt, Done({attempt.entity: learned.itself}, refused.intuit_tid), row, learned)
        elif learned is not None and learned.gone and attempt.operation == "void":
            self._nothing_to_void(attempt, row)
        elif learned is not None and learned.gone:
            self._gone(attempt, row)
        else:
            said = ", ".join(sorted(refused.codes)) or f"HTTP status {refused.status}"
            reason = f"QuickBooks does not say what became of an earlier call ({said})"
            so_far = self._so_far(answer, refused, row)
            if so_far.fails:
                again = self._now + timedelta(seconds=self._uniform(0.9, 1.0) * self._policy.patience.failed)
                problem = problem_for(attempt.link, attempt.entity, refused)
                self._fail(attempt, row, problem, tid=refused.intuit_tid, retire=False, due_at=again)
            else:
                self._retry_refused(attempt, row, so_far, reason, keep=True)

    def _so_far(self, answer: Answer, refused: Refused, row: Any) -> Refusals:
        return weigh(
            self._db, self._policy.patience, answer.attempt.link, row, refused,
            now=self._now, company_answers=answer.company_answers,
        )  # fmt: skip

    def _retry_refused(self, attempt: Attempt, row: Any, so_far: Refusals, reason: str, *, keep: bool) -> None:
        wait = so_far.wait(
            first=self._policy.retries.backoff_first_seconds, longest=self._policy.retries.backoff_longest_seconds
        )
        self._retry(attempt, row, REFUSED_FOR_NOW, reason, after=self._uniform(wait / 2, wait), attempts=so_far.tries)
        if keep:
            self._retired.discard(attempt.link.id)
            self._over.add(attempt.link.id)

    def _split(self, answer: Answer, split: Split, row: Any) -> None:
        """None of a batch was done: its members go in halves, and the one to blame will in the end be refused alone."""
        attempt, half = answer.attempt, -(-answer.together // 2)
        if _doubtful(attempt):
            self._look(attempt, row, "refused with its whole batch, perhaps after an earlier call of ours: looking")
            self._changes[-1]["batch_most"] = half
            return
        reason = f"Intuit refused a batch of {answer.together} as a whole; it goes in one of at most {half}"
        self._retry(attempt, row, "batch-refused", reason, after=0.0, counts=False, batch_most=half)
        # In its old place in the queue, not behind all that came later.
        self._changes[-1]["due_at"] = row.due_since or self._now

    def _look(self, attempt: Attempt, row: Any, words: str) -> None:
        """Send an attempt never again: look up what became of it."""
        attempts.to_lookup(self._db, attempt.link.id)
        self._put(attempt, row, due_at=self._now, attempts=row.attempts + 1)
        self._note(attempt, "recovered", words)

    def _disconnected(self, attempt: Attempt, outcome: Forbidden, row: Any) -> None:
        message = connection_words(outcome)
        if not disconnect(self._db, outcome, realm_id=attempt.link.realm_id, version=attempt.connection_version):
            # The connection has moved on since the call went out: whether it still stands is decided again.
            self._retry(attempt, row, "disconnected", message, after=0.0, counts=False)
            return
        self._put(attempt, row, state=LinkState.WAITING, cause="disconnected", reason=message, due_at=None)
        (self._over if _doubtful(attempt) else self._retired).add(attempt.link.id)
        self.result.disconnected.add(attempt.link.realm_id)
        self.result.events.append((attempt, LinkState.WAITING, "disconnected"))

    # No answer, or not now

    def _unknown(self, answer: Answer, outcome: Unknown, row: Any) -> None:
        attempt = answer.attempt
        if FaultCode.DUPLICATE_REQUEST_ID in outcome.codes and attempt.phase == "send" and attempt.tries > 1:
            # The first call is over, or it would not have been sent again: nothing more will be said under its request id.
            self._look(attempt, row, "refused as a duplicate of an earlier call of ours: looking")
        else:
            self._failed(answer, row, "no-answer", outcome.reason, keep_attempt=True)

    def _failed(self, answer: Answer, row: Any, cause: str, reason: str, *, keep_attempt: bool) -> None:
        attempt = answer.attempt
        # Whether others went through between its last failure and this one: in an outage none does, however recent the last success.
        alone = answer.company_answers and links.others_settled_since(
            self._db, realm_id=attempt.link.realm_id, other_than=attempt.link.id, moment=row.last_failed_at
        )
        # What the outage of a company costs in tries does not count against the record once the others go again.
        attempts = row.attempts + 1 if alone else max(row.attempts, 1)
        if keep_attempt and alone and answer.together > 1 and attempts >= BATCH_TRIES:
            # One of its members may be what Intuit cannot answer, and no member is to blame for another.
            self._look(attempt, row, f"no usable answer to its batch after {attempts} tries: looking")
            self._changes[-1]["batch_most"] = -(-answer.together // 2)
            return
        if attempts >= self._policy.retries.reject_after_attempts and alone and answer.together == 1:
            problem = Problem(
                cause="keeps-failing",
                message=f"{attempt.entity} {attempt.link.reference}: no usable answer from Intuit after {attempts} tries, "
                f"while other records of the company went through ({reason})",
                field="",
                value="",
                remedy="Look it up in QuickBooks; if it is missing there, press Try again",
            )
            self._fail(attempt, row, problem, tid=None, stage="push", retire=not (keep_attempt or _doubtful(attempt)))
            if keep_attempt:
                # It may still be under way at Intuit: not before that is over may anybody look for it.
                self._over.discard(attempt.link.id)
                self._released.add(attempt.link.id)
            return
        after = self._backoff(row, alone=alone)
        self._retry(attempt, row, cause, reason, after=after, keep_attempt=keep_attempt, attempts=attempts)

    def _backoff(self, row: Any, *, alone: bool = True) -> float:
        wait = backoff(self._policy.retries, row, now=self._now, alone=alone)
        return self._uniform(wait / 2, wait)

    def _retry(
        self,
        attempt: Attempt,
        row: Any,
        cause: str,
        reason: str,
        *,
        after: float,
        counts: bool = True,
        keep_attempt: bool = False,
        **changes: Any,
    ) -> None:
        due_at = self._now + timedelta(seconds=after)
        if keep_attempt:
            # The claim finds the attempt, and waits until the first call is certainly over.
            self._released.add(attempt.link.id)
        elif _doubtful(attempt):
            # This call was not done, but the first one may have been: it is still that one's outcome that has to be found.
            self._over.add(attempt.link.id)
        else:
            self._retired.add(attempt.link.id)
        self._put(
            attempt,
            row,
            state=LinkState.RETRYING,
            cause=cause,
            reason=reason,
            due_at=due_at,
            first_failed_at=row.first_failed_at or self._now,
            last_failed_at=self._now,
            **{"attempts": row.attempts + (1 if counts else 0), **changes},
        )
        self.result.events.append((attempt, LinkState.RETRYING, cause))

    def _fail(
        self,
        attempt: Attempt,
        row: Any,
        problem: Problem,
        *,
        tid: str | None,
        stage: str = "push",
        retire: bool = True,
        **changes: Any,
    ) -> None:
        self._put(
            attempt,
            row,
            state=LinkState.FAILED,
            cause=problem.cause,
            reason=problem.message,
            last_failed_at=self._now,
            **changes,
        )
        if not retire or (
            attempt.phase == "lookup" and attempt.operation == "create" and problem.cause != "name-in-doubt"
        ):
            # What became of the first call is still not known: trying again begins with looking it up.
            self._over.add(attempt.link.id)
        else:
            self._retired.add(attempt.link.id)
        link = attempt.link
        setback = in_call(attempt, problem, stage=stage, tid=tid, attempts=row.attempts + 1)
        if failures.says_so_already(self._db, link.id, problem.cause, problem.message):
            self._as_before.add(link.id)
        record_failure(self._db, link, setback)
        self._wake.add(link.id)
        self.result.events.append((attempt, LinkState.FAILED, problem.cause))

    # Write

    def _put(self, attempt: Attempt, row: Any, **changes: Any) -> None:
        """Change the link; it stays due when something newer came while the call was under way."""
        self._changes.append({"link_id": attempt.link.id, "again": row.again, **changes})

    def _called(self, attempt: Attempt, outcome: Outcome) -> None:
        detail: dict[str, object] = {
            "operation": attempt.operation,
            "phase": attempt.phase,
            "entity": attempt.entity,
            "request_id": attempt.request_id,
            "attempt": attempt.tries,
            "sequence": attempt.sequence,
            "seconds": round(outcome.duration, 3),
        }
        if isinstance(outcome, Done) and attempt.phase == "send" and attempt.operation != "read":
            detail |= booked(attempt, outcome)
        codes = sorted(getattr(outcome, "codes", ()))
        if codes:
            detail["codes"] = codes
        message = str(getattr(outcome, "reason", "")) or ", ".join(
            fault.detail or fault.message for fault in getattr(outcome, "faults", ())
        )
        self._note(
            attempt,
            type(outcome).__name__.lower(),
            message,
            what="called",
            tid=getattr(outcome, "intuit_tid", None),
            detail=detail,
        )

    def _note(
        self,
        attempt: Attempt,
        outcome: str,
        message: str,
        *,
        what: str = "recovered",
        tid: str | None = None,
        detail: dict[str, object] | None = None,
    ) -> None:
        entry = history.about(attempt.link, what, outcome, message, intuit_tid=tid or "", detail=detail)
        self._history.append(entry)

    def _flush(self) -> None:
        """Write what is known so far."""
        write(self._db, [answered(now=self._now, **changes) for changes in self._changes])
        self._changes = []
        attempts.retire(self._db, self._retired)
        self._retired = set()

    def write(self) -> None:
        self._flush()
        self._cents.write(self._db)
        self._remarks.write(self._db)
        attempts.release(self._db, self._over, over=True)
        attempts.release(self._db, self._released)
        history.append(self._db, self._history)
        failures.close_for_links(self._db, self._well, "synced")
        resolved = went_through(self._db, self._resolved) if self._resolved else 0
        if resolved:
            self.result.recoveries.append("resolved")
        if wake_dependents(self._db, self._wake, as_before=self._as_before) or resolved:
            self.result.woken = True
            links.notify(self._db)
        reached("settling")


def _still_chosen(row: Any) -> bool:
    """Whether a choice outlives a refusal: Kompass's side was chosen for this call, "another one" until it is made."""
    return bool(row.overwrite) and (bool(row.again) or row.qbo_id is None)


def _left_by_hand(attempt: Attempt, row: Any, observed: Observed, *, recovered: bool) -> tuple[list[str], list[str]]:
    """Give the members that others changed and those that a person chose to keep, which still stand after a write of ours."""
    if attempt.operation == "create":
        # Somebody may have written to an object that was found later.
        touched = recovered and observed.sync_token != AS_MADE
        return (sorted(edited_since_sent((attempt.applied or NOTHING_SENT).members, observed)) if touched else []), []
    if attempt.operation == "void":
        return [], []
    written = json.loads(attempt.body).keys()
    if TAX_BASES & written:
        written |= {"TxnTaxDetail"}
    return [one for one in row.by_hand if one not in written], [one for one in row.kept if one not in written]


def _doubtful(attempt: Attempt) -> bool:
    """Whether an earlier call of the attempt may have been done: only its own answer, or a look, can retire the request id."""
    return attempt.tries > 1 or attempt.phase == "lookup"


def _refers(attempt: Attempt) -> bool:
    """Whether the body names other objects, one of which may be what is inactive, rather than the object itself."""
    return 'Ref":' in attempt.body
