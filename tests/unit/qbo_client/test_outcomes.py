from __future__ import annotations

import pytest

from qbo_client import calls
from qbo_client.calls import Call
from qbo_client.faults import Fault, FaultReport
from qbo_client.outcomes import (
    THROTTLE_PAUSE,
    Done,
    EnvelopeMismatch,
    Forbidden,
    Outcome,
    Refused,
    Throttled,
    Unauthorized,
    Unknown,
    batch_outcomes,
    of_faults,
    of_success,
)

CREATE = calls.create("Invoice", {"DocNumber": "1"}, request_id="r1")


def meaning(status: int, *codes: str) -> Outcome:
    faults = tuple(Fault(code, "m", "d", None) for code in codes)
    return of_faults(FaultReport("T", faults) if codes else None, status=status, intuit_tid="tid")


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        (400, ["6240"], Refused),
        (400, ["2050", "2020"], Refused),
        (400, ["5010"], Refused),
        (200, ["6000"], Refused),
        (400, [], Refused),
        (404, [], Refused),
        (413, [], Refused),
        (429, [], Throttled),
        (429, ["3001"], Throttled),
        (403, ["3001"], Throttled),
        (503, ["3001"], Throttled),
        (400, ["150"], Throttled),
        (401, ["3200"], Unauthorized),
        (401, [], Unauthorized),
        (400, ["3200"], Unauthorized),
        (400, ["110"], Unauthorized),
        (403, ["3100"], Forbidden),
        (401, ["3100"], Forbidden),
        (400, ["120"], Forbidden),
        (401, ["120"], Forbidden),
        (403, ["4711"], Forbidden),
        (400, ["6190"], Forbidden),
        (403, [], Unknown),
        (408, [], Unknown),
        (302, [], Unknown),
        (204, [], Unknown),
        (500, ["10000"], Unknown),
        (400, ["10000"], Unknown),
        (500, ["6240"], Unknown),
        (502, [], Unknown),
        (400, ["600"], Unknown),
    ],
)
def test_what_an_answer_means(status: int, codes: list[str], expected: type) -> None:
    outcome = meaning(status, *codes)
    assert type(outcome) is expected
    assert getattr(outcome, "intuit_tid", None) == "tid"
    assert getattr(outcome, "status", None) == status


def test_a_throttle_waits_a_minute_unless_told_otherwise() -> None:
    told = of_faults(None, status=429, retry_after=7.0)
    untold = of_faults(None, status=429)
    assert isinstance(told, Throttled)
    assert isinstance(untold, Throttled)
    assert (told.retry_after, untold.retry_after) == (7.0, THROTTLE_PAUSE)


def test_an_ended_subscription_can_be_told_from_a_lost_connection() -> None:
    ended, lost = meaning(400, "6190"), meaning(403, "3100")
    assert isinstance(ended, Forbidden)
    assert isinstance(lost, Forbidden)
    assert ended.subscription_ended
    assert not lost.subscription_ended


def test_faults_can_be_picked_by_code() -> None:
    outcome = meaning(400, "2050", "2020")
    assert isinstance(outcome, Refused)
    assert outcome.codes == {"2050", "2020"}
    assert outcome.fault("2020") == Fault("2020", "m", "d", None)
    assert outcome.fault("6240") is None


@pytest.mark.parametrize(
    ("call", "body", "expected"),
    [
        (CREATE, {"Invoice": {"Id": "1"}}, Done),
        (CREATE, {"Customer": {"Id": "1"}}, Unknown),
        (CREATE, {}, Unknown),
        (CREATE, [], Unknown),
        (CREATE, "text", Unknown),
        (CREATE, {"Fault": {"Error": [{"code": "6240"}]}}, Refused),
        (calls.query("select * from Item"), {"QueryResponse": {}}, Done),
        (calls.query("select * from Item"), {"time": "x"}, Unknown),
        (calls.read("Preferences"), {"Preferences": {}}, Done),
        (calls.batch({"1": CREATE}, request_id="r"), {"BatchItemResponse": []}, Done),
        (calls.batch({"1": CREATE}, request_id="r"), {"Invoice": {}}, Unknown),
    ],
)
def test_a_success_must_hold_what_was_asked(call: Call, body: object, expected: type) -> None:
    outcome = of_success(call, body, status=200, intuit_tid="tid", duration=0.1)
    assert type(outcome) is expected
    assert getattr(outcome, "intuit_tid", None) == "tid"


def test_reading_a_done() -> None:
    assert Done({"Invoice": {"Id": "1"}}).entity("Invoice") == {"Id": "1"}
    with pytest.raises(EnvelopeMismatch, match="no Customer, only Invoice"):
        Done({"Invoice": {"Id": "1"}}).entity("Customer")
    assert Done({"QueryResponse": {"Item": [{"Id": "1"}]}}).rows("Item") == [{"Id": "1"}]
    assert Done({"QueryResponse": {}}).rows("Item") == []
    assert Done({"QueryResponse": {"totalCount": 6}}).count() == 6
    with pytest.raises(EnvelopeMismatch):
        Done({"Invoice": {}}).rows("Item")
    with pytest.raises(EnvelopeMismatch):
        Done({"QueryResponse": {}}).count()


def test_each_item_of_a_batch_has_its_own_outcome_in_any_order() -> None:
    done = Done(
        {
            "BatchItemResponse": [
                {"QueryResponse": {"Item": [{"Id": "9"}]}, "bId": "q"},
                {"Fault": {"Error": [{"code": "6240", "Detail": "Id=5"}], "type": "ValidationFault"}, "bId": "b"},
                {"Fault": {"Error": [{"code": "003001"}], "type": "SERVICE"}, "bId": "t"},
                {"Fault": {"Error": [{"code": "10000"}], "type": "SystemFault"}, "bId": "s"},
                {"Customer": {"Id": "1"}, "bId": "a"},
                {"bId": "empty"},
                "odd",
            ]
        },
        intuit_tid="tid",
    )
    outcomes = batch_outcomes(done, ["a", "b", "t", "s", "q", "empty", "gone"])
    assert [type(outcome) for outcome in outcomes.values()] == [
        Done,
        Refused,
        Throttled,
        Unknown,
        Done,
        Unknown,
        Unknown,
    ]
    first, query = outcomes["a"], outcomes["q"]
    assert isinstance(first, Done)
    assert isinstance(query, Done)
    assert first.entity("Customer") == {"Id": "1"}
    assert query.rows("Item") == [{"Id": "9"}]
    assert all(getattr(outcome, "intuit_tid", None) == "tid" for outcome in outcomes.values())
