"""Intuit's envelopes, headers and fault shapes over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from simulator import UK, USA, Simulator

from .conftest import BASIC, Http, fault_codes

Connect = Callable[[Simulator, str], Http]


@pytest.fixture
def usa(intuit: Simulator, connect: Connect) -> Http:
    return connect(intuit, USA)


def test_envelope_and_headers_of_an_answer(usa: Http) -> None:
    answer = usa.post("customer", {"DisplayName": "Larch"}, minorversion="75")
    assert set(answer.json()) == {"Customer", "time"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-0[78]:00", answer.json()["time"])
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", answer.headers["intuit_tid"])
    assert answer.headers["Service-Time"].startswith("total=")
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert "QBO-Version" in answer.headers


def test_a_service_fault_is_upper_case_with_codes_in_strings(usa: Http) -> None:
    answer = usa.post("customer", {"DisplayName": "x", "BadJson": 1})
    assert answer.status_code == 400
    (error,) = answer.json()["Fault"]["Error"]
    assert answer.json()["Fault"]["type"] == "ValidationFault"
    assert error["code"] == "2010"
    assert "time" in answer.json()


def test_several_errors_come_at_once(usa: Http) -> None:
    answer = usa.post("invoice", {"DocNumber": "x" * 45, "CustomerRef": {"value": "1"}})
    assert fault_codes(answer) == ["2050", "2020"]
    assert "Min:0 Max:21 supported. Supplied length:45" in answer.json()["Fault"]["Error"][0]["Detail"]


def test_an_absent_object_is_400_and_610_not_404(usa: Http) -> None:
    answer = usa.get("invoice/999")
    assert (answer.status_code, fault_codes(answer)) == (400, ["610"])


def test_an_unknown_path_or_method_is_500_unsupported_operation(usa: Http) -> None:
    answer = usa.get("nonsense/1")
    assert (answer.status_code, fault_codes(answer)) == (400, ["500"])
    assert answer.json()["Fault"]["Error"][0]["Detail"] == (
        f"Operation Could not find resource for relative : /v3/company/{USA}/nonsense/1 of full path: "
        f"https://c50.qbo.intuit.com/qbo50/v3/company/{USA}/nonsense/1 is not supported."
    )
    answer = usa.session.put(f"{usa.base}/customer", json={}, headers=usa.headers(), timeout=60)
    assert fault_codes(answer) == ["500"]


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        pytest.param(
            b'{"GivenName":"R\xe9mi"}',
            "2010",
            "Property Name:Invalid UTF-8 middle byte 0x6d specified is unsupported or invalid",
            id="Java SDK 181",
        ),
        pytest.param(
            b'{"DisplayName":"\xff"}',
            "2010",
            "Property Name:Invalid UTF-8 start byte 0xff specified is unsupported or invalid",
            id="the same, of a byte that starts nothing",
        ),
        pytest.param(b"", "2310", "ObjectParserError: Request Body is Empty", id="node-quickbooks 156"),
    ],
)
def test_a_body_that_is_no_text(usa: Http, body: bytes, code: str, detail: str) -> None:
    kind = usa.headers(**{"Content-Type": "application/json"})
    answer = usa.session.post(f"{usa.base}/customer", data=body, headers=kind, timeout=60)
    (error,) = answer.json()["Fault"]["Error"]
    assert (answer.status_code, error["code"], error["Detail"]) == (400, code, detail)


def test_a_dead_token_is_401_in_the_gateways_lower_case(usa: Http) -> None:
    usa.control("POST", "clock", {"advance": 3600})
    answer = usa.get("companyinfo/1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Intuit", error="invalid_token"'
    body = answer.json()
    (error,) = body["fault"]["error"]
    assert (error["code"], body["fault"]["type"]) == ("3200", "AUTHENTICATION")
    assert error["message"] == "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    assert error["detail"].startswith("Token expired: ")
    assert isinstance(body["time"], int)
    assert "Fault" not in body


def test_a_token_opens_its_own_company_only(usa: Http, connect: Connect) -> None:
    stranger = connect(usa.intuit, UK)
    stranger.realm = USA
    answer = stranger.get("companyinfo/1")
    assert answer.status_code == 403
    (error,) = answer.json()["fault"]["error"]
    assert (error["code"], error["detail"], answer.json()["fault"]["type"]) == ("3100", None, "SERVICE")
    assert error["message"] == "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403"


def test_without_an_accept_header_for_json_the_answer_is_xml(usa: Http) -> None:
    headers = {**usa.headers(), "Accept": "*/*"}
    answer = usa.session.get(f"{usa.base}/companyinfo/{USA}", headers=headers, timeout=60)
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"')
    assert "<CompanyName>Larch &amp; Co Design</CompanyName>" in answer.text


def test_a_query_comes_by_get_or_post(usa: Http) -> None:
    text = "select count(*) from Term"
    assert usa.get("query", query=text).json()["QueryResponse"] == {"totalCount": 4}
    assert usa.query(text).json()["QueryResponse"] == {"totalCount": 4}
    answer = usa.post("query", {"query": text})
    assert fault_codes(answer) == ["500"]


def test_switch_query_url_limit(start: Callable[..., Simulator], connect: Connect) -> None:
    usa = connect(start(query_url_limit=20), USA)
    assert fault_codes(usa.get("query", query="select count(*) from Term")) == ["500"]
    assert usa.query("select count(*) from Term").status_code == 200


def test_a_parser_fault_has_no_time(usa: Http) -> None:
    assert set(usa.query("select").json()) == {"Fault"}


def test_void_delete_and_override_are_query_parameters(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    body = {
        "CustomerRef": {"value": "6"},
        "DocNumber": "1",
        "Line": [
            {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
        ],
    }
    first = usa.create("Invoice", body)
    assert fault_codes(usa.post("invoice", body)) == ["6140"]
    second = usa.create("Invoice", body, include="allowduplicatedocnum")
    named = {"Id": first["Id"], "SyncToken": "0"}
    assert usa.post("invoice", named, operation="void").json()["Invoice"]["PrivateNote"] == "Voided"
    named = {"Id": second["Id"], "SyncToken": "0"}
    gone = usa.post("invoice", named, operation="delete").json()
    assert gone["Invoice"] == {"domain": "QBO", "status": "Deleted", "Id": second["Id"]}
    assert fault_codes(usa.get(f"invoice/{second['Id']}")) == ["610"]
    paid = usa.create("Payment", {"CustomerRef": {"value": "6"}, "TotalAmt": 5})
    sparse = {"Id": paid["Id"], "SyncToken": "0", "sparse": True}
    assert usa.post("payment", sparse, operation="update", include="void").json()["Payment"]["TotalAmt"] == 0


def test_messages_are_in_the_companys_language_and_codes_are_not(usa: Http) -> None:
    usa.control("PUT", "settings", {"duplicate_name_detail": "id"})
    usa.control("POST", "bookkeeper", {"realm": USA, "action": "profile", "members": {"language": "fr"}})
    usa.create("Customer", {"DisplayName": "Larch"})
    (error,) = usa.post("customer", {"DisplayName": "Larch"}).json()["Fault"]["Error"]
    assert error == {"Message": "Nom en double", "Detail": "Ce nom existe déjà. : Id=6", "code": "6240"}


def test_switch_validation_fault_status(start: Callable[..., Simulator], connect: Connect) -> None:
    usa = connect(start(validation_fault_status=200), USA)
    answer = usa.post("customer", {})
    assert (answer.status_code, fault_codes(answer)) == (200, ["6080"])


def test_a_company_that_is_locked_under_maintenance_or_out_of_reach(usa: Http) -> None:
    for status, code in (("locked", "140"), ("maintenance", "150"), ("no_access", "120")):
        usa.control("POST", "bookkeeper", {"realm": USA, "action": "profile", "members": {"status": status}})
        assert fault_codes(usa.get("companyinfo/1")) == [code]


def test_an_ended_subscription_can_be_read_but_not_written(usa: Http) -> None:
    usa.control("POST", "bookkeeper", {"realm": USA, "action": "profile", "members": {"status": "subscription_ended"}})
    assert usa.get("companyinfo/1").status_code == 200
    assert fault_codes(usa.post("customer", {"DisplayName": "x"})) == ["6190"]


def test_batch_items_stand_alone_and_come_back_in_no_order(usa: Http) -> None:
    items: list[dict[str, Any]] = [
        {"bId": f"b{number}", "operation": "create", "Customer": {"DisplayName": f"C{number % 9}"}}
        for number in range(10)
    ]
    items.append({"bId": "q", "Query": "select count(*) from Customer"})
    answer = usa.post("batch", {"BatchItemRequest": items})
    assert answer.status_code == 200
    found = {one["bId"]: one for one in answer.json()["BatchItemResponse"]}
    assert list(found) != [one["bId"] for one in items]
    assert found["b0"]["Customer"]["DisplayName"] == "C0"
    assert found["b9"]["Fault"]["Error"][0]["code"] == "6240"
    # An item does not see what another one made.
    assert found["q"]["QueryResponse"] == {"totalCount": 0}


def test_a_batch_holds_thirty_items_at_most(usa: Http) -> None:
    items = [{"bId": str(number), "Query": "select * from Term"} for number in range(31)]
    assert fault_codes(usa.post("batch", {"BatchItemRequest": items})) == ["1040"]


def test_switch_batch_items(start: Callable[..., Simulator], connect: Connect) -> None:
    usa = connect(start(batch_items=1), USA)
    items = [{"bId": str(number), "Query": "select * from Term"} for number in range(2)]
    assert fault_codes(usa.post("batch", {"BatchItemRequest": items})) == ["1040"]
    assert usa.post("batch", {"BatchItemRequest": items[:1]}).status_code == 200


def test_a_batch_can_void_by_options_data(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    detail = {"ItemRef": {"value": "1"}}
    sold = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    usa.create("Invoice", {"CustomerRef": {"value": "6"}, "Line": [sold]})
    named = {"Id": "1", "SyncToken": "0", "sparse": True}
    item = {"bId": "1", "operation": "update", "optionsData": "void", "Invoice": named}
    (answer,) = usa.post("batch", {"BatchItemRequest": [item]}).json()["BatchItemResponse"]
    assert answer["Invoice"]["TotalAmt"] == 0


def test_change_data_capture_lists_changes_and_deletions(usa: Http) -> None:
    made = usa.create("Customer", {"DisplayName": "Larch"})
    answer = usa.get("cdc", entities="Customer,Invoice", changedSince=made["MetaData"]["CreateTime"]).json()
    customers, invoices = answer["CDCResponse"][0]["QueryResponse"]
    assert [one["Id"] for one in customers["Customer"]] == ["6"]
    assert invoices == {}
    assert fault_codes(usa.get("cdc", entities="TaxCode", changedSince="2026-01-01T00:00:00Z")) == ["4001"]


def test_minor_versions_make_no_difference(usa: Http) -> None:
    assert usa.get("term/1", minorversion="4").json()["Term"] == usa.get("term/1", minorversion="75").json()["Term"]


def test_a_document_of_several_megabytes_is_read_and_refused_by_its_lines(usa: Http) -> None:
    usa.create("Customer", {"DisplayName": "Larch"})
    detail = {"ItemRef": {"value": "1"}}
    sold = {"Amount": 1, "Description": "x" * 300, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    answer = usa.post("invoice", {"CustomerRef": {"value": "6"}, "Line": [sold] * 10_001})
    assert fault_codes(answer) == ["6000"]
    assert "10,000 lines" in answer.text


def test_the_token_endpoint_refuses_what_is_not_a_form(intuit: Simulator) -> None:
    answer = requests.post(
        f"{intuit.base_url}/oauth2/v1/tokens/bearer", json={"grant_type": "refresh_token"}, auth=BASIC, timeout=60
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    answer = requests.post(
        f"{intuit.base_url}/oauth2/v1/tokens/bearer", data={"grant_type": "x"}, auth=BASIC, timeout=60
    )
    assert answer.json() == {"error": "unsupported_grant_type"}


def test_the_hard_expiry_is_in_the_answer_when_the_header_asks(intuit: Simulator) -> None:
    token = intuit.authorize(USA)["refresh_token"]
    answer = requests.post(
        f"{intuit.base_url}/oauth2/v1/tokens/bearer",
        data={"grant_type": "refresh_token", "refresh_token": token},
        headers={"x-include-refresh-token-hard-expires-in": "true"},
        auth=BASIC,
        timeout=60,
    )
    assert answer.json()["x_refresh_token_hard_expires_in"] <= 157_680_000
    assert answer.headers["Cache-Control"] == "no-cache, no-store"
