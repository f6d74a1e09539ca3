"""The states of a link: how far QuickBooks agrees with Kompass about one thing that a company should have there."""

from __future__ import annotations

from enum import StrEnum


class LinkState(StrEnum):
    """The database, the metrics and the pages use these very words. docs/architecture.md draws the transitions."""

    PENDING = "pending"
    """Work is queued: nothing has been decided since it became due."""
    SYNCED = "synced"
    """QuickBooks agrees in every member that we own."""
    SKIPPED = "skipped"
    """Not to be synced, and never sent."""
    WAITING = "waiting"
    """Cannot go yet, for a reason outside the record."""
    RETRYING = "retrying"
    """Tried, and will be tried again."""
    FAILED = "failed"
    """A person must act."""
    WITHDRAWN = "withdrawn"
    """Sent, then taken back in Kompass."""
