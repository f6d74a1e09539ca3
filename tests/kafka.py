"""Fixtures: the brokers that the broker tests run on; the end of a run says which they were.

Apache Kafka is, in this order: the cluster at KAFKA_BOOTSTRAP_SERVERS, when it has none of Kompass's topics (the tests make
and delete them); a container where Docker answers; Apache's own artifacts on this machine's Java. Tests that kill brokers or
want TLS need the last.

REQUIRE_KAFKA=auto (`.ci/run` sets it) turns a skip into a failure on a machine that has Docker, or Java and Maven;
REQUIRE_KAFKA=yes on any.
"""

from __future__ import annotations

import atexit
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final, NoReturn

import confluent_kafka
import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from demo.embedded.broker import EmbeddedBroker
from schemas.events import Kind
from store.failures import DEAD_LETTERS
from tests.artifacts import ROOT, NotHere
from tests.kafka_cluster import POM, VERSION, KafkaCluster
from tests.kafka_container import container_answers, kafka_container
from tests.summary import ran_on

TOPICS: Final = (*(f"kompass.{kind.value}s" for kind in Kind), DEAD_LETTERS)
GROUPS: Final = tuple(f"kompass-qbo.{kind.value}s" for kind in Kind)
PARTITIONS: Final = 4

# What librdkafka writes to stderr about brokers that a test has killed.
_QUIET: Final = {"log_level": "0"}

_OFFSETS: Final = "__consumer_offsets"
_NOT_YET: Final = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NON_EMPTY_GROUP,
)

_APACHE: Final = f"Apache Kafka {VERSION}"


