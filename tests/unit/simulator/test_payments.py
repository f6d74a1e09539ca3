"""Payments, credits, and what they do to the documents they are applied to."""

from __future__ import annotations

import pytest

from simulator import bookkeeper

from .conftest import Books, OpenBooks, line


def test_a_payment_lowers_the_balance_and_raises_the_sync_token_of_its_invoice(books: Books) -> None:
    customer = books.customer()
    invoice = books.invoice(customer)
    paid = books.pay(customer, 60, ("Invoice", invoice, 60))
    shown = books.get("Invoice", invoice["Id"])
    assert (shown["Balance"], shown["SyncToken"]) == (40, "1")
    assert shown["LinkedTxn"] == [{"TxnId": paid["Id"], "TxnType": "Payment"}]
    assert (paid["UnappliedAmt"], books.get("Customer", customer["Id"])["Balance"]) == (0, 40)


def test_what_is_not_applied_is_the_customers_credit(books: Books) -> None:
    customer = books.customer()
    assert books.pay(customer, 50)["UnappliedAmt"] == 50
    assert books.get("Customer", customer["Id"])["Balance"] == -50


def test_a_credit_memo_is_applied_by_a_payment_of_nothing(books: Books) -> None:
    customer = books.customer()
    invoice, memo = books.invoice(customer), books.memo(customer)
    books.pay(customer, 0, ("Invoice", invoice, 70), ("CreditMemo", memo, 70))
    assert books.get("Invoice", invoice["Id"])["Balance"] == 30
    assert books.get("CreditMemo", memo["Id"])["RemainingCredit"] == 30


def test_the_auto_apply_credit_preference_applies_credits_by_itself(books: Books) -> None:
    bookkeeper.edit(
        books.company, {"action": "preferences", "group": "SalesFormsPrefs", "members": {"AutoApplyCredit": True}}
    )
    customer = books.customer()
    invoice = books.invoice(customer)
    assert books.memo(customer)["RemainingCredit"] == 0
    assert books.get("Invoice", invoice["Id"])["Balance"] == 0


def test_more_than_the_balance_or_the_payment_cannot_be_applied(books: Books) -> None:
    customer = books.customer()
    invoice = books.invoice(customer)
    assert books.refuses(lambda: books.pay(customer, 200, ("Invoice", invoice, 100.01))).codes == ("6000",)
    assert books.refuses(lambda: books.pay(customer, 10, ("Invoice", invoice, 20))).codes == ("6000",)
    assert books.refuses(lambda: books.pay(customer, -1)).codes == ("2290",)


def test_a_stranger_cannot_pay_but_the_family_can(books: Books) -> None:
    parent = books.customer("Larch")
    job = books.customer("House", Job=True, ParentRef={"value": parent["Id"]})
    invoice, other = books.invoice(job), books.customer("Birch")
    assert books.refuses(lambda: books.pay(other, 10, ("Invoice", invoice, 10))).codes == ("620",)
    assert books.pay(parent, 10, ("Invoice", invoice, 10))["TotalAmt"] == 10


def test_a_payment_that_changes_goes_is_voided_or_deleted_gives_the_balance_back(books: Books) -> None:
    customer = books.customer()
    invoice = books.invoice(customer)

    def balance() -> float:
        return float(books.get("Invoice", invoice["Id"])["Balance"])

    first = books.pay(customer, 60, ("Invoice", invoice, 60))
    link = [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]
    books.update("Payment", first, Line=[{"Amount": 10, "LinkedTxn": link}])
    assert balance() == 90
    books.remove("Payment", "void", books.get("Payment", first["Id"]))
    assert balance() == 100
    second = books.pay(customer, 60, ("Invoice", invoice, 60))
    books.remove("Payment", "delete", second)
    assert balance() == 100


def test_switch_paid_document(open_books: OpenBooks) -> None:
    for operation in ("void", "delete"):
        books = open_books(paid_document="refuse")
        customer = books.customer()
        invoice = books.invoice(customer)
        books.pay(customer, 60, ("Invoice", invoice, 60))
        shown = books.get("Invoice", invoice["Id"])
        assert books.refuses(lambda: books.remove("Invoice", operation, shown)).codes == ("6000",)  # noqa: B023
        books = open_books(paid_document="unlink")
        customer = books.customer()
        invoice = books.invoice(customer)
        paid = books.pay(customer, 60, ("Invoice", invoice, 60))
        books.remove("Invoice", operation, books.get("Invoice", invoice["Id"]))
        assert books.get("Payment", paid["Id"])["UnappliedAmt"] == 60
        assert books.get("Customer", customer["Id"])["Balance"] == -60


def test_an_applied_credit_memo_cannot_be_deleted(books: Books) -> None:
    customer = books.customer()
    invoice, memo = books.invoice(customer), books.memo(customer)
    books.pay(customer, 0, ("Invoice", invoice, 70), ("CreditMemo", memo, 70))
    applied = books.get("CreditMemo", memo["Id"])
    assert books.refuses(lambda: books.remove("CreditMemo", "delete", applied)).codes == ("6000",)


def test_an_invoice_cannot_become_less_than_was_paid_on_it(books: Books) -> None:
    customer = books.customer()
    invoice = books.invoice(customer)
    books.pay(customer, 60, ("Invoice", invoice, 60))
    shown = books.get("Invoice", invoice["Id"])
    smaller = [{**shown["Line"][0], "Amount": 50}]
    assert books.refuses(lambda: books.update("Invoice", shown, Line=smaller)).codes == ("6000",)


def test_auto_apply_credit_applies_an_open_credit_to_a_new_invoice(books: Books) -> None:
    """Community 1174160: not a new credit memo alone, a new invoice too."""
    customer, other = books.customer(), books.customer("Birch")
    books.memo(other)
    first, second = books.memo(customer, line(30)), books.memo(customer, line(50))
    bookkeeper.edit(books.company, {"action": "setting", "setting": "auto_apply_credit", "on": True})
    made = books.invoice(customer, line(60))
    assert (made["Balance"], made["SyncToken"], made["LinkedTxn"][0]["TxnType"]) == (0, "1", "Payment")
    left = [books.get("CreditMemo", one["Id"])["RemainingCredit"] for one in (first, second)]
    assert left == [0, 20]
    assert books.get("Customer", customer["Id"])["Balance"] == -20
    assert books.invoice(customer, line(60))["Balance"] == 40
    assert books.invoice(customer, line(60))["SyncToken"] == "0"


@pytest.mark.parametrize("how", ["refuse", "unlink"])
def test_the_customer_of_a_paid_document_cannot_be_changed(open_books: OpenBooks, how: str) -> None:
    books = open_books(paid_document=how)
    customer, other = books.customer(), books.customer("Birch")
    invoice = books.invoice(customer)
    assert books.update("Invoice", invoice, CustomerRef={"value": other["Id"]})["CustomerRef"]["value"] == other["Id"]
    books.pay(other, 10, ("Invoice", invoice, 10))
    paid = books.get("Invoice", invoice["Id"])
    assert books.refuses(lambda: books.update("Invoice", paid, CustomerRef={"value": customer["Id"]})).codes == (
        "6000",
    )
    assert books.update("Invoice", paid, CustomerRef={"value": other["Id"]}, PrivateNote="x")["PrivateNote"] == "x"
