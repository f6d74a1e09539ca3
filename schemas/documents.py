"""A document as Kompass has it with what is known of sending it: read by the store, compared by the mapping."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schemas.events import Invoice
from schemas.observed import Observed


@dataclass(frozen=True, slots=True)
class SentRate:
    """Home units for one of the currency."""

    sent: Decimal | None = None
    """With the document, or kept by a person; None when QuickBooks chose one."""
    answered: Decimal | None = None
    """As QuickBooks said last that it has it."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a person chose to leave as QuickBooks has it, and how that was."""

    members: frozenset[str]
    observed: Observed


@dataclass(frozen=True, slots=True)
class SentDocument:
    invoice: Invoice
    deleted: bool
    state: str
    """The link's; empty when there is none."""
    reason: str
    entity: str
    qbo_id: str
    """Empty while it is not in QuickBooks."""
    cause: str = ""
    customer: str = ""
    """The Id of the customer to whom it was sent last, or with whom a person left it; empty when that is not known."""
    rate: SentRate = SentRate()
    left: Left | None = None
    """None when nobody left it so, or more is to be sent."""
    link_id: int = 0
    """0 where there is no link."""
    newest_customer: str | None = None
    """The Id of the customer that its next sending would name, where that was asked; empty when QuickBooks has none yet."""
