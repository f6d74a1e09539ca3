"""On a PostgreSQL that others run too: behind PgBouncer, restarted, migrated further while consumers run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import QueryCanceled
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from demo.embedded.postgres import EmbeddedPostgres
from store import connections
from store import engine as engines
from store.engine import check_database, open_engine
from store.sql import Statement
from tests import builders
from tests.chaos.surroundings import ORGS, REALMS, Surroundings
from tests.integration.broker.members import eventually


@pytest.fixture
def surroundings(server: EmbeddedPostgres, database: str, tmp_path: Path) -> Iterator[Surroundings]:
    """Broker, simulator and linked companies, on the direct address."""
    with Surroundings(server, database, tmp_path) as surroundings:
        yield surroundings


def publish(surroundings: Surroundings, *ids: str) -> None:
    surroundings.publish([builders.event(builders.client(one, org=ORGS[0])) for one in ids])


def pushed(surroundings: Surroundings) -> int:
    return len(surroundings.pipeline.objects("Customer", REALMS[ORGS[0].id]))


def all_there(surroundings: Surroundings, count: int) -> None:
    eventually(lambda: pushed(surroundings) == count, f"{count} customers in QuickBooks", timeout=60)


def test_consumers_work_through_pgbouncer_and_survive_restarts(
    server: EmbeddedPostgres, bouncer: str, surroundings: Surroundings
) -> None:
    before = pushed(surroundings)
    # NOTIFY does not reach through a pooler in transaction mode; the slow look must be enough.
    process = surroundings.start("client", DATABASE_URL=bouncer, KOMPASS_QBO_POLL_SECONDS="0.2")
    publish(surroundings, "c1", "c2")
    all_there(surroundings, before + 2)
    # A failover, as clients see it: every connection is cut, and for a while nobody answers.
    server.stop(how=signal.SIGQUIT)
    publish(surroundings, "c3")
    eventually(lambda: "waits" in surroundings.log("client"), "ingest waits for the database")
    server.start()
    all_there(surroundings, before + 3)
    assert process.is_alive()
    assert surroundings.stop(process) == 0


def test_consumers_stay_in_their_group_for_as_long_as_the_database_is_away(
    server: EmbeddedPostgres, surroundings: Surroundings
) -> None:
    """Hours, in the measure of Kafka's patience: a consumer that did not poll would be put out of its group twice over."""
    before = pushed(surroundings)
    patience_s = 5.0
    # Long enough a session for a machine that is busy.
    kafka = dict.fromkeys(("KAFKA_MAX_POLL_INTERVAL_MS", "KAFKA_SESSION_TIMEOUT_MS"), f"{patience_s * 1000:.0f}")
    processes = {kind: surroundings.start(kind, **kafka) for kind in ("client", "project", "invoice")}
    publish(surroundings, "c1")
    all_there(surroundings, before + 1)
    server.stop(how=signal.SIGQUIT)
    try:
        for number in range(8):
            publish(surroundings, f"away-{number}")
            time.sleep(patience_s / 4)
    finally:
        server.start()
    all_there(surroundings, before + 9)
    surroundings.wait_until_at_rest()
    assert surroundings.differences() == []
    for kind, process in processes.items():
        told = surroundings.log(kind)
        assert told.count("assigned kompass.") == 1, told
        assert " lost " not in told
        assert "MAXPOLL" not in told
        assert surroundings.stop(process) == 0
    assert surroundings.pipeline.rows("qbo_failure") == []


def test_old_consumers_run_on_a_newer_schema(database: str, surroundings: Surroundings) -> None:
    """A migration that adds columns and tables is run before the consumers are replaced, and nobody stops for it."""
    before = pushed(surroundings)
    process = surroundings.start("client")
    publish(surroundings, "c1")
    all_there(surroundings, before + 1)
    with psycopg.connect(database, autocommit=True) as db:
        for table in (
            "qbo_record",
            "qbo_link",
            "qbo_attempt",
            "qbo_configuration",
            "qbo_history",
            "qbo_failure",
            "qbo_outbox",
        ):
            db.execute(f"ALTER TABLE {table} ADD COLUMN added_later text NOT NULL DEFAULT 'x'")
        db.execute("CREATE TABLE qbo_added_later (id bigint PRIMARY KEY, link_id bigint REFERENCES qbo_link (id))")
        db.execute("CREATE INDEX CONCURRENTLY qbo_added_later_index ON qbo_link (added_later)")
    publish(surroundings, "c2")
    surroundings.publish([builders.event(builders.client("c1", sequence=2, name="Renamed & Sons", org=ORGS[0]))])
    all_there(surroundings, before + 2)
    eventually(
        lambda: (
            "Renamed & Sons"
            in {one["DisplayName"] for one in surroundings.pipeline.objects("Customer", REALMS[ORGS[0].id])}
        )
    )
    assert process.is_alive()
    # One that is started now, before it is replaced, is content too.
    check_database(surroundings.pipeline.engine)
    assert surroundings.stop(process) == 0


def test_statements_are_bounded_and_a_pooled_connection_is_left_as_it_was(
    bouncer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STATEMENT_TIMEOUT_MS", 200)
    engine = open_engine(bouncer, pool_size=1)
    try:
        with pytest.raises(DBAPIError) as slow, engine.begin() as db:
            db.execute(text("SELECT pg_sleep(20)"))
        assert isinstance(slow.value.orig, QueryCanceled)
        with psycopg.connect(bouncer, autocommit=True) as others:
            for _ in range(5):
                assert others.execute("SHOW statement_timeout").fetchone() == ("0",)
    finally:
        engine.dispose()


def test_statements_are_prepared_on_a_direct_connection_alone(database: str, bouncer: str) -> None:
    prepared = text("SELECT count(*) FROM pg_prepared_statements")
    for address, some in ((database, True), (bouncer, False)):
        engine = open_engine(address)
        with engine.begin() as db:
            assert connections.read_connections(db, ["1"]) == {}
            assert bool(db.execute(prepared).scalar_one()) is some
        engine.dispose()


def test_a_plan_for_a_column_of_another_type_costs_one_connection(database: str) -> None:
    engine = open_engine(database, pool_size=1)
    one = Statement("SELECT note FROM prepared_for")
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("CREATE TABLE prepared_for (note text)")
        with engine.begin() as ours:
            assert one.rows(ours) == []
        db.execute("ALTER TABLE prepared_for ALTER COLUMN note TYPE bytea USING note::bytea")
    with pytest.raises(DBAPIError, match="cached plan") as raised, engine.begin() as ours:
        one.rows(ours)
    assert raised.value.connection_invalidated
    with engine.begin() as ours:
        assert one.rows(ours) == []
    engine.dispose()
