"""How many rounds, from which seed: ``pytest tests/chaos --rounds 2000 --seed 1``; and a database that may be restarted."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy.engine import make_url

from demo.embedded.postgres import EmbeddedPostgres
from tests.database import cloned_database, database_server, migrate, migrated_database, template_database

__all__ = ["database_server", "migrated_database", "template_database"]

_MIGRATED = "migrated"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--rounds", type=int, default=0, help="Kills in the long run; by default the bounded suite runs.")
    group.addoption("--first-seed", type=int, default=1, help="The seed of the first world; the others follow.")
    group.addoption("--minutes", type=float, default=0.0, help="So long for random histories of a bookkeeper's deeds.")
    group.addoption("--seed", type=int, default=None, help="Repeat the round of this seed alone.")


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server of the suite's own: nobody else minds when it is stopped and started again."""
    with EmbeddedPostgres() as server:
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {_MIGRATED}")
        migrate(make_url(server.url_of(_MIGRATED)))
        yield server


@pytest.fixture
def restartable_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address of a fresh, migrated database in it."""
    with cloned_database(make_url(postgres.url_of("postgres")), make_url(postgres.url_of(_MIGRATED))) as url:
        yield url
