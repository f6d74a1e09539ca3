"""Where reading starts: on topics that are missing, old, shortened by retention, created again or given more partitions."""

from __future__ import annotations

import psycopg
import pytest

from consumers.errors import ExitCode
from consumers.ingest.placing import OnGap, RetentionGap
from consumers.ingest.topic_id import TopicId, asking
from sync.settings import BadSetting, settings_from
from tests.integration.broker.members import (
    GROUP,
    TOPIC,
    Members,
    Publisher,
    all_committed,
    database_away,
    eventually,
    forget,
    kept,
    twice,
)
from tests.kafka import Kafka


@pytest.fixture
def publisher(kafka: Kafka) -> Publisher:
    return Publisher(kafka)


def test_the_first_start_on_an_old_topic_reads_all_that_is_left(
    kafka: Kafka, publisher: Publisher, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    low = forget(kafka, publisher)
    publisher.send_all(["new"], partition=0)
    members(kafka)
    eventually(lambda: "new" in kept(database))
    assert (
        f"{TOPIC}/0: the group has committed no offset, or it has expired; starting at the oldest record, {low}"
        in caplog.text
    )
    assert "those before it are deleted" in caplog.text
    assert missed(database) == 0


def missed(database: str) -> int:
    """How many records were deleted before they were read, as the database keeps it for the gauge."""
    with psycopg.connect(database) as db:
        found = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM qbo_stretch WHERE what = 'gap'").fetchone()
    assert found is not None
    return int(found[0])


def leave_a_gap(kafka: Kafka, publisher: Publisher, members: Members) -> tuple[int, int]:
    """Read a little, stop, and have what comes next deleted; gives the offsets of the first record missed and of the first left."""
    member = members(kafka)
    publisher.send_all(["early"], partition=0)
    eventually(lambda: kafka.committed(GROUP, TOPIC).get(0) == 1)
    member.end()
    low = forget(kafka, publisher)
    publisher.send_all(["late"], partition=0)
    return 1, low


def test_a_gap_in_retention_is_said_and_counted(
    kafka: Kafka, publisher: Publisher, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    first, low = leave_a_gap(kafka, publisher, members)
    members(kafka)
    eventually(lambda: "late" in kept(database))
    assert f"{TOPIC}/0: records {first} to {low - 1} were deleted before they were read" in caplog.text
    assert missed(database) == low - first


def test_a_gap_in_retention_stops_the_process_that_is_told_so(
    kafka: Kafka, publisher: Publisher, database: str, members: Members
) -> None:
    leave_a_gap(kafka, publisher, members)
    before = kafka.committed(GROUP, TOPIC)
    member = members(kafka, on_gap=OnGap.STOP)
    error = member.failure()
    assert isinstance(error, RetentionGap)
    assert "INGEST_ON_GAP=continue" in str(error)
    assert error.exit_code == ExitCode.FAILED
    assert kafka.committed(GROUP, TOPIC) == before
    assert "late" not in kept(database)
    members(kafka, on_gap=OnGap.CONTINUE)
    eventually(lambda: "late" in kept(database))


def test_what_to_do_at_a_gap_is_a_setting() -> None:
    assert OnGap(settings_from({}).ingest_on_gap) is OnGap.CONTINUE
    assert OnGap(settings_from({"INGEST_ON_GAP": "stop"}).ingest_on_gap) is OnGap.STOP
    with pytest.raises(BadSetting, match="INGEST_ON_GAP"):
        settings_from({"INGEST_ON_GAP": "panic"})


def test_a_gap_that_opens_while_the_database_is_away(
    kafka: Kafka, publisher: Publisher, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    members(kafka)
    publisher.send_all(["early"], partition=0)
    eventually(lambda: "early" in kept(database))
    with database_away(database):
        publisher.send_all(["waiting"], partition=0)
        eventually(lambda: "waits" in caplog.text)
        low = forget(kafka, publisher)
        publisher.send_all(["late"], partition=0)
    eventually(lambda: "late" in kept(database))
    assert "waiting" in kept(database)
    assert missed(database) == low - 2
    assert f"records 2 to {low - 1} were deleted before they were read" in caplog.text
    eventually(lambda: all_committed(kafka))


def test_expired_offsets_are_no_loss(
    apache_kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    publisher = Publisher(apache_kafka)
    member = members(apache_kafka)
    publisher.send_all([f"c{number}" for number in range(20)])
    eventually(lambda: all_committed(apache_kafka))
    member.end()
    apache_kafka.delete_groups(GROUP)
    publisher.send_all(["new"])
    again = members(apache_kafka)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(apache_kafka))
    assert again.counted("events_total", outcome="stale") == 20
    assert "or it has expired; starting at the oldest record, 0" in caplog.text
    assert twice(database) == []


def test_a_topic_that_is_made_anew_is_read_from_its_start(
    apache_kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(apache_kafka)
    member = members(apache_kafka)
    publisher.send_all([f"c{number}" for number in range(20)], partition=0)
    eventually(lambda: all_committed(apache_kafka))
    member.end()
    apache_kafka.delete_topics(TOPIC)
    apache_kafka.create_topic(TOPIC)
    Publisher(apache_kafka).send_all(["anew"], partition=0)
    # Apache Kafka deletes a topic's offsets with it; those of a topic mirrored from elsewhere stay.
    apache_kafka.commit(GROUP, TOPIC, {0: 20})
    members(apache_kafka)
    eventually(lambda: "anew" in kept(database))
    assert f"{TOPIC}/0: the offset reached, 20, is beyond the topic's end, 1: the topic was deleted" in caplog.text


def test_a_topic_that_is_created_again_while_it_is_read_is_read_from_its_start(
    apache_kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    topic_id = TopicId(asking(apache_kafka.settings, TOPIC))
    member = members(apache_kafka, topic_id=topic_id)
    Publisher(apache_kafka).send_all([f"old{number}" for number in range(20)], partition=0)
    eventually(lambda: all_committed(apache_kafka))
    # So fast that the client sees the topic at no moment without its partition, and reads on where it was in the old one.
    apache_kafka.delete_topics(TOPIC)
    apache_kafka.create_topic(TOPIC)
    created = Publisher(apache_kafka)
    created.send_all([f"new{number}" for number in range(40)], partition=0)
    topic_id.look(at_once=True)
    eventually(lambda: kept(database).keys() >= created.newest.keys())
    eventually(lambda: apache_kafka.committed(GROUP, TOPIC) == {0: 40})
    assert caplog.text.count(f"{TOPIC}/0: the topic was deleted and another one of this name created") == 1
    member.end()

    # And a process that did not run meanwhile knows by the id that goes with the offset.
    old = topic_id.now
    apache_kafka.delete_topics(TOPIC)
    apache_kafka.create_topic(TOPIC)
    created = Publisher(apache_kafka)
    created.send_all([f"newest{number}" for number in range(60)], partition=0)
    apache_kafka.commit(GROUP, TOPIC, {0: 40}, metadata=old)
    member = members(apache_kafka, topic_id=TopicId(asking(apache_kafka.settings, TOPIC)))
    eventually(lambda: kept(database).keys() >= created.newest.keys())
    eventually(lambda: apache_kafka.committed(GROUP, TOPIC) == {0: 60})
    assert caplog.text.count(f"{TOPIC}/0: the topic was deleted and another one of this name created") == 2
    member.end()

    # What it committed itself is of the topic that there is.
    member = members(apache_kafka, topic_id=TopicId(asking(apache_kafka.settings, TOPIC)))
    Publisher(apache_kafka).send_all(["last"], partition=0)
    eventually(lambda: "last" in kept(database))
    assert member.counted("events_total") == 1
    assert twice(database) == []


def test_a_missing_topic_is_waited_for(
    empty_kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    member = members(empty_kafka)
    if empty_kafka.apache:
        eventually(lambda: f"{TOPIC}: Broker: Unknown topic or partition" in caplog.text)
        assert not member.loop.assigned
        empty_kafka.create_topic(TOPIC, partitions=2)
    publisher = Publisher(empty_kafka)
    publisher.send_all(["c1", "c2"])
    eventually(lambda: kept(database) == publisher.newest)
    assert member.loop.assigned


@pytest.mark.parametrize("partitions", [1, 12])
def test_any_number_of_partitions(empty_kafka: Kafka, database: str, members: Members, partitions: int) -> None:
    empty_kafka.create_topic(TOPIC, partitions=partitions)
    publisher = Publisher(empty_kafka)
    publisher.send_all([f"c{number}" for number in range(60)])
    first, second = members(empty_kafka), members(empty_kafka)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(empty_kafka, partitions))
    eventually(
        lambda: first.counted("ingest_assigned_partitions") + second.counted("ingest_assigned_partitions") == partitions
    )
    assert twice(database) == []


def test_partitions_that_are_added_are_read(apache_kafka: Kafka, database: str, members: Members) -> None:
    member = members(apache_kafka)
    eventually(lambda: member.counted("ingest_assigned_partitions") == 4)
    apache_kafka.add_partitions(TOPIC, 6)
    eventually(lambda: member.counted("ingest_assigned_partitions") == 6)
    publisher = Publisher(apache_kafka)
    publisher.send_all(["c5"], partition=5)
    eventually(lambda: kept(database) == publisher.newest)
