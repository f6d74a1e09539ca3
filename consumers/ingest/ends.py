"""Where partitions end though their last record lies before it: aborted records and marks of transactions take offsets and are not given.

Without them such a partition would look unread for ever, and what retention deletes of it would look like a loss.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from store.records import SourceEvent


class Ends:
    """What the client says of ends, until it is durable; one thread uses it."""

    def __init__(self) -> None:
        self._noted: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._noted)

    def note(self, partition: int, offset: int | None, *, read: int | None) -> None:
        """Note that everything before ``offset`` was given; ``read`` is how far that is known without it, None where it is not ours."""
        if read is not None and offset is not None and offset > read:
            self._noted[partition] = offset

    def after(self, at_hand: Mapping[int, int], early: Sequence[SourceEvent]) -> dict[int, int]:
        """Give those that hold once the batch at hand is durable: none with records that wait for a later batch."""
        waiting = {source.partition for source in early}
        return {
            partition: offset
            for partition, offset in self._noted.items()
            if partition not in waiting and offset > at_hand.get(partition, -1)
        }

    def written(self, early: Sequence[SourceEvent]) -> None:
        """Forget those that a batch has settled."""
        waiting = {source.partition for source in early}
        self._noted = {partition: offset for partition, offset in self._noted.items() if partition in waiting}

    def drop(self, partitions: Collection[int]) -> None:
        """Forget those of partitions that are no longer ours."""
        for partition in partitions:
            self._noted.pop(partition, None)
