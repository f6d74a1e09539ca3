from __future__ import annotations

import pytest

from consumers.ingest.batch import BatchResult, Undecodable
from consumers.ingest.limit import DecodeLimit, TooManyUndecodable
from store.records import SourceEvent
from store.stretches import Accepted

TOPIC = "kompass.clients"


def bad(*offsets: int, partition: int = 0) -> BatchResult:
    return BatchResult(
        undecodable=[
            Undecodable(SourceEvent(TOPIC, partition, offset), "garbage", "no framing fits") for offset in offsets
        ]
    )


def test_a_run_over_several_batches_stops_and_says_how_to_go_on() -> None:
    limit = DecodeLimit(run=6)
    limit.count(bad(1, 2, 3), 3)
    limit.count(bad(7, partition=1), 1)

    with pytest.raises(TooManyUndecodable) as stopped:
        limit.count(bad(4, 5), 2)

    assert "the last 6 records of kompass.clients could not be read (no framing fits)" in str(stopped.value)
    assert (
        "kompass-qbo dead-letters accept kompass.clients 0 --from 1 --to 5; "
        "kompass-qbo dead-letters accept kompass.clients 1 --from 7 --to 7"
    ) in str(stopped.value)


def test_one_record_that_can_be_read_ends_the_run() -> None:
    limit = DecodeLimit(run=4)
    limit.count(bad(1, 2, 3), 3)
    limit.count(bad(4), 2)
    limit.count(bad(6, 7, 8), 3)


def test_an_accepted_stretch_does_not_count_and_what_follows_it_does() -> None:
    asked = []

    def accepted() -> list[Accepted]:
        asked.append(1)
        return [Accepted(TOPIC, 0, 1, 150)]

    limit = DecodeLimit(run=100, accepted=accepted)
    limit.count(bad(*range(1, 90)), 89)
    assert not asked, "the database is asked only before the consumer would stop"
    limit.count(bad(*range(90, 151)), 61)
    limit.count(bad(*range(151, 250)), 99)

    with pytest.raises(TooManyUndecodable, match="--from 151 --to 250"):
        limit.count(bad(250), 1)


def test_a_stretch_of_another_partition_does_not_help() -> None:
    limit = DecodeLimit(run=2, accepted=lambda: [Accepted(TOPIC, 1, 0, 10)])

    with pytest.raises(TooManyUndecodable):
        limit.count(bad(1, 2), 2)
