"""Sales tax, by locale: what each line's code means, what it costs on the day, and how it is rounded.

Pure: lines and codes in, tax lines out. Rates are percents; amounts are Decimals in the currency of the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from simulator.amounts import CENT, HUNDRED, ZERO, cents, dec, number
from simulator.company import Company
from simulator.currencies import rounded
from simulator.faults import business, fault, not_found
from simulator.members import Object

PSEUDO_CODES = ("TAX", "NON")
# What each locale's books call it when a line has no rate.
_MISSING = {"CA": "GST/HST", "UK": "VAT", "EU": "VAT"}


@dataclass(frozen=True, slots=True)
class Rate:
    """One rate of a code on one day. `compound` rates are charged on the amount plus the taxes before them."""

    id: str
    percent: Decimal
    compound: bool = False


@dataclass(frozen=True, slots=True)
class TaxableLine:
    """What a line brings to the sum: its net (or, tax-inclusive, its gross) and the rates of its code."""

    amount: Decimal
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class TaxLine:
    """The tax of one rate. `delta` is how far the sender's amount lies from the computed one; `tax` has it in."""

    rate: Rate
    net: Decimal
    tax: Decimal
    delta: Decimal = ZERO

    def as_wire(self) -> Object:
        detail: Object = {
            "TaxRateRef": {"value": self.rate.id},
            "PercentBased": True,
            "TaxPercent": number(self.rate.percent),
            "NetAmountTaxable": number(self.net),
        }
        if self.delta:
            detail["OverrideDeltaAmount"] = number(self.delta)
        return {"Amount": number(self.tax), "DetailType": "TaxLineDetail", "TaxLineDetail": detail}

    def moved_by(self, delta: Decimal) -> TaxLine:
        return replace(self, tax=self.tax + delta, delta=self.delta + delta)


def rates_of(company: Company, code: str, day: str) -> tuple[Rate, ...]:
    """The sales rates of a tax code on that day, in the order they are charged.

    :raises ApiFault: 2500 for a code that does not exist, 6160 for one that cannot be used on sales, 6000 when no rate
        was in force on that day.
    """
    found = company.get("TaxCode", code)
    if found is None:
        raise not_found("TaxCode", code)
    if found.get("Active") is False or "SalesTaxRateList" not in found:
        raise fault("6160", f"Invalid TaxCodeRef : {found['Name']} cannot be used on sales", "TaxCodeRef")
    details = found["SalesTaxRateList"].get("TaxRateDetail", [])
    return tuple(
        Rate(
            id=detail["TaxRateRef"]["value"],
            percent=percent_on(company, detail["TaxRateRef"]["value"], day),
            compound=detail.get("TaxTypeApplicable") == "TaxOnAmountPlusTax",
        )
        for detail in sorted(details, key=lambda one: int(one.get("TaxOrder", 0)))
    )


def percent_on(company: Company, rate: str, day: str) -> Decimal:
    """The percent of a tax rate that is in force on `day` (ISO)."""
    found = company.get("TaxRate", rate)
    if found is None:
        raise not_found("TaxRate", rate)
    periods = found.get("EffectiveTaxRate")
    if not periods:
        return dec(found["RateValue"])
    for period in periods:
        if period["EffectiveDate"][:10] <= day and ("EndDate" not in period or day <= period["EndDate"][:10]):
            return dec(period["RateValue"])
    raise business(f"The tax rate {found['Name']} is not in force on {day}.")


def line_code(company: Company, code: str | None, *, taxed: bool) -> str | None:
    """The code a line is stored with, checked for the locale.

    :raises ApiFault: 6000 for a line without a code where every line needs one, 6100 for one of the other kind of books.
    """
    if company.american:
        if code is not None and code not in PSEUDO_CODES:
            raise fault(
                "6100", f"Invalid line TaxCode : The tax code of a line must be TAX or NON. Supplied value:{code}"
            )
        return code or "NON"
    if not taxed:
        return None
    if code is None:
        name = _MISSING[company.profile.locale]
        raise business(f"Make sure all your transactions have a {name} rate before you save.")
    if code in PSEUDO_CODES:
        raise fault("6100", f"Invalid line TaxCode : {code} cannot be used by companies outside the United States")
    return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """Where tax is rounded, half up: on the summed net of each rate, or on each line; to which smallest amount."""

    per_line: bool
    unit: Decimal = CENT


def excluded(lines: Sequence[TaxableLine], rounding: Rounding) -> list[TaxLine]:
    """Tax on top of the lines' net: one entry a rate. A code of several rates rounds each of them."""
    nets: dict[Rate, Decimal] = {}
    taxes: dict[Rate, Decimal] = {}
    for line in lines:
        before = ZERO
        for rate in line.rates:
            base = line.amount + (before if rate.compound else ZERO)
            tax = base * rate.percent / HUNDRED
            before += tax
            nets[rate] = nets.get(rate, ZERO) + base
            taxes[rate] = taxes.get(rate, ZERO) + (rounded(tax, rounding.unit) if rounding.per_line else tax)
    return [TaxLine(rate, cents(nets[rate]), rounded(taxes[rate], rounding.unit)) for rate in nets]


def included(lines: Sequence[TaxableLine], rounding: Rounding) -> tuple[list[TaxLine], list[Decimal]]:
    """Tax inside the lines' gross: the entries, and each line's net.

    The nets are rounded line by line; what rounding leaves over stays in the tax, so that net plus tax is the gross.
    """
    nets: list[Decimal] = []
    for line in lines:
        factor = Decimal(1)
        for rate in line.rates:
            factor += (factor if rate.compound else Decimal(1)) * rate.percent / HUNDRED
        nets.append(rounded(line.amount / factor, rounding.unit))
    entries = excluded([TaxableLine(net, line.rates) for net, line in zip(nets, lines, strict=True)], rounding)
    left = sum((line.amount for line in lines), ZERO) - sum(nets, ZERO) - sum((one.tax for one in entries), ZERO)
    if left and entries:
        first = next((place for place, one in enumerate(entries) if one.rate.percent), None)
        if first is not None:
            one = entries[first]
            entries[first] = TaxLine(one.rate, one.net, one.tax + left)
    return entries, nets


def automated(company: Company, state: str | None, amounts: Sequence[Decimal], day: str) -> list[TaxableLine]:
    """What the automated sales tax engine taxes of goods shipped to `state`; nothing where it knows no rate."""
    rate = company.profile.sales_tax_by_state.get((state or "").upper())
    if rate is None or not sum(amounts, ZERO):
        return []
    rates = (Rate(rate, percent_on(company, rate, day)),)
    return [TaxableLine(amount, rates) for amount in amounts]
