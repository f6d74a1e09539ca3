"""A bounded memory of what was seen lately, whose size does not creep."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps at least the newest ``most / 2`` entries and at most ``most``, in two halves: a full one is dropped as a whole.

    A dict from which the oldest entry is taken for each new one keeps the gaps, and is rebuilt, at twice its size, each time these
    have used it up: with 200,000 entries after 349,525 insertions, and again 499,000 later, which shows as a step in the memory of the
    process. One thread puts; others may get meanwhile, and at worst miss what was just put.
    """

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._newer: dict[K, V] = {}
        self._older: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self._newer.get(key)
        return self._older.get(key) if found is None else found

    def put(self, key: K, value: V) -> None:
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, {}
        self._newer[key] = value

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)
