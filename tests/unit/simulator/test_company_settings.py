"""Settings that a company turns on and off in its mid-life: QuickBooks answers 200, and drops or replaces members."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import CANADA, IRELAND, UK, USA, USA_AUTOMATED_TAX
from simulator.bookkeeper import BookkeeperError, edit
from simulator.company_settings import COMPANY_SETTINGS
from simulator.members import clean

from .conftest import Books, OpenBooks, line

CLASS = {"value": "5000000000000000001"}


def turn(books: Books, setting: str, *, on: bool) -> None:
    edit(books.company, {"action": "setting", "setting": setting, "on": on})


def detail_of(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["Line"][0]["SalesItemLineDetail"]
    return found


def test_custom_numbers_off_replaces_the_number_and_on_again_keeps_it(books: Books) -> None:
    """Canopy 9641418, AccuLynx: toggled in a living company."""
    customer = books.customer()
    assert books.invoice(customer, DocNumber="INV-1")["DocNumber"] == "INV-1"
    turn(books, "custom_numbers", on=False)
    replaced = books.invoice(customer, DocNumber="INV-2")
    assert replaced["DocNumber"] == "1001"
    turn(books, "custom_numbers", on=True)
    assert books.update("Invoice", replaced, DocNumber="INV-2")["DocNumber"] == "INV-2"
    assert books.invoice(customer, DocNumber="INV-3")["DocNumber"] == "INV-3"


def test_class_tracking_off_drops_the_class(books: Books) -> None:
    """Breadwinner, Canopy, Recur360: the answer alone shows it."""
    customer = books.customer()
    made = books.invoice(customer, line(100, ClassRef=CLASS))
    assert detail_of(made)["ClassRef"]["value"] == CLASS["value"]
    turn(books, "class_tracking", on=False)
    assert "ClassRef" not in detail_of(books.invoice(customer, line(100, ClassRef=CLASS)))
    turn(books, "class_tracking_by_document", on=True)
    assert books.invoice(customer, ClassRef=CLASS)["ClassRef"]["value"] == CLASS["value"]


def test_locations_off_drops_the_location(books: Books) -> None:
    customer = books.customer()
    assert books.invoice(customer, DepartmentRef={"value": "1"})["DepartmentRef"]["value"] == "1"
    turn(books, "locations", on=False)
    assert "DepartmentRef" not in books.invoice(customer, DepartmentRef={"value": "1"})


@pytest.mark.parametrize("realm", [UK, CANADA, IRELAND])
def test_sales_tax_off_drops_the_codes_and_the_tax(open_books: OpenBooks, realm: str) -> None:
    books = open_books(realm)
    customer = books.customer()
    taxed = books.invoice(customer, line(100, "1"))
    assert taxed["TotalAmt"] > 100
    turn(books, "sales_tax", on=False)
    plain = books.invoice(customer, line(100, "1"), GlobalTaxCalculation="TaxExcluded")
    assert (plain["TotalAmt"], plain["GlobalTaxCalculation"], "TxnTaxDetail" in plain) == (100, "NotApplicable", False)
    assert "TaxCodeRef" not in detail_of(plain)


def test_automated_tax_replaces_the_code_of_the_document(books: Books) -> None:
    customer = books.customer(BillAddr={"CountrySubDivisionCode": "CA"})
    tax = {"TxnTaxCodeRef": {"value": "2"}}
    assert books.invoice(customer, line(100, "TAX"), TxnTaxDetail=tax)["TxnTaxDetail"]["TxnTaxCodeRef"]["value"] == "2"
    turn(books, "automated_tax", on=True)
    made = books.invoice(customer, line(100, "TAX"), TxnTaxDetail=tax)
    assert made["TxnTaxDetail"]["TxnTaxCodeRef"]["value"] == "1"


@pytest.mark.parametrize("realm", [UK, CANADA, IRELAND])
def test_multicurrency_on_adds_the_home_amounts(open_books: OpenBooks, realm: str) -> None:
    books = open_books(realm, currency_ref_required="never")
    turn(books, "multicurrency", on=False)
    customer = books.customer()
    code = {"value": "USD"}
    assert books.refuses(lambda: books.customer("Abroad", CurrencyRef=code)).codes == ("6000",)
    before = books.invoice(customer, line(100, "1"), ExchangeRate=1)
    assert not {"ExchangeRate", "HomeTotalAmt"} & before.keys()
    turn(books, "multicurrency", on=True)
    assert books.customer("Abroad", CurrencyRef=code)["CurrencyRef"]["value"] == "USD"
    after = books.update("Invoice", before, PrivateNote="x")
    assert (after["ExchangeRate"], after["HomeTotalAmt"]) == (1, after["TotalAmt"])
    turn(books, "multicurrency", on=False)
    assert "ExchangeRate" not in books.update("Invoice", after, PrivateNote="y")


def test_a_company_that_stops_to_warn_books_a_number_twice(books: Books) -> None:
    customer = books.customer()
    books.invoice(customer, DocNumber="INV-1")
    assert books.refuses(lambda: books.invoice(customer, DocNumber="INV-1")).codes == ("6140",)
    turn(books, "warn_duplicates", on=False)
    assert books.invoice(customer, DocNumber="INV-1")["DocNumber"] == "INV-1"


@pytest.mark.parametrize("realm", [USA, USA_AUTOMATED_TAX, UK, CANADA, IRELAND])
def test_every_document_can_be_worked_on_after_any_setting_was_turned(open_books: OpenBooks, realm: str) -> None:
    books = open_books(realm, currency_ref_required="never")
    customer = books.customer()
    code = "TAX" if books.company.american else "1"
    made = books.invoice(customer, line(100, code, ClassRef=CLASS), DocNumber="INV-1", DepartmentRef={"value": "1"})
    for place, setting in enumerate(COMPANY_SETTINGS * 2):
        turn(books, setting, on=place % 3 == 0)
        made = books.update("Invoice", books.get("Invoice", made["Id"]), PrivateNote=str(place))
        assert clean("Invoice", made) == made
        books.pay(customer, 1, ("Invoice", made, 1))
        other = books.invoice(customer, line(100, code), DocNumber=f"INV-{place + 2}")
        assert books.remove("Invoice", "void", other)["TotalAmt"] == 0


def test_a_setting_that_does_not_exist_is_refused_in_words(books: Books) -> None:
    with pytest.raises(BookkeeperError, match="setting is 'colour'"):
        turn(books, "colour", on=True)
    with pytest.raises(BookkeeperError, match="on is 'yes'"):
        edit(books.company, {"action": "setting", "setting": "sales_tax", "on": "yes"})
