"""Sales tax in each locale, to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import CANADA, IRELAND, UK, USA, USA_AUTOMATED_TAX, Settings, bookkeeper

from .conftest import Books, OpenBooks, code_of, line


def taxes(document: dict[str, Any]) -> list[tuple[float, float, float]]:
    """(percent, net, tax) of each tax line."""
    return [
        (one["TaxLineDetail"]["TaxPercent"], one["TaxLineDetail"]["NetAmountTaxable"], one["Amount"])
        for one in document["TxnTaxDetail"].get("TaxLine", [])
    ]


@pytest.mark.parametrize(
    ("name", "tax"), [("20.0% S", 20), ("5.0% R", 5), ("0.0% Z", 0), ("Exempt", 0), ("20.0% RC SG", 0), ("No VAT", 0)]
)
def test_uk_vat_standard_reduced_zero_exempt_and_reverse_charge(open_books: OpenBooks, name: str, tax: float) -> None:
    books = open_books(UK)
    made = books.invoice(books.customer(), line(100, code_of(books.company, name)))
    assert (made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (tax, 100 + tax)
    assert made["GlobalTaxCalculation"] == "TaxExcluded"
    assert len(taxes(made)) == 1


@pytest.mark.parametrize(
    ("day", "percent"), [("2020-08-31", 23), ("2020-09-01", 21), ("2021-02-28", 21), ("2021-03-01", 23)]
)
def test_rates_are_effective_by_date(open_books: OpenBooks, day: str, percent: float) -> None:
    books = open_books(IRELAND)
    made = books.invoice(books.customer(), line(100, code_of(books.company, "23.0% S")), TxnDate=day)
    assert taxes(made) == [(percent, 100, percent)]


def test_a_rate_not_yet_in_force_is_refused(open_books: OpenBooks) -> None:
    books = open_books(CANADA)
    customer, code = books.customer(), code_of(books.company, "HST ON")
    assert books.refuses(lambda: books.invoice(customer, line(1, code), TxnDate="2010-06-30")).codes == ("6000",)


def test_canada_composite_codes(open_books: OpenBooks) -> None:
    books = open_books(CANADA)
    customer = books.customer()

    def of(name: str) -> list[tuple[float, float, float]]:
        return taxes(books.invoice(customer, line(200, code_of(books.company, name))))

    assert of("GST") == [(5, 200, 10)]
    assert of("HST ON") == [(13, 200, 26)]
    assert of("GST/PST BC") == [(5, 200, 10), (7, 200, 14)]
    assert of("GST/QST QC - 9.975") == [(5, 200, 10), (9.975, 200, 19.95)]
    # As before 2013: the provincial tax on top of the federal one.
    assert of("GST/QST QC - 9.5") == [(5, 200, 10), (9.5, 210, 19.95)]
    assert of("Out of Scope") == [(0, 200, 0)]


@pytest.mark.parametrize(("realm", "word"), [(CANADA, "GST/HST"), (UK, "VAT"), (IRELAND, "VAT")])
def test_outside_the_usa_every_line_needs_a_code(open_books: OpenBooks, realm: str, word: str) -> None:
    books = open_books(realm)
    customer = books.customer()
    refused = books.refuses(lambda: books.invoice(customer, line(1, "1"), line(1)))
    assert refused.codes == ("6000",)
    assert refused.errors[0].detail == (
        f"Business Validation Error: Make sure all your transactions have a {word} rate before you save."
    )


def test_a_code_of_the_other_kind_of_books_is_6100(open_books: OpenBooks) -> None:
    abroad, home = open_books(UK), open_books(USA)
    assert abroad.refuses(lambda: abroad.invoice(abroad.customer(), line(1, "TAX"))).codes == ("6100",)
    assert home.refuses(lambda: home.invoice(home.customer(), line(1, "1"))).codes == ("6100",)


def test_a_code_for_purchases_or_an_inactive_one_is_6160_an_unknown_one_2500(open_books: OpenBooks) -> None:
    books = open_books(UK)
    customer = books.customer()
    assert books.refuses(lambda: books.invoice(customer, line(1, code_of(books.company, "Purchases only")))).codes == (
        "6160",
    )
    bookkeeper.edit(books.company, {"action": "deactivate_tax_code", "id": "2"})
    assert books.refuses(lambda: books.invoice(customer, line(1, "2"))).codes == ("6160",)
    assert books.refuses(lambda: books.invoice(customer, line(1, "99"))).codes == ("2500",)


def test_not_applicable_takes_no_tax_and_refuses_a_tax_detail_with_6170(open_books: OpenBooks) -> None:
    books = open_books(UK)
    customer = books.customer()
    made = books.invoice(customer, line(100), GlobalTaxCalculation="NotApplicable")
    assert (made["TotalAmt"], made["TxnTaxDetail"]) == (100, {"TotalTax": 0})
    refused = books.refuses(
        lambda: books.invoice(customer, line(100), GlobalTaxCalculation="NotApplicable", TxnTaxDetail={"TotalTax": 20})
    )
    assert refused.codes == ("6170",)


def test_each_rate_comes_once_in_the_tax_lines(open_books: OpenBooks) -> None:
    books = open_books(UK)
    customer = books.customer()
    one = {"Amount": 10, "DetailType": "TaxLineDetail", "TaxLineDetail": {"TaxRateRef": {"value": "1"}}}
    refused = books.refuses(lambda: books.invoice(customer, line(100, "1"), TxnTaxDetail={"TaxLine": [one, one]}))
    assert refused.codes == ("6000",)


def test_tax_inclusive_amounts_hold_their_tax(open_books: OpenBooks) -> None:
    books = open_books(UK)
    made = books.invoice(
        books.customer(), line(120, "1"), line(0, "1", TaxInclusiveAmt=9.99), GlobalTaxCalculation="TaxInclusive"
    )
    assert made["TotalAmt"] == 129.99
    assert [one["Amount"] for one in made["Line"]] == [100, 8.33, 108.33]
    assert made["TxnTaxDetail"]["TotalTax"] == 21.66
    assert made["Line"][0]["SalesItemLineDetail"]["TaxInclusiveAmt"] == 120


def test_switch_tax_rounding(open_books: OpenBooks) -> None:
    totals = {}
    for how in ("per_rate", "per_line"):
        books = open_books(UK, tax_rounding=how)
        totals[how] = books.invoice(books.customer(), *[line(0.12, "1")] * 3)["TxnTaxDetail"]["TotalTax"]
    # 3 × 0.024: summed, 0.072 is 7 cents; by line, three times 2 cents.
    assert totals == {"per_rate": 0.07, "per_line": 0.06}


def test_a_tax_line_names_a_rate_of_the_company(open_books: OpenBooks) -> None:
    books = open_books(UK)
    tax = {"TaxLine": [{"Amount": 21, "DetailType": "TaxLineDetail", "TaxLineDetail": {"TaxRateRef": {"value": "1"}}}]}
    customer = books.customer()
    assert books.invoice(customer, line(100, "1"), TxnTaxDetail=tax)["TotalAmt"] == 121
    tax["TaxLine"][0]["TaxLineDetail"] = {"TaxRateRef": {"value": "999"}}
    assert books.refuses(lambda: books.invoice(customer, line(100, "1"), TxnTaxDetail=tax)).codes == ("2500",)


@pytest.mark.parametrize(("how", "total"), [("per_line", 9.71), ("per_rate", 9.73)])
def test_the_figures_of_community_306952(open_books: OpenBooks, how: str, total: float) -> None:
    """29 × 1.59 and 2 × 17.49 at 12 %: 29 × 0.19 + 2 × 2.10 = 9.71; 81.09 × 12 % = 9.73."""
    books = open_books(CANADA, tax_rounding=how)
    code = one_rate(books, "12")
    made = books.invoice(books.customer(), *[line(1.59, code)] * 29, *[line(17.49, code)] * 2)
    assert made["TxnTaxDetail"]["TotalTax"] == total


@pytest.mark.parametrize("how", ["per_line", "per_rate"])
def test_a_group_code_rounds_each_of_its_rates(open_books: OpenBooks, how: str) -> None:
    """10.10 with GST and QST: 0.505 and 1.007475 are 0.51 and 1.01, not 1.51 together."""
    books = open_books(CANADA, tax_rounding=how)
    code = code_of(books.company, "GST/QST QC - 9.975")
    made = books.invoice(books.customer(), line(10.10, code))
    assert [tax for _, _, tax in taxes(made)] == [0.51, 1.01]
    assert (made["TxnTaxDetail"]["TotalTax"], made["TotalAmt"]) == (1.52, 11.62)


def test_the_rate_of_nova_scotia_changes_by_date(open_books: OpenBooks) -> None:
    books = open_books(CANADA)
    customer, code = books.customer(), code_of(books.company, "HST NS")
    days = {
        day: books.invoice(customer, line(1000, code), TxnDate=day)["TotalAmt"] for day in ("2025-03-31", "2025-04-01")
    }
    assert days == {"2025-03-31": 1150, "2025-04-01": 1140}


@pytest.mark.parametrize(("how", "total"), [("per_line", 0.06), ("per_rate", 0.05)])
@pytest.mark.parametrize("realm", [USA, USA_AUTOMATED_TAX])
def test_the_usa_rounds_as_switched_too(open_books: OpenBooks, realm: str, how: str, total: float) -> None:
    books = open_books(realm, tax_rounding=how)
    customer = books.customer(BillAddr={"CountrySubDivisionCode": "TX"})
    code = one_rate(books, "6.25")
    books.company.profile.sales_tax_by_state = {"TX": next(reversed(books.company.tables["TaxRate"]))}
    lines = [line(amount, "TAX") for amount in (0.24, 0.25, 0.27)]
    made = books.invoice(customer, *lines, TxnTaxDetail={"TxnTaxCodeRef": {"value": code}})
    # 0.015 + 0.015625 + 0.016875 are three times 2 cents; 0.76 × 6.25 % = 0.0475.
    assert made["TxnTaxDetail"]["TotalTax"] == total


@pytest.mark.parametrize(("how", "codes"), [("non", ["NON", "NON"]), ("item", ["TAX", "NON"])])
def test_switch_automated_tax_line(open_books: OpenBooks, how: str, codes: list[str]) -> None:
    books = open_books(USA_AUTOMATED_TAX, automated_tax_line=how)
    bookkeeper.edit(books.company, {"action": "update", "entity": "Item", "id": "1", "members": {"Taxable": True}})
    customer = books.customer(BillAddr={"CountrySubDivisionCode": "CA"})
    made = books.invoice(customer, line(100), line(100, ItemRef={"value": "2"}))
    assert [one["SalesItemLineDetail"]["TaxCodeRef"]["value"] for one in made["Line"][:2]] == codes
    assert made["TotalAmt"] == (208.25 if how == "item" else 200)
    # A code that is sent counts, and a company without the engine never looks at the item.
    assert books.invoice(customer, line(100, "NON"))["TotalAmt"] == 100
    manual = open_books(USA, automated_tax_line=how)
    bookkeeper.edit(manual.company, {"action": "update", "entity": "Item", "id": "1", "members": {"Taxable": True}})
    assert manual.invoice(manual.customer())["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"]["value"] == "NON"


def one_rate(books: Books, percent: str) -> str:
    """Id of a new tax code with one rate of that percent."""
    rate = books.company.insert("TaxRate", {"Name": f"{percent} %", "RateValue": float(percent), "Active": True})
    details = [{"TaxRateRef": {"value": rate["Id"]}, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0}]
    code = {"Name": f"{percent} %", "Active": True, "Taxable": True, "SalesTaxRateList": {"TaxRateDetail": details}}
    return str(books.company.insert("TaxCode", code)["Id"])


def test_usa_manual_tax_is_the_transaction_code_on_taxable_lines(books: Books) -> None:
    code = {"value": code_of(books.company, "Tucson")}
    customer = books.customer()
    made = books.invoice(customer, line(100, "TAX"), line(50), TxnTaxDetail={"TxnTaxCodeRef": code})
    assert taxes(made) == [(2, 100, 2), (7.1, 100, 7.1)]
    assert (made["TotalAmt"], made["TxnTaxDetail"]["TxnTaxCodeRef"]) == (159.1, code)
    assert books.invoice(customer, line(100, "TAX"))["TotalAmt"] == 100


def test_usa_total_tax_can_be_overridden(books: Books) -> None:
    code = {"value": code_of(books.company, "California")}
    made = books.invoice(books.customer(), line(100, "TAX"), TxnTaxDetail={"TxnTaxCodeRef": code, "TotalTax": 7.5})
    assert made["TotalAmt"] == 107.5


def test_usa_automated_tax_goes_by_the_address_and_puts_its_own_code(open_books: OpenBooks) -> None:
    books = open_books(USA_AUTOMATED_TAX)
    customer = books.customer(ShipAddr={"Line1": "1 Main Street", "CountrySubDivisionCode": "CA"})
    made = books.invoice(customer, line(100, "TAX"), line(10), TxnTaxDetail={"TxnTaxCodeRef": {"value": "77"}})
    assert (made["TotalAmt"], made["TxnTaxDetail"]["TxnTaxCodeRef"]) == (118.25, {"value": "1"})
    assert made["Line"][1]["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "NON"}
    assert books.invoice(books.customer("Nowhere"), line(100, "TAX"))["TotalAmt"] == 100


def test_with_tax_turned_off_nothing_of_tax_is_kept(open_books: OpenBooks) -> None:
    books = open_books(UK)
    bookkeeper.edit(books.company, {"action": "preferences", "group": "TaxPrefs", "members": {"UsingSalesTax": False}})
    made = books.invoice(books.customer(), line(100, "1"), TxnTaxDetail={"TotalTax": 20})
    assert (made["TotalAmt"], made["GlobalTaxCalculation"], "TxnTaxDetail" in made) == (100, "NotApplicable", False)


def test_changed_lines_are_taxed_anew_unless_the_old_tax_is_sent_along(open_books: OpenBooks) -> None:
    books = open_books(UK)
    made = books.invoice(books.customer(), line(100, "1"))
    changed = books.update("Invoice", made, Line=[line(200, "1")])
    assert changed["TotalAmt"] == 240
    # Outside the USA a TxnTaxDetail that comes along is booked as it is, old amounts and all.
    stale = books.update("Invoice", changed, Line=[line(300, "1")], TxnTaxDetail=made["TxnTaxDetail"])
    assert stale["TotalAmt"] == 320


def test_a_discount_is_taken_before_tax(open_books: OpenBooks) -> None:
    books = open_books(UK)
    tenth = {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}}
    assert books.invoice(books.customer(), line(100, "1"), tenth)["TotalAmt"] == 108


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    lines=st.lists(st.tuples(st.decimals("0", "5000", places=2), st.integers(1, 9)), min_size=1, max_size=6),
    basis=st.sampled_from(["TaxInclusive", "TaxExcluded"]),
    rounding=st.sampled_from(["per_rate", "per_line"]),
)
def test_net_and_tax_make_the_gross_whatever_the_lines(
    lines: list[tuple[Decimal, int]], basis: str, rounding: str
) -> None:
    books = Books(CANADA, Settings(tax_rounding=rounding))
    sold = [line(float(amount), str(code)) for amount, code in lines]
    made = books.invoice(books.customer(), *sold, GlobalTaxCalculation=basis)
    net = sum((Decimal(str(one["Amount"])) for one in made["Line"][:-1]), Decimal(0))
    tax = Decimal(str(made["TxnTaxDetail"]["TotalTax"]))
    entries = sum((Decimal(str(one["Amount"])) for one in made["TxnTaxDetail"]["TaxLine"]), Decimal(0))
    sent = sum((amount for amount, _ in lines), Decimal(0))
    assert Decimal(str(made["TotalAmt"])) == net + tax
    assert entries == tax
    assert (net + tax if basis == "TaxInclusive" else net) == sent
    # No more than a cent for each line and rate lies between the tax that is booked and the exact one.
    exact = sum(
        (TAX[code] * Decimal(str(one["Amount"])) for (_, code), one in zip(lines, made["Line"], strict=False)),
        Decimal(0),
    )
    assert abs(tax - exact) <= Decimal("0.01") * 2 * len(lines)


TAX = {
    1: Decimal("0.05"),
    2: Decimal("0.13"),
    3: Decimal("0.14"),
    4: Decimal("0.12"),
    5: Decimal("0.14975"),
    6: Decimal("0.05") + Decimal("0.095") * Decimal("1.05"),
    7: Decimal(0),
    8: Decimal(0),
    9: Decimal(0),
}


def tax_line(amount: float | None, rate: str | None = "1", **detail: Any) -> dict[str, Any]:
    said = {"Amount": amount} if amount is not None else {}
    named = {"TaxRateRef": {"value": rate}} if rate is not None else {}
    return {**said, "DetailType": "TaxLineDetail", "TaxLineDetail": {**named, **detail}}


@pytest.mark.parametrize(
    ("sent", "booked"),
    [
        ({"TaxLine": [tax_line(21)]}, [(21, 1), (0.5, None)]),
        ({"TaxLine": [tax_line(None, OverrideDeltaAmount=-0.5)]}, [(19.5, -0.5), (0.5, None)]),
        ({"TaxLine": [tax_line(20), tax_line(0.49, "2")], "TotalTax": 99}, [(20, None), (0.49, -0.01)]),
        ({"TotalTax": 99}, [(20, None), (0.5, None)]),
        ({"TaxLine": [tax_line(0, "3")]}, [(20, None), (0.5, None)]),
    ],
    ids=["an amount", "a difference", "both rates", "a total alone counts in the USA only", "nothing of another rate"],
)
def test_an_override_moves_the_rate_it_names(
    open_books: OpenBooks, sent: dict[str, Any], booked: list[tuple[float, float | None]]
) -> None:
    books = open_books(UK)
    made = books.invoice(books.customer(), line(100, "1"), line(10, "2"), TxnTaxDetail=sent)
    shown = made["TxnTaxDetail"]["TaxLine"]
    assert [(one["Amount"], one["TaxLineDetail"].get("OverrideDeltaAmount")) for one in shown] == booked
    assert [one["TaxLineDetail"]["NetAmountTaxable"] for one in shown] == [100, 10]
    total = made["TxnTaxDetail"]["TotalTax"]
    assert (round(sum(amount for amount, _ in booked), 2), made["TotalAmt"]) == (total, 110 + total)
    # As read, it can be written back: nothing changes.
    assert books.update("Invoice", made, TxnTaxDetail=made["TxnTaxDetail"]) == made


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (tax_line(5, "3"), "6000"),
        ({"Amount": 20, "TaxLineDetail": {"TaxRateRef": {"value": "1"}}}, "2020"),
        (tax_line(20, None), "2020"),
        ({"Amount": 20, "DetailType": "DiscountLineDetail", "TaxLineDetail": {"TaxRateRef": {"value": "1"}}}, "6000"),
    ],
    ids=["a rate of no line", "quickbooks-ruby 529 without its kind", "without a rate", "of another kind"],
)
def test_an_override_that_is_refused(open_books: OpenBooks, sent: dict[str, Any], code: str) -> None:
    books = open_books(UK)
    customer = books.customer()
    refused = books.refuses(lambda: books.invoice(customer, line(100, "1"), TxnTaxDetail={"TaxLine": [sent]}))
    assert refused.codes == (code,)
