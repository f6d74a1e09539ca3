"""The cent check: what QuickBooks came to against what Kompass billed, and the probable reason where the two differ.

Amounts are in the document's currency and signed as in QuickBooks, where a credit note is above zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from mapping.causes.table import words_of
from mapping.money import CENT, distinct
from mapping.problems import money
from mapping.tax_amounts import Interval
from schemas.applied import Billed
from schemas.observed import amount, part, rows

AUTOMATED = "difference:automated-tax"
BY_HAND = "difference:edited-in-qbo"
NET = "difference:net"
ROUNDING = "difference:tax-rounding"
BY_DATE = "difference:tax-rate-by-date"
RATE = "difference:tax-rate"
CAUSES = frozenset({AUTOMATED, BY_HAND, NET, ROUNDING, BY_DATE, RATE})


@dataclass(frozen=True, slots=True)
class Difference:
    cause: str
    kompass_total: Decimal
    kompass_tax: Decimal
    qbo_total: Decimal
    qbo_tax: Decimal
    message: str
    """Both figures and the probable reason, in one sentence without the record's name."""


def compare(note: Billed | None, document: Mapping[str, object], *, by_hand: bool = False) -> Difference | None:
    """Compare a document of QuickBooks' with the note of what was billed; None when they agree or nothing can be said.

    :param by_hand: whether somebody is known to have changed its lines or tax in QuickBooks.
    """
    total = amount(document, "TotalAmt")
    if note is None or total is None:
        return None
    detail = part(document, "TxnTaxDetail")
    tax = amount(detail, "TotalTax") or Decimal(0)
    net, billed_tax = note.net, note.tax
    if (total, tax) == (net + billed_tax, billed_tax):
        return None
    cause = BY_HAND if by_hand else _cause(note, total - tax - net, tax - billed_tax, tuple(_used(detail)))
    figures = (
        f"QuickBooks has {money(total)} (tax {money(tax)}), Kompass {money(net + billed_tax)} (tax {money(billed_tax)})"
    )
    return Difference(
        cause, net + billed_tax, billed_tax, total, tax, f"{figures}: probably {words_of(cause).headline}"
    )


def _cause(note: Billed, net: Decimal, tax: Decimal, used: tuple[Decimal, ...]) -> str:
    if net:
        return NET
    if note.automated:
        return AUTOMATED
    if note.low is not None and note.high is not None:
        within = Interval(note.low, note.high)
        if note.tax in within and note.tax + tax in within:
            return ROUNDING
        return BY_DATE if _by_date(used, note.code_rates) else RATE
    # A note of an earlier version does not say what rounding explains.
    # A code of several rates (GST with PST) charges Kompass's one rate in parts.
    same_rates = not used or note.rates in (distinct(used), (sum(distinct(used)),))
    if same_rates and is_rounding(tax, lines=note.lines, rates=len(used)):
        return ROUNDING
    return BY_DATE if note.code_rates == note.rates else RATE


def _by_date(used: tuple[Decimal, ...], code_rates: tuple[Decimal, ...]) -> bool:
    """Whether QuickBooks charged other percents than those of the codes as they were known when it was sent."""
    return bool(used) and code_rates not in (distinct(used), (sum(distinct(used)),))


def is_rounding(tax: Decimal, *, lines: int, rates: int) -> bool:
    """Whether two taxes differ by no more than half a cent for each line that is rounded alone, and for each rate rounded on a sum."""
    return abs(tax) <= CENT / 2 * (lines + max(1, rates))


def _used(detail: Mapping[str, object]) -> Iterable[Decimal]:
    """The percentages that QuickBooks charged, as the document itself says."""
    for line in rows(detail.get("TaxLine")):
        if (percent := amount(part(line, "TaxLineDetail"), "TaxPercent")) is not None:
            yield percent
