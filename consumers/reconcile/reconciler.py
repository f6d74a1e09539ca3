"""The reconciler of one process: a dispatcher that claims, workers that call, a settler that writes back.

A worker is never held by a company that waits: waiting is a moment in the database, not a thread. No transaction is open while Intuit is
asked, and before anything is sent the worker sees to it that the claim is still its own.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consumers.crash_points import reached
from consumers.metrics import Metrics
from consumers.reconcile.claim import Claim, Claimed
from consumers.reconcile.company_jobs import AccessTokens, CompanyJobs
from consumers.reconcile.gates import Gates
from consumers.reconcile.granting import grant_anew
from consumers.reconcile.observing import observe_call
from consumers.reconcile.set_aside import claim_around
from consumers.reconcile.settle import Answer, Settle, Settled
from consumers.reconcile.work import Late, Work
from qbo_client.calls import Call
from qbo_client.errors import BodyInvalid, CallInvalid
from qbo_client.outcomes import Done, NotSent, Outcome, Unauthorized, Unknown
from qbo_client.quota import GRANT_VALID, SECOND, Limits
from qbo_client.transport import Transport
from store import companies, connections, intents, links
from store.errors import UnreadableToken
from store.transactions import retrying

log = logging.getLogger(__name__)

SETTLE_BATCH = 64

# A claim and a settle cost about as much for one link as for thirty, so each waits this long for company: 2.5 ms on average against a call
# of 100 ms or more. Measured at 16 workers and a 2 ms Intuit, that more than halves the CPU of a push.
GATHER_S = 0.005
# Answers that are not written back yet may pile up to this many calls a worker while the database is slow.
UNSETTLED_PER_WORKER = 4
_DATABASE_AWAY_S = 1.0
# A pool whose connections are all busy with a database that hangs is no reason to end the process either.
_AWAY = (DBAPIError, PoolTimeout)
_CONTENDED_S = 0.01

# What a link became → what was decided of it, in the words of the metrics.
_DECISIONS = {
    "settled": "nothing", "skipped": "skip", "waiting": "wait", "held": "hold", "rejected": "reject", "withdrawn": "withdraw",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReconcilerPolicy:
    owner: str
    lane: int
    workers: int
    lease: float
    heartbeat: float
    poll: float
    sweep: float
    drain: float
    call_deadline: float
    limits: Limits = field(default_factory=Limits)


class Reconciler:
    def __init__(
        self,
        engine: Engine,
        policy: ReconcilerPolicy,
        *,
        claim: Claim,
        settle: Settle,
        transport: Transport,
        tokens: AccessTokens,
        jobs: CompanyJobs,
        gates: Gates,
        metrics: Metrics,
        beat: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._claim = claim
        self._settle = settle
        self._transport = transport
        self._tokens = tokens
        self._jobs = jobs
        self._gates = gates
        self._metrics = metrics
        self._beat = beat
        self._wake = threading.Event()
        self._sweep_now = threading.Event()
        self._stopping = threading.Event()
        self._answers: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._in_work: dict[int, float] = {}
        self._calling = 0
        self._preparing: set[str] = set()
        self._workers = ThreadPoolExecutor(policy.workers, thread_name_prefix="worker")
        # Apart from the workers: a token that is slow to come must not take one from the companies that can be called.
        self._housekeepers = ThreadPoolExecutor(4, thread_name_prefix="company")
        self._threads = [
            threading.Thread(target=self._guard, args=(run,), name=name, daemon=True)
            for name, run in (
                ("dispatcher", self._dispatch),
                ("settler", self._settle_answers),
                ("heartbeat", self._heartbeats),
                ("sweeper", self._sweep),
            )
        ]
        self._after_realm = ""
        self._broken: BaseException | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """News came: look for due links now."""
        self._wake.set()

    @property
    def broken(self) -> BaseException | None:
        """The error that ended one of the loops, if one did: the process must not go on without it."""
        return self._broken

    def stop(self) -> bool:
        """Claim nothing more, finish the calls in flight within the drain, settle them; True when all were."""
        self._stopping.set()
        self._wake.set()
        self._sweep_now.set()
        self._threads[0].join()
        until = time.monotonic() + self._policy.drain
        while self._busy() and time.monotonic() < until:
            self._wake.wait(0.05)
            self._wake.clear()
        drained = not self._busy()
        self._answers.put(None)
        for thread in self._threads[1:]:
            thread.join(self._policy.drain)
        self._workers.shutdown(wait=drained, cancel_futures=True)
        self._housekeepers.shutdown(wait=False, cancel_futures=True)
        return drained

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self._broken = error
            raise

    def _busy(self) -> int:
        with self._lock:
            return len(self._in_work)

    # Dispatch

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._beat("dispatcher")
            self._gather()
            # Cleared before looking: news that comes while we look wakes us again.
            self._wake.clear()
            try:
                found = self._claim_some()
            except _AWAY as error:
                log.warning("the database does not answer the claim: %s", str(error).splitlines()[0])
                self._stopping.wait(_DATABASE_AWAY_S)
                continue
            if not found:
                self._wake.wait(self._pause())

    def _claim_some(self) -> bool:
        """Claim for the free workers; True when it is worth looking again at once."""
        free = self._free()
        permits = self._gates.permits()
        if free <= 0 or permits.all_blocked:
            return False
        if self._gates.probing_intuit:
            free = 1
        with self._engine.begin() as db:
            candidates = self._candidates(db, free, permits.blocked)
        if not candidates:
            return False
        self._after_realm = candidates[-1][0]
        ids = [link_id for _, link_id in candidates]
        allowed = dict.fromkeys(permits.probes, 1)
        claimed = claim_around(self._engine, self._claim, ids, calls_allowed=allowed)
        self._take(claimed)
        if not (claimed.work or claimed.judged or claimed.unready or claimed.blocked):
            # Another process holds these very links at this moment; there may be others behind them.
            self._stopping.wait(_CONTENDED_S)
        return True

    def _free(self) -> int:
        """Give how many calls can be claimed now."""
        with self._lock:
            workers = self._policy.workers
            return min(workers - self._calling, UNSETTLED_PER_WORKER * workers - len(self._in_work))

    def _gather(self) -> None:
        """While calls are under way, wait a moment for more workers to become free."""
        until = time.monotonic() + GATHER_S
        while 0 <= self._free() < self._policy.workers // 2 and time.monotonic() < until:
            self._stopping.wait(GATHER_S / 5)

    def _candidates(self, db: Connection, free: int, blocked: frozenset[str]) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        # Two of each company as we go round; when that does not fill the workers, more of those there are.
        for after, per_company in ((self._after_realm, 2), ("", 2), ("", 16)):
            more = links.due_candidates(
                db, lane=self._policy.lane, after_realm=after, blocked=blocked, per_company=per_company, limit=free
            )
            known = set(found)
            found += [one for one in more if one not in known]
            if len(found) >= free:
                break
        return found[: max(free, 1)]

    def _take(self, claimed: Claimed) -> None:
        for kind, state, cause in claimed.judged:
            self._metrics.count("judgements", kind=kind.value, decision=_DECISIONS.get(state, state), cause=cause)
        for realm_id, seconds in claimed.blocked.items():
            self._gates.block(realm_id, seconds)
            limit = _limit(seconds)
            self._metrics.count("quota_waits", limit=limit)
            self._metrics.observe("quota_wait_seconds", seconds, limit=limit)
        for realm_id, org_id in claimed.unready.items():
            self._prepare(realm_id, org_id)
        if claimed.work:
            reached("claimed")
        for work in claimed.work:
            # Decrypted here once, and not by every worker at the moment it should send. What cannot be is the worker's to say.
            with suppress(UnreadableToken):
                self._tokens.get(work.link.realm_id, work.connection_version)
            with self._lock:
                self._in_work[work.link.id] = work.claimed_at
                self._calling += 1
            self._gates.called(work.link.realm_id)
            self._metrics.count("judgements", kind=work.link.kind.value, decision=work.operation)
            if work.attempt > 1:
                self._metrics.count("recoveries", how="resent" if work.phase == "send" else "looked-up")
            self._workers.submit(self._work, work)
        self._metrics.set("workers_busy", self._busy())

    def _prepare(self, realm_id: str, org_id: str) -> None:
        with self._lock:
            under_way = realm_id in self._preparing
            self._preparing.add(realm_id)
            # Again for one that is in hand: it may stand in the queue for longer than it was blocked.
            self._gates.block(realm_id, self._policy.call_deadline)
        if not under_way:
            self._housekeepers.submit(self._prepare_now, realm_id, org_id)

    def _prepare_now(self, realm_id: str, org_id: str) -> None:
        pause = _DATABASE_AWAY_S
        try:
            pause = self._jobs.prepare(org_id, realm_id)
        except Exception:
            log.exception("company %s cannot be prepared", realm_id)
        finally:
            with self._lock:
                self._preparing.discard(realm_id)
                self._gates.unblock(realm_id)
                if pause:
                    self._gates.block(realm_id, pause)
            self.wake()

    def _pause(self) -> float:
        """Give the seconds until something may be due; news cuts it short."""
        if self._free() <= 0:
            return self._policy.poll
        pauses = [self._policy.poll]
        permits = self._gates.permits()
        if permits.next_in is not None:
            pauses.append(permits.next_in)
        try:
            with self._engine.begin() as db:
                due_in = links.next_due_in(db, lane=self._policy.lane)
        except _AWAY:
            return _DATABASE_AWAY_S
        if due_in is not None and due_in > 0:
            pauses.append(due_in)
        return max(min(pauses), 0.005)

    # Call

    def _work(self, work: Work) -> None:
        outcome: Outcome | Late | None
        ours = False
        try:
            outcome = self._send(work)
        except Exception as error:
            # A mistake of ours in putting the call together: nothing was sent, and the record says so. No word of Intuit's.
            log.exception("call for %s %s", work.link.kind.value, work.link.kompass_id)
            outcome, ours = NotSent(f"{type(error).__name__}: {error}"), True
        with self._lock:
            self._calling -= 1
        self.wake()
        if outcome is None:
            self._done(work)
            return
        if not (ours or isinstance(outcome, Late)):
            self._gates.answered(work.link.realm_id, outcome)
        self._answers.put(Answer(work, outcome, self._gates.answers_lately(work.link.realm_id)))

    def _grant_anew(self, work: Work) -> bool:
        with self._engine.begin() as db:
            return grant_anew(db, work.link.realm_id, self._policy.limits)

    def _send(self, work: Work) -> Outcome | Late | None:
        """Make the call; None when the claim is not ours any more and nothing may be sent."""
        call = work.call()
        token = self._tokens.get(work.link.realm_id, work.connection_version)
        if token is None:
            return Unauthorized()
        if time.monotonic() - work.granted_at > GRANT_VALID and not self._grant_anew(work):
            return Late()
        if not self._still_ours(work):
            return None
        self._metrics.add("qbo_calls_in_flight", 1)
        reached("sending")
        try:
            outcome = self._transport.send(work.link.realm_id, token, call, deadline=self._policy.call_deadline)
            reached("answered")
            return self._heard(work, call, outcome)
        except (CallInvalid, BodyInvalid):
            # It could not even be written down.
            raise
        except Exception as error:
            # A mistake of ours once bytes may have left: what became of the call has to be found out.
            log.exception("call for %s %s", work.link.kind.value, work.link.kompass_id)
            return Unknown(f"{type(error).__name__}: {error}")
        finally:
            self._metrics.add("qbo_calls_in_flight", -1)

    def _heard(self, work: Work, call: Call, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Done) and not _complete(outcome, work):
            outcome = Unknown("Intuit's answer names no Id or SyncToken", intuit_tid=outcome.intuit_tid)
        observe_call(
            self._metrics, work.link.org_id, call, outcome, about=f"{work.link.kind.value}/{work.link.kompass_id}"
        )
        return outcome

    def _still_ours(self, work: Work) -> bool:
        """Fence: within half the lease nobody can have taken it over; later (we may have been stopped) the database is asked."""
        if time.monotonic() - work.claimed_at < self._policy.lease / 2:
            return True
        with self._engine.begin() as db:
            ours = links.epochs(db, [work.link.id]).get(work.link.id) == work.epoch
        if not ours:
            log.warning("fenced: %s %s was taken over", work.link.kind.value, work.link.kompass_id)
            self._metrics.count("fenced", kind=work.link.kind.value)
        return ours

    def _done(self, work: Work) -> None:
        with self._lock:
            self._in_work.pop(work.link.id, None)
        self.wake()

    # Settle

    def _settle_answers(self) -> None:
        last = False
        while not last:
            self._beat("settler")
            try:
                first = self._answers.get(timeout=1.0)
            except queue.Empty:
                continue
            batch = [first]
            until = time.monotonic() + GATHER_S
            while batch[-1] is not None and len(batch) < SETTLE_BATCH and (left := until - time.monotonic()) > 0:
                try:
                    batch.append(self._answers.get(timeout=left))
                except queue.Empty:
                    break
            last = None in batch
            answers = [answer for answer in batch if answer is not None]
            if answers:
                self._write_back(answers)

    def _write_back(self, answers: list[Answer]) -> None:
        """Write answers back, for as long as it takes: an answer that is not written costs a look-up later."""
        while True:
            try:
                settled = retrying(self._engine, lambda db: self._settle(db, answers))
                break
            except _AWAY as error:
                log.warning("answers are not written back yet: %s", str(error).splitlines()[0])
                if self._stopping.wait(_DATABASE_AWAY_S) and self._busy() == 0:
                    return
        reached("settled")
        for answer in answers:
            with self._lock:
                self._in_work.pop(answer.work.link.id, None)
        self._observe(settled)
        self.wake()

    def _observe(self, settled: Settled) -> None:
        if settled.fenced:
            self._metrics.count("fenced", settled.fenced)
        for work, cause in settled.differences:
            self._metrics.count("differences_found", reason=cause.partition(":")[2], org=work.link.org_id)
        now = time.time()
        for work, result, cause in settled.events:
            if (decision := _DECISIONS.get(result)) is not None:
                kind, org = work.link.kind.value, work.link.org_id
                self._metrics.count("judgements", kind=kind, decision=decision, cause=cause, org=org)
            if cause == "throttled":
                self._metrics.count("quota_waits", limit="throttled", org=work.link.org_id)
            if result == "recovered":
                self._metrics.count("recoveries", how="adopted")
            created = work.link.event_created_at
            if result in ("pushed", "recovered") and created is not None:
                self._metrics.observe(
                    "push_latency_seconds", max(now - created.timestamp(), 0.0), kind=work.link.kind.value
                )

    # Beside

    def _heartbeats(self) -> None:
        while not self._stopping.wait(self._policy.heartbeat) or self._busy():
            with self._lock:
                ids = list(self._in_work)
            if self._stopping.is_set():
                time.sleep(min(self._policy.heartbeat, 0.2))
            if not ids:
                continue
            try:
                with self._engine.begin() as db:
                    intents.heartbeat(db, self._policy.owner, ids)
            except _AWAY as error:
                log.warning("no heartbeat: %s", str(error).splitlines()[0])

    def _sweep(self) -> None:
        """Carry changed configurations into their links, when told so and every few seconds."""
        while not self._stopping.is_set():
            self._beat("sweeper")
            try:
                self._sweep_changed()
                for org_id, realm_id, version in retrying(self._engine, connections.due_probes):
                    self._housekeepers.submit(self._jobs.probe, org_id, realm_id, version)
                for org_id, realm_id in retrying(self._engine, connections.idle_connections):
                    self._prepare(realm_id, org_id)
            except _AWAY as error:
                log.warning("configurations are not swept: %s", str(error).splitlines()[0])
            self._sweep_now.wait(self._policy.sweep)
            self._sweep_now.clear()

    def _sweep_changed(self) -> None:
        failed: BaseException | None = None
        for configuration_id in retrying(self._engine, companies.changed):
            self._beat("sweeper")
            if self._stopping.is_set():
                return
            try:
                if retrying(self._engine, partial(companies.sweep, configuration_id=configuration_id)):
                    self.wake()
            except DBAPIError as error:
                # The others' are carried over all the same.
                failed = error
        if failed is not None:
            raise failed

    def configuration_changed(self) -> None:
        """Somebody saved a configuration: carry it into its links now."""
        self._sweep_now.set()


def _limit(seconds: float) -> str:
    """Tell by the length of a wait which of Intuit's limits it is for."""
    if seconds <= 0.05:
        return "in-flight"
    return "second" if seconds <= SECOND else "minute"


def _complete(done: Done, work: Work) -> bool:
    """Whether every object in the answer can be told by its Id and written to by its SyncToken."""
    looked_for = work.phase == "lookup" and work.operation == "create"
    documents = done.rows(work.entity) if looked_for else [done.entity(work.entity)]
    return all(bool(one.get("Id")) and one.get("SyncToken") is not None for one in documents)
