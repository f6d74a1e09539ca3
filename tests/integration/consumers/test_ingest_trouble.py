"""What no record should be: garbage, too large, unstorable. Each is a dead letter byte for byte, and holds up no other."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.event import listen
from sqlalchemy.exc import DBAPIError

from consumers.ingest.batch import PART
from schemas.events import Kind, OrgRef
from store.records import SourceEvent
from tests.builders import client, event, invoice
from tests.pipeline import Pipeline


def records(pipeline: Pipeline) -> dict[str, int]:
    return {row.kompass_id: row.sequence for row in pipeline.rows("qbo_record")}


def raw(pipeline: Pipeline, value: bytes | None, kind: Kind = Kind.CLIENT) -> SourceEvent:
    pipeline.offset += 1
    return SourceEvent(f"kompass.{kind.value}s", 0, pipeline.offset, key=b"client/x", value=value)


BAD = {
    "garbage": b"\x00\x01\x02\x03garbage",
    "nothing": b"",
    "an unknown schema id": b"\x00\x00\x00\x30\x39whatever",
    "an unknown fingerprint": b"\xc3\x01" + b"\x07" * 8 + b"body",
    "five megabytes": random.Random(1).randbytes(5 * 1024 * 1024),
}


@pytest.mark.parametrize("what", [*BAD, "truncated"])
def test_bad_bytes_become_a_dead_letter_and_hold_up_nothing(pipeline: Pipeline, what: str) -> None:
    good = pipeline.source(event(client("c1")))
    value = (good.value or b"")[:-7] if what == "truncated" else BAD[what]
    bad = raw(pipeline, value)
    result = pipeline.ingests[Kind.CLIENT].write([raw(pipeline, None), bad, good])
    assert (len(result.undecodable), result.tombstones, result.newer) == (1, 1, 1)
    (failure,) = pipeline.rows("qbo_failure")
    assert (failure.stage, bytes(failure.event_value), failure.offset) == ("decode", value, bad.offset)
    (letter,) = pipeline.rows("qbo_outbox")
    assert (bytes(letter.key), bytes(letter.value)) == (b"client/x", value)
    pipeline.ingests[Kind.CLIENT].write([bad, bad])
    assert len(pipeline.rows("qbo_outbox")) == 1
    assert records(pipeline) == {"c1": 1}
    # The topic was deleted and made again: in the same place is another record.
    later = msgspec.structs.replace(bad, timestamp=datetime.now(UTC))
    pipeline.ingests[Kind.CLIENT].write([later, later])
    assert [bytes(letter.value) for letter in pipeline.rows("qbo_outbox")] == [value, value]


@pytest.mark.parametrize("what", ["nul", "huge id", "huge name", "odd words"])
def test_a_record_that_the_database_cannot_hold_holds_up_no_other(pipeline: Pipeline, what: str) -> None:
    noise = random.Random(2)
    bad = {
        "nul": client("bad", name="a\0b"),
        "huge id": client("".join(noise.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))),
        "huge name": client("bad", name="x" * 200_000),
        "odd words": client("bad", name="\u202e\U0001f9ff\ufffe'\";--\\"),
    }[what]
    result = pipeline.ingest(event(client("c1")), event(bad), event(client("c2")))[0]
    assert {"c1", "c2"} <= records(pipeline).keys()
    assert len(result.undecodable) == (1 if what in ("nul", "huge id") else 0)
    pipeline.drive()
    assert {pipeline.one("client", one).state for one in ("c1", "c2")} == {"synced"}


def test_one_record_in_a_batch_that_the_database_cannot_hold_takes_few_transactions(pipeline: Pipeline) -> None:
    begun: list[Connection] = []
    listen(pipeline.engine, "begin", begun.append)
    clients = [event(client(f"c{number}", name="a\0b" if number == 123 else "well")) for number in range(PART)]
    (result,) = pipeline.ingest(*clients)
    assert (len(result.undecodable), len(records(pipeline))) == (1, PART - 1)
    assert len(begun) < 30


def test_many_records_that_cannot_be_read_take_no_more_statements_than_one(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[object] = []
    execute = psycopg.Cursor.execute

    def counted(self: psycopg.Cursor[object], query: object, *rest: object, **more: object) -> object:
        run.append(query)
        return execute(self, query, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    taken = []
    for count in (1, PART):
        run.clear()
        pipeline.ingests[Kind.CLIENT].write([raw(pipeline, b"garbage") for _ in range(count)])
        taken.append(len(run))
    assert taken[0] == taken[1], run
    assert len(pipeline.rows("qbo_outbox")) == len(pipeline.rows("qbo_failure")) == PART + 1


def test_clients_of_many_orgs_fit_into_one_batch(pipeline: Pipeline) -> None:
    """A client in ten configured Orgs is ten records: a full batch of them is more than a statement takes parameters."""
    orgs = tuple(OrgRef(f"org-{number}", f"Org {number}") for number in range(10))
    with pipeline.engine.begin() as db:
        for org in orgs:
            db.execute(text("INSERT INTO qbo_org (id, name) VALUES (:id, :id)"), {"id": org.id})
            db.execute(text("INSERT INTO qbo_configuration (org_id) VALUES (:id)"), {"id": org.id})
    events = [event(replace(client(f"c{number}"), orgs=orgs)) for number in range(500)]
    (result,) = pipeline.ingest(*events)
    assert result.newer == 5000


def test_events_of_an_org_without_a_configuration_are_not_kept(pipeline: Pipeline) -> None:
    stranger = OrgRef("org-nobody", "Nobody")
    (result,) = pipeline.ingest(event(client("c9", org=stranger)))
    assert (result.unconfigured, records(pipeline)) == (1, {})


def test_a_database_that_fails_in_mid_batch_leaves_nothing_behind(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text("ALTER TABLE qbo_history ADD CONSTRAINT broken CHECK (kompass_id <> 'c2') NOT VALID"))
    batch = [pipeline.source(event(client(f"c{number}"))) for number in range(3)]
    with pytest.raises(DBAPIError):
        pipeline.ingests[Kind.CLIENT].write(batch)
    assert (records(pipeline), pipeline.links()) == ({}, [])
    with pipeline.engine.begin() as db:
        db.execute(text("ALTER TABLE qbo_history DROP CONSTRAINT broken"))
    assert pipeline.ingests[Kind.CLIENT].write(batch).newer == 3


@pytest.mark.parametrize("seed", range(4))
def test_two_processes_that_ingest_the_same_batch_at_once_keep_the_newest(
    pipeline: Pipeline, opened: Callable[..., Pipeline], seed: int
) -> None:
    chance = random.Random(seed)
    other = opened()
    news = [event(invoice(f"i{number % 5}", sequence=number)) for number in range(1, 41)]
    sources = [pipeline.source(one) for one in news]
    problems: list[BaseException] = []

    def ingest(one: Pipeline, order: list[SourceEvent]) -> None:
        try:
            for start in range(0, len(order), 8):
                one.ingests[Kind.INVOICE].write(order[start : start + 8])
        except BaseException as problem:  # noqa: BLE001 - handed to the test
            problems.append(problem)

    threads = []
    for one in (pipeline, other):
        order = list(sources)
        chance.shuffle(order)
        threads.append(threading.Thread(target=ingest, args=(one, order)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    kept = records(pipeline)
    assert {f"i{number}": kept[f"i{number}"] for number in range(5)} == {
        "i0": 40,
        "i1": 36,
        "i2": 37,
        "i3": 38,
        "i4": 39,
    }
    assert len(pipeline.links(kind="invoice")) == 5
