"""The cent check: what QuickBooks came to against what Kompass billed, and the probable reason where the two differ.

Amounts are in the document's currency and signed as in QuickBooks, where a credit note is above zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from mapping.causes.table import words_of
from mapping.money import CENT, plain
from mapping.problems import money
from mapping.tax import document_pieces
from mapping.tax_amounts import Interval, accepted_together
from schemas.applied import Billed
from schemas.company import CompanyFacts
from schemas.events import Invoice, InvoiceType, Step

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


def billed(invoice: Invoice, payload: Mapping[str, object], facts: CompanyFacts) -> Billed:
    """Give the note of what Kompass billed, which the settle of the call compares with; ``payload`` names the tax codes of the lines."""
    sign = 0 if invoice.step is Step.VOIDED else -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    gross = sign * invoice.amount_gross
    # In the USA a line may carry the tax: then it is part of the net amount there.
    carried = len(_lines(payload)) > len(invoice.lines)
    net = gross if carried else sign * invoice.amount_net
    rounding = _rounding(invoice, payload, facts) if sign else None
    return Billed(
        net=net,
        tax=gross - net,
        lines=len(invoice.lines),
        rates=_rates(line.vat_rate.rate for line in invoice.lines if line.vat_rate is not None),
        code_rates=_rates(
            percent
            for code in _codes(payload)
            if (fact := facts.tax_codes.get(code)) is not None
            and (percent := fact.percent_on(invoice.date)) is not None
        ),
        automated=facts.automated_tax,
        low=None if rounding is None else rounding.low,
        high=None if rounding is None else rounding.high,
    )


def _rounding(invoice: Invoice, payload: Mapping[str, object], facts: CompanyFacts) -> Interval | None:
    """The taxes that differ from what was billed by rounding alone; None when a rate is not known."""
    lines = sorted(invoice.lines, key=lambda line: line.position)
    details = [line["SalesItemLineDetail"] for line in _lines(payload)]
    if len(details) != len(lines):
        return None
    pieces, unknown = document_pieces(
        lines, details, facts, day=invoice.date, credit=invoice.type is InvoiceType.CREDIT_NOTE
    )
    return None if unknown else accepted_together(pieces, invoice.currency)


def compare(note: Billed | None, document: Mapping[str, object], *, by_hand: bool = False) -> Difference | None:
    """Compare a document of QuickBooks' with the note of what was billed; None when they agree or nothing can be said.

    :param by_hand: whether somebody is known to have changed its lines or tax in QuickBooks.
    """
    total = _decimal(document.get("TotalAmt"))
    if note is None or total is None:
        return None
    detail = document.get("TxnTaxDetail")
    tax = (_decimal(detail.get("TotalTax")) if isinstance(detail, Mapping) else None) or Decimal(0)
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
    same_rates = not used or note.rates in (_rates(used), (sum(_rates(used)),))
    if same_rates and is_rounding(tax, lines=note.lines, rates=len(used)):
        return ROUNDING
    return BY_DATE if note.code_rates == note.rates else RATE


def _by_date(used: tuple[Decimal, ...], code_rates: tuple[Decimal, ...]) -> bool:
    """Whether QuickBooks charged other percents than those of the codes as they were known when it was sent."""
    return bool(used) and code_rates not in (_rates(used), (sum(_rates(used)),))


def is_rounding(tax: Decimal, *, lines: int, rates: int) -> bool:
    """Whether two taxes differ by no more than half a cent for each line that is rounded alone, and for each rate rounded on a sum."""
    return abs(tax) <= CENT / 2 * (lines + max(1, rates))


def _lines(payload: Mapping[str, object]) -> Sequence[Mapping[str, Any]]:
    lines = payload.get("Line")
    return lines if isinstance(lines, list | tuple) else ()


def _codes(payload: Mapping[str, object]) -> Iterable[str]:
    for line in _lines(payload):
        code = line["SalesItemLineDetail"].get("TaxCodeRef")
        if code is not None:
            yield str(code["value"])


def _used(detail: object) -> Iterable[Decimal]:
    """The percentages that QuickBooks charged, as the document itself says."""
    lines = detail.get("TaxLine") if isinstance(detail, Mapping) else None
    for line in lines if isinstance(lines, list | tuple) else ():
        inner = line.get("TaxLineDetail") if isinstance(line, Mapping) else None
        percent = _decimal(inner.get("TaxPercent")) if isinstance(inner, Mapping) else None
        if percent is not None:
            yield percent


def _rates(percentages: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Each rate once, without the zeros, which charge nothing."""
    return tuple(sorted({plain(one) for one in percentages if one}))


def _decimal(value: object) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
