"""What an event changed of a client or project that was known before: the trail says it, since not each change goes to QuickBooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Body = Mapping[str, object]
"""A record as the database keeps it."""

_NEVER: Final = frozenset({"sequence", "modified", "orgs", "org"})
_SAID: Final = frozenset({"name", "reference", "code", "vat_number", "currency", "payment_days", "address", "inactive"})
"""Members whose values an auditor asks for. Of all others the trail says only that they changed."""
_CARRIED: Final = frozenset({"client", "billing_client"})
"""Records with a trail of their own: what counts is which one it is."""


def changed_members(before: Body, now: Body) -> dict[str, list[str]]:
    """Give the members that differ, each with its former and its new value where these are kept."""
    found: dict[str, list[str]] = {}
    for member in sorted((before.keys() | now.keys()) - _NEVER):
        former, newer = before.get(member), now.get(member)
        if member in _CARRIED:
            if _part(former, "id") != _part(newer, "id"):
                found[member] = [_named(former), _named(newer)]
        elif former != newer:
            found[member] = [_text(former), _text(newer)] if member in _SAID else []
    return found


def _part(value: object, name: str) -> str:
    return str(value.get(name) or "") if isinstance(value, Mapping) else ""


def _named(value: object) -> str:
    """``Harbour & Sons (c1)``"""
    return f"{_part(value, 'name')} ({_part(value, 'id')})" if isinstance(value, Mapping) else ""


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(str(part) for part in value.values() if part)
    return "" if value is None else str(value)
