"""The audit trail of a company: who changed which object, when, and what it was before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from simulator.members import Object

KEPT = 20_000
SYSTEM = "QuickBooks"
"""Who makes what nobody asked for: the full name below a renamed parent."""
_IGNORED = {"SyncToken", "MetaData", "sparse", "domain", "Id"}
_actor: ContextVar[str] = ContextVar("actor", default=SYSTEM)


class Entry(NamedTuple):
    """One change; `action` is created, changed or deleted. `before` and `after` hold the members that differ.

    Of what was created or deleted they hold the object as it was stored, which is never changed in place.
    """

    at: str
    who: str
    action: str
    entity: str
    id: str
    version: str
    before: Object
    after: Object


def act_as(who: str) -> None:
    """Name who makes the changes that follow in this context."""
    _actor.set(who)


@contextmanager
def acting_as(who: str) -> Iterator[None]:
    """Name who makes the changes inside the block."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


class Trail:
    """The last changes of a company, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)

    def created(self, entity: str, new: Object) -> None:
        self._add(new["MetaData"]["LastUpdatedTime"], "created", entity, new, {}, new)

    def changed(self, entity: str, old: Object, new: Object) -> None:
        names = [
            *(name for name in new if name not in _IGNORED and old.get(name) != new[name]),
            *(name for name in old if name not in new and name not in _IGNORED),
        ]
        before, after = ({name: one[name] for name in names if name in one} for one in (old, new))
        self._add(new["MetaData"]["LastUpdatedTime"], "changed", entity, new, before, after)

    def deleted(self, entity: str, old: Object, at: str) -> None:
        self._add(at, "deleted", entity, old, old, {})

    def _add(self, at: str, action: str, entity: str, one: Object, before: Object, after: Object) -> None:
        self._entries.append(Entry(at, _actor.get(), action, entity, one["Id"], one["SyncToken"], before, after))

    def newest(self, *, entity: str | None = None, identifier: str | None = None, count: int = 200) -> list[Entry]:
        """The last `count` changes, of one object if it is named, newest first."""
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entity in (None, entry.entity) and identifier in (None, entry.id):
                found.append(entry)
                if len(found) == count:
                    break
        return found

    def clear(self) -> None:
        self._entries.clear()

    def as_state(self) -> list[dict[str, Any]]:
        return [entry._asdict() for entry in self._entries]

    def load(self, state: list[dict[str, Any]]) -> None:
        """:raises TypeError: when the state is not one of :meth:`as_state`."""
        self._entries = deque((Entry(**one) for one in state), maxlen=KEPT)
