"""The part of the company check that is about tax: codes, rates, and who computes sales tax in the USA."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.utils import timezone

from admin.quickbooks_online.findings import AMBER, GREEN, RED, Finding, rows_of
from admin.quickbooks_online.models import Configuration, TaxCodeVatRate, VatRate
from schemas.company import BilledTax, CompanyFacts, Locale, TaxCodeFact

_IN_QUICKBOOKS = (
    "mark the items and customers that are not taxable as such in QuickBooks, and compare the first invoices."
)


def check_tax(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    if configuration.locale == Locale.USA.value:
        yield from _usa(configuration, facts)
    elif not facts.tax_enabled:
        yield Finding(
            AMBER,
            "Tax",
            "Tax is off in the company: invoices that bill tax in Kompass are refused.",
            "Set up tax in QuickBooks, unless Kompass bills none.",
        )
    else:
        yield Finding(GREEN, "Tax", "Tax is on.")


def _usa(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    choice = BilledTax(configuration.billed_tax)
    automated = "Automated sales tax is on: QuickBooks may add tax to any invoice, by the customer's address and the item's own setting."
    if choice is BilledTax.AUTOMATED and not facts.automated_tax:
        yield Finding(
            RED,
            "Sales tax",
            "Automated sales tax is to decide about billed tax, but it is off in the company: such invoices are refused.",
            "Turn it on in QuickBooks (Taxes → Sales tax), or choose another answer under Billed tax (USA).",
        )
    elif choice is BilledTax.AUTOMATED:
        yield Finding(
            AMBER,
            "Sales tax",
            f"{automated} Its tax is booked, and a difference from Kompass's is shown with the document.",
            f"Nothing, if that is intended. Else {_IN_QUICKBOOKS}",
        )
    elif facts.automated_tax and choice is BilledTax.ITEM_LINE:
        yield Finding(
            AMBER,
            "Sales tax",
            f"{automated} The billed tax goes on a line of its own, so tax may be charged twice.",
            f"Let automated sales tax decide under Billed tax (USA), or {_IN_QUICKBOOKS}",
        )
    elif facts.automated_tax:
        yield Finding(
            AMBER,
            "Sales tax",
            f"{automated} Invoices that bill tax in Kompass are refused.",
            "Choose under Billed tax (USA) what becomes of billed tax. For untaxed invoices, " + _IN_QUICKBOOKS,
        )
    elif choice is BilledTax.ITEM_LINE:
        yield Finding(GREEN, "Sales tax", "Billed tax goes on a line of the Sales tax Item.")
    else:
        yield Finding(GREEN, "Sales tax", "QuickBooks adds no tax; invoices that bill tax in Kompass are refused.")


def check_tax_codes(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    rows = list(rows_of(TaxCodeVatRate, configuration).select_related("vat_rate"))
    if configuration.locale == "USA":
        if rows:
            yield Finding(AMBER, "Tax codes", "Tax Code VAT Rates are not used in the USA.", "Nothing needs doing.")
        return
    wrong = False
    for row in rows:
        code = facts.tax_codes.get(row.tax_code_id)
        if code is None or not code.active:
            wrong = True
            yield Finding(
                RED,
                "Tax codes",
                f"{row.vat_rate}: its tax code {row.tax_code_name or row.tax_code_id} is "
                f"{'gone' if code is None else 'inactive'} in QuickBooks.",
                "Choose an active tax code in Tax Code VAT Rates.",
            )
        elif _never_of_rate(code, row.vat_rate.rate):
            wrong = True
            percent = code.percent_on(timezone.now().date())
            yield Finding(
                RED,
                "Tax codes",
                f"{row.vat_rate} in Kompass goes to {code.name}, which is {percent:f} % in QuickBooks.",
                "Choose a tax code of the same rate: invoices with the other one are refused.",
            )
    yield from _several_supplies(rows, facts)
    missing = VatRate.objects.filter(org_id=configuration.org_id).exclude(pk__in=[row.vat_rate_id for row in rows])
    if missing:
        wrong = True
        yield Finding(
            RED,
            "Tax codes",
            f"Without a tax code: {', '.join(str(rate) for rate in missing)}.",
            "Map them in Tax Code VAT Rates: their invoices are refused until then.",
        )
    if not wrong:
        yield Finding(GREEN, "Tax codes", "Every VAT rate seen has an active tax code of its rate.")


def _never_of_rate(code: TaxCodeFact, rate: Decimal | None) -> bool:
    """Whether a code neither charges a rate nor ever did: an old VAT rate goes to the code that had it then."""
    return rate is not None and code.percent_on(timezone.now().date()) is not None and rate not in code.percents()


def _several_supplies(rows: list[TaxCodeVatRate], facts: CompanyFacts) -> Iterator[Finding]:
    """One rate of Kompass may stand for several kinds of supply, which QBO tells apart by code: zero-rated, exempt, …"""
    for row in rows:
        rate = row.vat_rate.rate
        if rate is None or rate != 0:
            continue
        alike = [code.name for code in facts.tax_codes.values() if code.active and code.sales_rate == 0]
        if len(alike) > 1:
            yield Finding(
                AMBER,
                "Tax codes",
                f"{row.vat_rate} always goes to {row.tax_code_name}; QuickBooks distinguishes {', '.join(alike)}.",
                "If Kompass uses this rate for several kinds of supply, give each a VAT rate of its own in Kompass.",
            )
