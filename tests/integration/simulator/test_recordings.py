"""What real companies answered, as public repositories recorded it: each row has its source in its name.

A row sends what was sent there (to a company of ours, so names and ids differ) and compares every member. What the
simulator has besides is in `MORE`, with its reason; simulator/README.md lists what it does not do at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from simulator import USA, Simulator

from .conftest import FINCH_STREET, Http
from .recorded import CUSTOMER, GONE, INVOICE, LINE, MORE, SUBTOTAL, USD, VENDOR, Connect, invoice, recorded, refusal


@recorded("minimul/qbo_api create/customer.yml 2020-09-29")
def test_create_customer(usa: Http) -> None:
    made = usa.create("Customer", {"DisplayName": "Doe5, Jane"})
    assert set(made) == CUSTOMER | set(MORE["Customer"])
    recorded = {
        "Taxable": True,
        "Job": False,
        "BillWithParent": False,
        "Balance": 0,
        "BalanceWithJobs": 0,
        "CurrencyRef": USD,
        "PreferredDeliveryMethod": "Print",
        "domain": "QBO",
        "sparse": False,
        "SyncToken": "0",
        "FullyQualifiedName": "Doe5, Jane",
        "DisplayName": "Doe5, Jane",
        "PrintOnCheckName": "Doe5, Jane",
        "Active": True,
    }
    assert {name: made[name] for name in recorded} == recorded
    assert set(made["DefaultTaxCodeRef"]) == {"value"}
    assert made["MetaData"]["CreateTime"] == made["MetaData"]["LastUpdatedTime"]


@recorded("minimul/qbo_api update/customer.yml 2020-09-29")
def test_full_update_of_a_customer(usa: Http) -> None:
    """A rename by a full update."""
    old = usa.create("Customer", {"DisplayName": "Doe2, Jane"})
    payload = {"DisplayName": "Jack Moe", "PrimaryPhone": {"FreeFormNumber": "(415) 444-1234"}}
    made = usa.create("Customer", {**payload, "Id": old["Id"], "SyncToken": "0"})
    assert set(made) == CUSTOMER | {"PrimaryPhone"} | set(MORE["Customer"])
    names = {made[name] for name in ("FullyQualifiedName", "DisplayName", "PrintOnCheckName")}
    assert (names, made["SyncToken"], made["Taxable"]) == ({"Jack Moe"}, "1", True)
    assert made["DefaultTaxCodeRef"] == old["DefaultTaxCodeRef"]


@recorded("minimul/qbo_api create/invoice.yml 2020-09-29")
def test_create_invoice(usa: Http, birds: dict[str, Any]) -> None:
    made = invoice(usa, birds)
    # DocNumber is there in a company that numbers on its own, as the recorded one does.
    assert set(made) == INVOICE
    switched = [name for name in made if name.startswith("Allow")]
    assert len(switched) == 4
    assert not any(made[name] for name in (*switched, "ApplyTaxAfterDiscount", "sparse"))
    assert (made["PrintStatus"], made["EmailStatus"], made["LinkedTxn"]) == ("NeedToPrint", "NotSet", [])
    assert (made["TxnTaxDetail"], made["CurrencyRef"]) == ({"TotalTax": 0}, USD)
    assert made["CustomerRef"] == {"value": birds["Id"], "name": "Amy's Bird Sanctuary"}
    assert (made["TotalAmt"], made["Balance"]) == (100, 100)
    # The company's default term, 30 days: 2020-10-29 for 2020-09-29.
    days = date.fromisoformat(made["DueDate"]) - date.fromisoformat(made["TxnDate"])
    assert days.days == 30
    assert all(set(one) == {"DefinitionId", "Name", "Type"} for one in made["CustomField"])
    line, subtotal = made["Line"]
    account = line["SalesItemLineDetail"].pop("ItemAccountRef")
    assert account["name"], MORE["SalesItemLineDetail"]
    detail = {"ItemRef": {"value": "1", "name": "Services"}, "TaxCodeRef": {"value": "NON"}}
    assert line == {**LINE, "Id": "1", "LineNum": 1, "SalesItemLineDetail": detail}
    assert subtotal == {"Amount": 100, **SUBTOTAL}


@recorded("minimul/qbo_api create/invoice.yml")
def test_addresses_of_an_invoice_are_those_of_its_customer(birds: dict[str, Any], usa: Http) -> None:
    """Both addresses have the customer's one Id."""
    made = invoice(usa, birds)
    assert made["BillAddr"] == made["ShipAddr"] == birds["BillAddr"] == birds["ShipAddr"]
    assert set(birds["BillAddr"]) == {"Id", *FINCH_STREET}


