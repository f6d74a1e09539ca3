"""What nobody outside Intuit knows of QuickBooks, switched at random: a client must be right under every setting."""

from __future__ import annotations

import random

from simulator.settings import choices

_KNOWN = frozenset({"quota_enabled", "quota_window", "open_registration"})
"""Limits that Intuit publishes, and who may register an app: no unknowns."""

UNKNOWNS = {name: values for name, values in choices().items() if name not in _KNOWN}


_NOT_WITH_DELAYS = {"requestid_in_flight": "twice"}
"""A second call under one request id is sent when Intuit has ended the first for certain, 120 s after it was sent. Here that is one second,
and a simulator that stood still for so long on a busy machine, with delays besides, would take both up at once, as Intuit never does."""


def switched(chance: random.Random) -> dict[str, object]:
    """Draw a setting for every unknown, for a simulator that answers with delays."""
    return {
        name: chance.choice([value for value in UNKNOWNS[name] if value != _NOT_WITH_DELAYS.get(name)])
        for name in sorted(UNKNOWNS)
    }
