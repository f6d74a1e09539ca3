"""In all that a group does between, and within, two polls: no commit passes a record that is not durable, or goes back, and all come.

The group is acted out step by step, because a real one brings a rebalance into the middle of a poll only now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Message, TopicPartition
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.ingest.batch import BatchResult, Ingest
from consumers.ingest.loop import IngestLoop, OnCommit
from schemas.errors import RegistryUnavailable
from schemas.events import Kind
from store.records import SourceEvent
from sync.metrics import Metrics

TOPIC = "kompass.clients"
END = {0: 6, 1: 4}
"""How many records each partition has."""

Step = tuple[str, int]


class Durable(Ingest):
    """Keeps what was written, and is away as often as it is asked to be."""

    def __init__(self) -> None:
        self.kept: dict[int, set[int]] = {partition: set() for partition in END}
        self.away = 0

    def write(self, sources: Sequence[SourceEvent]) -> BatchResult:
        if self.away:
            self.away -= 1
            raise RegistryUnavailable("away")
        for source in sources:
            self.kept[source.partition].add(source.offset)
        return BatchResult(newer=len(sources))

    def reached(self, partition: int) -> int:
        """The first record that is not durable."""
        return next(offset for offset in range(END[partition] + 1) if offset not in self.kept[partition])


class Group:
    """A consumer in a group in which what happens is given, several things to a poll; then it gets and reads everything."""

    def __init__(self, steps: Sequence[Step], durable: Durable) -> None:
        self._steps = list(steps)
        self._durable = durable
        self._position: dict[int, int] = {}
        self._paused: set[int] = set()
        self._asked: list[list[TopicPartition]] = []
        self._polls = 0
        self.committed_offsets = dict.fromkeys(END, 0)
        self.on_commit: OnCommit
        self.loop: IngestLoop

    def subscribe(self, topics: list[str], *, on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def poll(self, timeout: float) -> Message | None:
        self._polls += 1
        assert self._polls < 500_000, "it comes to an end"
        while self._steps:
            what, partition = self._steps.pop(0)
            if what == "nothing":
                return None
            if what == "slip":
                # It was fetched before the partition was paused.
                self._paused.discard(partition)
            if what in ("record", "slip") and (message := self._record(partition)) is not None:
                return message
            self._happens(what, partition)
        if self._polls % 2:
            self._answer()
            return None
        for partition in END:
            self._give(partition)
            if (message := self._record(partition)) is not None:
                return message
        if self.committed_offsets == END:
            self.loop.stop()
        return None

    def _happens(self, what: str, partition: int) -> None:
        if what == "give":
            self._give(partition)
        elif what == "take":
            self._take(partition)
        elif what == "answer":
            self._answer()
        elif what == "away":
            self._durable.away = 1
        elif what == "other" and partition not in self._position:
            # Somebody else has it, reads a record and commits.
            offset = self.committed_offsets[partition]
            if offset < END[partition]:
                self._durable.kept[partition].add(offset)
                self.committed_offsets[partition] = offset + 1

    def _record(self, partition: int) -> Message | None:
        offset = self._position.get(partition, END[partition])
        if partition in self._paused or offset >= END[partition]:
            return None
        self._position[partition] = offset + 1
        return Message(topic=TOPIC, partition=partition, offset=offset, key=b"", value=b"")  # type: ignore[call-arg]

    def _give(self, partition: int) -> None:
        if partition not in self._position:
            self._on_assign(self, [TopicPartition(TOPIC, partition)])

    def _take(self, partition: int) -> None:
        if partition in self._position:
            self._on_revoke(self, [TopicPartition(TOPIC, partition)])

    def _answer(self) -> None:
        asked, self._asked = self._asked, []
        for places in asked:
            self.committed_offsets |= {place.partition: place.offset for place in places}
            self.on_commit(None, places)

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        for place in offsets:
            assert place.partition in self._position, "it is ours"
            assert place.offset <= self._durable.reached(place.partition), "what is before it is durable"
            assert place.offset >= self.committed_offsets[place.partition], "it does not go back"
        self._asked.append(offsets)

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self._position |= {place.partition: place.offset for place in places}

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        # librdkafka gives nothing away before all commits are answered.
        self._answer()
        for place in places:
            del self._position[place.partition]
            self._paused.discard(place.partition)

    def committed(self, places: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        return [
            TopicPartition(TOPIC, place.partition, self.committed_offsets[place.partition] or -1001) for place in places
        ]

    def get_watermark_offsets(self, place: TopicPartition, **how: object) -> tuple[int, int]:
        return 0, END[place.partition]

    def offsets_for_times(self, places: list[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, place.partition, END[place.partition]) for place in places]

    def memberid(self) -> str:
        return "member"

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, partition) for partition in self._position]

    def pause(self, places: list[TopicPartition]) -> None:
        self._paused |= {place.partition for place in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self._paused -= {place.partition for place in places}

    def close(self) -> None:
        for partition in list(self._position):
            self._take(partition)


def act(steps: Sequence[Step]) -> None:
    durable = Durable()
    group = Group(steps, durable)

    def make(on_commit: OnCommit) -> Any:
        group.on_commit = on_commit
        return group

    nothing: Callable[[], None] = lambda: None  # noqa: E731
    group.loop = IngestLoop(make, durable, Kind.CLIENT, metrics=Metrics(), beat=nothing, note_gap=lambda gap: None)
    group.loop.run()
    assert group.committed_offsets == END
    assert {partition: durable.reached(partition) for partition in END} == END


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["record", "record", "record", "give", "take", "answer", "other", "nothing"]),
            st.sampled_from(list(END)),
        ),
        max_size=40,
    )
)
# Taken away, given back and a record handed out, all in one poll, as it may happen when the last of the topic's records comes.
@example([("give", 0), *[("record", 0)] * 5, ("nothing", 0), ("take", 0), ("give", 0), ("record", 0)])
@settings(max_examples=150)
def test_rebalances_between_and_within_polls(steps: list[Step]) -> None:
    act(steps)


@given(
    before=st.lists(st.tuples(st.sampled_from(["record", "give"]), st.sampled_from(list(END))), min_size=4, max_size=8),
    held=st.lists(
        st.tuples(
            st.sampled_from(["slip", "slip", "give", "take", "answer", "other", "nothing", "nothing"]),
            st.sampled_from(list(END)),
        ),
        min_size=4,
        max_size=30,
    ),
)
@example([("give", 0), ("record", 0)], [("take", 0), ("other", 0), ("give", 0), ("nothing", 0)])
@example([("give", 0), ("record", 0)], [("give", 1), ("slip", 1), ("take", 1), ("other", 1), ("other", 1), ("give", 1)])
@settings(max_examples=15)
def test_rebalances_while_a_batch_waits_to_become_durable(before: list[Step], held: list[Step]) -> None:
    act([*before, ("away", 0), ("nothing", 0), *held])
