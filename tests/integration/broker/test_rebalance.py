"""Members of a group come, go and stand still, and every state is made durable once."""

from __future__ import annotations

import pytest

from tests.integration.broker.members import (
    GROUP,
    TOPIC,
    Members,
    Publisher,
    all_committed,
    eventually,
    kept,
    twice,
)
from tests.kafka import PARTITIONS, Kafka

PROTOCOLS = {"cooperative-sticky": {}, "kip-848": {"group.protocol": "consumer"}}
CLIENTS = [f"c{number}" for number in range(40)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_come_and_go(kafka: Kafka, database: str, members: Members, protocol: str) -> None:
    settings = dict(PROTOCOLS[protocol])
    publisher = Publisher(kafka)
    first = members(kafka, settings)
    eventually(lambda: first.loop.assigned)
    publisher.send_all(CLIENTS, 1)
    second = members(kafka, settings)
    publisher.send_all(CLIENTS, 2)
    eventually(lambda: second.loop.assigned)
    third = members(kafka, settings)
    publisher.send_all(CLIENTS, 3)
    eventually(lambda: third.loop.assigned)
    first.end()
    publisher.send_all(CLIENTS, 4)
    eventually(lambda: second.counted("ingest_assigned_partitions") + third.counted("ingest_assigned_partitions") == 4)
    second.end()
    publisher.send_all(CLIENTS, 5)
    eventually(lambda: kept(database) == publisher.newest, "every client at its newest state")
    eventually(lambda: all_committed(kafka))
    assert twice(database) == []


def test_a_member_that_stood_still_moves_no_offset_back(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    """It was put out of the group between making a batch durable and committing it; the commit is refused, its partitions lost."""
    caplog.set_level("INFO")
    publisher = Publisher(kafka)
    slow = members(kafka, {"max.poll.interval.ms": str(kafka.session_ms)})
    eventually(lambda: slow.loop.assigned)
    slow.ingest.stall = True
    publisher.send_all(CLIENTS, 1)
    assert slow.ingest.stalled.wait(60)
    if kafka.apache:
        eventually(lambda: kafka.members(GROUP) == 0, "it is put out of the group")
    other = members(kafka)
    eventually(lambda: other.counted("ingest_assigned_partitions") == PARTITIONS, "the other has all partitions")
    publisher.send_all(CLIENTS, 2)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    before = kafka.committed(GROUP, TOPIC)
    slow.ingest.go.set()
    eventually(lambda: slow.loop.assigned and slow.counted("ingest_assigned_partitions") < PARTITIONS, "it is back")
    assert kafka.committed(GROUP, TOPIC) == before
    assert "not committed" in caplog.text
    if kafka.apache:
        # Where the other joins before it is out, its partitions are revoked instead, and the commit is refused all the same.
        assert "lost kompass.clients" in caplog.text
    publisher.send_all(CLIENTS, 3)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    assert twice(database) == []
