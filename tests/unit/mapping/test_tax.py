from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from mapping.invoice import map_invoice
from mapping.results import Mapped
from schemas.company import Locale, RateBase, RatePeriod, SalesRate, TaxCodeFact
from schemas.events import VatRate

D = Decimal


def codes(mapped: Mapped) -> list[str | None]:
    lines: Any = mapped.payload["Line"]
    return [line["SalesItemLineDetail"].get("TaxCodeRef", {}).get("value") for line in lines]


@pytest.mark.parametrize("locale", [Locale.EU, Locale.CANADA])
def test_every_line_has_a_code(make: Any, locale: Locale) -> None:
    lines = (
        make.line(),
        make.line(position=2, vat_rate=VatRate("vat-0", "Zero", D(0)), amount_vat=D(0)),
        make.line(position=3, vat_rate=None, amount_vat=D(0)),
    )
    mapped = map_invoice(make.invoice(*lines), make.configuration(locale=locale), make.facts(), customer_id="77")
    assert mapped.payload["GlobalTaxCalculation"] == "TaxExcluded"
    assert codes(mapped) == ["5", "6", "7"]
    assert [choice.reason for choice in mapped.choices if choice.member.endswith("TaxCodeRef")] == [
        "Tax Code VAT Rates: VAT rate “UK 20 %”",
        "Tax Code VAT Rates: VAT rate “Zero”",
        "Tax Code VAT Rates: no VAT rate",
    ]


def test_missing_rates_are_told_once_each(make: Any, refusals: Any) -> None:
    reduced = VatRate("vat-5", "UK 5 %", D(5))
    lines = (make.line(vat_rate=reduced), make.line(position=2, vat_rate=None), make.line(position=3, vat_rate=reduced))
    configuration = make.configuration(tax_codes={"vat-20": "5"})
    problems = refusals(map_invoice, make.invoice(*lines), configuration, make.facts(), customer_id="77")
    assert {cause: (problem.message, problem.remedy) for cause, problem in problems.items()} == {
        "no-tax-code:vat-5": (
            "Invoice 24-0329-01, lines 1, 3: VAT rate “UK 5 %” has no row in Tax Code VAT Rates",
            "Add a row for VAT rate “UK 5 %” to Tax Code VAT Rates.",
        ),
        "no-tax-code:none": (
            "Invoice 24-0329-01, line 2: there is no VAT rate, and Tax Code VAT Rates has no row for that",
            "Add a row without a VAT rate to Tax Code VAT Rates.",
        ),
    }


def test_codes_that_the_company_does_not_have_or_use(make: Any, refusals: Any) -> None:
    for code, cause in (("8", "tax-code-inactive:8"), ("99", "tax-code-unknown:99")):
        configuration = make.configuration(tax_codes={"vat-20": code})
        assert set(refusals(map_invoice, make.invoice(), configuration, make.facts(), customer_id="77")) == {cause}
        mapped = map_invoice(make.invoice(), configuration, make.facts(tax_codes={}), customer_id="77")
        assert codes(mapped) == [code], "a company whose codes were not fetched is not checked by them"


@pytest.mark.parametrize("locale", [Locale.EU, Locale.CANADA])
def test_tax_off_in_the_company(make: Any, refusals: Any, locale: Locale) -> None:
    configuration = make.configuration(locale=locale, tax_codes={})
    facts = make.facts(tax_enabled=False)
    untaxed = make.invoice(make.line(amount_vat=D(0), vat_rate=None))
    mapped = map_invoice(untaxed, configuration, facts, customer_id="77")
    assert mapped.payload["GlobalTaxCalculation"] == "NotApplicable"
    assert codes(mapped) == [None]
    problems = refusals(map_invoice, make.invoice(), configuration, facts, customer_id="77")
    assert set(problems) == {"tax-not-booked"}
    assert "20.00" in problems["tax-not-booked"].message


# What QBO would come to (the arithmetic of whole documents: test_tax_documents.py)


