"""How a reconciler is to work: how many workers, how long everything may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from qbo_client.calls import MAX_BATCH_ITEMS
from qbo_client.quota import Limits


@dataclass(frozen=True, slots=True)
class ReconcilerPolicy:
    """Times in seconds."""

    owner: str
    lane: int
    workers: int
    lease: float
    heartbeat: float
    poll: float
    sweep: float
    drain: float
    call_deadline: float
    server_timeout: float = 125.0
    """Seconds after which a call that was sent is certainly over at Intuit."""
    limits: Limits = field(default_factory=Limits)
    together: int = MAX_BATCH_ITEMS
    """Operations of a company with a backlog that go in one batch; 1: every call goes by itself."""
    backlog: int = 10
    """A company with more links due than this has a backlog."""

    @property
    def send_within(self) -> float:
        """Seconds from a claim in which its call leaves without asking whether it is still ours: nobody takes it over before."""
        return self.lease / 2