@recorded("minimul/qbo_api void/invoice.yml 2022-09-02")
def test_void_invoice(usa: Http, birds: dict[str, Any]) -> None:
    old = invoice(usa, birds)
    answer = usa.post("invoice", {"Id": old["Id"], "SyncToken": "0"}, operation="void")
    lines = [{**line, "Amount": 0} for line in old["Line"]]
    changed = {"SyncToken": "1", "PrivateNote": "Voided", "Line": lines, "TotalAmt": 0, "Balance": 0}
    found = answer.json()["Invoice"]
    assert found == {**old, **changed, "MetaData": found["MetaData"]}


@recorded("minimul/qbo_api delete/invoice.yml 2020-09-29")
def test_delete_invoice(usa: Http, birds: dict[str, Any]) -> None:
    old = invoice(usa, birds)
    answer = usa.post("invoice", {"Id": old["Id"], "SyncToken": "0"}, operation="delete").json()
    assert answer == {"Invoice": {"domain": "QBO", "status": "Deleted", "Id": old["Id"]}, "time": answer["time"]}


@recorded("minimul/qbo_api all/customers.yml")
def test_a_document_moves_the_time_of_its_customer(usa: Http, birds: dict[str, Any]) -> None:
    """Customer 1 has SyncToken 0, and the time of the delete in delete/invoice.yml."""
    usa.control("POST", "clock", {"freeze": True})
    made = None
    for operation in ("create", "delete"):
        now = usa.control("POST", "clock", {"advance": 60})["time"]
        if made is None:
            made = invoice(usa, birds)
        else:
            usa.post("invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="delete")
        shown = usa.get(f"customer/{birds['Id']}").json()["Customer"]
        moved = datetime.fromisoformat(shown["MetaData"]["LastUpdatedTime"]).timestamp()
        assert (shown["SyncToken"], moved) == ("0", int(now)), operation


@recorded("minimul/qbo_api batch/basic.yml 2020-09-29")
def test_batch(usa: Http, birds: dict[str, Any]) -> None:
    stale = invoice(usa, birds)
    usa.create("Invoice", {"Id": stale["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"})
    note = {"Id": stale["Id"], "SyncToken": "0", "sparse": True, "domain": "QBO", "PrivateNote": "A private note."}
    items = [
        {"bId": "bid1", "operation": "create", "Vendor": {"DisplayName": "Boraski Family Store"}},
        {"bId": "bid2", "operation": "update", "Customer": {"Id": "99", "SyncToken": "0", "sparse": True}},
        {"bId": "bid3", "operation": "update", "Invoice": note},
        {"bId": "bid4", "Query": "select * from Invoice where TotalAmt > '50.00'"},
    ]
    answer = usa.post("batch", {"BatchItemRequest": items}).json()
    assert set(answer) == {"BatchItemResponse", "time"}
    found = {one.pop("bId"): one for one in answer["BatchItemResponse"]}
    vendor = found["bid1"]["Vendor"]
    assert set(vendor) == VENDOR
    assert (vendor["Balance"], vendor["Vendor1099"], vendor["CurrencyRef"]) == (0, False, USD)
    error = {"Message": "Object Not Found", "Detail": GONE, "code": "610", "element": ""}
    assert found["bid2"] == {"Fault": {"Error": [error], "type": "ValidationFault"}}
    detail = (
        "Stale Object Error : You and Olivia Owner were working on this at the same time. "
        "Olivia Owner finished before you did, so your work was not saved."
    )
    error = {"Message": "Stale Object Error", "Detail": detail, "code": "5010", "element": ""}
    assert found["bid3"] == {"Fault": {"Error": [error], "type": "ValidationFault"}}
    assert set(found["bid4"]["QueryResponse"]) == {"Invoice", "startPosition", "maxResults"}


@recorded("minimul/qbo_api error/400.yml")
def test_an_unknown_entity_in_a_query(usa: Http) -> None:
    """4001 without `element`."""
    assert refusal(usa.get("query", query="SELECT * FROM Custmoer")) == {
        "Message": "Invalid query",
        "Detail": "QueryValidationError: invalid context declaration: Custmoer",
        "code": "4001",
    }


@recorded("minimul/qbo_api error/400_json.yml")
def test_an_unknown_member(usa: Http) -> None:
    """2010 without `element`, with the properties that there are."""
    error = refusal(usa.post("invoice", {"BadJson": True}))
    assert set(error) == {"Message", "Detail", "code"}
    assert (error["code"], error["Message"]) == ("2010", "Request has invalid or unsupported property")
    assert error["Detail"].startswith(
        'Property Name:Unrecognized field "BadJson" (class com.intuit.schema.finance.v3.Invoice), '
        "not marked as ignorable ("
    )
    assert re.search(r'known properties: ("\w+", )+"\w+" \[truncated\]\]\)', error["Detail"])
    assert error["Detail"].endswith(" specified is unsupported or invalid")


@recorded("minimul/qbo_api error/401.yml")
def test_an_expired_token(usa: Http) -> None:
    """The gateway's body and its header."""
    usa.control("POST", "tokens", {"action": "expire_access"})
    answer = usa.get("customer/1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Intuit", error="invalid_token"'
    found = answer.json()
    error = found["fault"]["error"][0]
    assert error.pop("detail").startswith("Token expired: ")
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    assert error == {"message": message, "code": "3200", "element": None}
    assert isinstance(found.pop("time"), int)
    assert found.pop("fault") == {"error": [error], "type": "AUTHENTICATION"}
    lists = {name for name, value in found.items() if value == []}
    assert lists == {"batchItemResponse", "attachableResponse", "cdcresponse"}
    assert {name for name, value in found.items() if value is None} == {
        *("warnings", "intuitObject", "report", "queryResponse", "syncErrorResponse", "requestId", "status"),
    }


@recorded("minimul/qbo_api error/500.yml")
def test_a_path_that_is_none(usa: Http) -> None:
    """500 without `element`, with `time`."""
    answer = usa.get("customer/1/5")
    path = f"/v3/company/{USA}/customer/1/5"
    assert refusal(answer) == {
        "Message": "Unsupported Operation",
        "Detail": f"Operation Could not find resource for relative : {path} of full path: "
        f"https://c50.qbo.intuit.com/qbo50{path} is not supported.",
        "code": "500",
    }
    assert "time" in answer.json()


@recorded("minimul/qbo_api error/500.yml")
def test_an_id_that_is_no_number(usa: Http) -> None:
    """2030 with `element`, without `time`."""
    answer = usa.get("customer/1.5")
    detail = "Id should be a valid number. Supplied value:1.5"
    assert refusal(answer) == {"Message": "Invalid ID", "Detail": detail, "code": "2030", "element": "Id"}
    assert set(answer.json()) == {"Fault"}


@recorded("minimul/qbo_api error/validation.yml")
def test_a_name_that_is_taken(start: Callable[..., Simulator], connect: Connect) -> None:
    """6240 without `element`; `null` is one of its recorded details."""
    usa = connect(start(duplicate_name_detail="null"), USA)
    usa.create("Customer", {"DisplayName": "Weiskopf Consulting"})
    assert refusal(usa.post("customer", {"DisplayName": "Weiskopf Consulting"})) == {
        "Message": "Duplicate Name Exists Error",
        "Detail": "The name supplied already exists. : null",
        "code": "6240",
    }


@recorded("minimul/qbo_api create/invoice.yml")
def test_headers(usa: Http) -> None:
    """The headers of an answer."""
    headers = usa.get("companyinfo/1").headers
    assert headers["Expires"] == "0"
    assert headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"
    assert headers["Content-Type"].lower() == "application/json;charset=utf-8"
    assert re.fullmatch(r"total=\d+, db=\d+", headers["Service-Time"])
    assert re.fullmatch(r"\d+\.\d+", headers["QBO-Version"])
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", headers["intuit_tid"])
