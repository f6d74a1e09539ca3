from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from mapping.invoice import map_invoice, mark
from schemas.company import CustomField, Locale
from schemas.events import InvoiceType, SalesOrder

D = Decimal


def test_an_invoice(make: Any, members: Any) -> None:
    invoice = make.invoice(details="Thank you", sales_order=SalesOrder("so-1", "PO 88"))
    mapped = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77")
    assert (mapped.entity, mapped.name) == ("Invoice", "24-0329-01")
    assert mapped.payload == {
        "DocNumber": "24-0329-01",
        "CustomerRef": {"value": "77"},
        "TxnDate": "2025-03-01",
        "DueDate": "2025-03-31",
        "CurrencyRef": {"value": "GBP"},
        "PrivateNote": "Kompass invoice inv-1 (24-0329-01)\nProject 24-0329 Quay wall survey\nSales Order PO 88",
        "CustomerMemo": {"value": "Thank you"},
        "BillEmail": {"Address": "office@harbour.example"},
        "BillAddr": {
            "Line1": "Harbour Authority",
            "Line2": "1 Quay Street",
            "City": "Hull",
            "CountrySubDivisionCode": "East Yorkshire",
            "PostalCode": "HU1 1AA",
            "Country": "United Kingdom",
        },
        "GlobalTaxCalculation": "TaxExcluded",
        "Line": [
            {
                "LineNum": 1,
                "Description": "Topographic survey",
                "Amount": D("100.00"),
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "12"}, "TaxCodeRef": {"value": "5"}},
            }
        ],
    }
    members.check("Invoice", mapped.payload)
    assert mark(invoice) == "Kompass invoice inv-1 (24-0329-01)"


def test_a_credit_note_is_positive_and_has_no_due_date(make: Any, members: Any) -> None:
    lines = (
        make.line(amount_net=D("-100.00"), amount_vat=D("-20.00")),
        make.line(amount_net=D("30.00"), amount_vat=D("6.00"), position=2),
    )
    mapped = map_invoice(make.credit_note(*lines), make.configuration(), make.facts(), customer_id="77")
    assert mapped.entity == "CreditMemo"
    assert "DueDate" not in mapped.payload
    assert [line["Amount"] for line in mapped.payload["Line"]] == [D("100.00"), D("-30.00")]  # type: ignore[index,attr-defined]
    members.check("CreditMemo", mapped.payload)


def test_what_is_never_sent(make: Any) -> None:
    mapped = map_invoice(make.invoice(), make.configuration(), make.facts(), customer_id="77")
    assert not {
        "ExchangeRate",
        "Deposit",
        "EmailStatus",
        "TxnTaxDetail",
        "TotalAmt",
        "Id",
        "SyncToken",
        "sparse",
    } & set(mapped.payload)


def test_the_billing_client_of_the_project_is_addressed(make: Any) -> None:
    payer = make.client(id="cli-2", name="Payer", accounts_email="pay@payer.example", address=None)
    invoice = make.invoice(project=make.project(billing_client=payer))
    payload = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77").payload
    assert payload["BillAddr"] == {"Line1": "Payer"}
    assert payload["BillEmail"] == {"Address": "pay@payer.example"}
    without = map_invoice(make.invoice(project=None), make.configuration(), make.facts(), customer_id="77").payload
    assert without["BillAddr"]["Line1"] == "Harbour Authority"  # type: ignore[index]
    assert without["PrivateNote"] == "Kompass invoice inv-1 (24-0329-01)"


def test_a_foreign_currency_is_always_said(make: Any, refusals: Any) -> None:
    invoice = make.invoice(currency="EUR")
    mapped = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77")
    assert mapped.payload["CurrencyRef"] == {"value": "EUR"}
    problems = refusals(map_invoice, invoice, make.configuration(), make.facts(multicurrency=False), customer_id="77")
    assert set(problems) == {"no-multicurrency:EUR"}


def test_a_company_that_numbers_its_own_documents_gets_no_number(make: Any) -> None:
    facts = make.facts(custom_numbers=False)
    configuration = make.configuration(doc_number_template="{{ broken")
    mapped = map_invoice(make.invoice(), configuration, facts, customer_id="77")
    assert mapped.name is None
    assert "DocNumber" not in mapped.payload
    assert mapped.choices[0].reason == "Left out: the company numbers its own documents"


