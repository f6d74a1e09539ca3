"""Request ids: a repeated write is answered with the first one's response, and is not executed again."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from simulator.clock import Clock

MAXIMUM_LENGTH = 50
MAXIMUM_BATCH_LENGTH = 36
MAXIMUM_BATCH_ITEM_LENGTH = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was first given: status and body, byte for byte."""

    status: int
    body: bytes
    codes: tuple[str, ...] = ()


@dataclass(slots=True)
class Entry:
    """What is remembered of one request id of one realm. `answer` is None while the first call still runs."""

    fingerprint: bytes
    since: float
    answer: Answer | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class RequestIds:
    """(realm, request id) → what was answered, for as long as the retention says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()

    def find(self, realm: str, requestid: str, *, retention: int) -> Entry | None:
        entry = self._entries.get((realm, requestid))
        if entry is not None and entry.answer is not None and self._clock.time() - entry.since > retention:
            del self._entries[(realm, requestid)]
            return None
        return entry

    def begin(self, realm: str, requestid: str, fingerprint: bytes, *, retention: int) -> Entry:
        entry = Entry(fingerprint, self._clock.time())
        self._entries[(realm, requestid)] = entry
        self._entries.move_to_end((realm, requestid))
        self._forget_old(retention)
        return entry

    def _forget_old(self, retention: int) -> None:
        """The oldest come first, so two looks for each new entry keep the table as small as it can be."""
        for _ in range(2):
            key, oldest = next(iter(self._entries.items()))
            if oldest.answer is None or self._clock.time() - oldest.since <= retention:
                return
            del self._entries[key]

    def finish(self, realm: str, requestid: str, entry: Entry, answer: Answer | None) -> None:
        """Keep the answer, or forget the id when `answer` is None (a fault that is not replayed)."""
        entry.answer = answer
        entry.finished.set()
        if answer is None and self._entries.get((realm, requestid)) is entry:
            del self._entries[(realm, requestid)]

    def clear(self) -> None:
        self._entries.clear()


def fingerprint(*parts: bytes) -> bytes:
    """Tells one request from another under the same id."""
    return hashlib.blake2b(b"\0".join(parts), digest_size=16).digest()
