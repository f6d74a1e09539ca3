"""The sentences that people read. A change here is a change of what admins and bookkeepers see."""

from __future__ import annotations

import inspect
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mapping import problems
from mapping.results import Problem
from schemas.events import InvoiceType, QuoteItem, Service, VatRate

D = Decimal
INVOICE = "Invoice 24-0329-01"
RATE = VatRate("vat-20", "UK 20 %", D(20))
SERVICE = Service("svc-1", "LiDAR")
ITEM = QuoteItem("q", "Survey")

PINNED: list[tuple[Problem, str, str, str]] = [
    (
        problems.template_error(
            INVOICE, field="DocNumber Template", line=2, template="{{ x }}", reason="no", remedy="Fix it."
        ),
        "template-error",
        "Invoice 24-0329-01: the DocNumber Template, line 2, fails: no",
        "Fix it.",
    ),
    (
        problems.empty_result(INVOICE, member="DocNumber", field="DocNumber Template", template="{{ x }}"),
        "empty:DocNumber",
        "Invoice 24-0329-01: the DocNumber Template “{{ x }}” gives an empty DocNumber, and QuickBooks needs one",
        "Fill in what the DocNumber Template uses, or use another field in it.",
    ),
    (
        problems.too_long(INVOICE, member="CustomerMemo", source="the details", value="d" * 1500, limit=1000),
        "too-long:CustomerMemo",
        "Invoice 24-0329-01: the details has 1,500 characters, and QuickBooks takes 1,000 in CustomerMemo: "
        "“" + "d" * 80 + "…”",
        "Shorten the details to 1,000 characters; nothing is cut off automatically.",
    ),
    (
        problems.name_characters("Client “A:B”", source="Client DisplayName Template", value="A:B", characters=":"),
        "name-characters",
        "Client “A:B”: the DisplayName “A:B” has a colon, which QuickBooks does not allow in names",
        "Change the name in Kompass, or replace the character in the Client DisplayName Template, for example with "
        "{{ client.name | replace(':', ' -') }}.",
    ),
    (
        problems.control_character(
            INVOICE, member="CustomerMemo", source="the details", value="a\x07", character="\x07"
        ),
        "control-character:CustomerMemo",
        "Invoice 24-0329-01: the details “a�” has the unprintable character U+0007, which QuickBooks does not take "
        "in CustomerMemo",
        "Type the details again in Kompass without that character.",
    ),
    (
        problems.bad_email(INVOICE, member="BillEmail", source="the email of “H”", value="nobody"),
        "difference:left-out",
        "Invoice 24-0329-01: the email of “H” “nobody” is not an email address",
        "Correct the email of “H” in Kompass, or empty it.",
    ),
    (
        problems.bad_website("Client “H”", source="the website", value="none"),
        "difference:left-out",
        "Client “H”: the website “none” is not a web address",
        "Correct the website in Kompass (such as www.example.com), or empty it.",
    ),
    (
        problems.bad_currency(INVOICE, value="euro"),
        "bad-currency",
        "Invoice 24-0329-01: the currency “euro” is not an ISO code of three letters",
        "Give the currency in Kompass as its ISO code, such as EUR.",
    ),
    (
        problems.no_multicurrency(INVOICE, currency="EUR", home="GBP"),
        "no-multicurrency:EUR",
        "Invoice 24-0329-01: it is in EUR, but the QuickBooks company keeps its books in GBP only",
        "Turn on Multicurrency in QuickBooks (it cannot be turned off again), or bill in GBP.",
    ),
    (
        problems.amount_too_fine(INVOICE, where="net amount", amount=D("1.005"), currency="GBP", decimals=2),
        "amount-too-fine",
        "Invoice 24-0329-01: the net amount 1.005 has more decimals than QuickBooks keeps for GBP (2 decimals)",
        "Round the net amount in Kompass to 2 decimals.",
    ),
    (
        problems.amount_too_large(INVOICE, where="net amount", amount=D("1e10")),
        "amount-too-large",
        "Invoice 24-0329-01: the net amount 10,000,000,000.00 has more than the 10 digits before the point that "
        "QuickBooks takes",
        "Correct the net amount in Kompass, or bill it on several invoices.",
    ),
    (
        problems.does_not_add_up(
            INVOICE, what="net", parts=D("99.99"), whole=D(100), parts_name="the net amounts of its lines"
        ),
        "does-not-add-up",
        "Invoice 24-0329-01: the net amounts of its lines come to 99.99, but its net amount says 100.00",
        "Save the invoice again in Kompass so that its amounts are computed again; if they still differ, ask Kompass "
        "support.",
    ),
    (
        problems.negative_total(INVOICE, kind=InvoiceType.INVOICE, amount=D("-5")),
        "negative-total",
        "Invoice 24-0329-01: its total is -5.00, and QuickBooks has no invoice below zero",
        "Make it a credit note in Kompass.",
    ),
    (
        problems.negative_total("Credit note 1", kind=InvoiceType.CREDIT_NOTE, amount=D("5")),
        "negative-total",
        "Credit note 1: its total is 5.00, and the total of a credit note is below zero",
        "Make it an invoice in Kompass.",
    ),
    (
        problems.no_lines(INVOICE),
        "no-lines",
        "Invoice 24-0329-01: it has no lines, and QuickBooks needs at least one",
        "Allocate it to a quote item in Kompass.",
    ),
    (
        problems.too_many_lines(INVOICE, count=751, limit=750, what="lines with tax"),
        "too-many-lines",
        "Invoice 24-0329-01: it has 751 lines with tax, and QuickBooks takes 750",
        "Bill it on several invoices.",
    ),
    (
        problems.no_item(INVOICE, service=SERVICE, quote_item=ITEM, positions=range(1, 13)),
        "no-item:svc-1",
        "Invoice 24-0329-01, lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: Service “LiDAR” has no Item Service, and "
        "there is no Default Item ID",
        "Add an Item Service for “LiDAR”, or choose a Default Item ID in the Configuration.",
    ),
    (
        problems.no_item(INVOICE, service=None, quote_item=ITEM, positions=[1]),
        "no-item:none",
        "Invoice 24-0329-01, line 1: quote item “Survey” has no Service, and there is no Default Item ID",
        "Choose a Default Item ID in the Configuration.",
    ),
    (
        problems.no_tax_code(INVOICE, rate=RATE, positions=[2]),
        "no-tax-code:vat-20",
        "Invoice 24-0329-01, line 2: VAT rate “UK 20 %” has no row in Tax Code VAT Rates",
        "Add a row for VAT rate “UK 20 %” to Tax Code VAT Rates.",
    ),
    (
        problems.no_tax_code(INVOICE, rate=None, positions=[2]),
        "no-tax-code:none",
        "Invoice 24-0329-01, line 2: there is no VAT rate, and Tax Code VAT Rates has no row for that",
        "Add a row without a VAT rate to Tax Code VAT Rates.",
    ),
    (
        problems.tax_code_unusable(INVOICE, code="8", name="17.5% S", rate=RATE, positions=[2]),
        "tax-code-inactive:8",
        "Invoice 24-0329-01, line 2: Tax Code VAT Rates' row for VAT rate “UK 20 %” says tax code “17.5% S”, which is "
        "inactive in QuickBooks",
        "Choose an active tax code in the row for VAT rate “UK 20 %”, or make it active again in QuickBooks.",
    ),
    (
        problems.tax_code_unusable(INVOICE, code="9", name=None, rate=None, positions=[2]),
        "tax-code-unknown:9",
        "Invoice 24-0329-01, line 2: Tax Code VAT Rates' row without a VAT rate says tax code 9, which the QuickBooks "
        "company does not have",
        "Choose an active tax code in the row without a VAT rate.",
    ),
    (
        problems.tax_not_booked(INVOICE, amount=D(20), why="the company has tax off", remedy="Turn it on."),
        "tax-not-booked",
        "Invoice 24-0329-01: Kompass billed 20.00 of tax that QuickBooks would not book, because the company has tax off",
        "Turn it on.",
    ),
    (
        problems.custom_field_unknown(INVOICE, definition_id="9", name="PO"),
        "custom-field-unknown:9",
        "Invoice 24-0329-01: Custom Field “PO” names definition “9”, which the QuickBooks company does not have",
        "Choose one of the company's custom fields for “PO”, or remove the row from Custom Fields.",
    ),
    (
        problems.too_many_custom_fields(INVOICE, count=4, limit=3),
        "too-many-custom-fields",
        "Invoice 24-0329-01: 4 Custom Fields are configured, and QuickBooks takes 3",
        "Remove rows from Custom Fields until 3 are left.",
    ),
]


