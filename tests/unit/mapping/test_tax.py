from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mapping.invoice import map_invoice
from mapping.results import Mapped
from mapping.tax import predicted_total
from schemas.company import Locale, TaxCodeFact
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
        assert codes(mapped) == [code], "a company whose codes were not fetched is not judged by them"


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


def test_tax_billed_in_the_usa(make: Any, refusals: Any) -> None:
    configuration = make.configuration(locale=Locale.USA)
    offsetting = (make.line(), make.line(position=2, amount_vat=D("-20.00")))
    for invoice in (make.invoice(), make.invoice(*offsetting)):
        problems = refusals(map_invoice, invoice, configuration, make.facts(), customer_id="77")
        assert set(problems) == {"tax-not-booked"}
        assert problems["tax-not-booked"].value == "20.00"


# What QBO will come to


def test_tax_is_predicted_once_for_each_code_half_up(make: Any) -> None:
    lines = [make.line(position=n, amount_net=D("10.03"), amount_vat=D("2.01")) for n in range(3)]
    mapped = map_invoice(make.invoice(*lines), make.configuration(), make.facts(), customer_id="77")
    # 3 × 10.03 = 30.09, of which 20 % is 6.018: 6.02, where Kompass's lines say 3 × 2.01 = 6.03.
    assert predicted_total(mapped, make.facts()) == D("36.11")
    warning = mapped.choices[-1]
    assert (warning.member, warning.value) == ("TotalAmt", "36.11")
    assert "QuickBooks will come to 36.11 and Kompass billed 36.12" in warning.reason


def test_a_tie_is_rounded_up(make: Any) -> None:
    exact = make.line(amount_net=D("10.10"), amount_vat=D("1.77"))
    facts = make.facts(tax_codes={"5": TaxCodeFact("5", "17.5", True, D("17.5"))})
    mapped = map_invoice(make.invoice(exact), make.configuration(), facts, customer_id="77")
    assert predicted_total(mapped, facts) == D("11.87")  # 1.7675


def test_equal_totals_need_no_warning(make: Any) -> None:
    credit = make.credit_note(make.line(amount_net=D("-100.00"), amount_vat=D("-20.00")))
    for invoice in (make.invoice(), credit):
        mapped = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77")
        assert predicted_total(mapped, make.facts()) == D("120.00")
        assert not any(choice.member == "TotalAmt" for choice in mapped.choices)


def test_what_cannot_be_predicted(make: Any) -> None:
    unknown = make.facts(tax_codes={"5": TaxCodeFact("5", "Exempt", True, None)})
    mapped = map_invoice(make.invoice(), make.configuration(), unknown, customer_id="77")
    assert predicted_total(mapped, unknown) is None
    untaxed = make.invoice(make.line(amount_vat=D(0), vat_rate=None))
    usa = map_invoice(untaxed, make.configuration(locale=Locale.USA), make.facts(), customer_id="77")
    assert predicted_total(usa, make.facts(automated_tax=True)) is None
    assert predicted_total(usa, make.facts()) == D("100.00")
    off = map_invoice(untaxed, make.configuration(), make.facts(tax_enabled=False), customer_id="77")
    assert predicted_total(off, make.facts(tax_enabled=False, automated_tax=True)) == D("100.00")
    customer = Mapped("Customer", {"DisplayName": "x"}, "x")
    assert predicted_total(customer, make.facts()) is None
