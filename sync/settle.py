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

from mapping.books import BOOKS, edited_since_sent, left_alone, made_by_hand, not_taken
from mapping.conflicts import APPLIED_TO, NAME_HELD, NAME_IN_USE, NUMBER_IN_USE, RENAME_ONE, TYPE_CHANGED
from mapping.difference import TAX_BASES
from mapping.results import Problem
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Refused, Throttled, Unauthorized, Unknown
from qbo_client.verdicts import Verdict, verdict
from schemas.events import Kind
from schemas.link_state import LinkState
from schemas.observed import Observed, kept
from store import attempts, companies, connections, failures, history, json, links, quota
from store.references import of_payload
from sync.attempt import TEMPORARY, VOIDED, Attempt, Late, booked, figures
from sync.batches import Split
from sync.companies import CONTRADICTS_FACTS
from sync.comparing import CentCheck, note_of
from sync.crash_points import reached
from sync.daily_retry import went_through
from sync.disconnection import connection_words, shut_out
from sync.explaining import Learned
from sync.failing import in_call, record_failure
from sync.giving_way import in_the_way
from sync.link import answered, wake_dependents, write
from sync.looking_up import arrived, not_among_its_customers, what_was_made
from sync.patience import Refusals, weigh
from sync.policy import Policy
from sync.refusals import keeps_changing, problem_for
from sync.remarks import Remarks

