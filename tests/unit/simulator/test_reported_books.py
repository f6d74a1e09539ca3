"""What dated reports and recordings say of real books, a row each, with its source in the name of the test.

Where two answers are known the row is held under both values of its switch.
"""

from __future__ import annotations

from typing import Any

import pytest

from simulator import CANADA, SELF_NUMBERED, UK, USA_AUTOMATED_TAX
from simulator.bookkeeper import edit
from simulator.selection import run

from .conftest import CATEGORY, Books, OpenBooks, code_of, line

INCOME = {"value": "1"}


def bookkeeper(books: Books, action: str, **wanted: Any) -> list[dict[str, Any]]:
    return edit(books.company, {"action": action, **wanted})


# --- documents


@pytest.mark.parametrize(("how", "rate"), [("one", 1), ("day", 0.85)])
def test_wordcamp_1250_an_omitted_exchange_rate(open_books: OpenBooks, how: str, rate: float) -> None:
    books = open_books(UK, omitted_exchange_rate=how)
    bookkeeper(books, "exchange_rate", currency="EUR", date="2026-01-01", rate="0.85")
    customer = books.customer(CurrencyRef={"value": "EUR"})
    made = books.invoice(customer, line(100, "3"), CurrencyRef={"value": "EUR"}, TxnDate="2026-01-31")
    assert (made["ExchangeRate"], made["HomeTotalAmt"]) == (rate, 100 * rate)


def test_wordcamp_pr_1325_the_rate_of_a_day_is_asked_for_by_currency_and_date(open_books: OpenBooks) -> None:
    books = open_books(UK)
    bookkeeper(books, "exchange_rate", currency="EUR", date="2026-01-31", rate="0.85")
    text = "select * from ExchangeRate where sourcecurrencycode = 'EUR' and asofdate = '2026-01-31'"
    assert run(books.company, text)["ExchangeRate"][0]["Rate"] == 0.85


@pytest.mark.parametrize(("how", "tax"), [("per_line", 0.09), ("per_rate", 0.08)])
def test_community_306952_tax_line_by_line(open_books: OpenBooks, how: str, tax: float) -> None:
    """3 × round(0.13 × 20 %) = 0.09, by sum round(0.39 × 20 %) = 0.08; test_tax.py has the figures of the report."""
    books = open_books(UK, tax_rounding=how)
    made = books.invoice(books.customer(), *[line(0.13, code_of(books.company, "20.0% S"))] * 3)
    assert made["TxnTaxDetail"]["TotalTax"] == tax


def test_revenu_quebec_a_group_code_rounds_each_rate(open_books: OpenBooks) -> None:
    books = open_books(CANADA)
    made = books.invoice(books.customer(), line(10.10, code_of(books.company, "GST/QST QC - 9.975")))
    assert made["TxnTaxDetail"]["TotalTax"] == 1.52


@pytest.mark.parametrize(("day", "total"), [("2025-03-31", 1150), ("2025-04-01", 1140)])
def test_nova_scotia_rates_change_by_date(open_books: OpenBooks, day: str, total: float) -> None:
    books = open_books(CANADA)
    made = books.invoice(books.customer(), line(1000, code_of(books.company, "HST NS")), TxnDate=day)
    assert made["TotalAmt"] == total


def test_breeze_4624_a_payment_or_a_credit_raises_the_sync_token(books: Books) -> None:
    customer = books.customer()
    invoice = books.invoice(customer)
    books.pay(customer, 10, ("Invoice", invoice, 10))
    assert books.get("Invoice", invoice["Id"])["SyncToken"] == "1"
    memo = books.memo(customer, line(20))
    books.pay(customer, 0, ("Invoice", invoice, 20), ("CreditMemo", memo, 20))
    assert books.get("Invoice", invoice["Id"])["SyncToken"] == "2"


@pytest.mark.parametrize("how", ["refuse", "unlink"])
def test_breeze_5180_void_of_a_paid_invoice(open_books: OpenBooks, how: str) -> None:
    books = open_books(paid_document=how)
    customer = books.customer()
    books.pay(customer, 100, ("Invoice", books.invoice(customer), 100))
    (paid,) = (books.get("Invoice", one) for one in books.company.tables["Invoice"])
    if how == "refuse":
        assert books.refuses(lambda: books.remove("Invoice", "void", paid)).codes == ("6000",)
    else:
        assert books.remove("Invoice", "void", paid)["TotalAmt"] == 0


def test_community_1174160_a_credit_is_applied_to_a_new_invoice(books: Books) -> None:
    customer = books.customer()
    books.memo(customer, line(30))
    bookkeeper(books, "preferences", group="SalesFormsPrefs", members={"AutoApplyCredit": True})
    assert books.invoice(customer)["Balance"] == 70


