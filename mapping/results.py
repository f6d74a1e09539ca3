"""What mapping says: a payload with the reasons for its choices, or problems that a person can fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.events import Kind


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a member has the value it has: ``Choice("Line[1].ItemRef", "12", "Item Service of 'LiDAR'")``."""

    member: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record cannot be sent as it is, in words an admin can act on."""

    cause: str
    """Stable code, what failures are grouped by: ``no-tax-code:VAT-21``."""
    message: str
    """One sentence that names the record, the field and the value."""
    field: str
    value: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A payload for QBO. Numbers are `decimal.Decimal`; Id, SyncToken and sparse are not part of it."""

    entity: str
    payload: Mapping[str, object]
    name: str | None
    """The DisplayName or DocNumber in it; None when the company numbers its own documents."""
    choices: tuple[Choice, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Members whose value QuickBooks does not take and that the books do not need: why, by member."""


class Unmappable(Exception):
    """The record cannot be sent as it is."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PartyKey:
    """What a link depends on: a customer (per client and currency) or a job (per project and billing client)."""

    kind: Kind
    kompass_id: str
    party_id: str
    """The billing client's id for a job; empty for a customer."""
    currency: str
    """ISO code."""
