"""What the metrics say of a claim and of a settle."""

from __future__ import annotations

import time

from qbo_client.quota import SECOND
from schemas.link_state import LinkState
from sync.batches import Batch
from sync.budget import NO_BUDGET
from sync.claim import Claimed
from sync.metrics import Metrics
from sync.settle import Settled

# What a link became → what was decided of it, in the words of the metrics.
_DECISIONS: dict[str, str] = {
    LinkState.SYNCED: "nothing", LinkState.SKIPPED: "skip", LinkState.WAITING: "wait", LinkState.RETRYING: "retry",
    LinkState.FAILED: "fail", LinkState.WITHDRAWN: "withdraw",
}  # fmt: skip


def count_claimed(metrics: Metrics, claimed: Claimed) -> None:
    """Count what was decided without a call, and what waits for a quota."""
    for kind, state, cause, org_id in claimed.decided:
        metrics.count("decisions", kind=kind.value, decision=_DECISIONS.get(state, state), cause=cause, org=org_id)
        if cause == NO_BUDGET:
            metrics.count("quota_waits", limit="budget", org=org_id)
    for org_id, seconds in claimed.blocked.values():
        limit = _limit(seconds)
        metrics.count("quota_waits", limit=limit, org=org_id)
        metrics.observe("quota_wait_seconds", seconds, limit=limit)


def count_called(metrics: Metrics, batch: Batch) -> None:
    """Count the calls that go out."""
    for attempt in batch.attempts:
        metrics.count("decisions", kind=attempt.link.kind.value, decision=attempt.operation)
        if attempt.tries > 1:
            metrics.count("recoveries", how="resent" if attempt.phase == "send" else "looked-up")


def count_settled(metrics: Metrics, settled: Settled) -> None:
    """Count what became of calls."""
    if settled.fenced:
        metrics.count("fenced", settled.fenced)
    for how in settled.recoveries:
        metrics.count("recoveries", how=how)
    for attempt, cause in settled.differences:
        metrics.count("differences_found", reason=cause.partition(":")[2], org=attempt.link.org_id)
    now = time.time()
    for attempt, result, cause in settled.events:
        kind, org = attempt.link.kind.value, attempt.link.org_id
        if (decision := _DECISIONS.get(result)) is not None:
            metrics.count("decisions", kind=kind, decision=decision, cause=cause, org=org)
        if cause == "throttled":
            metrics.count("quota_waits", limit="throttled", org=org)
        if result == "recovered":
            metrics.count("recoveries", how="found")
        created = attempt.link.event_created_at
        if result in ("pushed", "recovered") and created is not None:
            metrics.observe("push_latency_seconds", max(now - created.timestamp(), 0.0), kind=kind)


def _limit(seconds: float) -> str:
    """Tell by the length of a wait which of Intuit's limits it is for."""
    if seconds <= 0.05:
        return "in-flight"
    return "second" if seconds <= SECOND else "minute"