@dataclass
class Kafka:
    """A broker under test."""

    name: str
    bootstrap_servers: str
    embedded: EmbeddedBroker | None = None
    cluster: KafkaCluster | None = None
    """Set when its brokers are this session's own processes."""
    _asked: AdminClient | None = None

    @property
    def _admin(self) -> AdminClient:
        # A fresh one each time: one that saw its broker killed takes long to ask the new one about groups.
        # Kept, because its answers come only as long as it lives.
        self._asked = AdminClient({"bootstrap.servers": self.bootstrap_servers, **_QUIET})
        return self._asked

    @property
    def settings(self) -> dict[str, str]:
        return {"bootstrap.servers": self.bootstrap_servers}

    @property
    def session_ms(self) -> int:
        """The shortest session that the broker grants a member and a busy machine can keep."""
        return 2000 if self.embedded is not None else 3000 if self.cluster is not None else 6000

    @property
    def apache(self) -> bool:
        return self.embedded is None

    def create_topic(self, name: str, partitions: int = PARTITIONS, config: Mapping[str, str] | None = None) -> None:
        if self.embedded is not None:
            self.embedded.create_topic(name, partitions)
            return
        topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=dict(config or {}))
        for made in self._admin.create_topics([topic]).values():
            made.result(60)

    def delete_topics(self, *names: str) -> None:
        for gone in self._admin.delete_topics(list(names)).values():
            try:
                gone.result(60)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise

    def delete_groups(self, *names: str) -> None:
        if self.apache and _OFFSETS not in self.topics():
            # There never was a group. To ask for one would have the topic of offsets made, which takes minutes on a busy machine.
            return
        for name in names:
            deadline = time.monotonic() + 60
            while True:
                (gone,) = self._admin.delete_consumer_groups([name]).values()
                try:
                    gone.result(60)
                    break
                except KafkaException as error:
                    if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                        break
                    # The first to ask about groups has the topic of offsets made, or moved; a killed member leaves in time.
                    if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def forget_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the records before an offset, as retention does (Apache Kafka only)."""
        for done in self._admin.delete_records([TopicPartition(topic, partition, offset)]).values():
            done.result(60)

    def watermarks(self, topic: str, partition: int = 0) -> tuple[int, int]:
        consumer = Consumer({**self.settings, "group.id": "tests.watermarks", **_QUIET})
        try:
            found: tuple[int, int] = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=60)
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str, partitions: int = PARTITIONS) -> dict[int, int]:
        """The committed offsets of a group, by partition; partitions without one are left out."""
        consumer = Consumer({**self.settings, "group.id": group, **_QUIET})
        try:
            asked = [TopicPartition(topic, partition) for partition in range(partitions)]
            return {one.partition: one.offset for one in consumer.committed(asked, timeout=60) if one.offset >= 0}
        finally:
            consumer.close()

    def members(self, group: str) -> int:
        """How many members a group has (Apache Kafka only)."""
        (found,) = self._admin.describe_consumer_groups([group]).values()
        return len(found.result(60).members)

    def commit(self, group: str, topic: str, offsets: Mapping[int, int], *, metadata: str = "") -> None:
        """Set an empty group's offsets (Apache Kafka only)."""
        wanted = [TopicPartition(topic, partition, offset, metadata) for partition, offset in offsets.items()]
        for done in self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)]).values():
            done.result(60)

    def add_partitions(self, topic: str, total: int) -> None:
        for done in self._admin.create_partitions([NewPartitions(topic, total)]).values():
            done.result(60)

    def set_topic(self, topic: str, config: Mapping[str, str]) -> None:
        """Change a topic's configuration (Apache Kafka only)."""
        entries = [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        for done in self._admin.incremental_alter_configs([resource]).values():
            done.result(60)

    def offsets_of(self, topic: str, key: bytes) -> list[int]:
        """The offsets in partition 0 at which a key's records still are."""
        consumer = Consumer({**self.settings, "group.id": "tests.offsets", "enable.partition.eof": True, **_QUIET})
        found: list[int] = []
        try:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
            while True:
                message = consumer.poll(60)
                assert message is not None
                error, offset = message.error(), message.offset()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF
                    return found
                if message.key() == key and offset is not None:
                    found.append(offset)
        finally:
            consumer.close()

    def in_sync(self, topic: str, copies: int) -> bool:
        """Whether every partition has so many copies in step with its leader."""
        partitions = self._admin.list_topics(topic, timeout=60).topics[topic].partitions
        return all(len(partition.isrs) == copies for partition in partitions.values())

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take the only broker away and bring it back with its records."""
        if self.embedded is not None:
            self.embedded.stop_broker(1)
            try:
                yield
            finally:
                self.embedded.start_broker(1)
            return
        cluster = self._own_cluster()
        cluster.kill(1)
        try:
            yield
        finally:
            cluster.start(1)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Have the only broker keep its connections and answer nothing, until the end."""
        if self.embedded is not None:
            self.embedded.answer_after(1, 600)
            try:
                yield
            finally:
                self.embedded.stop_broker(1)
                self.embedded.answer_after(1, 0)
                self.embedded.start_broker(1)
            return
        cluster = self._own_cluster()
        cluster.halt(1)
        try:
            yield
        finally:
            cluster.resume(1)

    def _own_cluster(self) -> KafkaCluster:
        if self.cluster is None:
            pytest.skip("the brokers are not this session's own processes, and cannot be stopped")
        return self.cluster

    def producer(self, **more: object) -> Producer:
        return Producer({**self.settings, "enable.idempotence": True, "linger.ms": 1, **_QUIET, **more})

    def clear(self) -> None:
        """Take Kompass's topics and our groups away."""
        self.delete_groups(*GROUPS)
        self.delete_topics(*TOPICS)

    def topics(self) -> set[str]:
        return set(self._admin.list_topics(timeout=60).topics)


def cannot(what: str, why: str) -> NoReturn:
    """Skip, or fail where that is not to be excused."""
    required = os.environ.get("REQUIRE_KAFKA", "")
    here = "Docker" if container_answers() else "Java and Maven" if shutil.which("java") and shutil.which("mvn") else ""
    if required == "yes" or (required == "auto" and here):
        because = f"this machine has {here}" if required == "auto" else "it is to run on any machine"
        pytest.fail(
            f"{what} did not run: {why}.\n"
            f"REQUIRE_KAFKA={required} makes that a failure, because {because}. Either fix it (what Maven brought once is kept, and "
            f"needs no network any more; `mvn -f {POM.relative_to(ROOT)} dependency:copy-dependencies` says more), or have a broker at "
            "KAFKA_BOOTSTRAP_SERVERS, or leave REQUIRE_KAFKA out to skip these tests by name.",
            pytrace=False,
        )
    pytest.skip(f"{what} cannot run here: {why}")


@cache
def _shared_cluster() -> KafkaCluster:
    cluster = KafkaCluster().__enter__()
    atexit.register(cluster.close)
    return cluster


@contextmanager
def chosen_broker(topics: Mapping[str, int]) -> Iterator[EmbeddedBroker | Kafka]:
    """The broker of tests that are not about brokers: the embedded one, or Apache Kafka with TEST_BROKER=apache."""
    if os.environ.get("TEST_BROKER", "embedded") != "apache":
        with EmbeddedBroker(topics=topics, listen_port=0) as broker:
            yield broker
        return
    try:
        cluster = _shared_cluster()
    except NotHere as why:
        cannot(_APACHE, str(why))
    kafka = Kafka(_APACHE, cluster.bootstrap_servers, cluster=cluster)
    kafka.clear()
    for topic, partitions in topics.items():
        kafka.create_topic(topic, partitions)
    yield kafka


@pytest.fixture(scope="session")
def apache_cluster(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    """One broker of Apache Kafka, a process of this session's own: it may be killed if it is started again."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(KafkaCluster())
        except NotHere as why:
            cannot(_APACHE, str(why))
        ran_on(request.config, "own", f"Apache Kafka {VERSION}, 1 broker, Apache's artifacts on this machine's Java")
        yield cluster


@pytest.fixture(scope="module")
def three_brokers(request: pytest.FixtureRequest) -> Iterator[KafkaCluster]:
    """Three brokers of Apache Kafka; a test that kills one starts it again."""
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(KafkaCluster(brokers=3))
        except NotHere as why:
            cannot(_APACHE, str(why))
        ran_on(request.config, "three", f"Apache Kafka {VERSION}, 3 brokers, Apache's artifacts on this machine's Java")
        yield cluster


@pytest.fixture(scope="session")
def apache(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """Apache Kafka, whichever can be had."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        kafka = Kafka("Apache Kafka", given)
        present = sorted(kafka.topics() & set(TOPICS))
        if present:
            cannot(
                _APACHE, f"the cluster at KAFKA_BOOTSTRAP_SERVERS has {present[0]}, and the tests make and delete it"
            )
        ran_on(request.config, "given", "Apache Kafka as given by KAFKA_BOOTSTRAP_SERVERS")
        yield kafka
        kafka.clear()
    elif container_answers():
        with kafka_container(VERSION) as bootstrap:
            ran_on(request.config, "container", f"Apache Kafka {VERSION}, 1 broker, a container")
            yield Kafka("Apache Kafka", bootstrap)
    else:
        cluster: KafkaCluster = request.getfixturevalue("apache_cluster")
        yield Kafka("Apache Kafka", cluster.bootstrap_servers, cluster=cluster)


@pytest.fixture
def empty_apache(apache: Kafka) -> Iterator[Kafka]:
    """Apache Kafka without Kompass's topics and our groups, before and after."""
    apache.clear()
    yield apache
    apache.clear()


@pytest.fixture(params=["embedded", "apache"])
def empty_kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """Each broker in turn, without any of Kompass's topics."""
    if request.param == "apache":
        yield request.getfixturevalue("empty_apache")
        return
    name = f"librdkafka's embedded broker {confluent_kafka.libversion()[0]}"
    ran_on(request.config, "embedded", name)
    with EmbeddedBroker(topics={}) as broker:
        yield Kafka(name, broker.bootstrap_servers, embedded=broker)


@pytest.fixture
def kafka(empty_kafka: Kafka) -> Kafka:
    """Each broker in turn, with Kompass's topics of `PARTITIONS` partitions."""
    for topic in TOPICS:
        empty_kafka.create_topic(topic)
    return empty_kafka


@pytest.fixture
def apache_kafka(empty_apache: Kafka) -> Kafka:
    """Apache Kafka with Kompass's topics."""
    for topic in TOPICS:
        empty_apache.create_topic(topic)
    return empty_apache
