"""Which tax code a line gets, and what QBO will make of it.

USA: no codes at all. EU and Canada: one on every line, or none with ``GlobalTaxCalculation: NotApplicable`` when the
company has tax off.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum

from mapping import problems
from mapping.members import Draft, ref
from mapping.money import half_up
from mapping.results import Mapped
from schemas.company import CompanyFacts, Configuration, Locale, TaxCodeFact
from schemas.events import Invoice, InvoiceLine, VatRate

MAX_TAXABLE_LINES = 750
"""Intuit's Invoice page; more are refused."""


class Regime(Enum):
    """How an invoice's tax is told to QBO."""

    NO_CODES = None
    """USA: neither codes nor GlobalTaxCalculation."""
    EXCLUDED = "TaxExcluded"
    NOT_APPLICABLE = "NotApplicable"


def regime(configuration: Configuration, facts: CompanyFacts) -> Regime:
    if configuration.locale is Locale.USA:
        return Regime.NO_CODES
    return Regime.EXCLUDED if facts.tax_enabled else Regime.NOT_APPLICABLE


def map_tax(
    draft: Draft,
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    details: Sequence[dict[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> None:
    """Puts GlobalTaxCalculation into ``draft`` and a TaxCodeRef into each of ``details``, the lines' details."""
    how = regime(configuration, facts)
    if how is not Regime.NO_CODES:
        draft.put("GlobalTaxCalculation", how.value)
    if how is Regime.EXCLUDED:
        taxable = sum(1 for line in lines if line.amount_vat or (line.vat_rate is not None and line.vat_rate.rate))
        if taxable > MAX_TAXABLE_LINES:
            draft.refuse(
                problems.too_many_lines(draft.record, count=taxable, limit=MAX_TAXABLE_LINES, what="lines with tax")
            )
        _put_codes(draft, lines, details, configuration, facts)
        return
    if how is Regime.NO_CODES:
        reason, why = "Locale USA: no tax codes on lines", "the Locale USA sends no tax codes"
        remedy = (
            "Bill it in Kompass without tax, or choose the Locale EU or Canada in the Configuration if this company "
            "is there."
        )
    else:
        reason, why = "The company has tax off in QuickBooks", "the company has tax off"
        remedy = "Turn on VAT or sales tax in QuickBooks, or bill it in Kompass without tax."
    draft.choose("Line.TaxCodeRef", "", reason)
    billed = invoice.amount_vat or next((line.amount_vat for line in lines if line.amount_vat), None)
    if billed:
        draft.refuse(problems.tax_not_booked(draft.record, amount=billed, why=why, remedy=remedy))


def _put_codes(
    draft: Draft,
    lines: Sequence[InvoiceLine],
    details: Sequence[dict[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> None:
    missing: dict[str, tuple[VatRate | None, list[int]]] = {}
    unusable: dict[tuple[str, str], tuple[VatRate | None, TaxCodeFact | None, list[int]]] = {}
    for number, (line, detail) in enumerate(zip(lines, details, strict=True), start=1):
        rate = line.vat_rate
        key = "" if rate is None else rate.id
        code = configuration.tax_codes.get(key)
        if not code:
            missing.setdefault(key, (rate, []))[1].append(number)
            continue
        fact = facts.tax_codes.get(code)
        if facts.tax_codes and (fact is None or not fact.active):
            unusable.setdefault((key, code), (rate, fact, []))[2].append(number)
            continue
        detail["TaxCodeRef"] = ref(code)
        row = "no VAT rate" if rate is None else f"VAT rate {problems.quoted(rate.name)}"
        draft.choose(f"Line[{number}].TaxCodeRef", code, f"Tax Code VAT Rates: {row}")
    for rate, positions in missing.values():
        draft.refuse(problems.no_tax_code(draft.record, rate=rate, positions=positions))
    for (_, code), (rate, fact, positions) in unusable.items():
        name = None if fact is None else fact.name
        draft.refuse(problems.tax_code_unusable(draft.record, code=code, name=name, rate=rate, positions=positions))


def predicted_total(mapped: Mapped, facts: CompanyFacts) -> Decimal | None:
    """What TotalAmt QBO will compute for an Invoice or CreditMemo; None when its tax cannot be told beforehand.

    QBO rounds tax once for each code, on the sum of its lines, half-up.
    """
    lines = mapped.payload.get("Line")
    if not isinstance(lines, (list, tuple)):
        return None
    nets: dict[str | None, Decimal] = defaultdict(Decimal)
    for line in lines:
        code = line["SalesItemLineDetail"].get("TaxCodeRef")
        nets[None if code is None else code["value"]] += line["Amount"]
    excluded = mapped.payload.get("GlobalTaxCalculation") == Regime.EXCLUDED.value
    if "GlobalTaxCalculation" not in mapped.payload and facts.automated_tax:
        return None
    total = Decimal(0)
    for code, net in nets.items():
        total += net
        if excluded:
            rate = _sales_rate(code, facts.tax_codes)
            if rate is None:
                return None
            total += half_up(net * rate / 100)
    return half_up(total)


def _sales_rate(code: str | None, tax_codes: Mapping[str, TaxCodeFact]) -> Decimal | None:
    fact = None if code is None else tax_codes.get(code)
    return None if fact is None else fact.sales_rate
