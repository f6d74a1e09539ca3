"""One settle under way: what it changes is collected, and written at its end.

Any definitive answer, a fault too, retires the request id. Only an unknown outcome keeps its attempt, which is then sent again as it was
written, or looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from sqlalchemy import Connection

from mapping.results import Problem
from qbo_client.outcomes import Done, Outcome
from schemas.link_state import LinkState
from store import attempts, failures, history, links
from sync.attempt import Attempt, Late
from sync.batches import Split
from sync.crash_points import reached
from sync.daily_retry import went_through
from sync.differences import Differences
from sync.explaining import Learned
from sync.failing import failed_in_call
from sync.link import answered, wake_dependents, write
from sync.patience import backoff
from sync.policy import Policy


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


class Fate(Enum):
    """What becomes of an attempt."""

    RETIRED = auto()
    """Its outcome is known: its request id is never used again."""
    OVER = auto()
    """Its outcome is not known, and no call of it can still be under way."""
    RELEASED = auto()
    """Its outcome is not known, and a call of it may be under way until it is certainly over."""


class Transaction:
    """One settle. ``row`` is the link's in each method, as the answer found it."""

    def __init__(self, policy: Policy, uniform: Callable[[float, float], float], db: Connection, now: datetime) -> None:
        self.policy = policy
        self.uniform = uniform
        self.db = db
        self.now = now
        self.result = Settled()
        self.differences = Differences()
        self._changes: list[dict[str, Any]] = []
        self._history: list[history.Entry] = []
        self._fates: dict[int, Fate] = {}
        self._synced: set[int] = set()
        self._wake: dict[int, bool] = {}
        """Links whose dependents are decided again, and whether they failed as they did before."""
        self._resolved: set[int] = set()

    # What becomes of a link

    def put(self, attempt: Attempt, row: Any, **changes: Any) -> None:
        """Change the link; it stays due when something newer came while the call was under way."""
        self._changes.append({"link_id": attempt.link.id, "again": row.again, **changes})

    def limit_batch(self, most: int | None) -> None:
        """Let the link that was put last go in batches of at most so many; None: as many as Intuit takes."""
        self._changes[-1]["batch_most"] = most

    def synced(self, attempt: Attempt, *, agrees: bool = True, resolved: bool = False) -> None:
        """QuickBooks has it. ``agrees``: nothing of it is open any more; ``resolved``: it failed before, and a call went through."""
        if agrees:
            self._synced.add(attempt.link.id)
        if resolved:
            self._resolved.add(attempt.link.id)
        self._wake[attempt.link.id] = False
        self.become(attempt, Fate.RETIRED)

    def retry(
        self,
        attempt: Attempt,
        row: Any,
        cause: str,
        reason: str,
        *,
        after: float,
        keep_attempt: bool = False,
        **changes: Any,
    ) -> None:
        """Try again, so many seconds from now; it counts as one attempt more unless ``changes`` say otherwise."""
        if keep_attempt:
            # The claim finds the attempt, and waits until the first call is certainly over.
            self.become(attempt, Fate.RELEASED)
        else:
            # This call was not done, but an earlier one may have been: it is still that one's outcome that has to be found.
            self.become(attempt, Fate.OVER if doubtful(attempt) else Fate.RETIRED)
        self.put(
            attempt,
            row,
            state=LinkState.RETRYING,
            cause=cause,
            reason=reason,
            first_failed_at=row.first_failed_at or self.now,
            last_failed_at=self.now,
            **{"attempts": row.attempts + 1, "due_at": self.now + timedelta(seconds=after), **changes},
        )
        self.result.events.append((attempt, LinkState.RETRYING, cause))

    def fail(
        self, attempt: Attempt, row: Any, problem: Problem, *, tid: str | None, retire: bool = True, **changes: Any
    ) -> None:
        self.put(
            attempt,
            row,
            state=LinkState.FAILED,
            cause=problem.cause,
            reason=problem.message,
            last_failed_at=self.now,
            **changes,
        )
        looked_for = attempt.phase == "lookup" and attempt.operation == "create"
        # What became of the first call may still not be known: trying again begins with looking it up.
        self.become(attempt, Fate.RETIRED if retire and not looked_for else Fate.OVER)
        link_id = attempt.link.id
        self._wake[link_id] = failures.says_so_already(self.db, link_id, problem.cause, problem.message)
        failed_in_call(self.db, attempt, problem, tid=tid, attempts=row.attempts + 1)
        self.result.events.append((attempt, LinkState.FAILED, problem.cause))

    def look(self, attempt: Attempt, row: Any, words: str) -> None:
        """Send an attempt never again: look up what became of it."""
        attempts.to_lookup(self.db, attempt.link.id)
        self.put(attempt, row, due_at=self.now, attempts=row.attempts + 1)
        self.note(attempt, "recovered", words)

    def backoff(self, row: Any, *, alone: bool = True) -> float:
        """Seconds until the next try."""
        return self.jittered(backoff(self.policy.retries, row, now=self.now, alone=alone))

    def jittered(self, wait: float) -> float:
        return self.uniform(wait / 2, wait)

    # What becomes of its attempt

    def become(self, attempt: Attempt, fate: Fate) -> None:
        self._fates[attempt.link.id] = fate

    # What the history says

    def called(self, attempt: Attempt, outcome: Outcome) -> None:
        message = str(getattr(outcome, "reason", "")) or ", ".join(
            fault.detail or fault.message for fault in getattr(outcome, "faults", ())
        )
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
            detail |= _booked(attempt, outcome)
        codes = sorted(getattr(outcome, "codes", ()))
        if codes:
            detail["codes"] = codes
        tid = getattr(outcome, "intuit_tid", None) or ""
        name = type(outcome).__name__.lower()
        self._history.append(history.about(attempt.link, "called", name, message, intuit_tid=tid, detail=detail))

    def decided(self, attempt: Attempt, outcome: str, message: str) -> None:
        """Note what an answer decided about the link."""
        self.note(attempt, outcome, message, what=history.DECIDED)

    def note(self, attempt: Attempt, outcome: str, message: str, *, what: str = "recovered") -> None:
        self._history.append(history.about(attempt.link, what, outcome, message))

    # Write

    def flush(self) -> None:
        """Write what is known of the links so far."""
        changes, retired = self._changes, self._take(Fate.RETIRED)
        self._changes = []
        write(self.db, [answered(now=self.now, **one) for one in changes])
        attempts.retire(self.db, retired)

    def _take(self, fate: Fate) -> set[int]:
        found = {link_id for link_id, one in self._fates.items() if one is fate}
        for link_id in found:
            del self._fates[link_id]
        return found

    def write(self) -> None:
        over, released = self._take(Fate.OVER), self._take(Fate.RELEASED)
        as_before = {link_id for link_id, same in self._wake.items() if same}
        self.flush()
        self.differences.write(self.db)
        attempts.release(self.db, over, over=True)
        attempts.release(self.db, released)
        history.append(self.db, self._history)
        failures.close_for_links(self.db, self._synced, "synced")
        resolved = went_through(self.db, self._resolved) if self._resolved else 0
        if resolved:
            self.result.recoveries.append("resolved")
        if wake_dependents(self.db, self._wake.keys(), as_before=as_before) or resolved:
            self.result.woken = True
            links.notify(self.db)
        reached("settling")


def doubtful(attempt: Attempt) -> bool:
    """Whether an earlier call of the attempt may have been done: only its own answer, or a look, can retire the request id."""
    return attempt.tries > 1 or attempt.phase == "lookup"


def _booked(attempt: Attempt, done: Done) -> dict[str, object]:
    """Give what the trail keeps of a write: the members that it changed, and what QuickBooks has by it."""
    document = done.entity(attempt.entity)
    sent = {"members": sorted(attempt.members)} if attempt.operation == "update" else {}
    found = {
        "qbo_id": "Id",
        "sync_token": "SyncToken",
        "date": "TxnDate",
        "total": "TotalAmt",
        "home_total": "HomeTotalAmt",
    }
    said = {name: document[member] for name, member in found.items() if member in document}
    if said.get("home_total") == said.get("total"):
        # As in nearly every company: where it is not written down, it is the total.
        said.pop("home_total", None)
    return sent | said
