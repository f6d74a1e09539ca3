"""/readyz of a consumer process says which of its parts does not answer."""

from __future__ import annotations

import time

from consumers.process import build
from demo.embedded.broker import EmbeddedBroker
from schemas.codec import Codec
from schemas.events import Kind
from sync.settings import settings_from


def test_a_broker_that_is_away_makes_a_process_unready(migrated_database: str) -> None:
    with EmbeddedBroker() as broker:
        settings = settings_from(
            {"DATABASE_URL": migrated_database, "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        )
        parts = build(settings, Kind.CLIENT, Codec())
        assert parts.health.unready().keys() == {"assigned"}
    deadline = time.monotonic() + 60
    while "broker" not in (problems := parts.health.unready()):
        assert time.monotonic() < deadline, problems
        time.sleep(0.2)
    assert "database" not in problems
    parts.transport.close()
    parts.engine.dispose()
