"""The proof of the demo can fail: each kind of difference is found, and each that must be allowed is."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from demo.books import BookedCustomer, BookedDocument, BookedLine, Books
from demo.comparison import differences
from demo.expectation import Expectation, expect
from demo.rules import OrgRules
from schemas.events import (
    Action,
    Client,
    Department,
    Event,
    Invoice,
    InvoiceLine,
    InvoiceType,
    Metadata,
    OrgRef,
    Project,
    QuoteItem,
    Record,
    Service,
    Step,
    VatRate,
    kind_of,
)

NOW = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
ORG = OrgRef("org-uk", "Larch UK")
UK = OrgRules(
    "org-uk",
    "realm-uk",
    "Larch Design Ltd",
    locale="EU",
    home_currency="GBP",
    default_item="Consulting",
    items={"LiDAR": "Surveying"},
    classes={"Scanning": "Structures"},
    tax_codes={"vat-20": "20.0% S"},
    taken_names=frozenset({"Northern Surveys"}),
)
USA = replace(UK, org_id="org-uk", locale="USA", home_currency="GBP", tax_codes={}, multicurrency=False)
CLIENT = Client("c-1", 1, "Acme Ltd", (ORG,), NOW, email="pay@acme.example")
PROJECT = Project("p-1", 1, "24-0001", "Bridge", ORG, CLIENT, CLIENT, NOW)
LINE = InvoiceLine(
    "l-1",
    1,
    QuoteItem("q-1", "Survey", Decimal("1000.00")),
    Decimal("100.00"),
    Decimal("20.00"),
    service=Service("s-1", "LiDAR", Department("d-1", "Scanning")),
    percentage=Decimal(10),
    vat_rate=VatRate("vat-20", "VAT 20 %", Decimal(20)),
)
INVOICE = Invoice(
    "i-1",
    1,
    "24-0001/1",
    ORG,
    CLIENT,
    InvoiceType.INVOICE,
    synchronize=True,
    step=Step.APPROVED,
    date=dt.date(2026, 10, 1),
    due_date=dt.date(2026, 10, 31),
    currency="GBP",
    amount_net=Decimal("100.00"),
    amount_vat=Decimal("20.00"),
    amount_gross=Decimal("120.00"),
    lines=(LINE,),
    modified=NOW,
    project=PROJECT,
)
BOOKED_LINE = BookedLine(
    Decimal(100), "Surveying", "Survey\n10 % of 1,000.00", "20.0% S", "Structures", quantity=None, unit_price=None
)
BOOKED = BookedDocument(
    "Invoice",
    "24-0001/1",
    "Kompass invoice i-1 (24-0001/1)",
    "24-0001 Bridge",
    INVOICE.date,
    INVOICE.due_date,
    "GBP",
    Decimal(120),
    Decimal(20),
    (BOOKED_LINE,),
    None,
    (),
)
ACME = BookedCustomer("Acme Ltd", "GBP", None, "pay@acme.example", active=True, address=())
BRIDGE = BookedCustomer("24-0001 Bridge", "GBP", "Acme Ltd", None, active=True, address=())
VOIDED = replace(
    BOOKED,
    total=Decimal(0),
    tax=Decimal(0),
    note="Voided\nKompass invoice i-1 (24-0001/1)",
    lines=(replace(BOOKED_LINE, amount=Decimal(0)),),
)


def event(record: Record, action: Action = Action.UPDATE) -> Event:
    kind = kind_of(record).value
    return Event(UUID(int=1), f"{kind}.{action.value}", kind, action, NOW, Metadata("org-uk", 1), record)


def expected(*records: Record, rules: OrgRules = UK) -> Expectation:
    return expect([event(record) for record in records], [rules])["realm-uk"]


def books(*documents: BookedDocument, customers: tuple[BookedCustomer, ...] = (ACME, BRIDGE)) -> Books:
    found: dict[tuple[str, str], list[BookedDocument]] = {}
    for one in documents:
        found.setdefault((one.entity, one.number), []).append(one)
    return Books({one.name: one for one in customers}, found)


def test_an_invoice_brings_its_customer_and_job() -> None:
    assert differences(expected(INVOICE), books(BOOKED)) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_state_counts_whatever_the_order(order: tuple[int, ...]) -> None:
    states = [
        INVOICE,
        replace(INVOICE, sequence=2, details="First stage"),
        replace(INVOICE, sequence=3, details="Stage 1"),
    ]

    found = differences(expected(*(states[place] for place in order)), books(replace(BOOKED, memo="Stage 1")))

    assert found == []


def test_a_carried_record_counts_like_one_of_its_own_event() -> None:
    renamed = replace(CLIENT, sequence=2, name="Acme plc")
    carried = replace(INVOICE, id="i-2", client=renamed, project=None, step=Step.DRAFT)

    wanted = expected(INVOICE, carried)

    assert set(wanted.customers) == {"Acme plc", "24-0001 Bridge"}
    assert wanted.customers["24-0001 Bridge"].parent == "Acme plc"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"total": Decimal("119.99")}, "total should be 120.00, is 119.99"),
        ({"tax": Decimal("19.99")}, "tax should be 20.00, is 19.99"),
        ({"customer": "Acme Ltd"}, "customer should be 24-0001 Bridge, is Acme Ltd"),
        ({"currency": "EUR"}, "currency should be GBP, is EUR"),
        ({"due_date": None}, "due date should be 2026-10-31, is None"),
        ({"memo": "hello"}, "memo should be None, is hello"),
        ({"note": "somebody's"}, "the note does not name the Kompass record i-1"),
        ({"lines": ()}, "1 line expected, 0 found"),
        ({"lines": (replace(BOOKED_LINE, amount=Decimal("100.01")),)}, "line 1: amount should be 100.00, is 100.01"),
        ({"lines": (replace(BOOKED_LINE, item="Consulting"),)}, "line 1: item should be Surveying, is Consulting"),
        ({"lines": (replace(BOOKED_LINE, class_name=None),)}, "line 1: class should be Structures, is None"),
        ({"lines": (replace(BOOKED_LINE, tax_code="5.0% R"),)}, "line 1: tax code should be 20.0% S, is 5.0% R"),
        ({"lines": (replace(BOOKED_LINE, description="x"),)}, "does not begin with 'Survey'"),
        (
            {"lines": (replace(BOOKED_LINE, quantity=Decimal(3), unit_price=Decimal(33)),)},
            "line 1: 3 × 33 is not 100",
        ),
    ],
)
def test_a_wrong_document_is_found(change: dict[str, Any], words: str) -> None:
    (found,) = differences(expected(INVOICE), books(replace(BOOKED, **change)))

    assert found.startswith("Invoice '24-0001/1'")
    assert words in found


def test_what_is_missing_or_too_much_is_found() -> None:
    wanted = expected(INVOICE)

    assert differences(wanted, books()) == ["Invoice '24-0001/1' of 120.00 GBP is missing"]
    assert differences(wanted, books(BOOKED, BOOKED)) == ["Invoice '24-0001/1' is there 2 times"]
    assert differences(wanted, books(BOOKED, replace(BOOKED, number="9"))) == ["Invoice '9' should not be there"]
    assert differences(wanted, books(VOIDED)) == ["Invoice '24-0001/1' is voided, and should stand with 120.00"]
    assert differences(wanted, books(BOOKED, customers=(BRIDGE,))) == ["customer 'Acme Ltd' is missing"]
    stranger = replace(ACME, name="Acme Ltd 2")
    assert differences(wanted, books(BOOKED, customers=(ACME, BRIDGE, stranger))) == [
        "customer 'Acme Ltd 2' should not be there"
    ]
    assert differences(wanted, books(BOOKED, customers=(replace(ACME, email=None), BRIDGE))) == [
        "customer 'Acme Ltd': email should be pay@acme.example, is None"
    ]


def test_voided_and_absent_are_the_same() -> None:
    wanted = expected(replace(INVOICE, step=Step.VOIDED))

    assert differences(wanted, books()) == []
    assert differences(wanted, books(VOIDED)) == []
    assert differences(wanted, books(BOOKED)) == ["Invoice '24-0001/1' should be voided, and stands with 120"]
    assert books(VOIDED).standing() == books().standing()


def test_a_document_taken_back_may_stand_as_it_was_and_not_otherwise() -> None:
    wanted = expected(INVOICE, replace(INVOICE, sequence=2, step=Step.REJECTED))

    assert differences(wanted, books()) == []
    assert differences(wanted, books(BOOKED)) == []
    assert differences(wanted, books(replace(BOOKED, total=Decimal(1)))) == [
        "Invoice '24-0001/1' should not be there: it was rejected in Kompass"
    ]


@pytest.mark.parametrize(
    ("change", "rules", "why"),
    [
        ({"synchronize": False}, UK, "Synchronize is off"),
        ({"step": Step.DRAFT}, UK, "its step is Draft"),
        ({"type": InvoiceType.JOURNAL}, UK, "its type is Journal"),
        ({}, replace(UK, start_date=dt.date(2026, 11, 1)), "it is dated before 2026-11-01"),
        ({}, replace(UK, tax_codes={}), "no tax code for VAT 20 %"),
        ({}, USA, "it bills tax that the company would not book"),
        ({"reference": "24-0001/1 of a long name"}, UK, "its number is longer than 21"),
        ({"amount_gross": Decimal("120.01")}, UK, "its lines do not add up to its header"),
        ({"type": InvoiceType.CREDIT_NOTE}, UK, "its total is negative"),
        ({"lines": ()}, UK, "it has no lines"),
    ],
)
def test_what_must_not_get_through_is_named(change: dict[str, Any], rules: OrgRules, why: str) -> None:
    invoice = replace(INVOICE, **change)

    wanted = expected(invoice, rules=rules)

    assert wanted.documents == {}
    assert wanted.absent == {invoice.reference: why}
    entity = "CreditMemo" if invoice.type is InvoiceType.CREDIT_NOTE else "Invoice"
    there = replace(BOOKED, entity=entity, number=invoice.reference)
    assert f"{entity} {invoice.reference!r} should not be there: {why}" in differences(wanted, books(there))


def test_a_credit_note_is_positive() -> None:
    line = replace(LINE, amount_net=Decimal("-100.00"), amount_vat=Decimal("-20.00"))
    note = replace(
        INVOICE,
        type=InvoiceType.CREDIT_NOTE,
        amount_net=Decimal("-100.00"),
        amount_vat=Decimal("-20.00"),
        amount_gross=Decimal("-120.00"),
        lines=(line,),
    )

    assert differences(expected(note), books(replace(BOOKED, entity="CreditMemo", due_date=None))) == []


def test_a_second_currency_is_a_second_customer() -> None:
    wanted = expected(replace(INVOICE, currency="EUR"))

    assert {(one.name, one.currency, one.parent) for one in wanted.customers.values()} == {
        ("Acme Ltd", "GBP", None),
        ("Acme Ltd (EUR)", "EUR", None),
        ("24-0001 Bridge", "GBP", "Acme Ltd"),
        ("24-0001 Bridge (EUR)", "EUR", "Acme Ltd (EUR)"),
    }
    assert wanted.documents["Invoice", "24-0001/1"].customer == "24-0001 Bridge (EUR)"


def test_a_name_that_a_vendor_has_keeps_all_that_stands_on_it_out() -> None:
    wanted = expected(replace(INVOICE, client=(surveys := replace(CLIENT, name="Northern Surveys")), project=None))

    assert surveys.name in wanted.absent
    assert wanted.documents == {}
    assert wanted.customers == {}


def test_of_two_with_one_name_either_may_have_it() -> None:
    twin = replace(CLIENT, id="c-2", email="other@acme.example")
    wanted = expected(replace(INVOICE, project=None), twin)

    only = (replace(ACME, email="other@acme.example"),)
    assert differences(wanted, books(customers=only)) == []
    assert differences(wanted, books(replace(BOOKED, customer="Acme Ltd"), customers=(ACME,))) == []
    assert differences(wanted, books(customers=())) == ["none of those who want the name 'Acme Ltd' got it"]


def test_a_deleted_client_is_not_wanted() -> None:
    gone = expect([event(CLIENT), event(replace(CLIENT, sequence=2), Action.DELETE)], [UK])["realm-uk"]

    assert gone.customers == {}
