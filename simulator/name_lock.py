"""The lock on names: QuickBooks takes one write of a list of names at a time in a company, and refuses the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from simulator.transient import NAME_LISTS


class NameLocks:
    """Which lists of which company have a write in flight."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str]] = set()

    @contextmanager
    def taking(self, realm: str, entities: set[str]) -> Iterator[frozenset[str]]:
        """Lock the lists of these entities for one request; yields the lists that another request holds already.

        A batch is one request: its items do not lock each other out.
        """
        wanted = {NAME_LISTS[entity] for entity in entities if entity in NAME_LISTS}
        refused = frozenset(one for one in wanted if (realm, one) in self._held)
        taken = {(realm, one) for one in wanted - refused}
        self._held |= taken
        try:
            yield refused
        finally:
            self._held -= taken
