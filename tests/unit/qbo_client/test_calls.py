from __future__ import annotations

from collections.abc import Callable

import pytest

from qbo_client import calls
from qbo_client.calls import Call, Operation
from qbo_client.errors import CallInvalid


def invoice() -> Call:
    return calls.create("Invoice", {"DocNumber": "1"}, request_id=None)


def test_reads_and_queries_are_metered_and_writes_are_not() -> None:
    changed = {"Id": "1", "SyncToken": "0", "sparse": True}
    assert calls.read("Invoice", "1").metered
    assert calls.query("select * from Item").metered
    assert not invoice().metered
    assert not calls.update("Invoice", changed, request_id="r").metered
    assert not calls.void("Invoice", object_id="1", sync_token="0", request_id="r").metered
    assert not calls.batch({"1": invoice()}, request_id="r").metered
    assert calls.batch({"1": invoice(), "2": calls.query("select * from Item")}, request_id="r").metered


def test_an_update_sends_the_body_as_given() -> None:
    body = {"Id": "7", "SyncToken": "3", "sparse": True, "Notes": ""}
    call = calls.update("Customer", body, request_id="r")
    assert (call.operation, call.object_id, call.body) == (Operation.UPDATE, "7", body)
    with pytest.raises(CallInvalid, match="SyncToken"):
        calls.update("Customer", {"Id": "7"}, request_id="r")


def test_void_and_delete_name_the_object_and_its_token_alone() -> None:
    for make in (calls.void, calls.delete):
        assert make("Invoice", object_id="7", sync_token="3", request_id="r").body == {"Id": "7", "SyncToken": "3"}


def test_the_items_of_a_batch() -> None:
    items = {
        "a": invoice(),
        "b": calls.update("Customer", {"Id": "1", "SyncToken": "0"}, request_id=None),
        "c": calls.void("Invoice", object_id="7", sync_token="3", request_id=None),
        "d": calls.delete("CreditMemo", object_id="8", sync_token="1", request_id=None),
        "e": calls.query("select * from Item"),
    }
    assert calls.batch(items, request_id="r").body == {
        "BatchItemRequest": [
            {"bId": "a", "operation": "create", "Invoice": {"DocNumber": "1"}},
            {"bId": "b", "operation": "update", "Customer": {"Id": "1", "SyncToken": "0"}},
            {
                "bId": "c",
                "operation": "update",
                "optionsData": "void",
                "Invoice": {"Id": "7", "SyncToken": "3", "sparse": True},
            },
            {"bId": "d", "operation": "delete", "CreditMemo": {"Id": "8", "SyncToken": "1"}},
            {"bId": "e", "Query": "select * from Item"},
        ]
    }


def test_intuits_limits_of_request_ids_and_batches() -> None:
    calls.create("Invoice", {}, request_id="x" * 50)
    calls.batch({"x" * 10: invoice()}, request_id="x" * 36)
    calls.batch({str(i): invoice() for i in range(30)}, request_id="r")


REFUSED: dict[str, Callable[[], Call]] = {
    "a request id of 51 characters": lambda: calls.create("Invoice", {}, request_id="x" * 51),
    "a request id with an ampersand": lambda: calls.create("Invoice", {}, request_id="a&b"),
    "an empty request id": lambda: calls.create("Invoice", {}, request_id=""),
    "a batch's request id of 37": lambda: calls.batch({"1": invoice()}, request_id="x" * 37),
    "a bId of 11": lambda: calls.batch({"x" * 11: invoice()}, request_id="r"),
    "31 items": lambda: calls.batch({str(i): invoice() for i in range(31)}, request_id="r"),
    "no items": lambda: calls.batch({}, request_id="r"),
    "a read in a batch": lambda: calls.batch({"1": calls.read("Item", "1")}, request_id="r"),
    "an odd entity": lambda: calls.create("invoice?x=", {}, request_id="r"),
    "an odd Id": lambda: calls.read("Invoice", "1/../2"),
    "a missing Id": lambda: calls.read("Invoice"),
    "a missing SyncToken": lambda: calls.void("Invoice", object_id="1", sync_token="", request_id="r"),
    "an empty Id": lambda: calls.void("Invoice", object_id="", sync_token="0", request_id="r"),
    "an empty query": lambda: calls.query(" "),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_what_intuit_cannot_take_is_refused_before_it_is_sent(make: Callable[[], Call]) -> None:
    with pytest.raises(CallInvalid):
        make()
