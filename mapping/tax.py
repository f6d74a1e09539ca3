"""Which tax code a line gets, and what QBO will make of it.

USA: no codes at all. EU and Canada: one on every line, or none with ``GlobalTaxCalculation: NotApplicable`` when the
company has tax off.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum

from mapping import problems
from mapping.members import Draft, ref
from mapping.money import cents, half_up, plain
from mapping.results import Problem
from mapping.tax_amounts import Piece, beyond_rounding, billed_by_rate, pieces_of_line, predictions
from schemas.company import BilledTax, CompanyFacts, Configuration, Locale, TaxAmounts, TaxCodeFact
from schemas.events import Invoice, InvoiceLine, InvoiceType, VatRate

MAX_TAXABLE_LINES = 750
"""Intuit's Invoice page; more are refused."""


class Regime(Enum):
    """How an invoice gives its tax to QBO."""

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
    made: Sequence[Mapping[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> list[dict[str, object]]:
    """Put GlobalTaxCalculation into ``draft`` and a TaxCodeRef into the details of each of ``made``, its lines.

    Gives the line that carries the billed tax, where the USA has one.
    """
    how = regime(configuration, facts)
    draft.put("GlobalTaxCalculation", how.value)
    if how is Regime.EXCLUDED:
        taxable = sum(1 for line in lines if line.amount_vat or (line.vat_rate is not None and line.vat_rate.rate))
        if taxable > MAX_TAXABLE_LINES:
            draft.refuse(
                problems.too_many_lines(draft.record, count=taxable, limit=MAX_TAXABLE_LINES, what="lines with tax")
            )
        details = [_detail(entry) for entry in made]
        _put_codes(draft, lines, details, configuration, facts)
        if not draft.refused:
            _check_tax(draft, invoice, lines, details, configuration, facts)
        return []
    billed = invoice.amount_vat or next((line.amount_vat for line in lines if line.amount_vat), Decimal(0))
    if how is Regime.NO_CODES:
        return _map_usa_tax(draft, invoice, billed, configuration, facts, number=len(made) + 1)
    draft.choose("Line.TaxCodeRef", "", "The company has tax off in QuickBooks")
    if billed:
        _not_booked(
            draft,
            billed,
            "the company has tax off",
            "Turn on VAT or sales tax in QuickBooks, or bill it in Kompass without tax.",
        )
    return []


def _not_booked(draft: Draft, billed: Decimal, why: str, remedy: str) -> None:
    draft.refuse(problems.tax_not_booked(draft.record, amount=billed, why=why, remedy=remedy))


def _detail(entry: Mapping[str, object]) -> dict[str, object]:
    detail = entry["SalesItemLineDetail"]
    assert isinstance(detail, dict)
    return detail


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


def document_pieces(
    lines: Sequence[InvoiceLine],
    details: Sequence[Mapping[str, object]],
    facts: CompanyFacts,
    *,
    day: dt.date,
    credit: bool,
) -> tuple[list[Piece], set[str]]:
    """Give what each rate charges on each line, and the VAT rates of which that is not known.

    :param credit: whether it is a credit note, whose amounts are positive in QBO.
    """
    sign = -1 if credit else 1
    made: list[Piece] = []
    unknown: set[str] = set()
    for number, (line, detail) in enumerate(zip(lines, details, strict=True), start=1):
        row = row_of(line)
        code = _code_of(detail, facts)
        found = None if code is None else pieces_of_line(number, row, code, sign * line.amount_net, day)
        if found is None:
            unknown.add(row)
        else:
            made += found
    return [piece for piece in made if piece.row not in unknown], unknown


def row_of(line: InvoiceLine) -> str:
    """Give the row of Tax Code VAT Rates that a line belongs to."""
    return "" if line.vat_rate is None else line.vat_rate.id


def _code_of(detail: Mapping[str, object], facts: CompanyFacts) -> TaxCodeFact | None:
    code = detail.get("TaxCodeRef")
    return facts.tax_codes.get(str(code["value"])) if isinstance(code, Mapping) else None


def _check_tax(
    draft: Draft,
    invoice: Invoice,
    lines: Sequence[InvoiceLine],
    details: Sequence[Mapping[str, object]],
    configuration: Configuration,
    facts: CompanyFacts,
) -> None:
    """Refuse what QuickBooks would book with another tax than Kompass billed, rounding aside."""
    credit = invoice.type is InvoiceType.CREDIT_NOTE
    sign = -1 if credit else 1
    pieces, unknown = document_pieces(lines, details, facts, day=invoice.date, credit=credit)
    billed: dict[str, Decimal] = defaultdict(Decimal)
    rates: dict[str, VatRate | None] = {}
    for line in lines:
        if row_of(line) not in unknown:
            billed[row_of(line)] += sign * line.amount_vat
            rates[row_of(line)] = line.vat_rate
    differing = beyond_rounding(pieces, billed, invoice.currency)
    for wrong in differing:
        code = facts.tax_codes[wrong.code]
        draft.refuse(
            _tax_would_differ(
                draft.record,
                rate=rates[wrong.row],
                code=code,
                billed=wrong.billed,
                booked=(wrong.predicted.low, wrong.predicted.high),
                day=invoice.date,
            )
        )
    if differing or unknown:
        return
    net, total = sum((sign * line.amount_net for line in lines), Decimal(0)), sum(billed.values(), Decimal(0))
    expected = predictions(pieces, invoice.currency)
    if expected.low == expected.high == total:
        return
    if configuration.tax_amounts is TaxAmounts.KOMPASS:
        draft.put("TxnTaxDetail", _tax_detail(pieces, billed, total))
        draft.choose(
            "TxnTaxDetail", problems.money(total), "Tax amounts: Kompass's to the cent, where rounding may differ"
        )
        return
    spread = problems.money(net + expected.low) + (
        "" if expected.low == expected.high else f" to {problems.money(net + expected.high)}"
    )
    draft.choose(
        "TotalAmt",
        spread,
        f"Rounding of tax: QuickBooks comes to {spread}, by line or by sum, and Kompass billed {problems.money(net + total)}",
    )


def _tax_detail(pieces: Sequence[Piece], billed: Mapping[str, Decimal], total: Decimal) -> dict[str, object]:
    """An override of the tax: what Kompass billed, each rate once."""
    return {
        "TotalTax": cents(total),
        "TaxLine": [
            {
                "Amount": cents(one.tax),
                "DetailType": "TaxLineDetail",
                "TaxLineDetail": {
                    "TaxRateRef": ref(one.rate),
                    "PercentBased": True,
                    "TaxPercent": plain(one.percent),
                    "NetAmountTaxable": cents(half_up(one.net)),
                },
            }
            for one in billed_by_rate(pieces, billed)
        ],
    }


def _tax_would_differ(
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
    sums = problems.money(low) if low == high else f"{problems.money(low)} to {problems.money(high)}"
    percent = code.percent_on(day)
    charges = f"tax code {problems.quoted(code.name)}" + (
        "" if percent is None else f" ({problems.number(percent)} % on {day})"
    )
    row = "without a VAT rate" if rate is None else problems.quoted(rate.name)
    return Problem(
        cause=f"tax-would-differ:{'none' if rate is None else rate.id}",
        message=f"{record}: Kompass billed {problems.money(billed)} of tax on the lines "
        f"{row if rate is None else f'of VAT rate {row} ({problems.number(rate.rate)} %)'}, "
        f"and QuickBooks would book {sums} with {charges}",
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
        return f"Correct the tax of the lines in Kompass: it is not {problems.number(rate.rate)} % of their net amount."
    if rate.rate in code.percents():
        return (
            f"{problems.quoted(code.name)} had {problems.number(rate.rate)} % at another time than {day}: correct the date of the "
            f"document or the VAT rate of its lines in Kompass. If it is right, as a credit note for a supply of that time is, make a tax "
            f"code in QuickBooks that charges {problems.number(rate.rate)} % on {day}, too, and choose it in the row {row} of Tax Code "
            "VAT Rates."
        )
    return f"In the row {row} of Tax Code VAT Rates, choose the tax code that charges {problems.number(rate.rate)} %."


# --- USA: no codes on lines, so what becomes of sales tax that Kompass billed is the admin's choice

_REFUSED = (
    "In the Configuration, choose under “Billed tax (USA)” a line of an item that goes to your sales tax payable account, or let "
    "QuickBooks' automated sales tax decide. If nothing is taxable, bill it in Kompass without tax."
)
_NO_ITEM = "Choose the Sales tax Item ID in the Configuration."
_NOT_AUTOMATED = (
    "Turn on automated sales tax in QuickBooks (Taxes → Sales tax), or choose another answer under “Billed tax (USA)” in the "
    "Configuration."
)


def _map_usa_tax(
    draft: Draft, invoice: Invoice, billed: Decimal, configuration: Configuration, facts: CompanyFacts, *, number: int
) -> list[dict[str, object]]:
    draft.choose("Line.TaxCodeRef", "", "Locale USA: no tax codes on lines")
    if facts.automated_tax:
        draft.choose(
            "TxnTaxDetail",
            "",
            "Automated sales tax is on: QuickBooks may add tax by the customer's address and the item's own setting",
        )
    if not billed:
        return []
    match configuration.billed_tax:
        case BilledTax.ITEM_LINE if configuration.tax_item_id:
            return _tax_lines(draft, invoice, configuration.tax_item_id, number=number)
        case BilledTax.ITEM_LINE:
            _not_booked(draft, billed, "the Configuration names no Sales tax Item ID", _NO_ITEM)
        case BilledTax.AUTOMATED if facts.automated_tax:
            draft.choose(
                "TotalAmt",
                "",
                f"QuickBooks computes its own sales tax; Kompass billed {problems.money(abs(billed))}, and a difference is shown",
            )
        case BilledTax.AUTOMATED:
            _not_booked(draft, billed, "automated sales tax is off in this company", _NOT_AUTOMATED)
        case BilledTax.REFUSE:
            _not_booked(draft, billed, "the Locale USA sends no tax codes", _REFUSED)
    return []


def _tax_lines(draft: Draft, invoice: Invoice, item_id: str, *, number: int) -> list[dict[str, object]]:
    if not invoice.amount_vat:
        return []
    sign = -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    draft.choose(f"Line[{number}].ItemRef", item_id, "Billed tax (USA): a line of the Sales tax Item")
    return [
        {
            "LineNum": number,
            "Description": "Sales tax",
            "Amount": cents(sign * invoice.amount_vat),
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": ref(item_id)},
        }
    ]
