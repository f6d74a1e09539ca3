"""Time that a test lets pass: at Intuit and in every moment of the database that somebody waits for."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from qbo_client.quota import Window
from store import quota
from tests.pipeline import Pipeline

_MOMENTS: Final = {
    "qbo_attempt": ("heartbeat_at", "resend_after", "first_sent_at"),
    "qbo_link": ("due_at", "due_since", "synced_at", "first_failed_at", "last_failed_at"),
    "qbo_connection": ("access_expires_at", "refreshed_at", "refresh_lease_until", "probe_at"),
    "qbo_company_facts": ("fetched_at", "lease_until"),
    "qbo_quota_lease": ("blocked_until",),
}


def let_pass(pipeline: Pipeline, seconds: float) -> None:
    """Be ``seconds`` later. Real time goes on besides."""
    pipeline.simulator.call(lambda world: world.clock.advance(seconds))
    with pipeline.engine.begin() as db:
        for table, columns in _MOMENTS.items():
            moved = ", ".join(f"{column} = {column} - :by * interval '1 second'" for column in columns)
            db.execute(text(f"UPDATE {table} SET {moved}"), {"by": seconds})
        for realm_id in list(db.execute(text("SELECT realm_id FROM qbo_quota_lease WHERE realm_id <> ''")).scalars()):
            window = Window.from_json(quota.lock_leases(db, [realm_id])[realm_id].window)
            quota.save_windows(db, {realm_id: _earlier(window, seconds).to_json()})


def now_at_intuit(pipeline: Pipeline) -> float:
    """Give Intuit's time, in seconds."""
    return pipeline.simulator.call(lambda world: world.clock.time())


def _earlier(window: Window, by: float) -> Window:
    return Window(
        second=tuple(moment - by for moment in window.second),
        minute=tuple((first - by, last - by, count) for first, last, count in window.minute),
        batches=tuple((first - by, last - by, count) for first, last, count in window.batches),
    )
