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


class Because(StrEnum):
    """Why a link became due, as its history says it. A newer event is not here: it has an entry of its own."""

    DEPENDENCY = "dependency"
    CONFIGURATION = "configuration"
    COMPANY_LINKED = "company-linked"
    ANOTHER_PROCESS = "another-process"
    TWIN = "twin"
    UNNEEDED = "unneeded"
    BUDGET = "budget"
    RESEND = "resend"
    REPLAY = "replay"
    LINKED_BY_HAND = "linked-by-hand"
    DAILY_RETRY = "daily-retry"
    FIXED_IN_QUICKBOOKS = "fixed-in-quickbooks"
    RESTORED = "restored"
    CLOCK = "clock"
