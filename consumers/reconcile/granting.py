"""Takes calls out of the companies' quotas, which all processes share through the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from qbo_client.quota import Limits, Window, grant
from store import intents, quota


@dataclass(slots=True)
class Granted:
    """What the quotas gave, by realm."""

    at: float
    """The caller's clock, when it was given: a grant grows old (`qbo_client.quota.GRANT_VALID`)."""
    calls: dict[str, int] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds until the company's next call may be granted, where fewer were given than wanted."""


def grant_calls(
    db: Connection,
    wanted: Mapping[str, int],
    *,
    allowed: Mapping[str, int],
    limits: Limits,
    lease: float,
    clock: Callable[[], float],
) -> Granted:
    """Take so many calls out of each company's quota, or as many as there are; ``allowed`` caps a company (no cap if absent)."""
    leases = quota.lock_leases(db, wanted)
    flying = intents.in_flight(db, wanted, lease=lease) if wanted else {}
    found = Granted(clock())
    windows: dict[str, Mapping[str, object]] = {}
    for realm_id, count in wanted.items():
        one = leases[realm_id]
        if one.blocked_for > 0:
            found.waits[realm_id] = one.blocked_for
            continue
        granted, window, next_free = grant(
            Window.from_json(one.window),
            one.now,
            min(count, allowed.get(realm_id, count)),
            in_flight=flying.get(realm_id, 0),
            limits=limits,
        )
        if granted:
            windows[realm_id] = window.to_json()
            found.calls[realm_id] = granted
        if granted < count:
            found.waits[realm_id] = max(next_free - one.now, 0.02)
    quota.save_windows(db, windows)
    return found


def grant_anew(db: Connection, realm_id: str, limits: Limits) -> bool:
    """Take one call out of a company's quota, for a call whose first grant grew old before it could be sent."""
    lease = quota.lock_leases(db, [realm_id])[realm_id]
    if lease.blocked_for > 0:
        return False
    granted, window, _ = grant(Window.from_json(lease.window), lease.now, 1, in_flight=0, limits=limits)
    if granted:
        quota.save_windows(db, {realm_id: window.to_json()})
    return bool(granted)
