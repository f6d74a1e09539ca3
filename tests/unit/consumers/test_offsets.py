"""What is committed, and when: one commit at a time, and an answer that comes late or never does no harm."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from consumers.ingest.offsets import RETRY_S, UNANSWERED_S, Offsets


class Broker:
    """Keeps the commits that were sent until a test has them answered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.finished = 0
        self.sent: list[list[TopicPartition]] = []
        self.committed: dict[int, int] = {}
        self.offsets = Offsets("topic", all_committed=self._finish, clock=lambda: self.now)

    def _finish(self) -> None:
        self.finished += 1

    def commit(self, *, leaving: bool = False) -> int:
        """Have the offsets committed; gives how many requests that sent."""
        before = len(self.sent)
        self.offsets.commit(self.sent.append, leaving=leaving)
        return len(self.sent) - before

    def answer(self, which: int = 0, error: int | None = None) -> None:
        places = self.sent.pop(which)
        if error is None:
            self.committed |= {place.partition: place.offset for place in places}
        self.offsets.answered(None if error is None else KafkaError(error), places)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_one_commit_is_on_its_way_at_a_time(broker: Broker) -> None:
    broker.offsets.durable(0, 5)
    assert broker.commit() == 1
    broker.offsets.durable(0, 9)
    assert broker.commit() == 0
    broker.answer()
    assert broker.finished == 0
    assert broker.commit() == 1
    broker.answer()
    assert broker.committed == {0: 9}
    assert broker.finished == 1
    assert broker.commit() == 0


@pytest.mark.parametrize("error", [KafkaError.REBALANCE_IN_PROGRESS, KafkaError._WAIT_COORD])
def test_a_refused_commit_is_sent_again_a_little_later(broker: Broker, error: int) -> None:
    broker.offsets.durable(0, 5)
    broker.commit()
    broker.answer(error=error)
    assert broker.commit() == 0
    broker.now += RETRY_S
    assert broker.commit() == 1


def test_a_commit_that_cannot_even_be_sent_is_tried_again(broker: Broker) -> None:
    def send(places: list[TopicPartition]) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE))

    broker.offsets.durable(0, 5)
    broker.offsets.commit(send)
    broker.now += RETRY_S
    assert broker.commit() == 1


def test_a_commit_that_is_never_answered_is_followed_by_another(broker: Broker) -> None:
    broker.offsets.durable(0, 5)
    broker.commit()
    broker.offsets.durable(0, 9)
    broker.now += UNANSWERED_S - 1
    assert broker.commit() == 0
    broker.now += 1
    assert broker.commit() == 1


def test_an_old_commit_that_overtakes_a_newer_one_is_put_right(broker: Broker) -> None:
    broker.offsets.durable(0, 5)
    broker.commit()
    broker.offsets.durable(0, 9)
    broker.now += UNANSWERED_S
    broker.commit()
    broker.answer(1)
    broker.answer(0)
    assert broker.committed == {0: 5}
    assert broker.commit() == 1
    broker.answer()
    assert broker.committed == {0: 9}


def test_whoever_leaves_sends_what_is_not_on_its_way(broker: Broker) -> None:
    broker.offsets.durable(0, 5)
    broker.commit()
    assert broker.commit(leaving=True) == 0
    broker.offsets.durable(0, 9)
    assert broker.commit(leaving=True) == 1


def test_what_is_not_ours_any_more_is_not_committed(broker: Broker) -> None:
    broker.offsets.durable(0, 5)
    broker.offsets.forget(0)
    assert broker.commit() == 0
    broker.offsets.durable(0, 5)
    broker.commit()
    broker.offsets.forget(0)
    broker.answer(error=KafkaError.ILLEGAL_GENERATION)
    broker.now += RETRY_S
    assert broker.commit() == 0
    assert broker.offsets.reached(0) is None


@given(st.lists(st.sampled_from(["durable", "commit", "answer", "answer last", "refuse", "wait"])))
def test_whatever_the_answers_the_newest_offset_is_committed_in_the_end(steps: list[str]) -> None:
    broker, reached = Broker(), 1
    broker.offsets.durable(0, reached)
    for step in steps:
        if step == "durable":
            reached += 1
            broker.offsets.durable(0, reached)
        elif step == "commit":
            broker.commit()
        elif step == "wait":
            broker.now += UNANSWERED_S
        elif broker.sent:
            broker.answer(-1 if step == "answer last" else 0, KafkaError._WAIT_COORD if step == "refuse" else None)
    while broker.sent:
        broker.answer()
    broker.now += UNANSWERED_S
    if broker.commit():
        broker.answer()
    assert broker.committed == {0: reached}
