"""TLS, SASL/SCRAM and ACLs: reading Kompass's topics and writing dead letters is all we ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from consumers.backfill.reading import GROUP as BACKFILL
from consumers.backfill.reading import Backfill, Backfilled
from consumers.broker_check import check_broker
from consumers.errors import BrokerUnreachable
from consumers.ingest.group import topic_of
from schemas.codec import Codec
from schemas.events import Kind
from store.engine import open_engine
from store.failures import DEAD_LETTERS
from sync.settings import Environment, Settings, read_kafka, settings_from
from tests.builders import UK_ORG
from tests.integration.broker.members import GROUP, TOPIC, Members, Publisher, eventually, kept
from tests.integration.broker.test_records import dead_letters, publish_outbox
from tests.kafka import TOPICS, Kafka
from tests.kafka_cluster import KafkaCluster

ROUNDS = 4096
READ_CLIENTS = (ResourceType.TOPIC, TOPIC, AclOperation.READ)
READ_GROUP = (ResourceType.GROUP, GROUP, AclOperation.READ)
WRITE_DEAD_LETTERS = (ResourceType.TOPIC, DEAD_LETTERS, AclOperation.WRITE)
Right = tuple[ResourceType, str, AclOperation]


class Guarded:
    """The guarded listener of a cluster, and the users it knows."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._cluster = cluster
        self._admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": "0"})

    def user(self, name: str, *rights: Right, password: str = "correct horse") -> dict[str, str]:
        """Make a user with these rights; gives what KAFKA_* says for it."""
        credential = UserScramCredentialUpsertion(
            name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ROUNDS), b"correct horse"
        )
        for done in self._admin.alter_user_scram_credentials([credential]).values():
            done.result(60)
        self.allow(name, *rights)
        return read_kafka(
            Environment(
                {
                    "KAFKA_BOOTSTRAP_SERVERS": self._cluster.guarded_servers,
                    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
                    "KAFKA_SASL_USERNAME": name,
                    "KAFKA_SASL_PASSWORD": password,
                    "KAFKA_SSL_CA_LOCATION": str(self._cluster.authority),
                }
            )
        )

    def allow(self, user: str, *rights: Right, pattern: ResourcePatternType = ResourcePatternType.LITERAL) -> None:
        acls = [
            AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
            for kind, name, operation in rights
        ]
        for done in self._admin.create_acls(acls).values() if acls else ():
            done.result(60)


@pytest.fixture
def plain(apache_cluster: KafkaCluster) -> Kafka:
    """The same cluster, as a superuser sees it."""
    kafka = Kafka("Apache Kafka", apache_cluster.bootstrap_servers, cluster=apache_cluster)
    kafka.clear()
    for topic in TOPICS:
        kafka.create_topic(topic)
    return kafka


@pytest.fixture
def guarded(apache_cluster: KafkaCluster, plain: Kafka) -> Guarded:
    return Guarded(apache_cluster)


def test_read_on_our_topics_and_write_on_the_dead_letters_is_enough(
    guarded: Guarded, plain: Kafka, database: str, members: Members
) -> None:
    user = guarded.user("least", READ_CLIENTS, READ_GROUP, WRITE_DEAD_LETTERS)
    publisher = Publisher(plain)
    publisher.send("bad", value=b"nonsense")
    publisher.send_all(["c1", "c2"])
    members(plain, user)
    for _ in publish_outbox(database, user):
        (letter,) = dead_letters(plain, 1)
        assert letter.value() == b"nonsense"
    eventually(lambda: kept(database) == {"c1": 1, "c2": 1})
    eventually(lambda: sum(plain.committed(GROUP, TOPIC).values()) == 3)


def test_earlier_events_need_a_group_of_their_own_by_its_prefix(guarded: Guarded, plain: Kafka, database: str) -> None:
    def read() -> Backfilled:
        engine = open_engine(database)
        one = Backfill(engine, Codec(), user, org_id=UK_ORG.id, kinds=tuple(Kind), group=f"{BACKFILL}.{UK_ORG.id}.1")
        try:
            return one.run()
        finally:
            one.close()
            engine.dispose()

    topics = [(ResourceType.TOPIC, topic_of(kind), AclOperation.READ) for kind in Kind]
    user = guarded.user("early", *topics)
    Publisher(plain).send_all(["c1"])
    with pytest.raises(
        BrokerUnreachable, match=r"group kompass-qbo\.backfill\.\S+ stopped .*the right to Read this group"
    ):
        read()
    guarded.allow(
        "early", (ResourceType.GROUP, f"{BACKFILL}.", AclOperation.READ), pattern=ResourcePatternType.PREFIXED
    )
    assert read().read == 1


def test_a_right_that_is_missing_is_named_and_waited_for(
    guarded: Guarded, plain: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    user = guarded.user("late", READ_CLIENTS, WRITE_DEAD_LETTERS)
    publisher = Publisher(plain)
    publisher.send_all(["c1"])
    member = members(plain, user)
    eventually(lambda: "Group authorization failed" in caplog.text)
    assert not member.loop.assigned
    guarded.allow("late", READ_GROUP)
    eventually(lambda: kept(database) == {"c1": 1}, timeout=60)


def test_a_topic_we_may_not_read_is_named(
    guarded: Guarded, plain: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    user = guarded.user("blind", READ_GROUP)
    Publisher(plain).send_all(["c1"])
    member = members(plain, user)
    eventually(lambda: f"{TOPIC}: Broker: Topic authorization failed" in caplog.text)
    assert not member.loop.assigned
    guarded.allow("blind", READ_CLIENTS)
    eventually(lambda: kept(database) == {"c1": 1}, timeout=60)


def test_dead_letters_wait_for_the_right_to_write_them(
    guarded: Guarded, plain: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    user = guarded.user("mute", READ_CLIENTS, READ_GROUP)
    publisher = Publisher(plain)
    publisher.send("bad", value=b"nonsense")
    publisher.flush()
    members(plain, user)
    for _ in publish_outbox(database, user):
        eventually(lambda: "Topic authorization failed" in caplog.text)
        guarded.allow("mute", WRITE_DEAD_LETTERS)
        (letter,) = dead_letters(plain, 1)
        assert letter.value() == b"nonsense"


def test_a_wrong_password_is_said(
    guarded: Guarded, plain: Kafka, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    user = guarded.user("forgetful", READ_CLIENTS, READ_GROUP, password="wrong")
    with pytest.raises(BrokerUnreachable, match=r"Authentication failed.*check KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_\*"):
        check_broker(settings_with(user), timeout=60)
    member = members(plain, user)
    eventually(lambda: "Authentication failed" in caplog.text, timeout=60)
    assert not member.loop.assigned


def test_an_unknown_authority_is_said(guarded: Guarded) -> None:
    user = guarded.user("stranger")
    del user["ssl.ca.location"]
    with pytest.raises(BrokerUnreachable, match=r"certificate verify failed.*KAFKA_SSL_\*"):
        check_broker(settings_with(user), timeout=60)


def settings_with(kafka: dict[str, str]) -> Settings:
    return replace(settings_from({}), kafka=kafka)
