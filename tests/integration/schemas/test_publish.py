"""`kompass-qbo publish` as a process, against librdkafka's mock cluster."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from demo.embedded.broker import EmbeddedBroker
from schemas.codec import Codec
from schemas.events import Event, Kind
from schemas.jsonlines import event_from_json
from schemas.shipped import topic


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


def line(number: int, *, name: str = "A & Söhne", sequence: int = 1) -> bytes:
    return orjson.dumps(
        {
            "id": f"2f1d6c1e-6a41-4c8b-9d0e-{number:06d}{sequence:06d}",
            "type": "client.create",
            "resource": "client",
            "action": "create",
            "created": "2026-03-02T12:00:00Z",
            "metadata": {"org_id": "org-uk", "version": 1},
            "object": {
                "id": number,
                "sequence": sequence,
                "name": name,
                "orgs": [{"id": "org-uk", "name": "Meridian"}],
                "modified": "2026-03-02T12:00:00Z",
            },
        }
    )


def run(
    servers: str, *arguments: str, stdin: bytes = b"", stderr: int = subprocess.PIPE, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SCHEMA_"))}
    return subprocess.run(
        [sys.executable, "-c", "from consumers.cli import main; main()", "publish", *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=120,
        check=False,
        env={**clean, "KAFKA_BOOTSTRAP_SERVERS": servers, **environ},
    )


def landed(broker: EmbeddedBroker, kind: Kind) -> list[tuple[int, bytes, Event]]:
    """Partition, key and event of everything in the topic of `kind`."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "look", "enable.auto.commit": False}
    )
    try:
        partitions = sorted(consumer.list_topics(topic(kind), timeout=60).topics[topic(kind)].partitions)
        ends = {p: consumer.get_watermark_offsets(TopicPartition(topic(kind), p), timeout=60)[1] for p in partitions}
        consumer.assign([TopicPartition(topic(kind), p, OFFSET_BEGINNING) for p in partitions])
        found: list[tuple[int, bytes, Event]] = []
        while len(found) < sum(ends.values()):
            message = consumer.poll(60)
            assert message is not None
            assert message.error() is None
            key, value, partition = message.key(), message.value(), message.partition()
            assert isinstance(key, bytes)
            assert isinstance(value, bytes)
            assert partition is not None
            found.append((partition, key, Codec().decode(kind, value)))
    finally:
        consumer.close()
    return found


def written(directory: Path, lines: Sequence[bytes]) -> str:
    path = directory / "events.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def test_a_file_lands_event_by_event(broker: EmbeddedBroker, tmp_path: Path) -> None:
    lines = [line(number, sequence=sequence) for sequence in (1, 2, 3) for number in range(20)]
    done = run(broker.bootstrap_servers, written(tmp_path, lines))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"60 events published (60 clients)\n"
    found = landed(broker, Kind.CLIENT)
    assert {orjson.dumps(str(event.id)) for _, _, event in found} == {
        orjson.dumps(orjson.loads(o)["id"]) for o in lines
    }
    for number in range(20):
        mine = [(partition, event) for partition, key, event in found if key == f"client/{number}".encode()]
        assert len({partition for partition, _ in mine}) == 1
        assert [event.object.sequence for _, event in mine] == [1, 2, 3]
    assert len({partition for partition, _, _ in found}) > 1
    assert found[0][2] == event_from_json(orjson.loads(line(int(found[0][2].object.id))))


def test_a_bad_line_in_a_file_keeps_everything_back(broker: EmbeddedBroker, tmp_path: Path) -> None:
    bad = line(3).replace(b'"sequence":1', b'"sequence":"1"')
    done = run(broker.bootstrap_servers, written(tmp_path, [line(1), b"", line(2), bad, line(4)]))
    assert done.returncode == 1
    assert done.stdout == b""
    assert b'line 4: object.sequence: "1" is not a whole number' in done.stderr
    assert done.stderr.count(b"\n") == 1
    assert b"Nothing was sent" in done.stderr
    assert landed(broker, Kind.CLIENT) == []


def test_standard_input_is_sent_up_to_the_bad_line(broker: EmbeddedBroker) -> None:
    done = run(broker.bootstrap_servers, "-", stdin=b"\n".join([line(1), line(2), b"{", line(4)]))
    assert done.returncode == 1
    assert b"line 3: is not JSON" in done.stderr
    assert b"2 events before it were sent" in done.stderr
    assert {key for _, key, _ in landed(broker, Kind.CLIENT)} == {b"client/1", b"client/2"}


def test_no_broker_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(servers, written(tmp_path, [line(1)]))
    assert done.returncode == 4
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"no Kafka broker answers at " + servers.encode() in done.stderr


def test_a_refused_event_is_named(broker: EmbeddedBroker, tmp_path: Path) -> None:
    lines = [line(1), line(2, name="x" * 5000), line(3)]
    done = run(broker.bootstrap_servers, written(tmp_path, lines), KAFKA_MESSAGE_MAX_BYTES="2000")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"the client event on line 2 (client/2)" in done.stderr


def test_a_missing_file_and_a_bad_setting_are_said(broker: EmbeddedBroker, tmp_path: Path) -> None:
    assert run(broker.bootstrap_servers, str(tmp_path / "none.jsonl")).returncode == 2
    done = run(broker.bootstrap_servers, written(tmp_path, [line(1)]), KAFKA_STATISTICS_INTERVAL_MS="soon")
    assert done.returncode == 3
    assert b"KAFKA_STATISTICS_INTERVAL_MS" in done.stderr


def test_a_long_file_shows_its_progress_on_a_terminal(broker: EmbeddedBroker, tmp_path: Path) -> None:
    path = written(tmp_path, [line(number) for number in range(600)])
    reader, writer = pty.openpty()
    try:
        done = run(broker.bootstrap_servers, path, stderr=writer, TERM="xterm")
        assert done.returncode == 0
        assert b"600/600" in os.read(reader, 65536)
    finally:
        os.close(reader)
        os.close(writer)
