"""A batch that the broker's disk has damaged stops its partition; a person goes on after it, and only where Kafka proves the damage."""

from __future__ import annotations

import struct
from pathlib import Path

import psycopg
import pytest

from consumers import cli
from consumers.errors import ExitCode
from consumers.restoring.places import find_behind
from store.engine import open_engine
from tests.integration.broker.members import GROUP, TOPIC, Members, Publisher, eventually, kept
from tests.kafka import Kafka

_HEADER = 61
"""Bytes of a batch before its records; they begin with its first offset and the length of what follows these two."""


def damage(kafka: Kafka, first: int) -> None:
    """Overwrite the compressed records of the batch that begins at that offset."""
    assert kafka.cluster is not None
    (log,) = kafka.cluster.directory.glob(f"data-*/{TOPIC}-0/*0.log")
    at, batches = 0, log.read_bytes()
    while (start := struct.unpack_from(">qi", batches, at)) and start[0] != first:
        at += 12 + start[1]
    with Path(log).open("r+b") as file:
        file.seek(at + _HEADER + 12)
        file.write(b"\xff" * 40)


def test_a_person_goes_on_after_a_damaged_batch(
    apache_kafka: Kafka,
    database: str,
    members: Members,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if apache_kafka.cluster is None:
        pytest.skip("a cluster's disk is not this test's to damage")
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", apache_kafka.bootstrap_servers)
    publisher = Publisher(apache_kafka, **{"compression.type": "gzip", "linger.ms": 2000})
    publisher.send_all([f"a{number}" for number in range(5)], partition=0)
    publisher.send_all([f"b{number}" for number in range(20)], partition=0)
    publisher.send_all(["c1", "c2"], partition=0)
    damage(apache_kafka, 5)
    reads = members(apache_kafka)
    eventually(lambda: len(kept(database)) == 5)
    eventually(lambda: reads.counted("ingest_stalled_seconds", partition="0") > 0, "it stands at the batch")

    def accept(first: int, last: int, *more: str) -> tuple[int, str]:
        place = [TOPIC, "0", "--from", str(first), "--to", str(last)]
        code = cli.run(["dead-letters", "accept", *place, "--reason", "bad disk", "--damaged", *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    reads.stop()
    for first, last, wrong in ((3, 24, "give --from 5"), (5, 10, "give a larger --to")):
        code, said = accept(first, last)
        assert (code, wrong in said) == (ExitCode.FAILED, True), said
    with psycopg.connect(database) as db:
        assert db.execute("SELECT count(*) FROM qbo_stretch").fetchone() == (0,), "a refusal changes nothing"

    code, said = accept(5, 24)
    assert (code, "go on at 25" in said) == (ExitCode.OK, True), said
    with psycopg.connect(database) as db:
        row = db.execute("SELECT what, partition, first, last, reason, by <> '' FROM qbo_stretch").fetchall()
        assert row == [("gap", 0, 5, 24, "bad disk", True)]
        assert db.execute("SELECT count(*) FROM qbo_restore").fetchone() == (0,), "no company is looked through"
    engine = open_engine(database, pool_size=1)
    assert find_behind(engine, apache_kafka.settings) == []
    engine.dispose()
    reads = members(apache_kafka)
    eventually(lambda: len(kept(database)) == 7)
    eventually(lambda: apache_kafka.committed(GROUP, TOPIC, 1) == {0: 27})
    reads.stop()
    publisher.send_all(["d1"], partition=0)
    code, said = accept(27, 27)
    assert (code, "Kafka gives record 27" in said) == (ExitCode.FAILED, True), said
