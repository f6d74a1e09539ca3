"""A Kafka client that is dead ends its process, within seconds and in one line; a member without its partition is known."""

from __future__ import annotations

import ctypes
import time

import pytest
from confluent_kafka.admin import AdminClient

from consumers.errors import ExitCode
from consumers.ingest.membership import Membership
from consumers.kafka_errors import ClientDead
from demo.embedded.broker import _library
from schemas.events import Kind
from tests.integration.broker.members import GROUP, Members, Publisher, all_committed, eventually, kept, twice
from tests.kafka import PARTITIONS, Kafka

ENDS_S = 10.0

# Numbers of Kafka's protocol.
OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT, SYNC_GROUP, GROUP_HEARTBEAT = 8, 11, 12, 14, 68
FENCED_INSTANCE, UNSUPPORTED_VERSION, INVALID_REQUEST, UNRELEASED_INSTANCE, UNSUPPORTED_ASSIGNOR = 82, 35, 42, 111, 112
GROUP_FULL, NOT_AUTHORIZED = 81, 30


def answer_with(kafka: Kafka, request: int, *errors: int) -> None:
    """Have the embedded broker answer the next requests of a kind with these errors."""
    assert kafka.embedded is not None
    array = (ctypes.c_int * len(errors))(*errors)
    _library().rd_kafka_mock_push_request_errors_array(
        ctypes.c_void_p(kafka.embedded._cluster), ctypes.c_int16(request), ctypes.c_size_t(len(errors)), array
    )


def never_again(kafka: Kafka, request: int) -> None:
    """Have the embedded broker forget the errors that it has not answered with yet."""
    assert kafka.embedded is not None
    _library().rd_kafka_mock_clear_request_errors(ctypes.c_void_p(kafka.embedded._cluster), ctypes.c_int16(request))


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
@pytest.mark.parametrize(
    ("protocol", "request_kind", "error"),
    [
        ("classic", HEARTBEAT, FENCED_INSTANCE),
        ("classic", JOIN_GROUP, FENCED_INSTANCE),
        ("classic", SYNC_GROUP, FENCED_INSTANCE),
        ("classic", OFFSET_COMMIT, FENCED_INSTANCE),
        ("consumer", GROUP_HEARTBEAT, UNSUPPORTED_VERSION),
        ("consumer", GROUP_HEARTBEAT, INVALID_REQUEST),
        ("consumer", GROUP_HEARTBEAT, UNRELEASED_INSTANCE),
        ("consumer", GROUP_HEARTBEAT, FENCED_INSTANCE),
        ("consumer", GROUP_HEARTBEAT, UNSUPPORTED_ASSIGNOR),
    ],
)
def test_every_fatal_error_ends_the_process(
    kafka: Kafka, members: Members, protocol: str, request_kind: int, error: int
) -> None:
    settings = {"group.instance.id": "one"} if protocol == "classic" else {"group.protocol": "consumer"}
    met = time.monotonic()
    if request_kind in (JOIN_GROUP, SYNC_GROUP):
        answer_with(kafka, request_kind, error)
        member = members(kafka, settings)
    else:
        member = members(kafka, settings)
        eventually(lambda: member.loop.assigned)
        met = time.monotonic()
        answer_with(kafka, request_kind, *[error] * 20)
    if request_kind == OFFSET_COMMIT:
        Publisher(kafka).send_all(["c1"])

    failure = member.failure(ENDS_S)

    assert isinstance(failure, ClientDead), failure
    assert failure.exit_code == ExitCode.UNREACHABLE
    assert failure.says_why, failure
    assert time.monotonic() - met < ENDS_S
    assert "\n" not in str(failure)
    assert member.loop.closed


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_a_client_that_dies_while_a_batch_is_written_says_why(kafka: Kafka, members: Members) -> None:
    """Then the answer to a commit is handed out before the reason, and a poll in which a callback raises loses the latter."""
    member, publisher = members(kafka, {"group.instance.id": "one"}), Publisher(kafka)
    eventually(lambda: member.loop.assigned)
    member.ingest.stall = True
    publisher.send_all(["c1"])
    assert member.ingest.stalled.wait(ENDS_S)
    # The answer comes while nobody polls.
    answer_with(kafka, HEARTBEAT, FENCED_INSTANCE)
    died = time.monotonic() + 1.0
    eventually(lambda: time.monotonic() > died)
    member.ingest.go.set()

    failure = member.failure(ENDS_S)

    assert isinstance(failure, ClientDead), failure
    assert "group.instance.id" in str(failure)


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_an_error_that_passes_ends_nothing(kafka: Kafka, database: str, members: Members) -> None:
    member = members(kafka)
    eventually(lambda: member.loop.assigned)
    answer_with(kafka, HEARTBEAT, NOT_AUTHORIZED, 16, 27)
    publisher = Publisher(kafka)
    publisher.send_all(["c1"])
    eventually(lambda: kept(database) == {"c1": 1})
    eventually(lambda: all_committed(kafka))
    assert member.running