# A document that somebody changes at every one of our tries is not ours to win.
MAX_REREADS = 5
# A batch that stays without an answer while others of the company get theirs is given up after so many tries.
BATCH_TRIES = 3
_TAKEN = frozenset({FaultCode.DUPLICATE_NAME, FaultCode.DUPLICATE_DOCUMENT_NUMBER})
_BY_REFERENCE = frozenset({FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID, FaultCode.CUSTOMER_INVALID})
# The SyncToken of an object that nobody wrote to since it was made.
_AS_MADE = "0"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a claimed call."""

    work: Attempt
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
    """(work, result, cause): pushed | read | recovered | rejected | held | waiting"""
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
        works = [answer.work for answer in answers]
        read = {work.link.id for work in works if work.phase == "lookup" or work.operation == "read"}
        mine = links.still_mine(db, [(work.link.id, work.epoch) for work in works], whole=read)
        if mine.now is None:
            return Settled(fenced=len(answers))
        transaction = _Transaction(self._policy, self._uniform, db, mine.now)
        # What was refused may have been in the way of what was done in the same moment.
        for answer in sorted(answers, key=lambda one: isinstance(one.outcome, Refused)):
            row = mine.rows.get(answer.work.link.id)
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
        self._cents = CentCheck()
        self._remarks = Remarks()
        self._cured: set[int] = set()

    def settle(self, answer: Answer, row: Any) -> None:
        work, outcome = answer.work, answer.outcome
        if isinstance(outcome, Late):
            self._hold(work, row, "late", "waits for Intuit's limit of calls a second", after=0.0, counts=False)
            return
        if isinstance(outcome, Split):
            self._called(work, outcome.whole)
            self._split(answer, outcome, row)
            return
        self._called(work, outcome)
        if answer.learned is not None and work.phase != "lookup":
            self.result.recoveries.append("explained")
        match outcome:
            case Done() if work.phase == "lookup":
                self._looked_up(work, outcome, row, answer.learned)
            case Done() if work.operation == "read":
                document = outcome.entity(work.entity)
                if answer.learned is not None and answer.learned.applied_to:
                    document = document | {APPLIED_TO: self._named_invoices(work, answer.learned.applied_to)}
                self._read(work, document, row)
            case Done():
                self._pushed(work, outcome.entity(work.entity), row)
            case Refused():
                self._refused(answer, outcome, row)
            case Throttled():
                quota.block(self._db, work.link.realm_id, outcome.retry_after)
                self._hold(work, row, "throttled", "Intuit asked us to wait", after=outcome.retry_after, counts=False)
            case Unauthorized():
                connections.expire_access(self._db, realm_id=work.link.realm_id, version=work.connection_version)
                # At once, but for a token that is refused however often it is refreshed.
                after = self._backoff(row) if row.attempts else 0.0
                self._hold(work, row, "token-expired", "the access token is refreshed", after=after)
            case Forbidden():
                self._disconnected(work, outcome, row)
            case NotSent():
                self._failed(answer, row, "unreachable", outcome.reason, keep_intent=False)
            case Unknown():
                self._unknown(answer, outcome, row)

    # Done

    def _pushed(self, work: Attempt, document: Mapping[str, Any], row: Any, *, recovered: bool = False) -> None:
        applied = {name: value for name, value in (work.applied or {}).items() if name not in (VOIDED, TEMPORARY)}
        makes_way = str((work.applied or {}).get(TEMPORARY, ""))
        answered = figures(document)
        observed = Observed(answered["observed"])
        by_hand, kept = _left_by_hand(work, row, observed, recovered=recovered)
        voided = work.voided or work.operation == "void"
        missed = () if voided else not_taken(applied, observed, apart_from=left_alone(by_hand, kept))
        disagrees = bool(missed) or bool(BOOKS.intersection(by_hand) - {*kept, "TxnTaxDetail"})
        if missed:
            # QuickBooks says "done" and something else than it was asked for: a setting of the company is another by now.
            companies.mark_facts_stale(self._db, work.link.realm_id)
            self.result.not_taken += [(work, one.cause) for one in missed]
            self._note(work, missed[0].cause, f"QuickBooks has {missed[0].member} {missed[0].answered}", what="judged")
        self._remarks.sent(work.link, {} if voided else applied, missed)
        self._put(
            work,
            row,
            # What the answer contradicts is decided again at once.
            state=LinkState.PENDING if disagrees or makes_way else LinkState.SYNCED,
            due_at=self._now if disagrees or makes_way else None,
            cause=makes_way,
            depends_on=work.link.depends_on if makes_way else None,
            reason="",
            entity=work.entity,
            qbo_id=observed.id,
            applied=applied,
            name=observed.name or work.name,
            voided=voided,
            by_hand=by_hand,
            kept=kept,
            applied_sequence=work.sequence,
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
        if (note := note_of(applied)) is not None:
            differs = self._cents.document(
                work.link, note, document, by_hand=bool({"Line", "TxnTaxDetail"} & set(by_hand))
            )
            if differs is not None:
                self.result.differences.append((work, differs.cause))
                self._note(work, differs.cause, differs.message, what="judged")
        if work.operation == "create" and work.link.qbo_id is not None:
            self.result.recoveries.append("remade")
        if row.last_failed_at is not None:
            self._cured.add(work.link.id)
        self._retired.add(work.link.id)
        if makes_way:
            words = f"written as “{observed.name}” for now: it exchanges its name with others, and gets its own next"
            if makes_way == TYPE_CHANGED:
                words = "the former document makes way: the new one is created next"
            self._note(work, makes_way, words, what="judged")
        elif not disagrees:
            self._well.add(work.link.id)
        self._wake.add(work.link.id)
        self.result.events.append((work, "recovered" if recovered else "pushed", ""))

    def _read(self, work: Attempt, document: dict[str, Any], row: Any) -> None:
        """Keep what QBO has now, and decide again: the three sides are compared there."""
        token = str(document["SyncToken"])
        changes: dict[str, Any] = {}
        before = None if row.observed is None else Observed(row.observed)
        if row.overwrite and before is not None and before.sync_token != token:
            # The person who chose Kompass's side had seen another one: both are shown again, should they still disagree.
            changes["overwrite"] = False
            self._note(
                work, "asked-again", "changed in QuickBooks since a person chose what Kompass says", what="judged"
            )
        now, applied = Observed(kept(document)), row.applied or {}
        changes["by_hand"] = made_by_hand(applied, before, now, known=row.by_hand, tax=row.qbo_tax)
        self._cents.agrees(work.link, note_of(applied), document)
        self._remarks.seen(work.link, applied, now)
        self._put(
            work,
            row,
            state=LinkState.PENDING,
            cause=links.READ,
            due_at=self._now,
            observed=now.document,
            sync_token=token,
            **changes,
        )
        self._retired.add(work.link.id)
        self.result.events.append((work, "read", ""))

    def _named_invoices(self, work: Attempt, ids: Sequence[str]) -> list[str]:
        """Name invoices of QuickBooks by the Kompass references they stand for, or else by their Ids."""
        held = {
            one: links.holder_of(self._db, realm_id=work.link.realm_id, entity="Invoice", qbo_id=one, other_than=0)
            for one in ids
        }
        return [f"invoice {link.reference}" if link is not None else f"Invoice Id {one}" for one, link in held.items()]

    def _nothing_to_void(self, work: Attempt, row: Any) -> None:
        """What Kompass voided is deleted in QuickBooks: both have nothing of it."""
        reason = f"voided in Kompass; {work.entity} {work.object_id} was deleted in QuickBooks"
        self._put(
            work, row, state=LinkState.SYNCED, cause="", reason=reason, voided=True, applied_sequence=work.sequence,
            observed=Observed(row.observed or {"Id": work.object_id}).as_deleted().document,
            synced_at=self._now, attempts=0, first_failed_at=None,
        )  # fmt: skip
        self._cents.over(work.link)
        self._note(work, "deleted", reason, what="judged")
        self._retired.add(work.link.id)
        self._well.add(work.link.id)
        self._wake.add(work.link.id)
        self.result.events.append((work, "pushed", ""))

    def _looked_up(self, work: Attempt, done: Done, row: Any, learned: Learned | None) -> None:
        if work.operation != "create":
            # Whether the update arrived shows in the object. When it did, it is ours and nobody's edit, also if Kompass has changed by now;
            # when that is unknown, the decision compares the three sides.
            document = done.entity(work.entity)
            if work.operation == "update" and arrived(work, document):
                self._note(
                    work, "recovered", f"{work.entity} {work.object_id} has it from an earlier call without an answer"
                )
                self._pushed(work, document, row, recovered=True)
            else:
                self._read(work, document, row)
            return
        elsewhere = learned.elsewhere if learned is not None else None
        if elsewhere is None and not_among_its_customers(work, done):
            reason = (
                "an earlier call without an answer is looked for, and the rest of the company could not be asked yet"
            )
            self._hold(work, row, "no-answer", reason, after=self._backoff(row))
            return
        made = what_was_made(self._db, work, done, elsewhere=elsewhere, decided=row.overwrite)
        if isinstance(made, Problem):
            self.result.recoveries.append("asked")
            seen_there = [*done.rows(work.entity), *(elsewhere.candidates if elsewhere is not None else ())]
            stranger = next((one for one in seen_there if str(one.get("Id")) == made.value), None)
            # Both sides are shown to the person who decides.
            seen: dict[str, Any] = {} if work.entity == "Customer" or stranger is None else {"observed": kept(stranger)}
            self._reject(work, row, made, tid=done.intuit_tid, **seen)
        elif made is not None:
            self._note(
                work, "recovered", f"{work.entity} {made.get('Id')} was made by an earlier call without an answer"
            )
            self._pushed(work, made, row, recovered=True)
        else:
            self.result.recoveries.append("abandoned")
            self._note(work, "recovered", "the earlier call made nothing; another goes out")
            # Before those that were not looked for yet: else an outage that ends would be all questions first.
            self._put(work, row, due_at=row.first_failed_at or self._now)
            self._retired.add(work.link.id)

    # Refused

    def _refused(self, answer: Answer, refused: Refused, row: Any) -> None:
        work, learned = answer.work, answer.learned
        if work.phase == "lookup":
            self._question_refused(answer, refused, row)
            return
        if work.attempt > 1:
            # The first call may have done it and Intuit forgotten its request id: a refusal of the second is no proof. Look.
            codes = ", ".join(sorted(refused.codes)) or str(refused.status)
            self._look(work, row, f"refused ({codes}), perhaps because an earlier call of ours has done it: looking")
            return
        if FaultCode.STALE_OBJECT in refused.codes and work.operation in ("update", "void"):
            if learned is not None and learned.unchanged:
                closed = replace(
                    refused, faults=tuple(replace(one, code=FaultCode.BOOKS_CLOSED) for one in refused.faults)
                )
                problem = problem_for(work.link, work.entity, closed)
                if not self._facts_first(work, row, problem):
                    self._reject(work, row, problem, tid=refused.intuit_tid)
                return
            if row.attempts + 1 >= MAX_REREADS:
                problem = keeps_changing(work.link, work.entity, tries=MAX_REREADS)
                self._reject(work, row, problem, tid=refused.intuit_tid, overwrite=row.overwrite and row.again)
                return
            # Somebody else wrote since: forget the SyncToken, and the decision asks for a read.
            self._hold(work, row, "stale", "somebody else changed it in QuickBooks", after=0.0, sync_token=None)
            return
        if (
            FaultCode.BUSINESS_VALIDATION in refused.codes
            and work.operation == "void"
            and work.attempt == 1
            and row.attempts == 0
        ):
            # QuickBooks voids nothing that a payment is applied to, and says only that: what is read tells which payment.
            self._hold(work, row, "stale", "QuickBooks does not void it: looking why", after=0.0, sync_token=None)
            return
        if learned is not None and learned.gone and work.operation == "void":
            self._nothing_to_void(work, row)
            return
        if verdict(refused, work.asks) is Verdict.PASSING:
            if FaultCode.STALE_OBJECT in refused.codes:
                # A new document cannot be stale. Some companies answer so where its period is closed, which the facts say.
                companies.mark_facts_stale(self._db, work.link.realm_id)
            self._refused_for_now(answer, refused, row)
            return
        gone = learned.gone if learned is not None else not _refers(work)
        if FaultCode.OBJECT_NOT_FOUND in refused.codes and work.operation != "create" and gone:
            self._gone(work, row)
            return
        if refused.codes & _TAKEN and self._beside_ours(answer, refused, row):
            return
        problem = problem_for(
            work.link, work.entity, refused, used=lambda: of_payload(self._db, work.link, work.body), learned=learned
        )
        if self._facts_first(work, row, problem):
            return
        # A choice of Kompass's side was for this call: what comes after it is compared again.
        self._reject(
            work, row, problem, tid=refused.intuit_tid, overwrite=row.overwrite and row.again,
            depends_on=self._refused_party(work, refused),
        )  # fmt: skip

    def _facts_first(self, work: Attempt, row: Any, problem: Problem) -> bool:
        """Have the settings of the company read that a refusal contradicts, and decide by them; False where that was just done."""
        asks = problem.cause in CONTRADICTS_FACTS and row.attempts + 1 < MAX_REREADS
        if not asks or not companies.mark_facts_stale(self._db, work.link.realm_id):
            return False
        self._put(work, row, state=LinkState.PENDING, cause="", reason="", due_at=self._now, attempts=row.attempts + 1)
        self._retired.add(work.link.id)
        self._note(work, problem.cause, "the settings of the company are read again: they say otherwise", what="judged")
        self.result.events.append((work, "read", ""))
        return True

    def _refused_party(self, work: Attempt, refused: Refused) -> int | None:
        """Give the link of the customer or job that the refused body names: linked to another one, the record goes."""
        if not refused.codes & _BY_REFERENCE or not work.body:
            return None
        body = json.loads(work.body)
        party = body.get("CustomerRef") or body.get("ParentRef")
        if not isinstance(party, Mapping):
            return None
        found = links.holder_of(
            self._db,
            realm_id=work.link.realm_id,
            entity="Customer",
            qbo_id=str(party["value"]),
            other_than=work.link.id,
        )
        return None if found is None else found.id

    def _gone(self, work: Attempt, row: Any) -> None:
        """QuickBooks has the object no more: that is an observation like any other, and decided by."""
        gone = Observed(row.observed or {"Id": work.object_id, "SyncToken": "0"}).as_deleted()
        self._put(
            work, row, state=LinkState.PENDING, cause=links.READ, due_at=self._now, observed=gone.document,
            sync_token=gone.sync_token or "0", overwrite=row.overwrite and row.again,
        )  # fmt: skip
        self._note(
            work, "deleted", f"{work.entity} {work.object_id} was deleted or made inactive in QuickBooks", what="judged"
        )
        self._retired.add(work.link.id)
        self.result.events.append((work, "read", ""))

    def _beside_ours(self, answer: Answer, refused: Refused, row: Any) -> bool:
        """Decide again, or fail until it gives way, where another record of ours has the name or number; False where none has."""
        work, learned = answer.work, answer.learned
        # Others of this transaction may have got or given up the name.
        self._flush()
        read = learned.holder if learned is not None else None
        found = in_the_way(
            self._db, work, refused, stranger=read.entity if read is not None and read.entity != "Customer" else None
        )
        if found is None:
            return False
        holder = found.holder
        cause = NUMBER_IN_USE if work.link.kind is Kind.INVOICE else NAME_IN_USE
        rests_on = None if holder is None else holder.id
        if found.passes and row.attempts < MAX_REREADS:
            who = f"{holder.kind.value} {holder.reference}" if holder is not None else "another call of ours"
            after = 0.0 if found.at_once else self._backoff(row)
            reason = f"waits for {who} to settle, which has or had “{work.name}” in QuickBooks"
            self._hold(work, row, cause, reason, after=after, depends_on=rests_on)
            return True
        if holder is None:
            return False
        problem = problem_for(work.link, work.entity, refused, learned=learned)
        held = f": {holder.kind.value} “{holder.reference}” of Kompass"
        problem = replace(problem, message=problem.message + held)
        changes: dict[str, Any] = {}
        if cause == NAME_IN_USE and row.refresh_names:
            # Asked since a person wanted it: the matter is what it was.
            problem, changes = replace(problem, cause=NAME_HELD, remedy=RENAME_ONE), {"refresh_names": row.again}
        self._reject(work, row, problem, tid=refused.intuit_tid, depends_on=rests_on, **changes)
        return True

    def _refused_for_now(self, answer: Answer, refused: Refused, row: Any) -> None:
        """Try again what QuickBooks may take later; of a create it may even have done it, so that is looked for before the next."""
        work, so_far = answer.work, self._so_far(answer, refused, row)
        problem = problem_for(work.link, work.entity, refused)
        looks_first = work.operation == "create"
        if looks_first:
            attempts.to_lookup(self._db, work.link.id)
        # An item has its answer in one that says 200.
        with_its_batch = answer.together > 1 and refused.status != 200
        if so_far.fails and not with_its_batch:
            again = self._now + timedelta(seconds=self._uniform(0.9, 1.0) * self._policy.patience.failed)
            self._reject(
                work, row, problem, tid=refused.intuit_tid, retire=not looks_first, due_at=again,
                overwrite=row.overwrite and row.again,
            )  # fmt: skip
            return
        self._hold_refused(work, row, so_far, problem.message, keep=looks_first)
        if with_its_batch and (so_far.tries >= BATCH_TRIES or so_far.since >= self._policy.patience.lone):
            # One of its members may be what QuickBooks stumbles over, and no member is to blame for another.
            self._changes[-1]["batch_most"] = -(-answer.together // 2)

    def _question_refused(self, answer: Answer, refused: Refused, row: Any) -> None:
        """Take what another question said. A refused one is no answer: what became of the earlier call is looked up again."""
        work, learned = answer.work, answer.learned
        if learned is not None and learned.elsewhere is not None:
            self._looked_up(work, Done({"QueryResponse": {}}, refused.intuit_tid), row, learned)
        elif learned is not None and learned.itself is not None:
            self._looked_up(work, Done({work.entity: learned.itself}, refused.intuit_tid), row, learned)
        elif learned is not None and learned.gone and work.operation == "void":
            self._nothing_to_void(work, row)
        elif learned is not None and learned.gone:
            self._gone(work, row)
        else:
            said = ", ".join(sorted(refused.codes)) or f"HTTP status {refused.status}"
            reason = f"QuickBooks does not say what became of an earlier call ({said})"
            so_far = self._so_far(answer, refused, row)
            if so_far.fails:
                again = self._now + timedelta(seconds=self._uniform(0.9, 1.0) * self._policy.patience.failed)
                problem = problem_for(work.link, work.entity, refused)
                self._reject(work, row, problem, tid=refused.intuit_tid, retire=False, due_at=again)
            else:
                self._hold_refused(work, row, so_far, reason, keep=True)

    def _so_far(self, answer: Answer, refused: Refused, row: Any) -> Refusals:
        return weigh(
            self._db, self._policy.patience, answer.work.link, row, refused,
            now=self._now, company_answers=answer.company_answers,
        )  # fmt: skip

    def _hold_refused(self, work: Attempt, row: Any, so_far: Refusals, reason: str, *, keep: bool) -> None:
        wait = so_far.wait(
            first=self._policy.retries.backoff_first_seconds, longest=self._policy.retries.backoff_longest_seconds
        )
        self._hold(work, row, "refused-for-now", reason, after=self._uniform(wait / 2, wait), attempts=so_far.tries)
        if keep:
            self._retired.discard(work.link.id)
            self._over.add(work.link.id)

    def _split(self, answer: Answer, split: Split, row: Any) -> None:
        """None of a batch was done: its members go in halves, and the one to blame will in the end be refused alone."""
        work, half = answer.work, -(-answer.together // 2)
        if _doubtful(work):
            self._look(work, row, "refused with its whole batch, perhaps after an earlier call of ours: looking")
            self._changes[-1]["batch_most"] = half
            return
        reason = f"Intuit refused a batch of {answer.together} as a whole; it goes in one of at most {half}"
        self._hold(work, row, "batch-refused", reason, after=0.0, counts=False, batch_most=half)
        # In its old place in the queue, not behind all that came later.
        self._changes[-1]["due_at"] = row.due_since or self._now

    def _look(self, work: Attempt, row: Any, words: str) -> None:
        """Send an attempt never again: look up what became of it."""
        attempts.to_lookup(self._db, work.link.id)
        self._put(work, row, due_at=self._now, attempts=row.attempts + 1)
        self._note(work, "recovered", words)

    def _disconnected(self, work: Attempt, outcome: Forbidden, row: Any) -> None:
        message = connection_words(outcome)
        if not shut_out(
            self._db,
            outcome,
            org_id=work.link.org_id,
            realm_id=work.link.realm_id,
            version=work.connection_version,
        ):
            # The connection has moved on since the call went out: whether it still stands is decided again.
            self._hold(work, row, "disconnected", message, after=0.0, counts=False)
            return
        self._put(work, row, state=LinkState.WAITING, cause="disconnected", reason=message, due_at=None)
        (self._over if _doubtful(work) else self._retired).add(work.link.id)
        self.result.disconnected.add(work.link.realm_id)
        self.result.events.append((work, LinkState.WAITING, "disconnected"))

    # No answer, or not now

    def _unknown(self, answer: Answer, outcome: Unknown, row: Any) -> None:
        work = answer.work
        if FaultCode.DUPLICATE_REQUEST_ID in outcome.codes and work.phase == "send" and work.attempt > 1:
            # The first call is over, or it would not have been sent again: nothing more will be said under its request id.
            self._look(work, row, "refused as a duplicate of an earlier call of ours: looking")
        else:
            self._failed(answer, row, "no-answer", outcome.reason, keep_intent=True)

    def _failed(self, answer: Answer, row: Any, cause: str, reason: str, *, keep_intent: bool) -> None:
        work = answer.work
        # Whether others went through between its last failure and this one: in an outage none does, however recent the last success.
        alone = answer.company_answers and links.others_settled_since(
            self._db, realm_id=work.link.realm_id, other_than=work.link.id, moment=row.last_failed_at
        )
        attempts = row.attempts + 1
        if not alone:
            # What the outage of a company cost in tries is not held against the record once the others go again.
            attempts = min(attempts, max(self._policy.retries.reject_after_attempts // 2, 1))
        if keep_intent and alone and answer.together > 1 and attempts >= BATCH_TRIES:
            # One of its members may be what Intuit cannot answer, and no member is to blame for another.
            self._look(work, row, f"no usable answer to its batch after {attempts} tries: looking")
            self._changes[-1]["batch_most"] = -(-answer.together // 2)
            return
        if attempts >= self._policy.retries.reject_after_attempts and alone and answer.together == 1:
            problem = Problem(
                cause="keeps-failing",
                message=f"{work.entity} {work.link.reference}: no usable answer from Intuit after {attempts} tries, "
                f"while other records of the company went through ({reason})",
                field="",
                value="",
                remedy="Look it up in QuickBooks; if it is missing there, press Try again",
            )
            self._reject(work, row, problem, tid=None, stage="push", retire=not (keep_intent or _doubtful(work)))
            if keep_intent:
                # It may still be under way at Intuit: not before that is over may anybody look for it.
                self._over.discard(work.link.id)
                self._released.add(work.link.id)
            return
        self._hold(work, row, cause, reason, after=self._backoff(row), keep_intent=keep_intent, attempts=attempts)

    def _backoff(self, row: Any) -> float:
        wait = min(
            self._policy.retries.backoff_first_seconds * 2.0 ** min(row.attempts, 30),
            self._policy.retries.backoff_longest_seconds,
        )
        return self._uniform(wait / 2, wait)

    def _hold(
        self,
        work: Attempt,
        row: Any,
        cause: str,
        reason: str,
        *,
        after: float,
        counts: bool = True,
        keep_intent: bool = False,
        **changes: Any,
    ) -> None:
        due_at = self._now + timedelta(seconds=after)
        if keep_intent:
            # The claim finds the attempt, and waits until the first call is certainly over.
            self._released.add(work.link.id)
        elif _doubtful(work):
            # This call was not done, but the first one may have been: it is still that one's outcome that has to be found.
            self._over.add(work.link.id)
        else:
            self._retired.add(work.link.id)
        self._put(
            work,
            row,
            state=LinkState.RETRYING,
            cause=cause,
            reason=reason,
            due_at=due_at,
            first_failed_at=row.first_failed_at or self._now,
            last_failed_at=self._now,
            **{"attempts": row.attempts + (1 if counts else 0), **changes},
        )
        self.result.events.append((work, LinkState.RETRYING, cause))

    def _reject(
        self,
        work: Attempt,
        row: Any,
        problem: Problem,
        *,
        tid: str | None,
        stage: str = "push",
        retire: bool = True,
        **changes: Any,
    ) -> None:
        self._put(
            work,
            row,
            state=LinkState.FAILED,
            cause=problem.cause,
            reason=problem.message,
            last_failed_at=self._now,
            **changes,
        )
        if not retire or (work.phase == "lookup" and work.operation == "create" and problem.cause != "name-in-doubt"):
            # What became of the first call is still not known: trying again begins with looking it up.
            self._over.add(work.link.id)
        else:
            self._retired.add(work.link.id)
        link = work.link
        setback = in_call(work, problem, stage=stage, tid=tid, attempts=row.attempts + 1)
        record_failure(self._db, link, setback)
        self._wake.add(link.id)
        self.result.events.append((work, LinkState.FAILED, problem.cause))

    # Write

    def _put(self, work: Attempt, row: Any, **changes: Any) -> None:
        """Change the link; it stays due when something newer came while the call was under way."""
        self._changes.append({"link_id": work.link.id, "again": row.again, **changes})

    def _called(self, work: Attempt, outcome: Outcome) -> None:
        detail: dict[str, object] = {
            "operation": work.operation,
            "phase": work.phase,
            "entity": work.entity,
            "request_id": work.request_id,
            "attempt": work.attempt,
            "sequence": work.sequence,
            "seconds": round(outcome.duration, 3),
        }
        if isinstance(outcome, Done) and work.phase == "send" and work.operation != "read":
            detail |= booked(work, outcome)
        codes = sorted(getattr(outcome, "codes", ()))
        if codes:
            detail["codes"] = codes
        message = str(getattr(outcome, "reason", "")) or ", ".join(
            fault.detail or fault.message for fault in getattr(outcome, "faults", ())
        )
        self._note(
            work,
            type(outcome).__name__.lower(),
            message,
            what="called",
            tid=getattr(outcome, "intuit_tid", None),
            detail=detail,
        )

    def _note(
        self,
        work: Attempt,
        outcome: str,
        message: str,
        *,
        what: str = "recovered",
        tid: str | None = None,
        detail: dict[str, object] | None = None,
    ) -> None:
        entry = history.about(work.link, what, outcome, message, intuit_tid=tid or "", detail=detail)
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
        mended = went_through(self._db, self._cured) if self._cured else 0
        if mended:
            self.result.recoveries.append("mended")
        if wake_dependents(self._db, self._wake) or mended:
            self.result.woken = True
            links.notify(self._db)
        reached("settling")


def _left_by_hand(work: Attempt, row: Any, observed: Observed, *, recovered: bool) -> tuple[list[str], list[str]]:
    """Give the members that others changed and those that a person chose to keep, which still stand after a write of ours."""
    if work.operation == "create":
        # Somebody may have written to an object that was found later.
        touched = recovered and observed.sync_token != _AS_MADE
        return (sorted(edited_since_sent(work.applied or {}, observed)) if touched else []), []
    if work.operation == "void":
        return [], []
    written = json.loads(work.body).keys()
    if TAX_BASES & written:
        written |= {"TxnTaxDetail"}
    return [one for one in row.by_hand if one not in written], [one for one in row.kept if one not in written]


def _doubtful(work: Attempt) -> bool:
    """Whether an earlier call of the attempt may have been done: only its own answer, or a look, can retire the request id."""
    return work.attempt > 1 or work.phase == "lookup"


def _refers(work: Attempt) -> bool:
    """Whether the body names other objects, one of which may be what is inactive, rather than the object itself."""
    return 'Ref":' in work.body