def test_a_difference_of_rounding_is_a_choice_and_no_refusal(make: Any) -> None:
    lines = [make.line(position=n, amount_net=D("10.03"), amount_vat=D("2.01")) for n in range(3)]
    mapped = map_invoice(make.invoice(*lines), make.configuration(), make.facts(), customer_id="77")
    # 3 × 10.03 = 30.09, of which 20 % is 6.018: 6.02 by sum; by line 2.006 → 2.01, × 3 = 6.03.
    choice = mapped.choices[-1]
    assert (choice.member, choice.value) == ("TotalAmt", "36.11 to 36.12")
    assert choice.reason == (
        "Rounding of tax: QuickBooks comes to 36.11 to 36.12, by line or by sum, and Kompass billed 36.12"
    )


def test_equal_totals_need_no_word(make: Any) -> None:
    credit = make.credit_note(make.line(amount_net=D("-100.00"), amount_vat=D("-20.00")))
    for invoice in (make.invoice(), credit):
        mapped = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77")
        assert not any(choice.member == "TotalAmt" for choice in mapped.choices)


def test_what_cannot_be_predicted_is_sent(make: Any) -> None:
    unknown = make.facts(tax_codes={"5": TaxCodeFact("5", "Exempt", True, None)})
    mapped = map_invoice(make.invoice(), make.configuration(), unknown, customer_id="77")
    assert not any(choice.member == "TotalAmt" for choice in mapped.choices)


def test_the_refusal_names_what_to_change(make: Any, refusals: Any) -> None:
    def refused(*, code: TaxCodeFact, rate: VatRate | None, vat: str) -> tuple[str, str]:
        configuration = make.configuration(tax_codes={"vat": "5", "": "5"})
        invoice = make.invoice(make.line(vat_rate=rate, amount_vat=D(vat)))
        problems = refusals(map_invoice, invoice, configuration, make.facts(tax_codes={"5": code}), customer_id="77")
        (problem,) = problems.values()
        return problem.cause, problem.remedy

    def code(*periods: RatePeriod) -> TaxCodeFact:
        return TaxCodeFact("5", "Code", True, None, (SalesRate("1", "Rate", RateBase.NET, periods),))

    twenty = VatRate("vat", "UK 20 %", D(20))
    assert refused(code=code(RatePeriod(D(5))), rate=twenty, vat="20.00") == (
        "tax-would-differ:vat",
        "In the row “UK 20 %” of Tax Code VAT Rates, choose the tax code that charges 20 %.",
    )
    by_date = code(RatePeriod(D(21), dt.date(2025, 1, 1)), RatePeriod(D(20), None, dt.date(2024, 12, 31)))
    assert refused(code=by_date, rate=twenty, vat="20.00") == (
        "tax-would-differ:vat",
        "“Code” had 20 % at another time than 2025-03-01: correct the date of the document or the VAT rate of its lines in "
        "Kompass. If it is right, as a credit note for a supply of that time is, make a tax code in QuickBooks that charges 20 % on "
        "2025-03-01, too, and choose it in the row “UK 20 %” of Tax Code VAT Rates.",
    )
    assert refused(code=code(RatePeriod(D(20))), rate=twenty, vat="17.50") == (
        "tax-would-differ:vat",
        "Correct the tax of the lines in Kompass: it is not 20 % of their net amount.",
    )
    assert refused(code=code(RatePeriod(D(0))), rate=None, vat="20.00") == (
        "tax-would-differ:none",
        "Give the lines their VAT rate in Kompass, or choose the tax code that was billed in the row without a VAT rate of Tax "
        "Code VAT Rates.",
    )


def test_a_cent_may_go_from_one_rate_to_another_where_the_whole_agrees(make: Any, refusals: Any) -> None:
    """0.334 and 0.334 are 0.668 → 0.67, shared out as 0.33 and 0.34."""
    five = VatRate("vat-5", "UK 5 %", D(5))
    configuration = make.configuration(tax_codes={"vat-20": "5", "vat-5": "6"})
    facts = make.facts(tax_codes={"5": TaxCodeFact("5", "20 %", True, D(20)), "6": TaxCodeFact("6", "5 %", True, D(5))})

    def invoice(reduced: str) -> Any:
        return make.invoice(
            make.line(amount_net=D("1.67"), amount_vat=D("0.33")),
            make.line(position=2, amount_net=D("6.68"), amount_vat=D(reduced), vat_rate=five),
        )

    assert map_invoice(invoice("0.34"), configuration, facts, customer_id="77")
    assert set(refusals(map_invoice, invoice("0.36"), configuration, facts, customer_id="77")) == {
        "tax-would-differ:vat-5"
    }
