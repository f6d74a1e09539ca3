"""What QuickBooks answered a shop's connector, 2013 to 2019, as flowlink/quickbooks_integration recorded it: queries, dates,
an invoice and a credit memo in XML. simulator/README.md lists what of those recordings is otherwise here, with the reasons.
"""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Http
from .recorded import recorded, refusal

SHOP = "flowlink/quickbooks_integration"


@pytest.mark.parametrize(
    ("source", "where", "code", "detail"),
    [
        (
            f"{SHOP} update_customer: a sign before a word",
            "PrimayEmailAddr>Address = 'test@example.com'",
            "4000",
            'QueryParserError: Encountered " ">" "> "" at line 1, column 45.',
        ),
        (
            f"{SHOP} update_customer: IN without a list",
            "PrimayEmailAddr in Address = 'test@example.com'",
            "4000",
            'QueryParserError: Encountered " <IDENTIFIER> "Address "" at line 1, column 49.',
        ),
        (
            f"{SHOP} update_customer: a value without quotes",
            "PrimaryEmailAddr.EmailAddress>test@example.com",
            "4000",
            'QueryParserError: Encountered " ">" "> "" at line 1, column 59.',
        ),
        (
            f"{SHOP} update_customer: a property that is none",
            "PrimayEmailAddr.Address = 'test@example.com'",
            "4001",
            "QueryValidationError: Property PrimayEmailAddr.Address not found for Entity Customer",
        ),
        (
            f"{SHOP} update_customer: part of a property",
            "PrimaryEmailAddr.EmailAddress > 'test@example.com' Order By Metadata.LastUpdatedTime",
            "4001",
            "QueryValidationError: Property PrimaryEmailAddr.EmailAddress not found for Entity Customer",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith(SHOP) else "",
    indirect=["source"],
)
def test_a_query_that_is_refused(usa: Http, where: str, code: str, detail: str) -> None:
    answer = usa.get("query", query=f"select * from Customer where {where} STARTPOSITION 1 MAXRESULTS 20")
    error = refusal(answer)
    assert (error["code"], error["Detail"]) == (code, detail)
    assert "element" not in error


@recorded(f"{SHOP} update_vendor: an e-mail address of a vendor")
def test_a_property_that_cannot_be_searched(usa: Http) -> None:
    error = refusal(usa.get("query", query="select * from Vendor where PrimaryEmailAddr = 'orders@example.com'"))
    assert (error["code"], error["Detail"]) == (
        "4001",
        "QueryValidationError: property 'PrimaryEmailAddr' is not queryable",
    )


@recorded(f"{SHOP} update_vendor: no Id between the quotes")
def test_a_query_for_no_id(usa: Http) -> None:
    error = refusal(usa.get("query", query="select * from Vendor where Id = '' STARTPOSITION 1 MAXRESULTS 20"))
    assert (error["code"], error["Detail"]) == ("2030", "Id should be a valid number. Supplied value:")


@pytest.mark.parametrize(
    ("source", "query"),
    [
        (f"{SHOP} get_customers", "Select * from Customer Where Metadata.LastUpdatedTime>'2019-01-13T14:50:22-08:00'"),
        (
            f"{SHOP} get_invoices",
            "Select * from Invoice Where Metadata.LastUpdatedTime>'2019-01-13T14:50:22-08:00' Order By Metadata.LastUpdatedTime",
        ),
        (f"{SHOP} add_invoice", "SELECT * FROM Invoice WHERE DocNumber = '13' STARTPOSITION 1 MAXRESULTS 20"),
        (f"{SHOP} add_customer", "select * from Customer where PrimaryEmailAddr = 'test@example.com' STARTPOSITION 1"),
        (
            f"{SHOP} account/find_by_name",
            "select * from Account where Name = 'Not there' STARTPOSITION 1 MAXRESULTS 20",
        ),
        (
            f"{SHOP} line/build_from_line_items",
            "select * from Item where Name = 'SPR-00001' STARTPOSITION 1 MAXRESULTS 20",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith(SHOP) else "",
    indirect=["source"],
)
def test_a_query_that_is_answered(usa: Http, query: str) -> None:
    answer = usa.get("query", query=query)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"QueryResponse", "time"}


@pytest.mark.parametrize(
    ("source", "day"),
    [
        (f"{SHOP} update_invoice", "2019-03-06 10:43:14 -0800"),
        (f"{SHOP} add_order, of an item", "2019-03-06 19:28:43 UTC"),
        (f"{SHOP} credit_memo/create_from_receipt", "2019-03-06T20:16:58.307Z"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith(SHOP) else "",
    indirect=["source"],
)
def test_a_moment_where_a_date_is_due(usa: Http, birds: dict[str, Any], day: str) -> None:
    """Its day is kept as it is written, without regard to the zone."""
    assert _document(usa, "Invoice", birds, TxnDate=day)["TxnDate"] == "2019-03-06"


@recorded(f"{SHOP} update_invoice 2019-08-02")
def test_full_update_of_an_invoice_in_xml(usa: Http, birds: dict[str, Any]) -> None:
    """A line without Id is a new one; a blank member and what the server makes are passed by."""
    made = _document(usa, "Invoice", birds)
    sent = f"""<?xml version="1.0" encoding="utf-8"?>
        <Invoice xmlns="http://schema.intuit.com/finance/v3" sparse="false"><Id>{made["Id"]}</Id><SyncToken>0</SyncToken>
        <DocNumber>1045</DocNumber><TxnDate>2019-03-06 10:43:14 -0800</TxnDate>
        <Line><Amount>13.0</Amount><DetailType>SalesItemLineDetail</DetailType><SalesItemLineDetail><ItemRef>1</ItemRef>
        <UnitPrice>13.0</UnitPrice><Qty>1.0</Qty></SalesItemLineDetail></Line>
        <TxnTaxDetail><TotalTax>0.0</TotalTax></TxnTaxDetail><CustomerRef>{birds["Id"]}</CustomerRef>
        <TrackingNum/><Balance>0.0</Balance><Deposit>0.0</Deposit></Invoice>"""
    headers = {"Content-Type": "application/xml"}
    answer = usa.session.post(f"{usa.base}/invoice", data=sent, headers=usa.headers(**headers), timeout=10)
    assert answer.status_code == 200, answer.text
    found = answer.json()["Invoice"]
    line, subtotal = found["Line"]
    assert (line["Id"], line["LineNum"], line["Amount"]) == ("2", 1, 13)
    assert line["SalesItemLineDetail"]["TaxCodeRef"] == {"value": "NON"}
    assert subtotal == {"Amount": 13, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
    assert (found["SyncToken"], found["TxnDate"], found["TotalAmt"]) == ("1", "2019-03-06", 13)
    assert (found["Balance"], "TrackingNum" in found) == (13, False)


@recorded(f"{SHOP} add_invoice 2019-08-01")
def test_an_invoice_before_its_item_was_counted(usa: Http, birds: dict[str, Any]) -> None:
    accounts = {f"{kind}AccountRef": {"value": "1"} for kind in ("Income", "Expense", "Asset")}
    stock = {"Type": "Inventory", "TrackQtyOnHand": True, "QtyOnHand": 1, "InvStartDate": "2019-08-01 19:28:43 UTC"}
    item = usa.create("Item", {"Name": "Jersey", **stock, **accounts})
    line = _line(13, ItemRef={"value": item["Id"]})
    sent = {"CustomerRef": {"value": birds["Id"]}, "Line": [line], "TxnDate": "2019-06-20"}
    error = refusal(usa.post("invoice", sent))
    assert (item["InvStartDate"], error["code"]) == ("2019-08-01", "6270")
    assert error["Detail"] == (
        "Transactions with inventory (QOH) products cant be dated earlier than the Inventory Start Date for the product"
    )


@recorded(f"{SHOP} credit_memo/create_from_return 2014-02-18")
def test_a_credit_memo_of_a_return(usa: Http, birds: dict[str, Any]) -> None:
    """A negative line takes from it; what only a receipt has, and a rate of nothing, is left out."""
    off = _line(-3, RatePercent=0)
    only_of_receipts = {"DepositToAccountRef": {"value": "1"}, "PaymentMethodRef": {"value": "3"}}
    made = _document(usa, "CreditMemo", birds, Line=[_line(44, RatePercent=0), off], TotalAmt=129, **only_of_receipts)
    assert (made["TotalAmt"], made["Balance"], made["RemainingCredit"]) == (41, 41, 41)
    assert not {"DepositToAccountRef", "PaymentMethodRef", "DueDate"} & set(made)
    assert [line["Id"] for line in made["Line"][:-1]] == ["1", "2"]
    assert not any("RatePercent" in line.get("SalesItemLineDetail", {}) for line in made["Line"])
    assert (made["PrintStatus"], made["EmailStatus"], made["ApplyTaxAfterDiscount"]) == ("NeedToPrint", "NotSet", False)


def _line(amount: int, **detail: Any) -> dict[str, Any]:
    of = {"ItemRef": {"value": "1"}, "Qty": 1, "UnitPrice": amount, **detail}
    return {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": of}


def _document(usa: Http, entity: str, customer: dict[str, Any], **members: Any) -> dict[str, Any]:
    return usa.create(entity, {"CustomerRef": {"value": customer["Id"]}, "Line": [_line(10)], **members})
