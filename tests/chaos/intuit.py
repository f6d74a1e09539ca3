"""What nobody outside Intuit knows of QuickBooks, switched at random: a client must be right under every setting."""

from __future__ import annotations

import random

from qbo_client.simulator.settings import choices

_KNOWN = frozenset({"quota_enabled", "quota_window", "open_registration"})
"""Limits that Intuit publishes, and who may register an app: no unknowns."""

UNKNOWNS = {name: values for name, values in choices().items() if name not in _KNOWN}


_BEYOND_ANY_CLIENT = {"requestid_in_flight": "twice"}
"""Unsafe with whoever may be stopped between his last look at the claim and his first byte, for longer than anybody waits: when he wakes
up just as his successor sends the same request id, and Intuit did not mind a second call while the first is under way, both count."""


def switched(chance: random.Random) -> dict[str, object]:
    """Draw a setting for every unknown."""
    return {name: chance.choice(_safe_when_stopped(name)) for name in sorted(UNKNOWNS)}


def _safe_when_stopped(name: str) -> tuple[object, ...]:
    return tuple(value for value in UNKNOWNS[name] if value != _BEYOND_ANY_CLIENT.get(name))


def each_way(*, stopped: bool) -> list[dict[str, object]]:
    """As few sets of settings as it takes to have every value of every unknown in one of them; less one when processes are stopped."""
    values = {name: _safe_when_stopped(name) if stopped else UNKNOWNS[name] for name in UNKNOWNS}
    return [
        {name: values[name][turn % len(values[name])] for name in values}
        for turn in range(max(map(len, values.values())))
    ]
