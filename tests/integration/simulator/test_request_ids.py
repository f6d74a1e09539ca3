"""Request ids: replay, retention, and what is switched because nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simulator import UK, USA, Simulator

from .conftest import Http, fault_codes
from .recorded import recorded

Connect = Callable[[Simulator, str], Http]
Start = Callable[..., Simulator]


@pytest.fixture
def start(start: Start) -> Start:
    """Simulators that replay, which is what these tests are about; test_transient.py has the other answer."""
    return lambda **switches: start(requestid_repeated="replay", **switches)


@pytest.fixture
def usa(intuit: Simulator, connect: Connect) -> Http:
    return connect(intuit, USA)


def count(http: Http, entity: str = "Customer") -> int:
    return int(http.query(f"select count(*) from {entity}").json()["QueryResponse"]["totalCount"])


def test_a_repeated_request_is_answered_the_same_and_not_executed(usa: Http) -> None:
    first, second = (usa.post("customer", {"DisplayName": "Larch"}, requestid="r1") for _ in range(2))
    assert first.content == second.content
    assert (first.status_code, count(usa)) == (200, 1)
    log = usa.control("GET", "requests", requestid="r1")["requests"]
    assert [one["replayed"] for one in log] == [False, True]


def test_updates_and_voids_are_replayed_too(usa: Http) -> None:
    made = usa.create("Customer", {"DisplayName": "Larch"})
    change = {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "x"}
    first, second = (usa.post("customer", change, requestid="r2") for _ in range(2))
    assert first.json() == second.json()
    assert second.json()["Customer"]["SyncToken"] == "1"


def test_a_request_id_belongs_to_its_company(usa: Http, connect: Connect) -> None:
    usa.create("Customer", {"DisplayName": "Larch"}, requestid="r3")
    uk = connect(usa.intuit, UK)
    assert uk.create("Customer", {"DisplayName": "Birch"}, requestid="r3")["DisplayName"] == "Birch"


@pytest.mark.parametrize(("requestid", "taken"), [("x" * 50, True), ("x" * 51, False), ("", False)])
def test_a_request_id_has_at_most_fifty_characters(usa: Http, requestid: str, taken: bool) -> None:
    answer = usa.post("customer", {"DisplayName": "Larch"}, requestid=requestid)
    assert answer.status_code == 200 if taken else fault_codes(answer) == ["2130"]


def test_a_batch_item_is_known_by_request_id_and_its_own_id(usa: Http) -> None:
    def item(bid: str, name: str) -> dict[str, object]:
        return {"bId": bid, "operation": "create", "Customer": {"DisplayName": name}}

    first = usa.post("batch", {"BatchItemRequest": [item("1", "A"), item("2", "B")]}, requestid="b1").json()
    again = usa.post("batch", {"BatchItemRequest": [item("2", "B"), item("3", "C")]}, requestid="b1").json()
    assert count(usa) == 3
    names = {one["bId"]: one["Customer"]["Id"] for one in [*first["BatchItemResponse"], *again["BatchItemResponse"]]}
    assert names == {"1": "6", "2": "7", "3": "8"} or names == {"1": "7", "2": "6", "3": "8"}


def test_a_batch_has_a_shorter_request_id_and_short_item_ids(usa: Http) -> None:
    items = [{"bId": bid, "operation": "create", "Customer": {"DisplayName": bid}} for bid in ("x" * 11, "good")]
    answer = usa.post("batch", {"BatchItemRequest": items}, requestid="r").json()["BatchItemResponse"]
    found = {one["bId"]: one for one in answer}
    assert found["x" * 11]["Fault"]["Error"][0]["code"] == "2130"
    assert found["good"]["Customer"]["DisplayName"] == "good"
    assert fault_codes(usa.post("batch", {"BatchItemRequest": []}, requestid="r" * 37)) == ["2130"]


@recorded("Java SDK issue 180, 2022-03-01")
def test_an_item_key_over_fifty_characters_is_an_item_fault(usa: Http) -> None:
    items = [{"bId": bid, "operation": "create", "Vendor": {"DisplayName": bid}} for bid in ("y" * 36, "short")]
    answer = usa.post("batch", {"BatchItemRequest": items}, requestid="8182e07bba" + "0" * 22)
    assert answer.status_code == 200
    found = {one["bId"]: one for one in answer.json()["BatchItemResponse"]}
    (error,) = found["y" * 36]["Fault"]["Error"]
    assert (error["code"], error["Detail"]) == (
        "6000",
        "Business Validation Error: You cannot enter more than 50 characters in the request_id field. "
        "You tried entering 8182e07bba..., which is 68 characters.",
    )
    assert found["short"]["Vendor"]["DisplayName"] == "short"


def test_switch_requestid_retention_seconds(start: Start, connect: Connect) -> None:
    usa = connect(start(requestid_retention_seconds=600, access_token_seconds=10_000), USA)
    usa.create("Customer", {"DisplayName": "Larch"}, requestid="r")
    usa.control("POST", "clock", {"advance": 590})
    assert usa.post("customer", {"DisplayName": "Larch"}, requestid="r").status_code == 200
    usa.control("POST", "clock", {"advance": 20})
    assert fault_codes(usa.post("customer", {"DisplayName": "Larch"}, requestid="r")) == ["6240"]


@pytest.mark.parametrize("replays", [True, False])
def test_switch_requestid_replays_faults(start: Start, connect: Connect, replays: bool) -> None:
    usa = connect(start(requestid_replays_faults=replays), USA)
    made = usa.create("Customer", {"DisplayName": "Larch"})
    assert fault_codes(usa.post("customer", {"DisplayName": "Larch"}, requestid="r")) == ["6240"]
    usa.post("customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "DisplayName": "Birch"})
    assert usa.post("customer", {"DisplayName": "Larch"}, requestid="r").status_code == (400 if replays else 200)


@pytest.mark.parametrize("how", ["replay", "600"])
def test_switch_requestid_other_body(start: Start, connect: Connect, how: str) -> None:
    usa = connect(start(requestid_other_body=how), USA)
    usa.create("Customer", {"DisplayName": "Larch"}, requestid="r")
    answer = usa.post("customer", {"DisplayName": "Birch"}, requestid="r")
    if how == "replay":
        assert answer.json()["Customer"]["DisplayName"] == "Larch"
    else:
        assert fault_codes(answer) == ["600"]
    assert count(usa) == 1


def test_switch_requestid_other_body_in_a_batch(start: Start, connect: Connect) -> None:
    usa = connect(start(requestid_other_body="600"), USA)

    def send(name: str) -> dict[str, Any]:
        item = {"bId": "1", "operation": "create", "Customer": {"DisplayName": name}}
        (answer,) = usa.post("batch", {"BatchItemRequest": [item]}, requestid="b").json()["BatchItemResponse"]
        return dict(answer)

    assert send("Larch") == send("Larch")
    assert send("Birch")["Fault"]["Error"][0]["code"] == "600"
    assert count(usa) == 1


@pytest.mark.parametrize(("how", "documents", "refused"), [("wait", 1, 0), ("600", 1, 1), ("twice", 2, 0)])
def test_switch_requestid_in_flight(start: Start, connect: Connect, how: str, documents: int, refused: int) -> None:
    usa = connect(start(requestid_in_flight=how), USA)
    usa.create("Customer", {"DisplayName": "Larch"})
    usa.control("POST", "faults", {"kind": "latency", "entity": "Payment", "operation": "create", "seconds": 0.3})
    body = {"CustomerRef": {"value": "6"}, "TotalAmt": 5}
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: usa.post("payment", body, requestid="r"), range(2)))
    assert sum(answer.status_code != 200 for answer in answers) == refused
    assert count(usa, "Payment") == documents


def test_a_call_that_was_never_executed_leaves_no_trace_of_its_request_id(usa: Http) -> None:
    usa.control("POST", "faults", {"kind": "http", "status": 502, "count": 1, "entity": "Customer"})
    assert usa.post("customer", {"DisplayName": "Larch"}, requestid="r").status_code == 502
    assert usa.post("customer", {"DisplayName": "Larch"}, requestid="r").status_code == 200


def test_switch_batch_requestid(start: Start, connect: Connect) -> None:
    """Remembered as a whole, a batch that asks for one of its items again gets both."""

    def item(bid: str) -> dict[str, object]:
        return {"bId": bid, "operation": "create", "Customer": {"DisplayName": bid}}

    for value, told in (("item", ["2"]), ("batch", ["1", "2"])):
        usa = connect(start(batch_requestid=value), USA)
        usa.post("batch", {"BatchItemRequest": [item("1"), item("2")]}, requestid="b")
        again = usa.post("batch", {"BatchItemRequest": [item("2")]}, requestid="b").json()["BatchItemResponse"]
        assert sorted(one["bId"] for one in again) == told
        assert count(usa) == 2
