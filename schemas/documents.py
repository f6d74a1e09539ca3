"""A document as Kompass has it with what is known of sending it: read by the store, compared by the mapping."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from schemas.events import Invoice


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
    exchange_rate: Decimal | None = None
    """The rate that was sent with it, or that a person kept; None when QuickBooks chose one."""
    answered_rate: Decimal | None = None
    """The rate that QuickBooks said last that it has it at."""
    link_id: int = 0
    """0 where there is no link."""
    newest_customer: str | None = None
    """The Id of the customer that its next sending would name, where that was asked; empty when QuickBooks has none yet."""
