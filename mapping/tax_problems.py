"""The words of a tax that QuickBooks would book otherwise than Kompass billed it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from mapping.problems import money, number, quoted
from mapping.results import Problem
from schemas.company import TaxCodeFact
from schemas.events import VatRate


def tax_would_differ(
    record: str,
    *,
    rate: VatRate | None,
    code: TaxCodeFact,
    billed: Decimal,
    booked: tuple[Decimal, Decimal],
    day: dt.date,
) -> Problem:
    """QuickBooks would book another tax than Kompass billed on the lines of ``rate``, and rounding does not explain it.

    :param booked: what it comes to by line and by sum, the smaller first; as ``billed``, above zero on a credit note.
    """
    low, high = booked
    sums = money(low) if low == high else f"{money(low)} to {money(high)}"
    percent = code.percent_on(day)
    charges = f"tax code {quoted(code.name)}" + ("" if percent is None else f" ({number(percent)} % on {day})")
    row = "without a VAT rate" if rate is None else quoted(rate.name)
    return Problem(
        cause=f"tax-would-differ:{'none' if rate is None else rate.id}",
        message=f"{record}: Kompass billed {money(billed)} of tax on the lines "
        f"{row if rate is None else f'of VAT rate {row} ({number(rate.rate)} %)'}, and QuickBooks would book {sums} with {charges}",
        field="TaxCodeRef",
        value="" if rate is None else rate.name,
        remedy=_tax_remedy(rate, code, percent, row, day),
    )


def _tax_remedy(rate: VatRate | None, code: TaxCodeFact, percent: Decimal | None, row: str, day: dt.date) -> str:
    if rate is None:
        return (
            "Give the lines their VAT rate in Kompass, or choose the tax code that was billed in the row without a VAT rate "
            "of Tax Code VAT Rates."
        )
    if rate.rate == percent:
        return f"Correct the tax of the lines in Kompass: it is not {number(rate.rate)} % of their net amount."
    if rate.rate in code.percents():
        return (
            f"{quoted(code.name)} had {number(rate.rate)} % at another time than {day}: correct the date of the document or "
            f"the VAT rate of its lines in Kompass. If it is right, as a credit note for a supply of that time is, make a tax code in "
            f"QuickBooks that charges {number(rate.rate)} % on {day}, too, and choose it in the row {row} of Tax Code VAT Rates."
        )
    return f"In the row {row} of Tax Code VAT Rates, choose the tax code that charges {number(rate.rate)} %."
