"""Transient faults, as rules and in the background: what QuickBooks answers for a while to requests it takes later."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from simulator import UK, USA, Simulator
from simulator.settings import SettingsError
from simulator.transient import ITEM_KINDS, TRANSIENT_KINDS

from .conftest import Http, fault_codes

Connect = Callable[[Simulator, str], Http]
Start = Callable[..., Simulator]
LARCH = {"DisplayName": "Larch"}
TERMS = "select * from Term"


@pytest.fixture
def usa(intuit: Simulator, connect: Connect) -> Http:
    return connect(intuit, USA)


def customer(name: str, bid: str = "1") -> dict[str, Any]:
    return {"bId": bid, "operation": "create", "Customer": {"DisplayName": name}}


def invoice(http: Http, **members: Any) -> dict[str, Any]:
    detail = {"ItemRef": {"value": "1"}, **({"TaxCodeRef": {"value": "3"}} if http.realm == UK else {})}
    line = {"Amount": 100, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    return {"CustomerRef": {"value": "6"}, "Line": [line], **members}


def details(answer: requests.Response) -> list[str]:
    return [one["Detail"] for one in answer.json()["Fault"]["Error"]]


def names(http: Http) -> set[str]:
    state = http.control("GET", "state", realm=http.realm)
    return {one["DisplayName"] for one in state["objects"]["Customer"]}


def at_once(*work: Callable[[], requests.Response]) -> list[requests.Response]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [one.result() for one in [pool.submit(one) for one in work]]


def create(http: Http, entity: str, body: Any) -> requests.Response:
    """On a connection of its own, for calls that run at once."""
    return requests.post(f"{http.base}/{entity}", json=body, headers=http.headers(), timeout=30)


# --- the lock on names


@pytest.mark.parametrize("lock", ["on", "off"])
def test_switch_name_lock(start: Start, connect: Connect, lock: str) -> None:
    usa = connect(start(name_lock=lock, name_write_milliseconds=300), USA)
    answers = at_once(lambda: create(usa, "customer", LARCH), lambda: create(usa, "vendor", {"DisplayName": "Ash"}))
    refused = [answer for answer in answers if answer.status_code == 400]
    assert len(refused) == (lock == "on")
    for answer in refused:
        assert fault_codes(answer) == ["6000"]
        assert "You can only add or edit one name at a time. Please try again." in answer.text
    # It ends on its own, and one call after the other never meets it.
    assert [usa.post("customer", {"DisplayName": name}).status_code for name in ("A", "B")] == [200, 200]


def test_products_have_a_lock_of_their_own(start: Start, connect: Connect) -> None:
    usa = connect(start(name_lock="on", name_write_milliseconds=300), USA)
    item = {"IncomeAccountRef": {"value": "1"}, "Type": "Service"}
    answers = at_once(
        lambda: create(usa, "item", {"Name": "A", **item}),
        lambda: create(usa, "item", {"Name": "B", **item}),
        lambda: create(usa, "customer", LARCH),
    )
    assert sorted(answer.status_code for answer in answers[:2]) == [200, 400]
    assert any("one product or service at a time" in answer.text for answer in answers[:2])
    assert answers[2].status_code == 200


def test_a_batch_is_one_request_to_the_lock_and_is_refused_item_by_item(start: Start, connect: Connect) -> None:
    usa = connect(start(name_lock="on", name_write_milliseconds=400), USA)
    both = {"BatchItemRequest": [customer("A", "1"), customer("B", "2"), {"bId": "3", "Query": TERMS}]}
    assert usa.post("batch", both).text.count('"SyncToken":"0"') == 2 + 4
    others = [{"BatchItemRequest": [customer(name), {"bId": "3", "Query": TERMS}]} for name in ("C", "D")]
    answers = at_once(*(lambda body=body: create(usa, "batch", body) for body in others))  # type: ignore[misc]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert sorted(answer.text.count('"code":"6000"') for answer in answers) == [0, 1]
    assert all("Net 30" in answer.text for answer in answers)


def test_the_lock_does_not_hold_documents(start: Start, connect: Connect) -> None:
    usa = connect(start(name_lock="on", name_write_milliseconds=300), USA)
    usa.create("Customer", LARCH)
    answers = at_once(
        lambda: create(usa, "customer", {"DisplayName": "Birch"}), lambda: create(usa, "invoice", invoice(usa))
    )
    assert [answer.status_code for answer in answers] == [200, 200]


# --- rules


def test_a_rule_locks_names_and_passes_documents_by(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "name_lock", "count": 1})
    assert usa.query(TERMS).status_code == 200
    assert fault_codes(usa.post("customer", LARCH)) == ["6000"]
    assert usa.post("customer", LARCH).status_code == 200


def test_try_again_carries_an_internal_code_and_saves_nothing(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "try_again", "count": 3, "seed": 3})
    refused = [usa.post("customer", LARCH, requestid="r") for _ in range(3)]
    assert all(fault_codes(one) == ["6000"] for one in refused)
    assert {details(one)[0][-9:].strip() for one in refused} <= {"(-30000)", "(-30035)", "(-30003)", "(-10600)"}
    assert names(usa) == set()
    # The trouble is not remembered by the request id.
    assert usa.post("customer", LARCH, requestid="r").status_code == 200


def test_6000_although_it_was_saved(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "saved_anyway", "count": 1})
    assert fault_codes(usa.post("customer", LARCH, requestid="r")) == ["6000"]
    assert names(usa) == {"Larch"}
    (seen,) = usa.control("GET", "requests", requestid="r")["requests"]
    assert (seen["committed"], seen["trouble"]) == (True, "saved_anyway")
    # The request id remembers the fault, as it remembers any.
    assert fault_codes(usa.post("customer", LARCH, requestid="r")) == ["6000"]
    # What is refused anyway keeps its own code.
    usa.control("POST", "faults", {"kind": "saved_anyway", "count": 1})
    assert fault_codes(usa.post("customer", LARCH)) == ["6240"]


@pytest.mark.parametrize("how", ["rule", "switch"])
def test_switch_requestid_repeated(start: Start, connect: Connect, how: str) -> None:
    usa = connect(start(requestid_repeated="6000" if how == "switch" else "replay"), USA)
    if how == "rule":
        usa.control("POST", "faults", {"kind": "requestid_used", "count": 3})
    assert usa.post("customer", LARCH, requestid="r").status_code == 200
    assert fault_codes(usa.post("customer", LARCH, requestid="r")) == ["6000"]
    batch = {"BatchItemRequest": [customer("A", "1"), customer("B", "2"), {"bId": "3", "Query": TERMS}]}
    assert "6000" not in usa.post("batch", batch, requestid="b").text
    again = usa.post("batch", batch, requestid="b")
    assert (again.status_code, again.text.count('"code":"6000"')) == (200, 2)
    assert "Net 30" in again.text
    assert names(usa) == {"Larch", "A", "B"}
    if how == "rule":
        assert usa.post("customer", LARCH, requestid="r").status_code == 200


def test_a_repeated_request_id_of_a_whole_batch(start: Start, connect: Connect) -> None:
    usa = connect(start(batch_requestid="batch", requestid_repeated="6000"), USA)
    batch = {"BatchItemRequest": [customer("A", "1"), customer("B", "2")]}
    usa.post("batch", batch, requestid="b")
    assert usa.post("batch", batch, requestid="b").text.count('"code":"6000"') == 2


def test_a_valid_path_is_unsupported_for_a_while(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "unsupported", "count": 2})
    for answer in (usa.post("customer", LARCH), usa.query(TERMS)):
        assert (answer.status_code, fault_codes(answer)) == (400, ["500"])
        assert f"Could not find resource for relative : /v3/company/{USA}/" in answer.text
    assert usa.post("customer", LARCH).status_code == 200


def test_a_valid_path_is_not_found_for_a_while(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "not_found_page", "operation": "batch", "count": 1})
    answer = usa.post("batch", {"BatchItemRequest": [customer("A")]})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html;charset=UTF-8")
    assert names(usa) == set()
    assert usa.post("batch", {"BatchItemRequest": [customer("A")]}).status_code == 200


@pytest.mark.parametrize("code", ["3100", "120"])
def test_a_server_error_carries_the_code_of_a_lost_permission(usa: Http, code: str) -> None:
    usa.control("POST", "faults", {"kind": "server_error", "code": code, "count": 1})
    answer = usa.post("customer", LARCH)
    assert (answer.status_code, f'"code":"{code}"' in answer.text) == (500, True)
    assert usa.post("customer", LARCH).status_code == 200


def test_a_rule_answers_queries_of_documents_with_4002(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "bad_email", "count": 2})
    assert usa.query(TERMS).status_code == 200
    assert fault_codes(usa.query("select * from Invoice")) == ["4002"]
    batch = usa.post("batch", {"BatchItemRequest": [{"bId": "1", "Query": "select * from CreditMemo"}]})
    assert (batch.status_code, '"code":"4002"' in batch.text) == (200, True)


@pytest.mark.parametrize("how", ["4002", "returned"])
def test_switch_bad_email_in_query(start: Start, connect: Connect, how: str) -> None:
    """.NET SDK 81 and 111: a document with an address that was typed by hand breaks each query that returns it."""
    usa = connect(start(bad_email_in_query=how), USA)
    usa.create("Customer", LARCH)
    first, second = (usa.create("Invoice", invoice(usa)) for _ in range(2))
    typed = {"realm": USA, "action": "type", "entity": "Invoice", "id": first["Id"]}
    usa.control("POST", "bookkeeper", {**typed, "members": {"BillEmail": {"Address": "a@x.com b@x.com"}}})
    status = 400 if how == "4002" else 200
    answers = [
        usa.query("select * from Invoice"),
        usa.get("cdc", entities="Invoice", changedSince=first["MetaData"]["CreateTime"]),
    ]
    assert [answer.status_code for answer in answers] == [status, status]
    assert status == 200 or [fault_codes(answer) for answer in answers] == [["4002"], ["4002"]]
    assert usa.query(f"select * from Invoice where Id = '{second['Id']}'").status_code == 200
    assert usa.get(f"invoice/{first['Id']}").json()["Invoice"]["BillEmail"] == {"Address": "a@x.com b@x.com"}


def test_a_closed_period_is_5010_and_the_sync_token_is_the_same(usa: Http) -> None:
    usa.create("Customer", LARCH)
    made = usa.create("Invoice", invoice(usa))
    usa.control("POST", "faults", {"kind": "period_closed", "count": 1})
    change = {"Id": made["Id"], "SyncToken": made["SyncToken"], "sparse": True, "PrivateNote": "x"}
    answer = usa.post("invoice", change)
    assert (fault_codes(answer), "Account Period Closed" in answer.text) == (["5010"], True)
    assert usa.get(f"invoice/{made['Id']}").json()["Invoice"]["SyncToken"] == made["SyncToken"]
    assert usa.post("customer", {"DisplayName": "Birch"}).status_code == 200


def test_a_rule_turns_a_country_into_three_letters(usa: Http) -> None:
    usa.control("PUT", "settings", {"country_in_answers": "as_sent"})
    usa.control("POST", "faults", {"kind": "country_code", "count": 1})
    made = usa.create("Customer", {**LARCH, "BillAddr": {"City": "Bristol", "Country": "United Kingdom"}})
    assert made["BillAddr"]["Country"] == "GBR"
    assert usa.get("customer/6").json()["Customer"]["BillAddr"]["Country"] == "United Kingdom"


@pytest.mark.parametrize("kind", ["name_lock", "try_again", "saved_anyway"])
def test_a_rule_strikes_the_items_of_a_batch_each(usa: Http, kind: str) -> None:
    usa.control("POST", "faults", {"kind": kind, "entity": "customer", "holds": "Larch"})
    answer = usa.post("batch", {"BatchItemRequest": [customer("Larch", "1"), customer("Birch", "2")]}, requestid="b")
    faults = {
        one["bId"]: one["Fault"]["Error"][0]["code"] for one in answer.json()["BatchItemResponse"] if "Fault" in one
    }
    assert (answer.status_code, faults) == (200, {"1": "6000"})
    assert names(usa) == {"Birch"} | ({"Larch"} if kind == "saved_anyway" else set())
    (seen,) = usa.control("GET", "requests", operation="batch")["requests"]
    assert seen["trouble"] == kind


def test_a_rule_can_name_the_batch_that_an_item_is_in(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "try_again", "operation": "batch"})
    assert usa.post("customer", LARCH).status_code == 200
    assert '"code":"6000"' in usa.post("batch", {"BatchItemRequest": [customer("Birch")]}).text


def test_a_rule_turns_a_company_setting_in_the_middle(usa: Http) -> None:
    usa.create("Customer", LARCH)
    rule = {"kind": "setting", "setting": "custom_numbers", "on": False, "entity": "Invoice", "skip": 1, "count": 1}
    usa.control("POST", "faults", rule)
    made = [usa.create("Invoice", invoice(usa, DocNumber=f"INV-{place}"))["DocNumber"] for place in range(3)]
    assert made == ["INV-0", "1001", "1002"]


@pytest.mark.parametrize("realm", [UK, USA])
def test_exchange_rates_are_read_by_currency_and_date(start: Start, connect: Connect, realm: str) -> None:
    http = connect(start(), realm)
    answer = http.get("exchangerate", sourcecurrencycode="EUR", asofdate="2026-01-31", minorversion="75")
    if realm == USA:
        assert fault_codes(answer) == ["6000"]
        return
    rate = answer.json()["ExchangeRate"]
    assert (rate["Rate"], rate["AsOfDate"], rate["TargetCurrencyCode"]) == (0.86, "2026-01-31", "GBP")
    assert fault_codes(http.get("exchangerate")) == ["2020"]


# --- switches and background


@pytest.mark.parametrize("form", ["as_sent", "iso3"])
def test_switch_country_in_answers(start: Start, connect: Connect, form: str) -> None:
    usa = connect(start(country_in_answers=form), USA)
    sent = {**LARCH, "BillAddr": {"Country": "Ireland"}, "ShipAddr": {"Country": "Atlantis"}}
    made = usa.create("Customer", sent)
    assert made["BillAddr"]["Country"] == ("IRL" if form == "iso3" else "Ireland")
    assert made["ShipAddr"]["Country"] == "Atlantis"
    # What was answered can be sent back, and is no change.
    assert usa.post("customer", made).json()["Customer"]["SyncToken"] == "0"


def drawn(usa: Http) -> list[str]:
    first = usa.control("GET", "requests")["requests"]
    for place in range(40):
        usa.post("customer", {"DisplayName": f"{len(first)}-{place}"})
    since = str(first[-1]["number"]) if first else "0"
    return [one["trouble"] for one in usa.control("GET", "requests", since=since)["requests"]]


def test_background_trouble_is_drawn_from_background_seed(usa: Http) -> None:
    background = {"background_trouble": "try_again+unsupported", "background_per_thousand": 250, "background_seed": 4}
    usa.control("PUT", "settings", background)
    first = drawn(usa)
    assert set(first) == {"", "try_again", "unsupported"}
    usa.control("PUT", "settings", background)
    assert drawn(usa) == first
    usa.control("PUT", "settings", {**background, "background_seed": 5})
    assert drawn(usa) != first
    usa.control("PUT", "settings", {"background_trouble": "none"})
    assert set(drawn(usa)) == {""}


def test_every_transient_kind_is_met_in_the_background(start: Start, connect: Connect) -> None:
    usa = connect(start(background_trouble="all", background_per_thousand=80), USA)
    met: set[str] = set()
    for place in range(300):
        body = {"DisplayName": f"Larch {place}", "BillAddr": {"Country": "Canada"}}
        usa.post("customer", body, requestid=f"r{place // 2}")
        usa.post("invoice", invoice(usa))
        usa.query("select * from Invoice")
        batch = {"BatchItemRequest": [customer(f"Birch {place}"), {"bId": "2", "Query": "select * from Invoice"}]}
        usa.post("batch", batch, requestid=f"b{place // 2}")
    for one in usa.control("GET", "requests", bodies="false")["requests"]:
        met.update(one["trouble"].split(","))
    assert met == {"", *TRANSIENT_KINDS}
    assert set(ITEM_KINDS) < met


def test_a_transient_fault_that_does_not_exist_is_refused_by_name(start: Start) -> None:
    with pytest.raises(SettingsError, match="background_trouble: 'rain' is not a transient fault"):
        start(background_trouble="rain")
