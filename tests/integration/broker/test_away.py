"""The broker or the database is away: nothing is skipped, nothing is taken twice, and it is said."""

from __future__ import annotations

from itertools import pairwise

import pytest

from consumers.dependencies import Dependencies, Dependency
from sync.metrics import Metrics
from tests.integration.broker.members import (
    Members,
    Publisher,
    all_committed,
    database_away,
    eventually,
    kept,
    twice,
)
from tests.kafka import PARTITIONS, Kafka

CLIENTS = [f"c{number}" for number in range(30)]


def test_the_broker_goes_and_comes_back(kafka: Kafka, database: str, members: Members) -> None:
    publisher = Publisher(kafka)
    dependencies = Dependencies(Metrics())
    member = members(kafka, dependencies=dependencies)

    def lags() -> int:
        (family,) = (one for one in member.metrics.registry.collect() if one.name == "kompass_qbo_ingest_lag_events")
        return len(family.samples)

    publisher.send_all(CLIENTS, 1)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: lags() == PARTITIONS)
    member.ingest.stall = True
    for client in CLIENTS:
        publisher.send(client, 2)
    publisher.flush()
    # Between a batch made durable and its commit.
    assert member.ingest.stalled.wait(60)
    with kafka.away():
        turns = len(member.turns)
        member.ingest.go.set()
        eventually(lambda: len(member.turns) > turns + 4, "the loop turns while the broker is away", timeout=90)
        dependencies.missing(Dependency.BROKER, "no answer")
        eventually(lambda: lags() == 0, "what nobody knows is not shown")
        for client in CLIENTS:
            publisher.send(client, 3)
    publisher.flush()
    dependencies.served(Dependency.BROKER)
    eventually(lambda: kept(database) == publisher.newest, timeout=60)
    eventually(lambda: all_committed(kafka), timeout=60)
    eventually(lambda: lags() == PARTITIONS)
    assert twice(database) == []
    # /livez allows a minute between two turns.
    assert max(later - earlier for earlier, later in pairwise(member.turns)) < 45


def test_a_broker_that_answers_nothing_holds_up_neither_the_loop_nor_its_end(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka keeps a commit that was sent until it is answered; nobody may wait for that."""
    publisher = Publisher(kafka)
    member = members(kafka, close_s=1.0)
    publisher.send_all(CLIENTS, 1)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    member.ingest.stall = True
    publisher.send_all(CLIENTS[:1], 2)
    assert member.ingest.stalled.wait(60)
    with kafka.silent():
        turns = len(member.turns)
        member.ingest.go.set()
        eventually(lambda: len(member.turns) > turns + 8, "the loop turns while its commit is not answered")
        member.stop()
        assert not member.loop.closed
        assert "the brokers did not let us leave the group of kompass.clients within 1 s" in caplog.text
    members(kafka)
    publisher.send_all(CLIENTS, 3)
    eventually(lambda: kept(database) == publisher.newest, timeout=60)
    eventually(lambda: all_committed(kafka), timeout=60)
    assert twice(database) == []


def test_the_database_is_away_longer_than_a_poll_may_take(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    """The paused partitions are still polled: the member stays in its group, and nobody else need take over."""
    publisher = Publisher(kafka)
    member = members(kafka, {"max.poll.interval.ms": str(kafka.session_ms)})
    eventually(lambda: member.counted("ingest_assigned_partitions") == PARTITIONS)
    changes = member.counted("ingest_rebalances_total")
    with database_away(database):
        publisher.send_all(CLIENTS, 1)
        eventually(lambda: "waits" in caplog.text)
        began = member.turns[-1]
        eventually(lambda: member.turns[-1] - began > 2 * kafka.session_ms / 1000)
        publisher.send_all(CLIENTS, 2)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    assert member.counted("ingest_rebalances_total") == changes
    assert twice(database) == []


def test_a_rebalance_while_the_database_is_away_loses_nothing(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    """A member that holds a batch is given more partitions, and must neither drop nor commit what it reads there."""
    publisher = Publisher(kafka)
    first = members(kafka)
    second = members(kafka)
    eventually(lambda: first.counted("ingest_assigned_partitions") and second.counted("ingest_assigned_partitions"))
    eventually(lambda: first.counted("ingest_assigned_partitions") + second.counted("ingest_assigned_partitions") == 4)
    with database_away(database):
        publisher.send_all(CLIENTS, 1)
        eventually(lambda: first.ingest.batches and second.ingest.batches)
        publisher.send_all(CLIENTS, 2)
        first.stop()
        caplog.set_level("INFO")
        eventually(lambda: second.loop.partitions == {0, 1, 2, 3})
        turns = len(second.turns)
        eventually(lambda: len(second.turns) > turns + 8)
        third = members(kafka)
        eventually(lambda: third.loop.assigned)
        publisher.send_all(CLIENTS, 3)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    assert twice(database) == []
