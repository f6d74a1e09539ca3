"""Every error that a broker can answer with, at each request of a consumer: it passes, or it ends the process at once.

Never is a process left that lives and reads nothing. ERRORS_TRIED=all tries each (``make brokers``), else some of them are drawn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from consumers.kafka_errors import ClientDead
from tests.integration.broker.members import Member, Members, Publisher, eventually, kept
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
TRIED = os.environ.get("ERRORS_TRIED", "2")
CLASSIC = (
    OFFSET_COMMIT, JOIN_GROUP, HEARTBEAT, SYNC_GROUP, FETCH, LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR,
)  # fmt: skip
CONSUMER = (GROUP_HEARTBEAT, OFFSET_COMMIT, FETCH, OFFSET_FETCH, METADATA)
RECOVERS_S = 90.0


def _errors(chance: random.Random) -> Iterator[int]:
    every = list(range(1, NEWEST + 1))
    yield from every if TRIED == "all" else chance.sample(every, int(TRIED))


@pytest.mark.timeout(0 if TRIED == "all" else 300)
@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
@pytest.mark.parametrize(("protocol", "requests"), [("classic", CLASSIC), ("consumer", CONSUMER)])
def test_no_error_leaves_a_process_that_lives_and_reads_nothing(
    kafka: Kafka, database: str, members: Members, rng: random.Random, protocol: str, requests: tuple[int, ...]
) -> None:
    settings = {"group.instance.id": "one"} if protocol == "classic" else {"group.protocol": "consumer"}
    publisher, ended = Publisher(kafka), []

    def started() -> Member:
        member = members(kafka, dict(settings))
        eventually(lambda: member.loop.assigned or not member.running, "a new process gets its partitions", RECOVERS_S)
        return member

    member, number = started(), 0
    for request in requests:
        for error in _errors(rng):
            number += 1
            answer_with(kafka, request, error, error)
            publisher.send(f"c{number}")
            publisher.flush()

            def read(member: Member = member, client: str = f"c{number}") -> bool:
                return not member.running or client in kept(database)

            eventually(read, f"an event is read after error {error} at request {request} ({protocol})", RECOVERS_S)
            never_again(kafka, request)
            if member.running:
                continue
            failure = member.failure(ENDS_S)
            assert isinstance(failure, ClientDead), f"error {error} at request {request}: {failure!r}"
            assert failure.says_why, failure
            ended.append((request, error))
            member = started()
    print(f"{protocol}: {number} errors, of which these end the process (request, error): {ended}")