@pytest.mark.parametrize(
    ("reference", "cause"), [("R" * 21, None), ("R" * 22, "too-long:DocNumber"), (" ", "empty:DocNumber")]
)
def test_document_numbers(make: Any, refusals: Any, reference: str, cause: str | None) -> None:
    arguments = (make.invoice(reference=reference), make.configuration(), make.facts())
    if cause is None:
        assert map_invoice(*arguments, customer_id="77").name == reference
    else:
        assert set(refusals(map_invoice, *arguments, customer_id="77")) == {cause}


# Amounts


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"amount_net": D("100.01"), "amount_gross": D("120.01")}, "-0.01"),
        ({"amount_vat": D("19.99"), "amount_gross": D("119.99")}, "0.01"),
        ({"amount_gross": D("120.50")}, "-0.50"),
    ],
)
def test_lines_that_do_not_add_up(make: Any, refusals: Any, changes: dict[str, Decimal], value: str) -> None:
    problems = refusals(map_invoice, make.invoice(**changes), make.configuration(), make.facts(), customer_id="77")
    assert set(problems) == {"does-not-add-up"}
    assert problems["does-not-add-up"].value == value


def test_amounts_finer_than_the_currency(make: Any, refusals: Any) -> None:
    line = make.line(amount_net=D("100.005"), amount_vat=D(0), vat_rate=None)
    problem = refusals(map_invoice, make.invoice(line), make.configuration(), make.facts(), customer_id="77")
    assert set(problem) == {"amount-too-fine"}
    assert problem["amount-too-fine"].message == (
        "Invoice 24-0329-01: the net amount 100.005 has more decimals than QuickBooks keeps for GBP (2 decimals) (and 2 more like it)"
    )
    yen = make.line(amount_net=D("100.50"), amount_vat=D(0), vat_rate=None)
    problem = refusals(
        map_invoice, make.invoice(yen, currency="JPY"), make.configuration(), make.facts(), customer_id="77"
    )
    assert "(no decimals)" in problem["amount-too-fine"].message


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "100.0000"), ("KWD", "100.120"), ("GBP", "100.1200")])
def test_zeros_at_the_end_are_not_finer(make: Any, currency: str, amount: str) -> None:
    line = make.line(amount_net=D(amount), amount_vat=D(0), vat_rate=None)
    mapped = map_invoice(make.invoice(line, currency=currency), make.configuration(), make.facts(), customer_id="77")
    assert str(mapped.payload["Line"][0]["Amount"]) == str(D(amount).quantize(D("0.01")))  # type: ignore[index]


def test_dinars_have_three_decimals_and_quickbooks_two(make: Any, refusals: Any) -> None:
    line = make.line(amount_net=D("100.125"), amount_vat=D(0), vat_rate=None)
    invoice = make.invoice(line, currency="KWD")
    assert "amount-too-fine" in refusals(map_invoice, invoice, make.configuration(), make.facts(), customer_id="77")


def test_amounts_of_absurd_size_are_told(make: Any, refusals: Any) -> None:
    line = make.line(amount_net=D("1e40"), amount_vat=D(0), vat_rate=None)
    problems = refusals(map_invoice, make.invoice(line), make.configuration(), make.facts(), customer_id="77")
    assert set(problems) == {"amount-too-large"}


@pytest.mark.parametrize(("kind", "amount"), [(InvoiceType.INVOICE, "-1.00"), (InvoiceType.CREDIT_NOTE, "1.00")])
def test_a_total_of_the_wrong_sign(make: Any, refusals: Any, kind: InvoiceType, amount: str) -> None:
    line = make.line(amount_net=D(amount), amount_vat=D(0), vat_rate=None)
    problems = refusals(
        map_invoice, make.invoice(line, type=kind), make.configuration(), make.facts(), customer_id="77"
    )
    assert set(problems) == {"negative-total"}


def test_a_total_of_zero_is_fine(make: Any) -> None:
    lines = (
        make.line(amount_net=D("50.00"), amount_vat=D("10.00")),
        make.line(amount_net=D("-50.00"), amount_vat=D("-10.00"), position=2),
    )
    for invoice in (make.invoice(*lines), make.credit_note(*lines)):
        payload = map_invoice(invoice, make.configuration(), make.facts(), customer_id="77").payload
        assert sum(line["Amount"] for line in payload["Line"]) == 0  # type: ignore[attr-defined]


