"""What counts as the same in a company that had a history before us."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from mapping.matching import Sought, keys_for, keys_of, loose_name, loose_number, match
from schemas.existing import Existing

REALM = "1"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Smith & Sons Ltd.", "SMITH AND SONS LIMITED"),
        ("Müller GmbH", "muller"),
        ("B.V. Waterbouw", "Waterbouw BV"),
        ("Île-de-France Topo S.A.R.L.", "Ile de France Topo"),
        ("The Harbour Company", "Harbour  Co."),
        ("Smith & Co Ltd", "Smith and Co. Limited"),
        ("Smith & Sons", "Smith Sons"),
        ("Müller Vermessung GmbH", "Mueller Vermessung"),
        ("Sørensen & Løve A/S", "Soerensen og Love"),
        ("Łódzkie Pomiary Sp. z o.o.", "Lodzkie Pomiary"),
        ("Große Straße AG", "GROSSE STRASSE"),
        ("Topographie Lefèvre Ltée", "Topographie Lefevre inc."),
        ("Connacht Surveys Teoranta", "Connacht Surveys DAC"),
    ],
)
def test_names_are_the_same_without_case_accents_punctuation_and_legal_form(one: str, other: str) -> None:
    assert loose_name(one) == loose_name(other)


def test_a_surname_that_comes_first_is_the_same_name() -> None:
    person = Sought("Customer", ("John Smith",), "GBP")
    there = Existing("Customer", "7", "Smith, John", currency="GBP")
    found = match(person, there)
    assert found is not None
    assert found.score == 80
    assert set(keys_of(REALM, there)) & keys_for(REALM, person)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Smith", "Smithson"), ("Ltd", "Limited"), ("Nord 1", "Nord 2"), ("Smith", "John Smith"), ("Surveys", "Survey")],
)
def test_other_names_stay_others(one: str, other: str) -> None:
    assert loose_name(one) != loose_name(other)


@pytest.mark.parametrize("other", ["INV  12", "inv12", "INV-12", "INV/0012", "Inv. 12"])
def test_numbers_are_the_same_without_case_spaces_punctuation_and_filling_zeros(other: str) -> None:
    assert loose_number(other) == loose_number("INV-12")


@pytest.mark.parametrize("other", ["INV-120", "INV-1-2 2", "INV-102", "CN-12", "12"])
def test_other_numbers_stay_others(other: str) -> None:
    assert loose_number(other) != loose_number("INV-12")


CUSTOMER = Existing("Customer", "7", "Harbour & Sons Ltd", currency="GBP")
CLIENT = Sought("Customer", ("Harbour and Sons",), "GBP")


@pytest.mark.parametrize(
    ("existing", "score"),
    [
        (replace(CUSTOMER, name="Harbour and  SONS"), 100),
        (CUSTOMER, 80),
        (replace(CUSTOMER, currency="EUR"), 50),
        (replace(CUSTOMER, name="Harbour"), None),
        (replace(CUSTOMER, parent_id="3"), None),
    ],
)
def test_a_customer_is_scored_by_name_and_currency(existing: Existing, score: int | None) -> None:
    found = match(CLIENT, existing)
    assert (None if found is None else found.score) == score
    if found is not None:
        assert set(keys_of(REALM, existing)) & keys_for(REALM, CLIENT), "what matches is found"


def test_a_project_is_known_by_its_reference_under_its_customer() -> None:
    project = Sought("Customer", ("24-17 Quay survey",), "GBP", parent_id="7", reference="24-17")
    job = Existing("Customer", "8", "Survey of the quay 24-17", parent_id="7", currency="GBP")
    found = match(project, job)
    assert found is not None
    assert (found.score, found.sure) == (80, False)
    assert set(keys_of(REALM, job)) & keys_for(REALM, project)
    assert match(project, replace(job, parent_id="9")) is None
    assert match(project, replace(job, name="Survey of the quay 24-170")) is None


INVOICE = Existing(
    "Invoice", "5", "INV-1", customer_id="7", date=dt.date(2026, 3, 1), total=Decimal("120.00000"), currency="GBP"
)
DOCUMENT = Sought(
    "Invoice",
    ("INV-1",),
    "GBP",
    kompass_id="i1",
    date=dt.date(2026, 3, 1),
    total=Decimal(120),
    customer_ids=frozenset({"7"}),
    near_customer_ids=frozenset({"71"}),
)


@pytest.mark.parametrize(
    ("existing", "score"),
    [
        (INVOICE, 100),
        (replace(INVOICE, total=Decimal("120.01")), 90),
        (replace(INVOICE, total=Decimal("121.00")), 75),
        (replace(INVOICE, date=dt.date(2026, 3, 2)), 93),
        (replace(INVOICE, date=dt.date(2026, 3, 20)), 85),
        (replace(INVOICE, customer_id="9"), 80),
        (replace(INVOICE, name=""), 60),
        (replace(INVOICE, name="1001"), 60),
        (replace(INVOICE, currency="EUR"), 75),
        (replace(INVOICE, name="1001", kompass_id="i1", customer_id="9"), 40),
        (replace(INVOICE, name="1001", total=Decimal(121)), None),
        (replace(INVOICE, name="1002", customer_id="9"), None),
        # A day or a few, a cent or two off: it waits.
        (replace(INVOICE, name="", date=dt.date(2026, 3, 2)), 53),
        (replace(INVOICE, name="1001", date=dt.date(2026, 2, 24)), 53),
        (replace(INVOICE, name="1001", total=Decimal("119.98")), 50),
        (replace(INVOICE, name="1001", total=Decimal("120.02"), date=dt.date(2026, 3, 6)), 43),
        # Each week or month the same: the next one.
        (replace(INVOICE, name="1001", date=dt.date(2026, 3, 8)), None),
        (replace(INVOICE, name="1001", date=dt.date(2026, 3, 29)), None),
        (replace(INVOICE, name="", date=dt.date(2026, 2, 1)), None),
        (replace(INVOICE, name="1001", total=Decimal("120.03")), None),
        (replace(INVOICE, name="1001", currency="EUR"), None),
        # The digits alone of its number, on another customer.
        (replace(INVOICE, customer_id="9", name="1"), 60),
        (replace(INVOICE, customer_id="9", name="2026-INV-0001", date=dt.date(2026, 3, 3)), 53),
        (replace(INVOICE, customer_id="9", name="R0001"), None),
        (replace(INVOICE, customer_id="9", name="11"), None),
        (replace(INVOICE, customer_id="9", name="V"), None),
        (replace(INVOICE, customer_id="9", name="1", total=Decimal(500)), None),
        (replace(INVOICE, customer_id="9", name="1", date=dt.date(2026, 4, 1)), None),
        # On another sub-customer of the customer, or on a customer of a similar name.
        (replace(INVOICE, customer_id="71"), 90),
        (replace(INVOICE, customer_id="71", name="1001"), 50),
        (replace(INVOICE, customer_id="71", name="", date=dt.date(2026, 3, 3)), 43),
        (replace(INVOICE, customer_id="71", name="", date=dt.date(2026, 4, 1)), None),
        (replace(INVOICE, entity="CreditMemo"), None),
        (replace(INVOICE, kompass_id="another"), None),
    ],
)
def test_a_document_is_scored_by_number_total_date_and_customer(existing: Existing, score: int | None) -> None:
    found = match(DOCUMENT, existing)
    assert (None if found is None else found.score) == score
    if found is not None:
        assert found.sure == (not found.differs)
        assert set(keys_of(REALM, existing)) & keys_for(REALM, DOCUMENT), "what matches is found"