def test_two_processes_with_one_instance_id(apache_kafka: Kafka, database: str, members: Members) -> None:
    """The second one takes the first one's place, which ends; nothing is lost between them."""
    publisher = Publisher(apache_kafka)
    publisher.send_all([f"c{number}" for number in range(20)])
    first = members(apache_kafka, {"group.instance.id": "one"})
    eventually(lambda: len(first.loop.partitions) == PARTITIONS)
    met = time.monotonic()
    second = members(apache_kafka, {"group.instance.id": "one"})

    failure = first.failure(ENDS_S)

    assert isinstance(failure, ClientDead), failure
    assert "group.instance.id" in str(failure)
    assert time.monotonic() - met < ENDS_S
    eventually(lambda: len(second.loop.partitions) == PARTITIONS)
    publisher.send_all([f"c{number}" for number in range(20)], 2)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(apache_kafka))
    assert twice(database) == []


def test_a_rolling_switch_of_the_group_protocol(apache_kafka: Kafka, database: str, members: Members) -> None:
    """From the classic protocol to KIP-848 and back, one process after the other, while events come."""
    publisher = Publisher(apache_kafka)
    clients = [f"c{number}" for number in range(20)]
    switched = {"group.protocol": "consumer"}
    running = [members(apache_kafka) for _ in range(3)]
    sequence = 0

    def events() -> None:
        nonlocal sequence
        sequence += 1
        publisher.send_all(clients, sequence)

    def settled() -> bool:
        owned = [one.loop.partitions for one in running if one.running]
        return sum(map(len, owned)) == PARTITIONS and set().union(*owned) == set(range(PARTITIONS))

    eventually(settled, "the classic group has all partitions")
    for settings in (switched, switched, switched, {}, {}, {}):
        events()
        old = running.pop(0)
        old.end()
        running.append(members(apache_kafka, dict(settings)))
        events()
        eventually(settled, f"every partition has an owner after a process started with {settings or 'classic'}")
        assert all(one.running for one in running), [one.error for one in running]
    events()
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(apache_kafka))
    assert twice(database) == []


class Lost:
    """A process that the group never gives anything."""

    unassigned_since: float | None = None
    member_id = "lost-0001"


def test_a_member_that_should_have_a_partition_is_known_and_a_spare_one_is_not(
    apache_kafka: Kafka, members: Members
) -> None:
    lost = Lost()
    membership = Membership(apache_kafka.settings, Kind.CLIENT, patience=5.0, look=0.0)
    lost.unassigned_since = time.monotonic()
    membership.look(lost)
    assert membership.problem() is None, "a rebalance may still be going on"

    lost.unassigned_since -= 10.0
    assert membership.problem() is None, "there is no group"
    several = [members(apache_kafka) for _ in range(PARTITIONS)]
    eventually(lambda: all(len(one.loop.partitions) == 1 for one in several))

    def problem() -> str:
        membership.look(lost)
        return membership.problem() or ""

    eventually(lambda: "does not know this process" in problem())
    spare = members(apache_kafka)
    eventually(lambda: spare.loop.member_id != "" and spare.loop.unassigned_since is not None)
    lost.member_id = spare.loop.member_id
    eventually(lambda: not problem(), "a spare one is in its place")
    asking = AdminClient(apache_kafka.settings)
    described = asking.describe_consumer_groups([GROUP])[GROUP].result(60)
    lost.member_id = next(one.member_id for one in described.members if one.assignment.topic_partitions)
    eventually(lambda: "that its client has lost" in problem())
    lost.unassigned_since = None
    assert not problem()