def test_no_lines(make: Any, refusals: Any) -> None:
    invoice = make.invoice(lines=(), amount_net=D(0), amount_vat=D(0), amount_gross=D(0))
    assert set(refusals(map_invoice, invoice, make.configuration(), make.facts(), customer_id="77")) == {"no-lines"}


def test_too_many_lines_with_tax(make: Any, refusals: Any) -> None:
    def invoice(count: int) -> Any:
        lines = [make.line(id=str(n), position=n, amount_net=D(1), amount_vat=D("0.2")) for n in range(count)]
        return make.invoice(*lines, make.line(id="z", position=9999, amount_vat=D(0), vat_rate=None))

    map_invoice(invoice(750), make.configuration(), make.facts(), customer_id="77")
    problems = refusals(map_invoice, invoice(751), make.configuration(), make.facts(), customer_id="77")
    assert set(problems) == {"too-many-lines"}
    assert "751 lines with tax, and QuickBooks takes 750" in problems["too-many-lines"].message


def test_every_problem_is_told_at_once(make: Any, refusals: Any) -> None:
    payer = make.client(name="P" * 501, email="x" * 100 + "@y.co", address=make.client().address)
    line = make.line(service=None, vat_rate=None, description="d" * 4001)
    invoice = make.invoice(
        line,
        reference="R" * 22,
        details="d" * 1001,
        amount_gross=D("1.00"),
        project=make.project(billing_client=payer, name="N" * 4000),
    )
    configuration = make.configuration(default_item_id=None, tax_codes={})
    problems = refusals(map_invoice, invoice, configuration, make.facts(), customer_id="77")
    assert set(problems) == {
        "too-long:DocNumber",
        "too-long:CustomerMemo",
        "too-long:PrivateNote",
        "too-long:Description",
        "does-not-add-up",
        "no-item:none",
        "no-tax-code:none",
    }
    assert all(problem.message.startswith(f"Invoice {'R' * 22}") for problem in problems.values())


# Custom fields


def custom(definition: str, template: str, name: str = "") -> CustomField:
    return CustomField(definition, name or f"Field {definition}", template)


def test_custom_fields_by_definition_and_empty_ones_left_out(make: Any, members: Any) -> None:
    fields = (
        custom("1", "{{ project.order_confirmation or '' }}"),
        custom("2", "{% if invoice.billing_start %}{{ invoice.billing_start }}{% endif %}"),
        custom("3", "{{ client.name }}"),
    )
    invoice = make.invoice(billing_start=dt.date(2025, 2, 1))
    mapped = map_invoice(
        invoice, make.configuration(custom_fields=fields), make.facts(custom_fields={}), customer_id="77"
    )
    assert mapped.payload["CustomField"] == [
        {"DefinitionId": "2", "Type": "StringType", "StringValue": "2025-02-01"},
        {"DefinitionId": "3", "Type": "StringType", "StringValue": "Harbour Authority"},
    ]
    members.check("Invoice", mapped.payload)
    nothing = map_invoice(make.invoice(), make.configuration(custom_fields=fields[:2]), make.facts(), customer_id="77")
    assert "CustomField" not in nothing.payload


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ((custom("1", "x" * 32),), "too-long:CustomField[Field 1]"),
        ((custom("9", "x"),), "custom-field-unknown:9"),
        ((custom("1", "a"), custom("2", "b"), custom("3", "c"), custom("4", "")), "too-many-custom-fields"),
        ((custom("1", "{{ nothing }}"),), "template-error"),
    ],
)
def test_custom_fields_that_quickbooks_would_not_take(
    make: Any, refusals: Any, fields: tuple[CustomField, ...], cause: str
) -> None:
    facts = make.facts(custom_fields={"1": "PO", "2": "Period", "3": "Manager", "4": "More"})
    configuration = make.configuration(custom_fields=fields)
    assert set(refusals(map_invoice, make.invoice(), configuration, facts, customer_id="77")) == {cause}


def test_usa_sends_neither_codes_nor_calculation(make: Any, members: Any) -> None:
    line = make.line(amount_vat=D(0), vat_rate=None)
    configuration = make.configuration(locale=Locale.USA, tax_codes={})
    mapped = map_invoice(make.invoice(line), configuration, make.facts(tax_codes={}), customer_id="77")
    assert "GlobalTaxCalculation" not in mapped.payload
    assert mapped.payload["Line"][0]["SalesItemLineDetail"] == {"ItemRef": {"value": "12"}}  # type: ignore[index]
    members.check("Invoice", mapped.payload)
