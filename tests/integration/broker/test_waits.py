"""While the database takes nothing, a consumer waits: it says for what, goes on measuring its lag, and loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.engine import make_url

from tests.integration.broker.members import (
    Member,
    Members,
    Publisher,
    all_committed,
    database_away,
    eventually,
    kept,
    twice,
)
from tests.kafka import Kafka

CLIENTS = [f"c{number}" for number in range(30)]


def up(member: Member, what: str = "database") -> float | None:
    return member.metrics.registry.get_sample_value("kompass_qbo_dependency_up", {"what": what})


@contextmanager
def refusing(database: str, state: str) -> Iterator[None]:
    """Have the database refuse every record with an error of its own."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"
        )
        db.execute("CREATE TRIGGER refuse BEFORE INSERT ON qbo_record FOR EACH STATEMENT EXECUTE FUNCTION refuse()")
        yield
        db.execute("DROP FUNCTION refuse CASCADE")


@contextmanager
def read_only(database: str) -> Iterator[None]:
    """Make every new connection read-only, as those to a standby are, and end the old ones."""
    name = make_url(database).database
    maintenance = make_url(database).set(database="postgres", drivername="postgresql")
    with psycopg.connect(maintenance.render_as_string(hide_password=False), autocommit=True) as db:
        db.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        yield
        # The connections that consumers have made meanwhile stay read-only, as those to a standby do.
        db.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
@pytest.mark.parametrize("state", ["53100", "53200", "55P03", "55000", "57P01", "57P03", "58030", "08006", "40001"])
def test_an_error_that_passes_is_waited_for(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    publisher = Publisher(kafka)
    member = members(kafka)
    publisher.send_all(CLIENTS, 1)
    eventually(lambda: kept(database) == publisher.newest)
    with refusing(database, state):
        publisher.send_all(CLIENTS, 2)
        eventually(lambda: up(member) == 0)
        eventually(lambda: "database is not available: " in caplog.text)
        assert member.running
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: up(member) == 1)
    assert twice(database) == []


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_an_error_that_does_not_pass_ends_the_process(kafka: Kafka, database: str, members: Members) -> None:
    member = members(kafka)
    with refusing(database, "42501"):
        Publisher(kafka).send_all(CLIENTS, 1)
        assert "refused" in str(member.failure())


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_a_server_that_became_read_only_is_waited_for_and_left(
    kafka: Kafka, database: str, members: Members, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher(kafka)
    member = members(kafka)
    publisher.send_all(CLIENTS, 1)
    eventually(lambda: kept(database) == publisher.newest)
    with read_only(database):
        publisher.send_all(CLIENTS, 2)
        eventually(lambda: "database is not available" in caplog.text and up(member) == 0)
        assert member.running
    eventually(lambda: kept(database) == publisher.newest, "the read-only connections are given up")
    assert twice(database) == []


def test_the_lag_is_measured_while_a_batch_waits(kafka: Kafka, database: str, members: Members) -> None:
    publisher = Publisher(kafka)
    member = members(kafka)
    publisher.send_all(CLIENTS, 1)
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: all_committed(kafka))
    eventually(lambda: member.counted("ingest_lag_events") == 0)
    with database_away(database):
        for sequence in (2, 3, 4):
            publisher.send_all(CLIENTS, sequence)
        eventually(lambda: member.counted("ingest_lag_events") == 3 * len(CLIENTS), "each event that waits is counted")
        publisher.send_all(CLIENTS, 5)
        eventually(lambda: member.counted("ingest_lag_events") == 4 * len(CLIENTS), "those that come later, too")
        assert up(member) == 0
    eventually(lambda: kept(database) == publisher.newest)
    eventually(lambda: member.counted("ingest_lag_events") == 0)
    assert up(member) == 1
