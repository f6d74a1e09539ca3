"""Three brokers, of which one is killed and started again while events come: nothing is lost, nothing counts as new twice.

BROKER_ROUNDS=20 kills twenty times (``make brokers``).
"""

from __future__ import annotations

import os
import random
import threading

import pytest

from tests.integration.broker.members import TOPIC, Members, Publisher, all_committed, eventually, kept, twice
from tests.kafka import TOPICS, Kafka
from tests.kafka_cluster import KafkaCluster

ROUNDS = int(os.environ.get("BROKER_ROUNDS", "1"))
CLIENTS = [f"c{number}" for number in range(50)]
PARTITIONS = 6


class Load(threading.Thread):
    """Writes newer and newer states of the same clients until it is asked to stop."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__(name="load", daemon=True)
        self.publisher = publisher
        self._ended = threading.Event()
        self.sequence = 0

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.sequence += 1
            for client in CLIENTS:
                self.publisher.send(client, self.sequence)

    def end(self) -> None:
        self._ended.set()
        self.join()
        self.publisher.flush()


def kill_and_restart(kafka: Kafka, cluster: KafkaCluster, victim: int, load: Load, database: str) -> None:
    began = load.sequence
    eventually(lambda: load.sequence > began + 5)
    cluster.kill(victim)
    down = load.sequence
    eventually(lambda: load.sequence > down + 20)
    # Read on with two: what was written before the kill arrives without the third.
    eventually(lambda: min(kept(database).values(), default=0) >= down, "the other two serve", timeout=60)
    cluster.start(victim)
    eventually(lambda: kafka.in_sync(TOPIC, 3), "the third has caught up", timeout=60)


@pytest.mark.timeout(240 + 60 * ROUNDS)
def test_one_of_three_brokers_is_killed_and_started_again(
    three_brokers: KafkaCluster, database: str, members: Members, rng: random.Random
) -> None:
    kafka = Kafka("Apache Kafka", three_brokers.bootstrap_servers, cluster=three_brokers)
    kafka.clear()
    for topic in TOPICS:
        kafka.create_topic(topic, partitions=PARTITIONS)
    first, second = members(kafka), members(kafka)
    eventually(lambda: len(first.loop.partitions) + len(second.loop.partitions) == PARTITIONS)
    load = Load(Publisher(kafka))
    load.start()
    try:
        for _ in range(ROUNDS):
            kill_and_restart(kafka, three_brokers, rng.choice(three_brokers.brokers), load, database)
            assert first.running
            assert second.running
    finally:
        load.end()
    publisher = load.publisher
    eventually(lambda: kept(database) == publisher.newest, timeout=60)
    eventually(lambda: all_committed(kafka, PARTITIONS), timeout=60)
    assert set(publisher.newest.values()) == {load.sequence}
    assert twice(database) == []
