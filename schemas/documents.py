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
    """The Id of the customer to whom it was sent last; empty when that is not known."""
    exchange_rate: Decimal | None = None
    """The rate that was sent with it; None when QuickBooks chose one."""
