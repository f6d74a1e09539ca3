"""A database that knows less than Kafka, down to one with empty tables, is refused at start and noticed by doctor."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition
from sqlalchemy import select

from consumers.doctor import Verdict, examine
from consumers.restoring import places
from consumers.restoring.command import restored
from consumers.restoring.places import Behind, DatabaseBehind, StillConsuming, check_not_restored, find_behind
from demo.embedded.broker import EmbeddedBroker
from store.engine import open_engine
from store.restores import read_reached
from store.tables import restore

TOPICS = dict.fromkeys(("kompass.clients", "kompass.projects", "kompass.invoices", "kompass.qbo.dead-letters"), 3)


def read_and_commit(servers: str, topic: str, partition: int, offset: int) -> None:
    """Leave a group behind that has read so far."""
    producer = Producer({"bootstrap.servers": servers})
    for _ in range(offset + 2):
        producer.produce(topic, b"an event", partition=partition)
    assert producer.flush(30) == 0
    consumer = Consumer({"bootstrap.servers": servers, "group.id": f"kompass-qbo.{topic.rpartition('.')[2]}"})
    consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
    consumer.close()


def test_an_empty_database_is_refused_where_the_group_has_read(migrated_database: str) -> None:
    engine = open_engine(migrated_database, pool_size=1)
    with EmbeddedBroker(topics=TOPICS) as broker:
        kafka = {"bootstrap.servers": broker.bootstrap_servers}
        environ = {"DATABASE_URL": migrated_database, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        check_not_restored(engine, kafka)
        read_and_commit(broker.bootstrap_servers, "kompass.invoices", 2, 5)

        with pytest.raises(
            DatabaseBehind, match=r"^the database knows kompass.invoices/2 up to offset 0, but 5 is commi"
        ):
            check_not_restored(engine, kafka)
        found = {one.what: one for one in examine(environ, calls=False)}["database's age"]
        assert found.verdict is Verdict.UNSOUND
        assert "kompass.invoices/2 up to offset 0" in found.words

        done = CliRunner(env=environ).invoke(restored, ["--since", "2026-03-02T02:00"])
        assert done.exception is None, done.output
        assert "7 events are read again" in done.output
        check_not_restored(engine, kafka)
    engine.dispose()


def test_offsets_that_were_moved_by_hand_are_accepted(migrated_database: str) -> None:
    engine = open_engine(migrated_database, pool_size=1)
    with EmbeddedBroker(topics=TOPICS) as broker:
        kafka = {"bootstrap.servers": broker.bootstrap_servers}
        environ = {"DATABASE_URL": migrated_database, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        read_and_commit(broker.bootstrap_servers, "kompass.clients", 0, 3)

        done = CliRunner(env=environ).invoke(restored, ["--since", "2026-03-02T02:00", "--keep-offsets"])

        assert done.exception is None, done.output
        assert find_behind(engine, kafka) == []
        with engine.begin() as db:
            assert read_reached(db) == {("kompass.clients", 0): 3}
    engine.dispose()


def test_nothing_is_marked_while_a_consumer_runs(migrated_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_SESSION_S", 1.0)
    engine = open_engine(migrated_database, pool_size=1)
    with EmbeddedBroker(topics=TOPICS) as broker:
        environ = {"DATABASE_URL": migrated_database, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        read_and_commit(broker.bootstrap_servers, "kompass.clients", 0, 3)
        # The last of the three groups: the first two are free, and keep what they have committed.
        for committed in (True, False):
            topic = "kompass.invoices" if committed else "kompass.projects"
            if committed:
                read_and_commit(broker.bootstrap_servers, topic, 2, 5)
            member = Consumer(
                {"bootstrap.servers": broker.bootstrap_servers, "group.id": f"kompass-qbo.{topic.rpartition('.')[2]}"}
            )
            member.subscribe([topic])
            while not member.assignment():
                member.poll(0.1)

            done = CliRunner(env=environ).invoke(restored, ["--since", "2026-03-02T02:00"])

            member.close()
            assert isinstance(done.exception, StillConsuming)
            assert "stop every consumer, then run this again. Nothing was changed." in str(done.exception)
            assert done.output == ""
            with engine.begin() as db:
                assert db.execute(select(restore)).all() == []
                assert read_reached(db) == {}
            behind = find_behind(engine, {"bootstrap.servers": broker.bootstrap_servers})
            assert behind[0] == Behind(("kompass.clients", 0), 3, 0)
    engine.dispose()
