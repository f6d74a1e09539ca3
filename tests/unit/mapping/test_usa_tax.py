"""What becomes of tax that Kompass billed in the USA: refused, a line of an item, or QuickBooks' automated sales tax."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from mapping.cents import AUTOMATED, compare
from mapping.invoice import map_invoice
from mapping.payloads import billed
from schemas.company import BilledTax, Locale

D = Decimal


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a company in the USA, computed by hand: lines as (net, billed tax), and what QuickBooks books."""

    id: str
    lines: tuple[tuple[str, str], ...]
    total: str
    why: str


ITEM_LINE = (
    Document("us-01", (("1000.00", "82.50"),), "1082.50", "1,000.00 × 8.25 % = 82.50 on a line of its own"),
    Document("us-02", (("200.00", "14.20"), ("50.00", "0.00")), "264.20", "200.00 × 7.1 % = 14.20; 50.00 not taxable"),
    Document("us-03", (("-1000.00", "-82.50"),), "1082.50", "a credit note of us-01, above zero in QuickBooks"),
    Document("us-04", (("333.33", "29.58"),), "362.91", "333.33 × 8.875 % = 29.583… → 29.58"),
    Document("us-05", (("10000.00", "0.00"),), "10000.00", "no tax billed: no line of tax"),
    Document("us-06", (("500.00", "40.00"), ("-50.00", "-4.00")), "486.00", "retention: (500 - 50) × 8 % = 36.00"),
)


def configuration(make: Any, choice: BilledTax, **more: Any) -> Any:
    return make.configuration(locale=Locale.USA, billed_tax=choice, **more)


def invoice_of(make: Any, document: Document) -> Any:
    lines = [
        make.line(id=f"line-{number}", position=number, amount_net=D(net), amount_vat=D(tax), vat_rate=None)
        for number, (net, tax) in enumerate(document.lines, start=1)
    ]
    build = make.credit_note if D(document.lines[0][0]) < 0 else make.invoice
    return build(*lines, currency="USD")


def facts(make: Any, *, automated: bool = False) -> Any:
    return make.facts(country="US", home_currency="USD", automated_tax=automated, tax_codes={})


def test_billed_tax_is_refused_by_default_with_a_remedy_that_fits_a_taxing_state(make: Any, refusals: Any) -> None:
    offsetting = (make.line(), make.line(position=2, amount_vat=D("-20.00")))
    assert make.configuration().billed_tax is BilledTax.REFUSE
    for invoice in (make.invoice(), make.invoice(*offsetting)):
        problems = refusals(map_invoice, invoice, configuration(make, BilledTax.REFUSE), facts(make), customer_id="77")
        assert set(problems) == {"tax-not-booked"}
        problem = problems["tax-not-booked"]
        assert problem.value == "20.00"
        assert problem.remedy == (
            "In the Configuration, choose under “Billed tax (USA)” a line of an item that goes to your sales tax payable "
            "account, or let QuickBooks' automated sales tax decide. If nothing is taxable, bill it in Kompass without tax."
        )


@pytest.mark.parametrize("document", ITEM_LINE, ids=lambda one: one.id)
def test_a_line_of_an_item_carries_it(make: Any, document: Document) -> None:
    invoice = invoice_of(make, document)
    chosen = configuration(make, BilledTax.ITEM_LINE, tax_item_id="31")
    mapped = map_invoice(invoice, chosen, facts(make), customer_id="77")
    lines: Any = mapped.payload["Line"]
    assert sum(line["Amount"] for line in lines) == D(document.total), document.why
    assert all("TaxCodeRef" not in line["SalesItemLineDetail"] for line in lines), "no codes on lines in the USA"
    taxed = [line for line in lines if line["SalesItemLineDetail"]["ItemRef"] == {"value": "31"}]
    billed_tax = abs(invoice.amount_vat)
    assert [line["Amount"] for line in taxed] == ([billed_tax] if billed_tax else [])
    assert [line["LineNum"] for line in lines] == list(range(1, len(lines) + 1))
    # QuickBooks has it all as net: no difference.
    note = billed(invoice, mapped.payload, facts(make))
    assert compare(note, {"TotalAmt": D(document.total), "TxnTaxDetail": {"TotalTax": D(0)}}) is None


def test_a_line_of_an_item_needs_the_item(make: Any, refusals: Any) -> None:
    chosen = configuration(make, BilledTax.ITEM_LINE)
    problems = refusals(map_invoice, make.invoice(), chosen, facts(make), customer_id="77")
    assert problems["tax-not-booked"].remedy == "Choose the Sales tax Item ID in the Configuration."


@pytest.mark.parametrize(
    ("net", "tax", "engine", "differs"),
    [
        ("1000.00", "82.50", "82.50", False),  # California, 8.25 %
        ("1000.00", "82.50", "0.00", True),  # the item is not taxable there
        ("400.00", "35.50", "35.50", False),  # New York, 8.875 %
        ("100.00", "6.00", "6.25", True),  # Texas, 6.25 %, billed at 6 %
        ("250.00", "0.00", "0.00", False),
        ("250.00", "0.00", "20.63", True),  # nothing billed, and the engine taxes it: 250.00 × 8.25 % = 20.625
    ],
)
def test_automated_sales_tax_decides_and_a_difference_is_shown(
    make: Any, net: str, tax: str, engine: str, differs: bool
) -> None:
    invoice = make.invoice(make.line(amount_net=D(net), amount_vat=D(tax), vat_rate=None), currency="USD")
    known = facts(make, automated=True)
    mapped = map_invoice(invoice, configuration(make, BilledTax.AUTOMATED), known, customer_id="77")
    lines: Any = mapped.payload["Line"]
    assert [(line["Amount"], "TaxCodeRef" in line["SalesItemLineDetail"]) for line in lines] == [(D(net), False)]
    said = [choice.reason for choice in mapped.choices if choice.member == "TxnTaxDetail"]
    assert said == [
        "Automated sales tax is on: QuickBooks may add tax by the customer's address and the item's own setting"
    ]
    document = {"TotalAmt": D(net) + D(engine), "TxnTaxDetail": {"TotalTax": D(engine)}}
    found = compare(billed(invoice, mapped.payload, known), document)
    assert (None if found is None else found.cause) == (AUTOMATED if differs else None)


def test_automated_sales_tax_cannot_decide_where_it_is_off(make: Any, refusals: Any) -> None:
    chosen = configuration(make, BilledTax.AUTOMATED)
    problems = refusals(map_invoice, make.invoice(), chosen, facts(make), customer_id="77")
    assert "automated sales tax is off in this company" in problems["tax-not-booked"].message


@pytest.mark.parametrize("choice", BilledTax)
def test_nothing_changes_where_no_tax_was_billed(make: Any, choice: BilledTax) -> None:
    untaxed = make.invoice(make.line(amount_vat=D(0), vat_rate=None))
    mapped = map_invoice(untaxed, configuration(make, choice, tax_item_id="31"), facts(make), customer_id="77")
    assert len(mapped.payload["Line"]) == 1  # type: ignore[arg-type]
    assert "GlobalTaxCalculation" not in mapped.payload
