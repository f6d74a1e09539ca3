"""What the broker tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.broker.members import Member, Members, configure
from tests.kafka import (
    Kafka,
    apache,
    apache_cluster,
    apache_kafka,
    empty_apache,
    empty_kafka,
    kafka,
    three_brokers,
)
from tests.schema_registry import schema_registry

__all__ = [
    "apache",
    "apache_cluster",
    "apache_kafka",
    "empty_apache",
    "empty_kafka",
    "kafka",
    "schema_registry",
    "three_brokers",
]


@pytest.fixture
def database(migrated_database: str) -> str:
    """A database of the test's own, in which the events' Org has its Configuration."""
    configure(migrated_database)
    return migrated_database


@pytest.fixture
def members(database: str) -> Iterator[Members]:
    """Starts consumers of the clients' topic, and stops what is left of them."""
    started: list[Member] = []

    def start(kafka: Kafka, settings: dict[str, str] | None = None, **options: object) -> Member:
        member = Member(kafka, database, settings or {}, **options)  # type: ignore[arg-type]
        started.append(member)
        member.start()
        return member

    yield start
    for member in started:
        member.end()
