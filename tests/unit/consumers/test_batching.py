"""Which calls go together in one request, whose turn it is, and what one answer says of each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mapping.decisions import Write
from qbo_client.calls import MAX_BATCH_ITEM_ID
from qbo_client.faults import Fault
from qbo_client.outcomes import Done, NotSent, Refused, Throttled, Unknown
from schemas.applied import NOTHING_SENT
from schemas.events import Kind
from store.attempts import OpenAttempt
from store.links import Link
from sync.attempt import Attempt, Late
from sync.batches import Backlogs, Batch, Split, as_batches, bid, put_together

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def link(number: int, kind: Kind = Kind.INVOICE, **more: Any) -> Link:
    named = {"id": number, "org_id": "org", "realm_id": "1", "kind": kind, "kompass_id": f"k{number}", "epoch": 1}
    return Link(**{**dict.fromkeys(Link.__dataclass_fields__), **named, **more})


def new(number: int, kind: Kind = Kind.INVOICE, *, operation: str = "create", most: int | None = None) -> Attempt:
    entity = "Invoice" if kind is Kind.INVOICE else "Customer"
    write = Write(operation=operation, entity=entity, object_id=None, body={}, applied=NOTHING_SENT, name="")  # type: ignore[arg-type]
    return Attempt.planned(link(number, kind, batch_most=most), write, (1, 1), connection=1, now=NOW, started=0.0)


def hanging(number: int, batch_id: str, *, phase: Any = "send", age: float = 1.0) -> Attempt:
    opened = OpenAttempt(
        link_id=number, realm_id="1", phase=phase, operation="create", entity="Invoice", object_id=None, body="{}",
        request_id=batch_id, applied=None, name="", sequence=1, configuration_version=1, attempt=1,
        first_sent_at=NOW, resend_after=NOW, batch_id=batch_id, busy_for=0.0, age=age,
    )  # fmt: skip
    return Attempt.taken_over(link(number), opened, connection=1, resend_window=600.0, started=0.0)


def sizes(*wanted: Attempt, most: int = 30) -> list[int]:
    return [len(one.attempts) for one in put_together(wanted, most=most)]


def test_one_kind_to_a_batch_and_thirty_at_most() -> None:
    clients = [new(number, Kind.CLIENT) for number in range(2)]
    jobs = [new(number, Kind.PROJECT) for number in range(10, 14)]
    invoices = [new(number) for number in range(100, 165)]
    found = put_together([*invoices, *jobs, *clients], most=30)
    assert [len(one.attempts) for one in found] == [2, 4, 30, 30, 5]
    assert all(len({member.link.kind for member in one.attempts}) == 1 for one in found)
    assert len({one.first.batch_id for one in found} - {""}) == 5


def test_what_goes_by_itself() -> None:
    assert sizes(new(1)) == [1]
    assert sizes(new(1), new(2), most=1) == [1, 1]
    assert sizes(new(1, operation="void"), new(2, operation="void")) == [1, 1]
    assert sizes(new(1), new(2, Kind.CLIENT)) == [1, 1]
    assert [one.is_combined for one in put_together([new(1)], most=30)] == [False]


def test_after_a_refusal_as_a_whole_no_more_go_together_than_half() -> None:
    assert sizes(*(new(number, most=15) for number in range(30))) == [15, 15]
    assert sizes(*(new(number, most=1) for number in range(3))) == [1, 1, 1]
    assert sorted(sizes(*(new(number, most=2 if number < 4 else None) for number in range(10)))) == [2, 2, 6]


def test_a_batch_is_recovered_as_it_was_whatever_the_setting_says_now() -> None:
    again = [hanging(number, "b1") for number in (3, 1, 2)]
    (one,) = put_together(again, most=1)
    assert {member.batch_id for member in one.attempts} == {"b1"}
    assert [member.link.id for member in one.attempts] == [1, 2, 3]


@pytest.mark.parametrize("changes", [{"phase": "lookup"}, {"age": 601.0}])
def test_what_is_looked_up_goes_by_itself(changes: dict[str, Any]) -> None:
    found = put_together([hanging(1, "b1", **changes), hanging(2, "b1", **changes)], most=30)
    assert [(len(one.attempts), one.first.batch_id) for one in found] == [(1, ""), (1, "")]


def attempt(number: int, batch_id: str = "b1") -> Attempt:
    return Attempt(
        link=link(number), epoch=2, phase="send", operation="create", entity="Invoice", object_id=None, body='{"a": 1}',
        request_id=batch_id, applied=None, name="", sequence=1, configuration_version=1, tries=1, first_sent_at=NOW,
        claimed_at=0.0, connection_version=1, batch_id=batch_id,
    )  # fmt: skip


def test_every_link_has_a_bid_that_fits() -> None:
    assert len(bid(attempt(10**12))) <= MAX_BATCH_ITEM_ID
    assert bid(attempt(1)) != bid(attempt(16))


def test_claimed_calls_are_put_together_by_their_batch() -> None:
    found = as_batches([attempt(1), attempt(2, ""), attempt(3), attempt(4, "")])
    assert [[one.link.id for one in batch.attempts] for batch in found] == [[1, 3], [2], [4]]
    assert [batch.is_combined for batch in found] == [True, False, False]


def test_one_answer_says_something_of_each() -> None:
    batch = Batch((attempt(1), attempt(2), attempt(3), attempt(4)))
    items = [
        {"bId": "3", "Fault": {"Error": [{"code": "6000", "Message": "no"}], "type": "ValidationFault"}},
        {"bId": "1", "Invoice": {"Id": "7", "SyncToken": "0"}},
        {"bId": "4", "Invoice": {"Id": "8"}},
    ]
    found = {one.link.id: type(outcome) for one, outcome in batch.outcomes(Done({"BatchItemResponse": items}))}
    assert found == {1: Done, 2: Unknown, 3: Refused, 4: Unknown}


@pytest.mark.parametrize(
    ("outcome", "unsendable", "becomes"),
    [
        (Refused(400, (Fault("2020", "", "", None),)), False, Split),
        (Refused(404, ()), False, Refused),
        (NotSent("cannot be written"), True, Split),
        (NotSent("no route"), False, NotSent),
        (Throttled(60.0), False, Throttled),
        (Unknown("reset"), False, Unknown),
        (Late(), False, Late),
    ],
)
def test_only_what_one_member_may_be_to_blame_for_splits_a_batch(outcome: Any, unsendable: bool, becomes: type) -> None:
    two = Batch((attempt(1), attempt(2)))
    assert {type(one) for _, one in two.outcomes(outcome, unsendable=unsendable)} == {becomes}
    alone = Batch((attempt(1),))
    assert [one for _, one in alone.outcomes(outcome, unsendable=unsendable)] == [outcome]


def test_companies_with_a_backlog_take_turns() -> None:
    backlogs = Backlogs()
    backlogs.enter({"b", "a"})
    backlogs.enter({"c"})
    assert [backlogs.next(without=()) for _ in range(4)] == ["a", "b", "c", "a"]
    assert backlogs.next(without={"b"}) == "c"
    backlogs.leave("a")
    assert backlogs.realms == {"b", "c"}
    assert backlogs.next(without={"b", "c"}) is None