def test_reports_of_a_voided_document_that_keeps_its_number(books: Books) -> None:
    customer = books.customer()
    books.remove("Invoice", "void", books.invoice(customer, DocNumber="INV-1"))
    assert books.refuses(lambda: books.invoice(customer, DocNumber="INV-1")).codes == ("6140",)


@pytest.mark.parametrize("scope", ["sales", "type"])
def test_harvest_and_housecall_pro_numbers_are_shared(open_books: OpenBooks, scope: str) -> None:
    books = open_books(docnumber_scope=scope)
    customer = books.customer()
    books.invoice(customer, DocNumber="1")
    if scope == "sales":
        assert books.refuses(lambda: books.memo(customer, DocNumber="1")).codes == ("6140",)
    else:
        assert books.memo(customer, DocNumber="1")["DocNumber"] == "1"


@pytest.mark.parametrize("needs", ["credit_memo", "nothing"])
def test_mcp_server_pr_101_a_sparse_line_without_the_customer(open_books: OpenBooks, needs: str) -> None:
    books = open_books(sparse_line_needs=needs)
    customer = books.customer()
    memo = books.memo(customer)
    if needs == "credit_memo":
        assert books.refuses(lambda: books.update("CreditMemo", memo, Line=[line(50)])).codes == ("2020",)
    else:
        assert books.update("CreditMemo", memo, Line=[line(40)])["TotalAmt"] == 40
        memo = books.get("CreditMemo", memo["Id"])
    # Sent along, it is safe under both.
    assert books.update("CreditMemo", memo, Line=[line(50)], CustomerRef={"value": customer["Id"]})["TotalAmt"] == 50


def test_canopy_9641418_numbers_and_classes_are_switched_in_a_living_company(books: Books) -> None:
    customer = books.customer()
    bookkeeper(books, "preferences", group="SalesFormsPrefs", members={"CustomTxnNumbers": False})
    members = {"ClassTrackingPerTxnLine": False}
    bookkeeper(books, "preferences", group="AccountingInfoPrefs", members=members)
    made = books.invoice(customer, line(100, ClassRef={"value": "5000000000000000001"}), DocNumber="INV-1")
    assert made["DocNumber"] == "1001"
    assert "ClassRef" not in made["Line"][0]["SalesItemLineDetail"]


def test_canopy_9641418_and_may_be_turned_on_again(open_books: OpenBooks) -> None:
    books = open_books(SELF_NUMBERED)
    bookkeeper(books, "preferences", group="SalesFormsPrefs", members={"CustomTxnNumbers": True})
    assert "DocNumber" not in books.invoice(books.customer())


def test_recorded_create_invoice_a_due_date_left_out_is_30_days_later(books: Books) -> None:
    made = books.invoice(books.customer(), TxnDate="2020-09-29")
    assert made["DueDate"] == "2020-10-29"


@pytest.mark.parametrize(("how", "code"), [("item", "TAX"), ("non", "NON")])
def test_not_established_the_taxable_flag_of_an_item(open_books: OpenBooks, how: str, code: str) -> None:
    books = open_books(USA_AUTOMATED_TAX, automated_tax_line=how)
    bookkeeper(books, "update", entity="Item", id="1", members={"Taxable": True})
    detail = books.invoice(books.customer())["Line"][0]["SalesItemLineDetail"]
    assert detail["TaxCodeRef"]["value"] == code


@pytest.mark.parametrize("limit", ["any", "taxed"])
def test_not_established_751_lines_without_tax(open_books: OpenBooks, limit: str) -> None:
    books = open_books(line_limit=limit)
    customer = books.customer()
    if limit == "any":
        assert books.refuses(lambda: books.invoice(customer, *[line(1)] * 751)).codes == ("6000",)
    else:
        assert books.invoice(customer, *[line(1)] * 751)["TotalAmt"] == 751


# --- things


def test_n8n_12956_inventory_without_a_quantity(books: Books) -> None:
    stock = {"Name": "Drone", "Type": "Inventory", "TrackQtyOnHand": True, "IncomeAccountRef": INCOME}
    item = bookkeeper(books, "type", entity="Item", members=stock)[0]
    refused = books.refuses(lambda: books.invoice(books.customer(), line(5, ItemRef={"value": item["Id"]})))
    assert (refused.codes, refused.errors[0].detail) == (("6520",), "Quantity required for inventory item")


