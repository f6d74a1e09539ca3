"""Every error that a broker can answer with, at each request of a consumer: it passes, or it ends the process at once.

Never is a process left that lives and reads nothing. ERRORS_TRIED=all tries each (``make brokers``), else some of them are drawn.
"""

from __future__ import annotations

import ctypes
import os
import random
import time
from collections.abc import Iterator

import pytest

from consumers.kafka_errors import ClientDead
from demo.embedded.broker import _library
from tests.integration.broker.members import Member, Members, Publisher, all_committed, eventually, kept
from tests.integration.broker.test_dead_clients import (
    ENDS_S,
    GROUP_HEARTBEAT,
    HEARTBEAT,
    JOIN_GROUP,
    OFFSET_COMMIT,
    SYNC_GROUP,
    answer_with,
    never_again,
)
from tests.kafka import Kafka

FETCH, LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR = 1, 2, 3, 9, 10
NEWEST = 134
"""The greatest number of an error in Kafka 4's protocol."""
TRIED = os.environ.get("ERRORS_TRIED", "1")
WORKING = (HEARTBEAT, OFFSET_COMMIT, FETCH, METADATA)
"""What a process that works asks for again and again."""
JOINING = (JOIN_GROUP, SYNC_GROUP, FIND_COORDINATOR, OFFSET_FETCH, LIST_OFFSETS)
"""What one asks for that has just been started."""
CLASSIC = (*WORKING, *JOINING)
CONSUMER = (GROUP_HEARTBEAT, OFFSET_COMMIT, FETCH, METADATA, FIND_COORDINATOR, OFFSET_FETCH, LIST_OFFSETS)
RECOVERS_S = 90.0
LOST = {("consumer", OFFSET_COMMIT, 22)}
"""Answers after which librdkafka drops its partitions and never joins again, which /livez finds. Apache Kafka gives none of them."""


def _errors(chance: random.Random) -> Iterator[int]:
    every = list(range(1, NEWEST + 1))
    yield from every if TRIED == "all" else chance.sample(every, int(TRIED))


class _Requests:
    """The requests that the embedded broker has had since it last forgot them."""

    def __init__(self, kafka: Kafka) -> None:
        assert kafka.embedded is not None
        self._library, self._cluster = _library(), ctypes.c_void_p(kafka.embedded._cluster)
        self._library.rd_kafka_mock_get_requests.restype = ctypes.POINTER(ctypes.c_void_p)
        self._library.rd_kafka_mock_request_api_key.restype = ctypes.c_int16
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)

    def forget(self) -> None:
        self._library.rd_kafka_mock_clear_requests(self._cluster)

    def had(self, kind: int) -> bool:
        count = ctypes.c_size_t()
        found = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        kinds = {
            self._library.rd_kafka_mock_request_api_key(ctypes.c_void_p(found[place])) for place in range(count.value)
        }
        self._library.rd_kafka_mock_request_destroy_array(found, count)
        return kind in kinds


@pytest.mark.timeout(0 if TRIED == "all" else 300)
@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
@pytest.mark.parametrize(("protocol", "requests"), [("classic", CLASSIC), ("consumer", CONSUMER)])
def test_no_error_leaves_a_process_that_lives_and_reads_nothing(
    kafka: Kafka, database: str, members: Members, rng: random.Random, protocol: str, requests: tuple[int, ...]
) -> None:
    settings = {"group.instance.id": "one"} if protocol == "classic" else {"group.protocol": "consumer"}
    publisher, asked, ended = Publisher(kafka), _Requests(kafka), []
    member: Member | None = None
    number, slowest = 0, 0.0
    for request in requests:
        for error in _errors(rng):
            number += 1
            what = f"error {error} at request {request} ({protocol})"
            if request in JOINING and member is not None:
                member.end()
                member = None
            if member is None and request not in JOINING:
                member = members(kafka, dict(settings))
                eventually(lambda member=member: member.loop.assigned, "a new process gets its partitions", RECOVERS_S)
            asked.forget()
            met = time.monotonic()
            answer_with(kafka, request, error, error)
            if member is None:
                member = members(kafka, dict(settings))
            publisher.send(f"c{number}")
            publisher.flush()

            if (protocol, request, error) in LOST:
                eventually(lambda member=member: member.loop.unassigned_since is not None, what)
                never_again(kafka, request)
                member.end()
                member = None
                continue

            def over(member: Member = member, client: str = f"c{number}", request: int = request) -> bool:
                if not member.running:
                    return True
                if not (asked.had(request) and client in kept(database)):
                    return False
                return request != OFFSET_COMMIT or all_committed(kafka)

            eventually(over, f"an event is read and committed after {what}", RECOVERS_S)
            never_again(kafka, request)
            if member.running:
                continue
            slowest = max(slowest, time.monotonic() - met)
            assert slowest < ENDS_S, what
            failure = member.failure()
            assert isinstance(failure, ClientDead), f"{what}: {failure!r}"
            assert failure.says_why, failure
            ended.append((request, error))
            member = None
        fatal = [error for kind, error in ended if kind == request]
        print(f"{protocol}, request {request}: of the errors tried these end the process: {fatal}", flush=True)
    print(
        f"{protocol}: {number} errors tried, {len(ended)} ended a process, the slowest after {slowest:.1f} s",
        flush=True,
    )
