"""Products and services of every type, and what a line that sells one has to hold."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import CANADA, IRELAND, UK, USA
from simulator.bookkeeper import edit

from .conftest import CATEGORY, Books, OpenBooks, line

INCOME, EXPENSE, ASSET = {"value": "1"}, {"value": "2"}, {"value": "3"}
STOCK = {
    "Type": "Inventory",
    "TrackQtyOnHand": True,
    "QtyOnHand": 10,
    "InvStartDate": "2026-01-01",
    "IncomeAccountRef": INCOME,
    "ExpenseAccountRef": EXPENSE,
    "AssetAccountRef": ASSET,
    "UnitPrice": 25,
}


def enter(books: Books, **members: Any) -> dict[str, Any]:
    """An item that QuickBooks' own pages make and its API does not."""
    return edit(books.company, {"action": "type", "entity": "Item", "members": members})[0]


def sells(item: dict[str, Any], amount: float = 50, **detail: Any) -> dict[str, Any]:
    return line(amount, ItemRef={"value": item["Id"]}, **detail)


def test_inventory_is_counted_and_sold(books: Books) -> None:
    made = books.create("Item", Name="Drone", **STOCK)
    customer = books.customer()
    sold = books.invoice(customer, sells(made, Qty=2, UnitPrice=25))
    assert books.get("Item", made["Id"])["QtyOnHand"] == 8
    books.memo(customer, sells(made, 25, Qty=1, UnitPrice=25))
    assert books.get("Item", made["Id"])["QtyOnHand"] == 9
    books.remove("Invoice", "void", sold)
    assert books.get("Item", made["Id"])["QtyOnHand"] == 11


def test_inventory_needs_its_accounts_and_a_count(books: Books) -> None:
    for name in ("QtyOnHand", "InvStartDate", "AssetAccountRef", "ExpenseAccountRef", "IncomeAccountRef"):
        without = {key: value for key, value in STOCK.items() if key != name}
        refused = books.refuses(lambda without=without: books.create("Item", Name="Drone", **without))  # type: ignore[misc]
        assert (refused.codes, refused.errors[0].element) == (("2020",), name)
    untracked = books.refuses(lambda: books.create("Item", Name="Drone", **{**STOCK, "TrackQtyOnHand": False}))
    assert "Track quantity on hand is turned off" in untracked.errors[0].detail


def test_inventory_on_a_line_needs_a_quantity_and_a_day_of_its_time(books: Books) -> None:
    """n8n 12956: 6520 "Quantity required for inventory item"."""
    made, customer = books.create("Item", Name="Drone", **STOCK), books.customer()
    refused = books.refuses(lambda: books.invoice(customer, sells(made)))
    assert [(one.code, one.message, one.detail) for one in refused.errors] == [
        ("6520", "Missing Inventory Item Quantity", "Quantity required for inventory item")
    ]
    early = books.refuses(lambda: books.invoice(customer, sells(made, Qty=2), TxnDate="2025-12-31"))
    assert early.codes == ("6270",)
    assert books.invoice(customer, sells(made, Qty=2))["TotalAmt"] == 50


def test_an_item_without_an_income_account_cannot_be_sold(books: Books) -> None:
    """The words of JobBox's help 19000159563, the code of a public client of 2026."""
    made = enter(books, Name="Bought only", Type="Service")
    (error,) = books.refuses(lambda: books.invoice(books.customer(), sells(made))).errors
    assert (error.code, error.message) == ("2390", "There is no income account associated with the item")
    assert error.detail.endswith('"Bought only".')
    # It can still be renamed; only its sale needs the account.
    assert books.update("Item", made, Name="Bought")["Name"] == "Bought"


def test_inactive_stock_is_refused_in_words_of_its_own(books: Books) -> None:
    """Two public clients of 2026 quote it; other inactive items are 610."""
    made, customer = books.create("Item", Name="Drone", **STOCK), books.customer()
    books.update("Item", made, Active=False)
    (error,) = books.refuses(lambda: books.invoice(customer, sells(made, Qty=2))).errors
    assert (error.code, error.detail) == (
        "6000",
        "Business Validation Error: You need to activate this item before updating the quantity.",
    )


def test_non_inventory_is_sold_as_a_service_is(books: Books) -> None:
    made = books.create("Item", Name="Print", Type="NonInventory", IncomeAccountRef=INCOME)
    assert books.invoice(books.customer(), sells(made))["TotalAmt"] == 50


def group_of(books: Books) -> dict[str, Any]:
    part = books.create("Item", Name="Scan", Type="Service", IncomeAccountRef=INCOME, UnitPrice=10)
    code = {} if books.company.american else {"SalesTaxCodeRef": {"value": "1"}}
    tool = books.create("Item", Name="Drone", **STOCK, **code)
    if code:
        books.update("Item", part, **code)
    lines = [{"ItemRef": {"value": part["Id"]}, "Qty": 3}, {"ItemRef": {"value": tool["Id"]}, "Qty": 1}]
    return enter(books, Name="Survey", Type="Group", ItemGroupDetail={"ItemGroupLine": lines})


@pytest.mark.parametrize("realm", [USA, UK, CANADA, IRELAND])
def test_a_group_is_sold_as_the_items_in_it(open_books: OpenBooks, realm: str) -> None:
    books = open_books(realm)
    group, customer = group_of(books), books.customer()
    sold = {"DetailType": "GroupLineDetail", "GroupLineDetail": {"GroupItemRef": {"value": group["Id"]}, "Quantity": 2}}
    made = books.invoice(customer, sold, line(5, None if realm == USA else "1"))
    first = made["Line"][0]
    # 2 × (3 × 10 + 25)
    assert (first["Amount"], [one["Amount"] for one in first["GroupLineDetail"]["Line"]]) == (110, [60, 50])
    assert made["Line"][-1]["Amount"] == 115
    tax = made["TxnTaxDetail"]["TotalTax"]
    assert made["TotalAmt"] == 115 + tax
    assert (tax > 0) == (realm != USA)
    again = books.update("Invoice", made, Line=made["Line"])
    assert again["TotalAmt"] == made["TotalAmt"]
    emptied = books.remove("Invoice", "void", again)
    assert {one["Amount"] for one in emptied["Line"][0]["GroupLineDetail"]["Line"]} == {0}


def test_a_group_needs_a_line_of_its_own_kind(books: Books) -> None:
    group, customer = group_of(books), books.customer()
    assert books.refuses(lambda: books.invoice(customer, sells(group))).codes == ("6000",)
    wrong = {"DetailType": "GroupLineDetail", "GroupLineDetail": {"GroupItemRef": {"value": CATEGORY}}}
    assert books.refuses(lambda: books.invoice(customer, wrong)).codes == ("2500",)
    assert books.refuses(lambda: books.create("Item", Name="By API", Type="Group")).codes == ("5030",)
