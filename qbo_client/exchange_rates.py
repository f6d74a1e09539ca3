"""A company's exchange rate of a day: one metered read for a currency and day.

Shape: Intuit's ExchangeRate page, `GET /exchangerate?sourcecurrencycode=EUR&asofdate=2026-01-31`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from qbo_client.calls import read_rate
from qbo_client.outcomes import Refused
from qbo_client.queries import Send, done

_NO_RATE = frozenset({"2220", "2060", "2070", "610"})
"""Refusals that say something of the currency or the day. Any other is no answer: it is asked again."""


def fetch_rate(send: Send, currency: str, day: dt.date) -> Decimal | None:
    """Give home units for one of the currency; None when the company has no rate of that day. Raises `ReadFailed`."""
    outcome = send(read_rate(currency, day))
    if isinstance(outcome, Refused) and _NO_RATE & set(outcome.codes):
        return None
    found = done(outcome, "reading the exchange rate").entity("ExchangeRate")
    rate = found.get("Rate")
    return Decimal(rate) if isinstance(rate, int | Decimal) and not isinstance(rate, bool) and rate > 0 else None
