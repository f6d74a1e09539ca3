"""A document as Kompass has it with what is known of sending it: read by the store, compared by the mapping."""

from __future__ import annotations

from dataclasses import dataclass

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
