"""What a person chose to leave as QuickBooks has it (*Keep what QuickBooks says*), as the month's sheet sees it."""

from __future__ import annotations

from collections.abc import Iterator, Set

from mapping.booked import Booked, booked_of
from mapping.books import TYPE
from mapping.case import entity_of
from mapping.expected import OPEN
from schemas.documents import Left, SentDocument
from schemas.events import InvoiceType, Step
from schemas.link_state import LinkState
from schemas.observed import reference


def left_by(one: SentDocument) -> Left | None:
    """Give what a person left of a document; None where nobody did, or Kompass bills or dates it otherwise since.

    A text that QuickBooks does not take, in a closed period say, ends no choice.
    """
    if one.left is None or one.state == LinkState.SYNCED:
        return one.left
    return one.left if one.state in OPEN and _bills_the_same(one, one.left) else None


def _bills_the_same(one: SentDocument, left: Left) -> bool:
    invoice, billed = one.invoice, left.billed
    if billed is None or left.ours.get("TxnDate") != invoice.date.isoformat():
        return False
    if one.entity != entity_of(invoice) and TYPE not in left.members:
        return False
    # It is signed as in QuickBooks. In the USA a line may carry the tax: then it is part of the net amount.
    sign = 0 if invoice.step is Step.VOIDED else -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    gross = sign * invoice.amount_gross
    nets = (sign * invoice.amount_net, gross)
    return billed.net in nets and billed.net + billed.tax == gross and billed.lines == len(invoice.lines)


def is_left(one: SentDocument, found: Booked, members: Set[str], home_currency: str) -> bool:
    """Whether a person chose to leave one of these members as QuickBooks has it, and the document still is as it was then."""
    left = left_by(one)
    if left is None or members.isdisjoint(left.members):
        return False
    then = booked_of(found.entity, left.observed.document, home_currency=home_currency)
    return (then.date, then.amounts, then.nets, then.taxes) == (found.date, found.amounts, found.nets, found.taxes)


def left_members(one: SentDocument, found: Booked) -> Iterator[str]:
    """What differs from what was sent and counts as sent, because a person chose it."""
    left = left_by(one)
    if left is None:
        return
    rate = left.ours.get("ExchangeRate")
    if "ExchangeRate" in left.members and rate is not None and rate != found.exchange_rate:
        yield f"exchange rate {found.exchange_rate:f}, as a person left it; {rate} was sent"
    before = reference(left.ours, "CustomerRef") or found.customer_id
    if "CustomerRef" in left.members and before != found.customer_id:
        there = found.customer_name or found.customer_id
        yield f"booked to customer {there}, as a person left it; sent to customer {before}"
