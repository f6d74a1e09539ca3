"""Takes calls out of the companies' quotas, which all processes share through the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from qbo_client.quota import INTUIT, Limits, Window, permit
from store import attempts, quota
from store.attempts import InFlight
from sync.batches import Batch


@dataclass(slots=True)
class Permitted:
    """What the quotas gave."""

    batches: list[Batch] = field(default_factory=list)
    """Those that may go now."""
    names_later: list[Batch] = field(default_factory=list)
    """Those that write names, of which QuickBooks takes one at a time in a company, and another goes now."""
    waits: dict[str, float] = field(default_factory=dict)
    """Realm → seconds until the company's next call may be permitted, where fewer were given than wanted."""


def permit_calls(
    db: Connection,
    wanted: Mapping[str, Sequence[Batch]],
    *,
    allowed: Mapping[str, int],
    limits: Limits,
    lease: float,
) -> Permitted:
    """Take these calls out of each company's quota, or as many as there are; ``allowed`` caps a company (no cap if absent).

    Intuit limits batches besides.
    """
    leases = quota.lock_leases(db, wanted)
    flying = attempts.in_flight(db, wanted, lease=lease) if wanted else {}
    found = Permitted()
    windows: dict[str, Mapping[str, object]] = {}
    for realm_id, batches in wanted.items():
        one = leases[realm_id]
        if one.blocked_for > 0:
            found.waits[realm_id] = one.blocked_for
            continue
        window, flies = Window.from_json(one.window), flying.get(realm_id, InFlight())
        names: list[Batch] = []
        others: list[Batch] = []
        for batch in batches:
            (names if batch.writes_names else others).append(batch)
        may = max(limits.names_in_flight - flies.names, 0)
        found.names_later += names[may:]
        # Names first: documents need them.
        asked = names[:may] + others
        combined, singles = (
            [each for each in asked if each.is_combined],
            [each for each in asked if not each.is_combined],
        )
        cap = allowed.get(realm_id, len(asked))
        calls = together = 0
        next_call = next_batch = one.now
        if singles:
            calls, window, next_call = permit(
                window, one.now, min(len(singles), cap), in_flight=flies.calls, limits=limits
            )
        if combined:
            wanted_now = min(len(combined), cap - calls)
            together, window, next_batch = permit(
                window, one.now, wanted_now, in_flight=flies.calls + calls, limits=limits, batch=True
            )
        if calls or together:
            windows[realm_id] = window.to_json()
        found.batches += singles[:calls] + combined[:together]
        waits = [next_call] * (calls < len(singles)) + [next_batch] * (together < len(combined))
        if waits:
            found.waits[realm_id] = max(min(waits) - one.now, 0.02)
    quota.save_windows(db, windows)
    return found


def permit_in(db: Connection, realm_id: str, limits: Limits, *, batch: bool = False) -> float | None:
    """Take one call out of a company's quota; None when it was given, else the seconds until it may be asked for again."""
    lease = quota.lock_leases(db, [realm_id])[realm_id]
    if lease.blocked_for > 0:
        return lease.blocked_for
    given, window, free_at = permit(
        Window.from_json(lease.window), lease.now, 1, in_flight=0, limits=limits, batch=batch
    )
    if not given:
        return free_at - lease.now
    quota.save_windows(db, {realm_id: window.to_json()})
    return None


def wait_for_permit(
    engine: Engine, realm_id: str, *, patience: float, sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Take one call out of a company's quota, which its pushes draw on too; False when there is none within ``patience`` seconds."""
    until = time.monotonic() + patience
    while True:
        with engine.begin() as db:
            wait = permit_in(db, realm_id, INTUIT)
        if wait is None:
            return True
        if time.monotonic() + wait > until:
            return False
        sleep(max(wait, 0.02))
