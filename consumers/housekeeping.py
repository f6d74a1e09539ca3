"""What a process does for its companies beside the calls: tokens and facts are made ready, changed configurations swept.

Apart from the workers: a token that is slow to come must not take one from the companies that can be called.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sqlalchemy.exc import DBAPIError

from consumers.waits import Wait
from schemas.counting import counted
from store import companies, connections
from store.engine import AWAY, retrying
from sync import link
from sync.budget import NO_BUDGET
from sync.claim import Claimed
from sync.daily_retry import DailyRetries
from sync.disconnection import TRY_AFTER_S
from sync.steps import Steps
from sync.sweep import sweep

log = logging.getLogger(__name__)

DATABASE_AWAY_S = 1.0
"""How long to leave alone what needs a database that does not answer."""
_SELDOM_S = 60.0
"""How often is looked at all companies for what takes hours or days to come, and for what a clock that was ahead has queued: such a look
reads a row of each. The ten idle ones that a look finds are 14,000 a day, and each is due once in 30 days."""


class Housekeeping:
    def __init__(
        self, steps: Steps, *, beat: Callable[[str], None], wake: Callable[[], None], stopping: threading.Event
    ) -> None:
        """``wake``: says that links may be due; ``stopping``: set once the process is to end."""
        self._steps = steps
        self._daily_retries = DailyRetries(steps.engine, steps.metrics)
        self._beat = beat
        self._wake = wake
        self._stopping = stopping
        self._sweep_now = threading.Event()
        self._looked = float("-inf")
        self._lock = threading.Lock()
        self._preparing: set[str] = set()
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="company")
        self._sweep_waits = Wait("the sweep of configurations")
        self._companies_wait = Wait("making companies ready")

    def stop(self) -> None:
        """Let the sweeper see that it is to end."""
        self._sweep_now.set()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Companies

    def prepare(self, realm_id: str, org_id: str, claimed: Claimed) -> None:
        """Have a company made ready; it is left alone meanwhile."""
        with self._lock:
            under_way = realm_id in self._preparing
            self._preparing.add(realm_id)
            # Again for one that is in hand: it may stand in the queue for longer than it was blocked.
            self._steps.gates.block(realm_id, self._steps.policy.attempts.call_deadline_seconds)
        if not under_way:
            asked = (realm_id in claimed.refused_by_facts, realm_id in claimed.held_up)
            self._threads.submit(self._prepare, realm_id, org_id, *asked)

    def _prepare(self, realm_id: str, org_id: str, refused_by_facts: bool, was_held_up: bool) -> None:
        pause, gates = DATABASE_AWAY_S, self._steps.gates
        try:
            asked = {"refused_by_facts": refused_by_facts, "was_held_up": was_held_up}
            pause = self._steps.preparation.prepare(org_id, realm_id, **asked)
            self._companies_wait.over()
        except AWAY as error:
            self._companies_wait.goes_on(error)
        except Exception:
            log.exception("company %s cannot be prepared", realm_id)
        finally:
            with self._lock:
                self._preparing.discard(realm_id)
                gates.unblock(realm_id)
                if pause:
                    gates.block(realm_id, pause)
            self._wake()

    def _try_disconnected(self, org_id: str, realm_id: str, version: int) -> None:
        try:
            self._steps.preparation.try_disconnected(org_id, realm_id, version)
            self._companies_wait.over()
        except AWAY as error:
            self._companies_wait.goes_on(error)
        except Exception:
            log.exception("company %s cannot be asked whether it answers again", realm_id)

    # Configurations

    def configuration_changed(self) -> None:
        """Somebody saved a configuration: carry it into its links now."""
        self._sweep_now.set()

    def sweep(self) -> None:
        """Carry changed configurations into their links when notified, and see to the rest every few seconds, until it is to end."""
        asked, swept = True, float("-inf")
        while not self._stopping.is_set():
            self._beat("sweeper")
            try:
                if asked or time.monotonic() - swept > _SELDOM_S:
                    # Until a look finds nothing it is made at every turn: a company may be locked, or in the hands of a process that dies.
                    swept = float("-inf")
                    if not self._sweep_changed():
                        swept = time.monotonic()
                self._daily_retries.turn()
                self._see_whether_budget_is_back()
                self._look_seldom()
                self._sweep_waits.over()
            except AWAY as error:
                self._sweep_waits.goes_on(error)
            # Cleared before the look, and only where it was heard: none is lost.
            if asked := self._sweep_now.wait(self._steps.policy.process.sweep_seconds):
                self._sweep_now.clear()

    def _see_whether_budget_is_back(self) -> None:
        """Wake what waited for the month's budget."""
        if self._steps.preparation.budget_is_back():
            retrying(self._steps.engine, partial(link.wake_held, lane=self._steps.policy.lane, cause=NO_BUDGET))
            self._wake()

    def _look_seldom(self) -> None:
        if time.monotonic() - self._looked < _SELDOM_S:
            return
        self._see_to_companies()
        self._look_ahead()
        self._looked = time.monotonic()

    def _see_to_companies(self) -> None:
        """Try companies that are disconnected, and keep idle ones connected."""
        engine = self._steps.engine
        if not self._steps.preparation.budget_is_spent():
            trials = retrying(engine, partial(connections.due_trials, again_after=TRY_AFTER_S))
            for org_id, realm_id, version in trials:
                self._threads.submit(self._try_disconnected, org_id, realm_id, version)
        for org_id, realm_id in retrying(engine, connections.idle_connections):
            self.prepare(realm_id, org_id, Claimed())

    def _look_ahead(self) -> None:
        if woken := retrying(self._steps.engine, partial(link.wake_ahead, lane=self._steps.policy.lane)):
            log.warning("the clock of the database was set back: %s", counted(woken, "link is due", "links are due"))
            self._wake()

    def _sweep_changed(self) -> bool:
        """Whether any was found."""
        failed: BaseException | None = None
        found = retrying(self._steps.engine, companies.changed)
        for configuration_id in found:
            self._beat("sweeper")
            if self._stopping.is_set():
                break
            try:
                if retrying(self._steps.engine, partial(sweep, configuration_id=configuration_id)):
                    self._wake()
            except DBAPIError as error:
                # The others' are carried over all the same.
                failed = error
        if failed is not None:
            raise failed
        return bool(found)
