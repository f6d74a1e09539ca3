"""What a person chose to leave as QuickBooks has it (*Keep what QuickBooks says*), as the month's sheet sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from mapping.booked import Booked, booked_of
from schemas.documents import SentDocument


def is_left(one: SentDocument, found: Booked, members: Set[str], home_currency: str) -> bool:
    """Whether a person chose to leave one of these members as QuickBooks has it, and the document still is as it was then."""
    if one.left is None or members.isdisjoint(one.left.members):
        return False
    then = booked_of(found.entity, one.left.observed.document, home_currency=home_currency)
    return (then.date, then.amounts, then.nets, then.taxes) == (found.date, found.amounts, found.nets, found.taxes)


def left_members(one: SentDocument, found: Booked) -> Iterator[str]:
    """What differs from what was sent and counts as sent, because a person chose it."""
    if one.left is None:
        return
    rate, customer = one.left.ours.get("ExchangeRate"), one.left.ours.get("CustomerRef")
    if "ExchangeRate" in one.left.members and rate is not None and rate != found.exchange_rate:
        yield f"exchange rate {found.exchange_rate:f}, as a person left it; {rate} was sent"
    before = str(customer.get("value")) if isinstance(customer, Mapping) else found.customer_id
    if "CustomerRef" in one.left.members and before != found.customer_id:
        there = found.customer_name or found.customer_id
        yield f"booked to customer {there}, as a person left it; sent to customer {before}"
