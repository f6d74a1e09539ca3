"""What dated reports say of refusals that end by themselves, a row each, with its source in the name of the test."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from simulator import USA, Simulator

from .conftest import Http, fault_codes

Connect = Callable[[Simulator, str], Http]
LARCH = {"DisplayName": "Larch"}


@pytest.fixture
def usa(intuit: Simulator, connect: Connect) -> Http:
    return connect(intuit, USA)


def strike(usa: Http, kind: str, **rule: object) -> None:
    usa.control("POST", "faults", {"kind": kind, "count": 1, **rule})


def detail(answer: requests.Response) -> str:
    return str(answer.json()["Fault"]["Error"][0]["Detail"])


def test_qbo_api_pr_88_one_name_at_a_time(start: Callable[..., Simulator], connect: Connect) -> None:
    usa = connect(start(name_lock="on", name_write_milliseconds=300), USA)

    def create(name: str) -> requests.Response:
        return requests.post(f"{usa.base}/customer", json={"DisplayName": name}, headers=usa.headers(), timeout=30)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(create, "ABCD"))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    refused = {detail(answer) for answer in answers if answer.status_code == 400}
    assert refused == {"Business Validation Error: You can only add or edit one name at a time. Please try again."}


def test_quickbooks_ruby_pr_344_and_node_quickbooks_48_try_again(usa: Http) -> None:
    seen = set()
    strike(usa, "try_again", count=40, seed=1)
    for _ in range(40):
        answer = usa.post("customer", LARCH)
        assert (answer.status_code, fault_codes(answer)) == (400, ["6000"])
        assert "try again" in detail(answer)
        seen.add(detail(answer).partition("(")[2].rstrip(")"))
    assert seen == {"-30000", "-30035", "-30003", "-10600"}
    assert usa.post("customer", LARCH).status_code == 200


def test_fo_qbo_6000_and_the_object_was_saved(usa: Http) -> None:
    strike(usa, "saved_anyway")
    assert fault_codes(usa.post("customer", LARCH)) == ["6000"]
    assert usa.query("select * from Customer where DisplayName = 'Larch'").json()["QueryResponse"]["maxResults"] == 1


@pytest.mark.parametrize("batched", [False, True])
def test_quickbooks_ruby_pr_344_and_qbo_api_pr_88_a_request_id_used_again(usa: Http, batched: bool) -> None:
    item = {"bId": "1", "operation": "create", "Customer": LARCH}
    path, body = ("batch", {"BatchItemRequest": [item]}) if batched else ("customer", LARCH)
    assert usa.post(path, body, requestid="r").status_code == 200
    strike(usa, "requestid_used")
    answer = usa.post(path, body, requestid="r")
    found = answer.json()["BatchItemResponse"][0] if batched else answer.json()
    (error,) = found["Fault"]["Error"]
    assert (answer.status_code, error["code"], error["element"]) == (200 if batched else 400, "6000", "")
    assert error["Detail"] == (
        "Business Validation Error: An unexpected error occurred while accessing or saving your data. "
        "Please wait a few minutes and try again.  If the problem persists, contact customer support."
    )


def test_quickbooks_ruby_pr_612_a_fault_in_lower_case(usa: Http) -> None:
    assert usa.post("customer", LARCH).status_code == 200
    strike(usa, "lower_case")
    answer = usa.post("customer", LARCH)
    body = answer.json()
    assert (answer.status_code, type(body.pop("time"))) == (400, int)
    assert body == {
        "fault": {
            "error": [
                {
                    "message": "Duplicate Name Exists Error",
                    "detail": "The name supplied already exists. : null",
                    "code": "6240",
                }
            ],
            "type": "ValidationFault",
        },
        "batchItemResponse": [],
        "attachableResponse": [],
        "cdcresponse": [],
    }
    assert "Fault" in usa.post("customer", LARCH).json()


def test_qbo_api_81_unsupported_operation_on_a_path_that_worked(usa: Http) -> None:
    strike(usa, "unsupported")
    answer = usa.query("select * from Customer")
    assert (answer.status_code, fault_codes(answer)) == (400, ["500"])
    assert detail(answer).startswith("Operation Could not find resource for relative : /v3/company/")
    assert usa.query("select * from Customer").status_code == 200


def test_quickbooks_ruby_363_404_with_html_on_a_valid_path(usa: Http) -> None:
    strike(usa, "not_found_page", path="/batch")
    body = {"BatchItemRequest": [{"bId": "1", "operation": "create", "Customer": LARCH}]}
    answer = usa.post("batch", body)
    assert (answer.status_code, answer.text.startswith("<!doctype html>")) == (404, True)
    assert usa.post("batch", body).status_code == 200


@pytest.mark.parametrize("code", ["3100", "120"])
def test_qbo_api_81_and_96_http_500_with_the_code_of_a_lost_permission(usa: Http, code: str) -> None:
    strike(usa, "server_error", code=code)
    answer = usa.post("customer", LARCH)
    assert (answer.status_code, f'"code":"{code}"' in answer.text) == (500, True)
    assert usa.post("customer", LARCH).status_code == 200


def test_dotnet_81_and_111_java_47_php_216_a_bad_address_breaks_each_query_that_returns_it(
    start: Callable[..., Simulator], connect: Connect
) -> None:
    usa = connect(start(bad_email_in_query="4002"), USA)
    usa.create("Customer", LARCH)
    sold = {"DetailType": "SalesItemLineDetail", "Amount": 5, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    for number in ("1", "2"):
        usa.create("Invoice", {"CustomerRef": {"value": "6"}, "Line": [sold], "DocNumber": number})
    typed = {"BillEmail": {"Address": "a@x.com/b@x.com"}}
    usa.control(
        "POST", "bookkeeper", {"realm": USA, "action": "type", "entity": "Invoice", "id": "1", "members": typed}
    )
    answer = usa.query("select * from Invoice")
    assert fault_codes(answer) == ["4002"]
    assert detail(answer) == "QueryProcessingError: To email address entered is invalid"
    assert usa.query("select * from Invoice where DocNumber = '2'").status_code == 200


def test_python_quickbooks_208_a_closed_period_as_5010(usa: Http) -> None:
    usa.create("Customer", LARCH)
    strike(usa, "period_closed")
    sold = {"DetailType": "SalesItemLineDetail", "Amount": 5, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    answer = usa.post("invoice", {"CustomerRef": {"value": "6"}, "Line": [sold]})
    assert (fault_codes(answer), "Account Period Closed" in detail(answer)) == (["5010"], True)


def test_intuit_blog_2025_08_13_a_country_that_comes_back_as_a_code(usa: Http) -> None:
    strike(usa, "country_code")
    made = usa.create("Customer", {**LARCH, "BillAddr": {"Country": "Ireland"}})
    assert made["BillAddr"]["Country"] == "IRL"
