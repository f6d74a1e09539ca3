"""A document as Kompass has it with what is known of sending it: read by the store, compared by the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from schemas.applied import Billed
from schemas.events import Invoice
from schemas.observed import Observed, amount, reference


@dataclass(frozen=True, slots=True)
class Answered:
    """What QuickBooks itself came to, as it said last."""

    rate: Decimal | None = None
    """Home units for one of the currency."""
    tax: Decimal | None = None
    """At our last write; above zero for a credit memo, too."""
    tax_by_hand: bool = False
    """Whether somebody is known to have put in another one than QuickBooks had come to: ``tax`` may be that one by now."""


CHOSEN = "Chosen"
"""Stands among the members that are kept where a person chose: what a document was linked with by hand is kept without a choice."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a person chose to leave as QuickBooks has it, and how that was."""

    members: frozenset[str]
    observed: Observed
    ours: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The members as they were sent, or would have been."""
    billed: Billed | None = None
    """What Kompass billed then."""


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
    sent: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The members that were sent last, apart from the lines with the value that a person left; empty while none were."""
    answered: Answered = Answered()
    left: Left | None = None
    """None when nobody left it so. Whether Kompass says the same still, `mapping.left` knows."""
    link_id: int = 0
    """0 where there is no link."""
    newest_customer: str | None = None
    """The Id of the customer that its next sending would name, where that was asked; empty when QuickBooks has none yet."""

    @property
    def customer(self) -> str:
        """The Id of the customer to whom it was sent last, or with whom a person left it; empty when that is not known."""
        return reference(self.sent, "CustomerRef")

    @property
    def exchange_rate(self) -> Decimal | None:
        """The rate that was sent with it, or that a person kept; None when QuickBooks chose one."""
        return amount(self.sent, "ExchangeRate")

    def text(self, member: str) -> str:
        """Give a member that was sent and is a text; empty when it was not."""
        value = self.sent.get(member)
        return value if isinstance(value, str) else ""