@pytest.mark.parametrize(("problem", "cause", "message", "remedy"), PINNED, ids=[row[1] for row in PINNED])
def test_says(problem: Problem, cause: str, message: str, remedy: str) -> None:
    assert (problem.cause, problem.message, problem.remedy) == (cause, message, remedy)


def test_every_problem_is_pinned() -> None:
    source = Path(__file__).read_text()
    constructors = [
        name
        for name, value in vars(problems).items()
        if inspect.isfunction(value) and value.__annotations__.get("return") == "Problem" and name != "told_once"
    ]
    assert len(constructors) > 15
    assert [name for name in constructors if f"problems.{name}(" not in source] == []


def test_problems_that_are_alike_are_told_once() -> None:
    first, second = PINNED[0][0], PINNED[1][0]
    assert problems.told_once([first]) == first
    assert problems.told_once([first, second, second]).message == first.message + " (and 2 more like it)"


def test_records_are_called_what_people_call_them(make: Any) -> None:
    assert problems.label(make.client()) == "Client “Harbour Authority”"
    assert problems.label(make.project()) == "Project 24-0329"
    assert problems.label(make.invoice()) == "Invoice 24-0329-01"
    assert problems.label(make.credit_note()) == "Credit note 24-0329-01"


@pytest.mark.parametrize(
    ("amount", "words"),
    [("0", "0.00"), ("-1234.5", "-1,234.50"), ("1.0050", "1.005"), ("1e3", "1,000.00"), ("1e-6", "0.000001")],
)
def test_money(amount: str, words: str) -> None:
    assert problems.money(D(amount)) == words


@pytest.mark.parametrize(("value", "words"), [("35.00", "35"), ("12.50", "12.5"), ("1e2", "100"), ("-0.10", "-0.1")])
def test_numbers(value: str, words: str) -> None:
    assert problems.number(D(value)) == words
