"""A large batch is written part by part, the next one decoded meanwhile; for who waits for it it is one batch all the same."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from consumers.ingest.batch import PART, Ingest
from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.events import Event, Kind
from store.records import SourceEvent
from tests.builders import client, event
from tests.pipeline import Pipeline

PATIENCE_S = 60.0


@dataclass
class Watched(Codec):
    """Says when it has decoded more than a part, and reads no further than it may."""

    readable: int = 10 * PART
    decoded: int = 0
    beyond_a_part: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def decode(self, kind: Kind, data: bytes) -> Event:
        if self.decoded >= self.readable:
            raise RegistryUnavailable("the registry is away")
        self.decoded += 1
        if self.decoded > PART:
            self.beyond_a_part.set()
        return super().decode(kind, data)


def batch(pipeline: Pipeline, size: int) -> list[SourceEvent]:
    return [pipeline.source(event(client(f"c{number}"))) for number in range(size)]


def kept(pipeline: Pipeline) -> int:
    return len(pipeline.rows("qbo_record"))


def test_the_next_part_is_decoded_while_the_database_writes_one(pipeline: Pipeline) -> None:
    codec = Watched()
    ingest = Ingest(pipeline.engine, codec, Kind.CLIENT)
    sources = batch(pipeline, 2 * PART)
    results = []
    writing = threading.Thread(target=lambda: results.append(ingest.write(sources)))
    with pipeline.engine.begin() as db:
        # What every part waits for.
        db.execute(text("SELECT 1 FROM qbo_configuration FOR UPDATE"))
        writing.start()
        assert codec.beyond_a_part.wait(PATIENCE_S)
        assert kept(pipeline) == 0
    writing.join(PATIENCE_S)
    assert [result.newer for result in results] == [2 * PART]
    assert kept(pipeline) == 2 * PART


def test_a_part_that_fails_fails_the_batch_which_is_then_written_as_a_whole(pipeline: Pipeline) -> None:
    codec = Watched(readable=PART + 3)
    ingest = Ingest(pipeline.engine, codec, Kind.CLIENT)
    sources = batch(pipeline, 2 * PART + 1)
    with pytest.raises(RegistryUnavailable):
        ingest.write(sources)
    assert kept(pipeline) == PART
    codec.readable = 10 * PART
    result = ingest.write(sources)
    assert (result.newer, result.stale) == (PART + 1, PART)
    assert kept(pipeline) == len(pipeline.links()) == 2 * PART + 1


def test_what_is_in_any_part_is_in_the_result_of_the_batch(pipeline: Pipeline) -> None:
    sources = batch(pipeline, 3 * PART)
    bad = [SourceEvent("kompass.clients", 1, part, value=b"garbage") for part in range(3)]
    gone = SourceEvent("kompass.clients", 2, 0)
    mixed = [sources[0], bad[0], *sources[: PART + 5], bad[1], gone, *sources[PART + 5 :], bad[2]]
    result = pipeline.ingests[Kind.CLIENT].write(mixed)
    assert (result.newer, result.stale, result.tombstones) == (3 * PART, 1, 1)
    assert [one.source for one in result.undecodable] == bad
    assert len(pipeline.rows("qbo_failure")) == 3
