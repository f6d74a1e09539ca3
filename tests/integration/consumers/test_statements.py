"""The hot path's way to the database: its transactions, its errors and its pool are those of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError

from store import engine as engines
from store.engine import open_engine
from store.sql import Statement
from tests.pipeline import Pipeline

BACKEND = Statement("SELECT pg_backend_pid() AS pid")


@pytest.fixture
def engine(migrated_database: str) -> Iterator[Engine]:
    engine = open_engine(migrated_database, pool_size=1)
    yield engine
    engine.dispose()


def end_backend(opened: Callable[..., Pipeline], pid: int) -> None:
    with opened().engine.begin() as db:
        db.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})


def test_a_statement_belongs_to_the_transaction_around_it(engine: Engine) -> None:
    insert = Statement("INSERT INTO qbo_org (id, name) VALUES (%(id)s, '50 %% off')")
    found = Statement("SELECT name FROM qbo_org WHERE id = %(id)s")
    with engine.connect() as db:
        assert insert.count(db, id="o1") == 1
        db.rollback()
    with engine.connect() as db:
        assert found.rows(db, id="o1") == []
        insert.count(db, id="o2")
        db.commit()
    with engine.begin() as db:
        assert [row.name for row in found.rows(db, id="o2")] == ["50 % off"]


def test_every_transaction_is_bounded_and_keeps_its_isolation(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "STATEMENT_TIMEOUT_MS", 1234)
    shown = "SELECT current_setting('statement_timeout'), current_setting('transaction_isolation')"
    with engine.begin() as db:
        assert tuple(db.execute(text(shown)).one()) == ("1234ms", "read committed")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as db, db.begin():
        assert tuple(db.execute(text(shown)).one()) == ("1234ms", "repeatable read")
    with engine.begin() as db:
        assert tuple(db.execute(text(shown)).one()) == ("1234ms", "read committed")


def test_who_is_stopped_in_a_transaction_does_not_keep_its_locks(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as db:
        db.execute(text("INSERT INTO qbo_org (id, name) VALUES ('o1', '')"))
    monkeypatch.setattr(engines, "IDLE_IN_TRANSACTION_MS", 100)
    stopped = engine.connect()
    stopped.execute(text("UPDATE qbo_org SET name = 'its' WHERE id = 'o1'"))
    monkeypatch.setattr(engines, "IDLE_IN_TRANSACTION_MS", 15_000)
    with engine.begin() as db:
        db.execute(text("UPDATE qbo_org SET name = name || 'ours' WHERE id = 'o1'"))
        assert db.execute(text("SELECT name FROM qbo_org WHERE id = 'o1'")).scalar_one() == "ours"
    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        stopped.commit()
    stopped.close()


def test_its_errors_are_those_of_sqlalchemy(engine: Engine) -> None:
    with pytest.raises(DataError, match="division by zero"), engine.begin() as db:
        Statement("SELECT 1 / %(zero)s").rows(db, zero=0)
    with engine.begin() as db:
        assert BACKEND.rows(db)


def test_a_lost_connection_is_told_and_replaced(engine: Engine, opened: Callable[..., Pipeline]) -> None:
    def run() -> None:
        with engine.begin() as db:
            end_backend(opened, BACKEND.rows(db)[0].pid)
            BACKEND.rows(db)

    with pytest.raises(OperationalError) as lost:
        run()
    assert lost.value.connection_invalidated
    with engine.begin() as db:
        assert BACKEND.rows(db)


def test_a_connection_that_closed_after_the_statement_before_is_told_alike(engine: Engine) -> None:
    def run() -> None:
        with engine.begin() as db:
            BACKEND.rows(db)
            driver = db.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            driver.pgconn.finish()
            BACKEND.rows(db)

    with pytest.raises(OperationalError, match="the connection is closed") as lost:
        run()
    assert lost.value.statement == BACKEND.text
    assert lost.value.connection_invalidated
    with engine.begin() as db:
        assert BACKEND.rows(db)


def test_a_connection_that_broke_while_idle_is_replaced_unseen(
    engine: Engine, opened: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine.begin() as db:
        first = BACKEND.rows(db)[0].pid
    end_backend(opened, first)
    monkeypatch.setattr(engines, "IDLE_S", -1.0)
    with engine.begin() as db:
        assert BACKEND.rows(db)[0].pid != first


def test_one_that_broke_a_moment_ago_is_told(
    engine: Engine, opened: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "IDLE_S", 3600.0)
    with engine.begin() as db:
        first = BACKEND.rows(db)[0].pid
    end_backend(opened, first)
    with pytest.raises(DBAPIError) as lost, engine.begin() as db:
        BACKEND.rows(db)
    assert lost.value.connection_invalidated
