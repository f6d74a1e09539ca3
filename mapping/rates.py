"""The exchange rate that goes with a document in a foreign currency, so that what is booked does not hang on QuickBooks' default.

What Intuit does with a document that names none is reported both ways: the rate of the day (2017) and 1 (2024).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mapping.case import Case, compared_with
from mapping.money import plain
from mapping.results import Choice, Mapped
from schemas.applied import NOTHING_SENT
from schemas.company import ExchangeRates
from schemas.events import Invoice, Step

RateKey = tuple[str, dt.date]
"""(currency, day)"""
Rates = Mapping[RateKey, Decimal | None]
"""Home units for one of the currency, as QuickBooks knows them; None where it has no rate of that day."""
MEMBER = "ExchangeRate"
WAITING = "exchange-rate"
"""The cause for which a document waits until its rate was read."""


AT_PAR = (
    {"USD", "BMD", "BSD", "PAB"}, {"GBP", "FKP", "GIP", "SHP"}, {"SGD", "BND"}, {"ZAR", "LSL", "NAD", "SZL"}, {"INR", "BTN"},
)  # fmt: skip
"""Currencies of which one is worth one of the others, by law."""


def plausible(rate: Decimal | None, currency: str, home: str) -> Decimal | None:
    """Give a rate as QuickBooks says it; None for 1 between currencies that are not at par: so it answers where it knows none."""
    return None if rate == 1 and not any({currency, home} <= group for group in AT_PAR) else rate


def needed_rate(case: Case) -> RateKey | None:
    """Give the rate that must be read from QuickBooks for a record; None when none is to be sent, or the one sent stays."""
    record = case.record
    if not isinstance(record, Invoice) or record.step is Step.VOIDED:
        return None
    if record.currency == case.facts.home_currency or not case.facts.multicurrency:
        return None
    if case.configuration.exchange_rates is not ExchangeRates.DAY:
        return None
    standing = compared_with(case)
    if standing.qbo_id is not None and (standing.applied is None or _same_day(case)):
        return None
    return record.currency, record.date


def rate_is_unread(case: Case) -> bool:
    """Whether the record has to wait for its rate. Without any rates (a preview) nothing waits."""
    key = needed_rate(case)
    return key is not None and case.rates is not None and key not in case.rates


def with_rate(mapped: Mapped, case: Case) -> Mapped:
    """Put the rate into a document's payload, and say where it is from."""
    record, sent_last = case.record, case.standing.applied or NOTHING_SENT
    if not isinstance(record, Invoice) or record.currency == case.facts.home_currency:
        return mapped
    sent = sent_last.members.get(MEMBER)
    key = needed_rate(case)
    if key is None:
        # A rate that was sent stays as long as the date does; one that QuickBooks chose is never replaced.
        return mapped if sent is None or not _same_day(case) else _put(mapped, sent)
    rate = None if case.rates is None else case.rates.get(key)
    where = f"{record.currency} on {record.date}"
    if rate is not None:
        return _chosen(_put(mapped, plain(rate)), f"{plain(rate):f}", f"QuickBooks' rate of {where}")
    if case.rates is None:
        return _chosen(
            mapped if sent is None else _put(mapped, sent), "", f"QuickBooks' rate of {where} is read when it is sent"
        )
    return _chosen(
        mapped, "", f"QuickBooks has no rate of {where}, and books the document at one of its own, perhaps 1"
    )


def _same_day(case: Case) -> bool:
    assert isinstance(case.record, Invoice)
    return (case.standing.applied or NOTHING_SENT).members.get("TxnDate") == case.record.date.isoformat()


def _put(mapped: Mapped, rate: object) -> Mapped:
    return replace(mapped, payload={**mapped.payload, MEMBER: rate})


def _chosen(mapped: Mapped, value: str, reason: str) -> Mapped:
    return replace(mapped, choices=(*mapped.choices, Choice(MEMBER, value, reason)))
