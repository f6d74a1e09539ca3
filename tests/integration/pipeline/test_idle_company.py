"""A company without changes keeps its connection: a refresh token ends 100 days after it was last used."""

from __future__ import annotations

from sqlalchemy import text

from simulator import UK
from store import connections
from tests.pipeline import Pipeline


def test_a_refresh_token_is_used_before_it_ends(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        assert connections.idle_connections(db) == []
        db.execute(
            text("UPDATE qbo_connection SET refreshed_at = now() - interval '31 days', access_expires_at = now()")
        )
        assert connections.idle_connections(db) == [("org-uk", UK)]
    pipeline.jobs.prepare("org-uk", UK)
    with pipeline.engine.begin() as db:
        assert connections.idle_connections(db) == []
        assert connections.read_connections(db)[UK].version > 1
