"""Queries, lists and change data capture as public repositories recorded them: each row has its source in its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator import USA, Simulator

from .conftest import Http
from .recorded import CUSTOMER, MADE_BY_THE_SERVER, MORE, QBO_API, Connect, invoice, recorded


@recorded("minimul/qbo_api all/customers.yml")
def test_a_list_of_customers(usa: Http, birds: dict[str, Any]) -> None:
    """The order of full names, jobs below their parent, no `totalCount`."""
    jack = usa.create("Customer", {"DisplayName": "Doe, Jack"})
    usa.create("Customer", {"DisplayName": "Doe, Jane"})
    usa.create("Customer", {"DisplayName": "Araborn"})
    job = {"DisplayName": "Jack Doe", "Job": True, "BillWithParent": True, "ParentRef": {"value": jack["Id"]}}
    usa.create("Customer", job)
    found = usa.get("query", query="SELECT * FROM Customer MAXRESULTS 1000 STARTPOSITION 1").json()["QueryResponse"]
    assert set(found) == {"Customer", "startPosition", "maxResults"}
    names = [one["FullyQualifiedName"] for one in found["Customer"]]
    assert names == ["Amy's Bird Sanctuary", "Araborn", "Doe, Jack", "Doe, Jack:Jack Doe", "Doe, Jane"]
    shown = found["Customer"][3]
    assert set(shown) == CUSTOMER | {"ParentRef", "Level"} | set(MORE["Customer"])
    assert {name: shown[name] for name in ("Job", "BillWithParent", "ParentRef", "Level", "PrintOnCheckName")} == {
        "Job": True,
        "BillWithParent": True,
        "ParentRef": {"value": jack["Id"]},
        "Level": 1,
        "PrintOnCheckName": "Jack Doe",
    }
    assert birds["Id"] == found["Customer"][0]["Id"]


@pytest.mark.parametrize(
    ("source", "query", "expected"),
    [
        (
            "minimul/qbo_api all/alt_select.yml",
            "SELECT count(*) FROM Customer WHERE Id IN ('5', '6', '7')",
            {"totalCount": 1},
        ),
        (
            "minimul/qbo_api all/alt_select.yml",
            "SELECT * FROM Customer WHERE Id IN ('99') AND Active IN (true, false)",
            {},
        ),
        ("minimul/qbo_api all/vendors_by_5.yml", "SELECT * FROM Vendor MAXRESULTS 2 STARTPOSITION 3", ("Vendor", 3, 1)),
        (
            "minimul/qbo_api get/display_name.yml",
            r"SELECT * FROM Customer WHERE DisplayName = 'Amy\'s Bird Sanctuary'",
            ("Customer", 1, 1),
        ),
        ("minimul/qbo_api misc/ampersand.yml", "SELECT * FROM Vendor WHERE DisplayName = 'Robertson & Associates'", {}),
        (
            "minimul/qbo_api get/inactive_vendors.yml",
            "SELECT * FROM Vendor WHERE Active IN (true, false)",
            ("Vendor", 1, 3),
        ),
        (
            "minimul/qbo_api all/employees_including_active.yml",
            "SELECT COUNT(*) FROM Employee WHERE Active IN (true, false)",
            {"totalCount": 2},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".yml") else "-",
)
def test_queries(usa: Http, birds: dict[str, Any], source: str, query: str, expected: Any) -> None:
    """minimul/qbo_api, the file that the row names."""
    answer = usa.get("query", query=query)
    assert answer.status_code == 200, source
    found = answer.json()["QueryResponse"]
    if isinstance(expected, tuple):
        entity, first, count = expected
        assert (found["startPosition"], found["maxResults"], len(found[entity])) == (first, count, count)
    else:
        assert found == expected


@recorded("minimul/qbo_api all/sales_receipts.yml")
def test_transactions_are_listed_newest_change_first(usa: Http, birds: dict[str, Any]) -> None:
    """17, 11, 47, 38 by LastUpdatedTime."""
    usa.control("POST", "clock", {"freeze": True})
    made = []
    for _ in range(3):
        made.append(invoice(usa, birds)["Id"])
        usa.control("POST", "clock", {"advance": 60})
    usa.create("Invoice", {"Id": made[1], "SyncToken": "0", "sparse": True, "PrivateNote": "x"})
    found = usa.get("query", query="SELECT * FROM Invoice").json()["QueryResponse"]["Invoice"]
    assert [one["Id"] for one in found] == [made[1], made[2], made[0]]


@recorded("minimul/qbo_api cdc/basic.yml")
def test_change_data_capture(start: Callable[..., Simulator], connect: Connect) -> None:
    """Lower case, nine years back, oldest change first. By default that is refused."""
    usa = connect(start(cdc_reach="any"), USA)
    for name in ("B", "A"):
        usa.create("Customer", {"DisplayName": name})
        usa.control("POST", "clock", {"advance": 60})
    found = usa.get("cdc", entities="customer", changedSince="2011-10-10T09:00:00-07:00").json()
    (answer,) = found["CDCResponse"][0]["QueryResponse"]
    assert set(answer) == {"Customer", "startPosition", "maxResults"}
    assert ([one["DisplayName"] for one in answer["Customer"]], answer["maxResults"]) == (["B", "A"], 2)


@recorded("minimul/qbo_api deactivate/employee.yml and deactivate/account.yml")
def test_an_update_that_changes_nothing(usa: Http) -> None:
    """SyncToken and time stay."""
    old = usa.create("Customer", {"DisplayName": "Emily Platt Ltd"})
    gone = {"Id": old["Id"], "sparse": True, "Active": False}
    first = usa.create("Customer", {**gone, "SyncToken": "0"})
    usa.control("POST", "clock", {"advance": 60})
    again = usa.create("Customer", {**gone, "SyncToken": "1"})
    assert first["DisplayName"] == "Emily Platt Ltd (deleted)"
    assert again == first


@pytest.mark.parametrize(
    ("path", "source", "members"),
    [
        (
            "account/1",
            f"{QBO_API}/deactivate/account.yml",
            {
                *("Name", "SubAccount", "FullyQualifiedName", "Active", "Classification", "AccountType"),
                *("AccountSubType", "CurrentBalance", "CurrentBalanceWithSubAccounts", "CurrencyRef"),
            },
        ),
        (
            "employee/4",
            f"{QBO_API}/deactivate/employee.yml",
            {"BillableTime", "GivenName", "FamilyName", "DisplayName", "PrintOnCheckName", "Active"},
        ),
        (
            "item/1",
            "quickbooks-ruby spec/fixtures/item.xml",
            {
                *("Name", "Description", "Active", "Taxable", "UnitPrice", "Type", "IncomeAccountRef"),
                *("PurchaseCost", "TrackQtyOnHand", "FullyQualifiedName"),
            },
        ),
        (
            "class/5000000000000000001",
            "quickbooks-ruby spec/fixtures/class.xml",
            {"Name", "SubClass", "FullyQualifiedName", "Active"},
        ),
        (
            "department/1",
            "quickbooks-ruby spec/fixtures/department.xml",
            {"Name", "SubDepartment", "FullyQualifiedName", "Active"},
        ),
        (
            "taxrate/1",
            "quickbooks-ruby spec/fixtures/tax_rate.xml",
            {
                *("Name", "Description", "Active", "RateValue", "AgencyRef", "EffectiveTaxRate"),
                *("SpecialTaxType", "DisplayType"),
            },
        ),
        (
            "taxagency/1",
            "quickbooks-ruby spec/fixtures/tax_agency_entity.xml",
            {"DisplayName", "TaxTrackedOnPurchases", "TaxTrackedOnSales"},
        ),
        (
            "term/1",
            "quickbooks-ruby spec/fixtures/terms.xml",
            {"Name", "Active", "Type", "DiscountPercent", "DueDays"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_members_of_lists(usa: Http, path: str, source: str, members: set[str]) -> None:
    (found,) = (value for name, value in usa.get(path).json().items() if name != "time")
    assert set(found) == MADE_BY_THE_SERVER | members, source