def test_serviceminder_a_category_on_a_line(books: Books) -> None:
    refused = books.refuses(lambda: books.invoice(books.customer(), line(5, ItemRef={"value": CATEGORY})))
    assert (refused.codes, "set up as a category" in refused.errors[0].detail) == (("2500",), True)


@pytest.mark.parametrize(("kind", "code"), [("Service", "2390"), ("Group", "6000")])
def test_reports_of_items_that_cannot_be_sold(books: Books, kind: str, code: str) -> None:
    item = bookkeeper(books, "type", entity="Item", members={"Name": "Survey", "Type": kind})[0]
    refused = books.refuses(lambda: books.invoice(books.customer(), line(5, ItemRef={"value": item["Id"]})))
    assert refused.codes == (code,)


@pytest.mark.parametrize("how", ["folded", "kept"])
def test_teachworks_1824445_inner_spaces(open_books: OpenBooks, how: str) -> None:
    books = open_books(inner_spaces=how)
    books.customer("Anna  Fielding")
    if how == "folded":
        assert books.refuses(lambda: books.customer("Anna Fielding")).codes == ("6240",)
    else:
        assert books.customer("Anna Fielding")["Id"] == "7"


@pytest.mark.parametrize("free", [False, True])
def test_teachworks_1824445_an_inactive_name(open_books: OpenBooks, free: bool) -> None:
    books = open_books(inactive_name_is_free=free)
    books.update("Customer", books.customer("Larch"), Active=False)
    if free:
        assert books.customer("larch")["DisplayName"] == "larch"
    else:
        assert books.refuses(lambda: books.customer("larch")).codes == ("6240",)


@pytest.mark.parametrize(("detail", "text"), [("null", ": null"), ("id", ": Id=6")])
def test_recorded_2020_and_2026_the_detail_of_6240(open_books: OpenBooks, detail: str, text: str) -> None:
    books = open_books(duplicate_name_detail=detail)
    books.customer("Larch")
    assert books.refuses(lambda: books.customer("LARCH")).errors[0].detail.endswith(text)


@pytest.mark.parametrize("address", ["a..b@x.com", ".a@x.com", "a.@x.com", "@-x"])
def test_reports_of_addresses_that_are_2210(books: Books, address: str) -> None:
    assert books.refuses(lambda: books.customer(PrimaryEmailAddr={"Address": address})).codes == ("2210",)


def test_quickbooks_help_a_job_merged_into_a_project_is_gone(books: Books) -> None:
    customer = books.customer()
    job = books.customer("Phase 1", Job=True, ParentRef={"value": customer["Id"]})
    (project,) = bookkeeper(books, "project", name="House", customer=customer["Id"])
    assert project["IsProject"] is True
    bookkeeper(books, "merge", id=job["Id"], into=project["Id"])
    assert books.refuses(lambda: books.update("Customer", job, Notes="x")).codes == ("610",)
    below = {"Job": True, "ParentRef": {"value": project["Id"]}}
    refused = books.refuses(lambda: books.customer("Below", **below))
    assert "A project cannot contain subcustomers" in refused.errors[0].detail


@pytest.mark.parametrize("how", ["gone", "inactive"])
def test_reports_of_a_merged_customer(open_books: OpenBooks, how: str) -> None:
    books = open_books(merged_customer=how)
    gone, stays = books.customer(), books.customer("Birch")
    bookkeeper(books, "merge", id=gone["Id"], into=stays["Id"])
    found = books.company.get("Customer", gone["Id"])
    assert (found is None) if how == "gone" else (found is not None and found["Active"] is False)


@pytest.mark.parametrize(("how", "shown"), [("iso3", "GBR"), ("as_sent", "United Kingdom")])
def test_intuit_blog_2025_08_13_country_in_three_letters(open_books: OpenBooks, how: str, shown: str) -> None:
    books = open_books(country_in_answers=how)
    made = books.customer(BillAddr={"Country": "United Kingdom"})
    assert books.get("Customer", made["Id"])["BillAddr"]["Country"] == shown


@pytest.mark.parametrize("code", ["5010", "6210"])
def test_python_quickbooks_208_a_closed_period(open_books: OpenBooks, code: str) -> None:
    books = open_books(closed_period_code=code)
    customer = books.customer()
    made = books.invoice(customer, TxnDate="2026-01-15")
    bookkeeper(books, "close_books", date="2026-01-31")
    refused = books.refuses(lambda: books.update("Invoice", made, PrivateNote="x"))
    assert refused.codes == (code,)
    assert (code != "5010") or "Account Period Closed" in refused.errors[0].detail
    assert books.get("Invoice", made["Id"])["SyncToken"] == made["SyncToken"]
