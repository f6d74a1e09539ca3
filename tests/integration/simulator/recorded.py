"""What the rows about recorded answers share: their sources, the members of an object, and what the simulator has besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import Simulator

from .conftest import Http

Connect = Callable[[Simulator, str], Http]
QBO_API = "minimul/qbo_api spec/vcr"
MADE_BY_THE_SERVER = {"domain", "sparse", "Id", "SyncToken", "MetaData"}
# Members that the recording has not, and why the simulator has them.
MORE = {
    "Customer": {"IsProject": "shown since minor version 25; the recording is of an older one"},
    "SalesItemLineDetail": {"ItemAccountRef": "shown since minor version 59; the recording is of an older one"},
}
CUSTOMER = MADE_BY_THE_SERVER | {
    *("Taxable", "Job", "BillWithParent", "Balance", "BalanceWithJobs", "CurrencyRef", "PreferredDeliveryMethod"),
    *("FullyQualifiedName", "DisplayName", "PrintOnCheckName", "Active", "DefaultTaxCodeRef"),
}
INVOICE = MADE_BY_THE_SERVER | {
    *("AllowIPNPayment", "AllowOnlinePayment", "AllowOnlineCreditCardPayment", "AllowOnlineACHPayment"),
    *("CustomField", "TxnDate", "CurrencyRef", "LinkedTxn", "Line", "TxnTaxDetail", "CustomerRef"),
    *("BillAddr", "ShipAddr", "DueDate", "TotalAmt", "ApplyTaxAfterDiscount", "PrintStatus", "EmailStatus", "Balance"),
}
VENDOR = MADE_BY_THE_SERVER | {
    *("Balance", "Vendor1099", "CurrencyRef", "DisplayName", "PrintOnCheckName", "Active"),
}
USD = {"value": "USD", "name": "United States Dollar"}
LINE = {
    "Amount": 100.0,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1", "name": "Services"}},
}
SUBTOTAL = {"DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
GONE = (
    "Object Not Found : Something you're trying to use has been made inactive. "
    "Check the fields with accounts, customers, items, vendors or employees."
)


def recorded(source: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("source", [source], ids=[source], indirect=True)


def invoice(usa: Http, customer: dict[str, Any]) -> dict[str, Any]:
    return usa.create("Invoice", {"Line": [LINE], "CustomerRef": {"value": customer["Id"]}})


def refusal(answer: Any, status: int = 400) -> dict[str, Any]:
    assert answer.status_code == status
    (error,) = answer.json()["Fault"]["Error"]
    assert answer.json()["Fault"]["type"] == "ValidationFault"
    return dict(error)
