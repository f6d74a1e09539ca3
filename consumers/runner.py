"""The reconciler of one process: a dispatcher that claims, workers that call, a settler (`consumers.settler`) that writes back.

No worker waits for a company that waits: waiting is a moment in the database, not a thread. No transaction is open while Intuit is
asked, and before anything is sent the worker sees to it that the claim is still its own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sqlalchemy import Connection

from consumers.housekeeping import DATABASE_AWAY_S, Housekeeping
from consumers.run_metrics import count_called, count_claimed
from consumers.settler import GATHER_S, Settler
from consumers.turns import Candidate, Turns
from consumers.waits import Wait
from store import attempts
from store.backlogs import due_of, with_backlog
from store.candidates import next_due_in
from store.engine import AWAY
from sync.attempt import Attempt
from sync.batches import Backlogs, Batch
from sync.claim import Claimed
from sync.crash_points import reached
from sync.gates import Permits
from sync.pace import Pace
from sync.steps import Steps

log = logging.getLogger(__name__)

# Answers that are not written back yet may pile up to this many calls a worker while the database is slow.
UNSETTLED_PER_WORKER = 4
_CONTENDED_S = 0.01


class Reconciler:
    def __init__(
        self,
        steps: Steps,
        *,
        beat: Callable[[str], None],
    ) -> None:
        self._steps = steps
        self._engine = steps.engine
        self._metrics = steps.metrics
        self._gates = steps.gates
        self._lane = steps.policy.lane
        self._process = steps.policy.process
        self._attempts = steps.policy.attempts
        self._beat = beat
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._housekeeping = Housekeeping(steps, beat=beat, wake=self.wake, stopping=self._stopping)
        self._settler = Settler(
            steps, beat=beat, stopping=self._stopping, calling=lambda: self._calling, busy=self._busy, done=self._done
        )
        self._claim_waits, self._heartbeat_waits = Wait("the claim of due links"), Wait("the heartbeat of calls")
        self._lock = threading.Lock()
        self._in_flight: dict[int, Attempt] = {}  # by link
        self._calling = 0
        self._batches_calling = 0
        self._backlogs = Backlogs()
        self._together = self._process.batch_items
        self._pace = Pace(self._process.workers)
        self._workers = ThreadPoolExecutor(self._process.workers, thread_name_prefix="worker")
        self._threads = [
            threading.Thread(target=self._guard, args=(run,), name=name, daemon=True)
            for name, run in (
                ("dispatcher", self._dispatch),
                ("settler", self._settler.run),
                ("heartbeat", self._heartbeats),
                ("sweeper", self._housekeeping.sweep),
            )
        ]
        self._turns = Turns(lane=self._lane, names_at_once=steps.policy.limits.names_in_flight)
        self._backlog_first = False
        self._broken: BaseException | None = None

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something changed: look for due links now."""
        self._wake.set()

    @property
    def broken(self) -> BaseException | None:
        """The error that ended one of the loops, if one did: the process must not go on without it."""
        return self._broken

    def stop(self) -> bool:
        """Claim nothing more, finish the calls in flight within the drain, settle them; True when all were and no loop runs on."""
        self._stopping.set()
        self._wake.set()
        self._housekeeping.stop()
        self._threads[0].join()
        until = time.monotonic() + self._process.drain_seconds
        while self._busy() and time.monotonic() < until:
            self._wake.wait(0.05)
            self._wake.clear()
        drained = not self._busy()
        self._settler.end()
        for thread in self._threads[1:]:
            thread.join(self._process.drain_seconds)
        drained = drained and not any(thread.is_alive() for thread in self._threads)
        self._workers.shutdown(wait=drained, cancel_futures=True)
        self._housekeeping.close()
        return drained

    def _guard(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:
            self._broken = error
            raise

    def _busy(self) -> int:
        with self._lock:
            return len(self._in_flight)

    # Dispatch

    def _dispatch(self) -> None:
        while not self._stopping.is_set():
            self._beat("dispatcher")
            self._gather()
            # Cleared before looking: a change while we look wakes us again.
            self._wake.clear()
            try:
                found = self._claim_some()
                self._claim_waits.over()
            except AWAY as error:
                self._claim_waits.goes_on(error)
                self._stopping.wait(DATABASE_AWAY_S)
                continue
            if not found:
                self._wake.wait(self._pause())

    def _claim_some(self) -> bool:
        """Claim for the free workers; True when it is worth looking again at once."""
        free = self._free()
        permits = self._gates.permits()
        if free <= 0 or permits.all_blocked:
            return False
        if self._gates.trying_intuit:
            return self._claim_live(1, permits, without=frozenset())
        # One call to see whether a company answers again is one for one link.
        without = self._in_batches - permits.trials
        realm_id = self._backlogs.next(without=permits.blocked | permits.trials) if self._room_for_a_batch() else None
        if free == 1 and realm_id is not None:
            # The last free worker goes to either in turns.
            self._backlog_first = not self._backlog_first
            if self._backlog_first:
                return self._claim_backlog(realm_id)
        found = self._claim_live(max(free - (realm_id is not None), 1), permits, without=without)
        if realm_id is not None and self._free() > 0:
            found = self._claim_backlog(realm_id) or found
        return found

    def _claim_live(self, free: int, permits: Permits, *, without: frozenset[str]) -> bool:
        """Claim single calls, of every company in turn."""
        candidates: list[Candidate] = []
        with self._lock:
            writing_names = self._turns.writing_names(self._in_flight.values())

        def find(db: Connection) -> list[int]:
            candidates[:] = self._turns.find(db, free, blocked=permits.blocked | without | writing_names)
            if self._together > 1 and not self._gates.trying_intuit:
                known = Counter(realm_id for realm_id, _ in candidates)
                crowded = {realm_id for realm_id, due in known.items() if due > 1} - permits.trials
                crowded = with_backlog(db, crowded, lane=self._lane, more_than=self._process.backlog_links)
                self._backlogs.enter(crowded)
            turn = self._turns.take(candidates, free)
            return [link_id for realm_id, link_id in turn if realm_id not in self._in_batches - permits.trials]

        claimed = self._steps.claim_due(find, calls_allowed=dict.fromkeys(permits.trials, 1))
        if not candidates:
            return False
        if claimed is not None:
            self._take_or_wait(claimed)
        return True

    def _claim_backlog(self, realm_id: str) -> bool:
        """Claim what has waited longest in a company that has a backlog, to go together.

        A claim of its own, and of one company a turn: what the others have due meanwhile waits for one batch at the most.
        """
        together = self._together
        ids: list[int] = []

        def find(db: Connection) -> list[int]:
            ids[:] = due_of(db, realm_id, lane=self._lane, limit=together)
            return ids if len(ids) > 1 else []

        claimed = self._steps.claim_due(find, calls_allowed={}, together=together)
        if claimed is None:
            self._backlogs.leave(realm_id)
            return bool(ids)
        self._take_or_wait(claimed)
        return True

    def _room_for_a_batch(self) -> bool:
        """A batch takes as long as its thirty items: half of the workers stay for the companies that have no backlog."""
        with self._lock:
            return self._together > 1 and self._batches_calling < max(self._process.workers // 2, 1)

    @property
    def _in_batches(self) -> frozenset[str]:
        """The companies whose backlog goes in batches."""
        return self._backlogs.realms if self._together > 1 else frozenset()

    def _heard_how_many(self, batch: Batch) -> None:
        """Intuit takes fewer in a batch than this: ask for half, or for none where the batches of a minute carry less than single calls."""
        half, limits = len(batch.attempts) // 2, self._steps.policy.limits
        if half < self._together:
            self._together = half if half * limits.batches_per_minute > limits.per_minute else 1
            log.warning(
                "Intuit takes fewer than %d in a batch: from now on up to %d", len(batch.attempts), self._together
            )

    def _take_or_wait(self, claimed: Claimed) -> None:
        self._take(claimed)
        if not (claimed.batches or claimed.decided or claimed.unready or claimed.blocked):
            # Another process holds these very links at this moment; there may be others behind them.
            self._stopping.wait(_CONTENDED_S)

    def _free(self) -> int:
        """Give how many calls can be claimed now."""
        with self._lock:
            unsettled = len({attempt.request_id for attempt in self._in_flight.values()})
            return min(self._pace.claimable(self._calling), UNSETTLED_PER_WORKER * self._process.workers - unsettled)

    def _gather(self) -> None:
        """While calls are under way and none waits for a worker, wait a moment for more workers to become free."""
        until = time.monotonic() + GATHER_S
        while (
            self._calling <= self._process.workers
            and 0 <= self._free() < self._process.workers // 2
            and time.monotonic() < until
        ):
            self._stopping.wait(GATHER_S / 5)

    def _take(self, claimed: Claimed) -> None:
        count_claimed(self._metrics, claimed)
        for realm_id, (_, seconds) in claimed.blocked.items():
            self._gates.block(realm_id, seconds)
        for realm_id, org_id in claimed.unready.items():
            self._housekeeping.prepare(realm_id, org_id, claimed)
        if claimed.batches:
            reached("claimed")
            # Read and decrypted here once, and not by every worker at the moment it should send. What cannot be is the worker's to say.
            with suppress(*AWAY):
                self._steps.tokens.read_ahead(
                    {batch.first.link.realm_id: batch.first.connection_version for batch in claimed.batches}
                )
        for batch in claimed.batches:
            first = batch.first
            with self._lock:
                self._in_flight |= {attempt.link.id: attempt for attempt in batch.attempts}
                self._calling += 1
                self._batches_calling += batch.is_combined
            self._gates.called(first.link.realm_id)
            count_called(self._metrics, batch)
            self._workers.submit(self._work, batch)
        self._metrics.set("workers_busy", self._busy())

    def _pause(self) -> float:
        """Give the seconds until something may be due; a change cuts it short."""
        if self._free() <= 0:
            return self._process.poll_seconds
        pauses = [self._process.poll_seconds]
        permits = self._gates.permits()
        if permits.next_in is not None:
            pauses.append(permits.next_in)
        try:
            with self._engine.begin() as db:
                due_in = next_due_in(db, lane=self._lane)
        except AWAY:
            return DATABASE_AWAY_S
        if due_in is not None and due_in > 0:
            pauses.append(due_in)
        return max(min(pauses), 0.005)

    # Call

    def _work(self, batch: Batch) -> None:
        sent = self._steps.send(batch)
        with self._lock:
            self._calling -= 1
            self._batches_calling -= batch.is_combined
            self._pace.ended()
        self.wake()
        if sent.is_too_large:
            self._heard_how_many(batch)
        if answers := self._steps.answers(sent):
            self._settler.take(answers)
        else:
            self._done(batch.attempts)

    def _done(self, attempts: Iterable[Attempt]) -> None:
        with self._lock:
            for attempt in attempts:
                self._in_flight.pop(attempt.link.id, None)
        self.wake()

    # Beside

    def _heartbeats(self) -> None:
        while not self._stopping.wait(self._attempts.heartbeat_seconds) or self._busy():
            with self._lock:
                ids = list(self._in_flight)
            if self._stopping.is_set():
                time.sleep(min(self._attempts.heartbeat_seconds, 0.2))
            if not ids:
                self._heartbeat_waits.over()
                continue
            try:
                with self._engine.begin() as db:
                    attempts.heartbeat(db, self._steps.policy.owner, ids)
                self._heartbeat_waits.over()
            except AWAY as error:
                self._heartbeat_waits.goes_on(error)

    def configuration_changed(self) -> None:
        """Somebody saved a configuration: carry it into its links now."""
        self._housekeeping.configuration_changed()
