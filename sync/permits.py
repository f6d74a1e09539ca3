"""Takes calls out of the companies' quotas, which all processes share through the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from qbo_client.quota import Limits, Window, permit
from store import attempts, quota
from store.attempts import InFlight


@dataclass(frozen=True, slots=True)
class Demand:
    """What a company wants called: single calls, and batches, which Intuit limits besides."""

    calls: int = 0
    batches: int = 0
    names: tuple[bool, ...] = ()
    """Requests that write names, beside those, in the order in which they go; true for a batch."""


@dataclass(slots=True)
class Granted:
    """What the quotas gave, by realm."""

    at: float
    """The caller's clock, when it was given: a permit grows old (`qbo_client.quota.PERMIT_VALID`)."""
    calls: dict[str, int] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    """How many requests that write names may go now: calls and batches are counted with those. QuickBooks takes one at a time."""
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds until the company's next call may be permitted, where fewer were given than wanted."""


def permit_calls(
    db: Connection,
    wanted: Mapping[str, Demand],
    *,
    allowed: Mapping[str, int],
    limits: Limits,
    lease: float,
    clock: Callable[[], float],
) -> Granted:
    """Take so many calls out of each company's quota, or as many as there are; ``allowed`` caps a company (no cap if absent)."""
    leases = quota.lock_leases(db, wanted)
    flying = attempts.in_flight(db, wanted, lease=lease) if wanted else {}
    found = Granted(clock())
    windows: dict[str, Mapping[str, object]] = {}
    for realm_id, demand in wanted.items():
        one = leases[realm_id]
        if one.blocked_for > 0:
            found.waits[realm_id] = one.blocked_for
            continue
        window, flies = Window.from_json(one.window), flying.get(realm_id, InFlight())
        names = demand.names[: max(limits.names_in_flight - flies.names, 0)]
        found.names[realm_id] = len(names)
        demand = Demand(demand.calls + names.count(False), demand.batches + names.count(True))
        cap = allowed.get(realm_id, demand.calls + demand.batches)
        calls, window, next_call = permit(window, one.now, min(demand.calls, cap), in_flight=flies.calls, limits=limits)
        batches, window, next_batch = permit(
            window, one.now, min(demand.batches, cap - calls), in_flight=flies.calls + calls, limits=limits, batch=True
        )
        if calls or batches:
            windows[realm_id] = window.to_json()
        found.calls[realm_id], found.batches[realm_id] = calls, batches
        waits = [next_call] * (calls < demand.calls) + [next_batch] * (batches < demand.batches)
        if waits:
            found.waits[realm_id] = max(min(waits) - one.now, 0.02)
    quota.save_windows(db, windows)
    return found


def permit_again(db: Connection, realm_id: str, limits: Limits, *, batch: bool = False) -> bool:
    """Take one call out of a company's quota, for a call whose first permit grew old before it could be sent."""
    lease = quota.lock_leases(db, [realm_id])[realm_id]
    if lease.blocked_for > 0:
        return False
    permitted, window, _ = permit(Window.from_json(lease.window), lease.now, 1, in_flight=0, limits=limits, batch=batch)
    if permitted:
        quota.save_windows(db, {realm_id: window.to_json()})
    return bool(permitted)
