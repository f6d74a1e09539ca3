"""How one process reconciles: under which name, which kind of records, and the numbers of its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from qbo_client.quota import Limits
from sync.budget import Budget
from sync.patience import Patience
from sync.settings import AttemptPolicy, CompanyPolicy, ProcessPolicy, RetryPolicy, SharedSettings


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings' own records, beside what no setting says. Times in seconds."""

    owner: str
    lane: int
    """The kind of the process, as `store.links.LANES` has it; the sum of several for a process that works all."""
    attempts: AttemptPolicy = field(default_factory=AttemptPolicy)
    companies: CompanyPolicy = field(default_factory=CompanyPolicy)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    process: ProcessPolicy = field(default_factory=ProcessPolicy)
    limits: Limits = field(default_factory=Limits)
    budget: Budget = field(default_factory=Budget)
    patience: Patience = field(default_factory=Patience)
    send_within: float = AttemptPolicy().lease_seconds / 2
    """From a claim, in which its call leaves without asking whether it is still ours: nobody takes it over before."""

    @classmethod
    def of(cls, settings: SharedSettings, *, owner: str, lane: int, budget: Budget) -> Policy:
        return cls(
            owner=owner,
            lane=lane,
            attempts=settings.attempts,
            companies=settings.companies,
            retries=settings.retries,
            process=settings.process,
            budget=budget,
            send_within=settings.attempts.lease_seconds / 2,
        )

    @property
    def over_after(self) -> float:
        """Seconds after a claim at which its call is certainly over at Intuit, if it was sent as late as may be."""
        return self.send_within + self.attempts.server_timeout_seconds

    @property
    def facts_age(self) -> timedelta:
        """Age at which a company's facts are fetched again."""
        return timedelta(seconds=self.companies.facts_seconds)
