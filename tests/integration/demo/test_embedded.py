"""The parts that the demo and the tests run on."""

from __future__ import annotations

import shutil
import signal
import smtplib
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer

from consumers.errors import EmbeddedPartFailed
from demo.embedded.broker import EmbeddedBroker, Requests
from demo.embedded.mail import EmbeddedMail
from demo.embedded.ports import free_port, is_free
from demo.embedded.postgres import EmbeddedPostgres


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """One that root's unprivileged stand-in can walk, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="kompass-qbo-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def read_all(bootstrap: str, topic: str, count: int) -> set[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    found: set[bytes] = set()
    try:
        while len(found) < count:
            for message in consumer.consume(count, 0.1):
                assert message.error() is None
                found.add(message.value() or b"")
    finally:
        consumer.close()
    return found


def test_postgres_is_real_and_recovers_from_a_crash() -> None:
    with EmbeddedPostgres() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept (value text)")
            connection.execute("INSERT INTO kept VALUES ('one')")
        server.stop(how=signal.SIGQUIT)
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == ("one",)
            version = connection.info.server_version
    assert version >= 160000
    assert not server.directory.exists()
    assert is_free(server.port)


def test_postgres_takes_its_directory_up_again(public_directory: Path) -> None:
    directory = public_directory / "data"
    with EmbeddedPostgres(directory=directory) as server:
        assert server.directory == directory
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept ()")
    with EmbeddedPostgres(directory=directory) as server, psycopg.connect(server.url) as connection:
        connection.execute("SELECT FROM kept")


def test_postgres_goes_where_its_account_can(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with EmbeddedPostgres(directory=tmp_path / "data") as server, psycopg.connect(server.url) as connection:
        connection.execute("SELECT 1")


def test_postgres_says_when_its_port_is_taken() -> None:
    with EmbeddedMail() as other, pytest.raises(EmbeddedPartFailed, match=str(other.port)):
        EmbeddedPostgres(port=other.port).__enter__()


def test_postgres_ends_with_the_process_that_started_it() -> None:
    program = (
        "import os, signal\nfrom demo.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres().__enter__()\nprint(server.port, server.directory, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    port, directory = ended.stdout.split()

    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 60
    while (Path(directory) / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_free(int(port))
    shutil.rmtree(Path(directory).parent)


def test_the_broker_is_reached_from_other_processes_at_a_known_port() -> None:
    port = free_port()
    sent = {str(number).encode() for number in range(500)}
    with EmbeddedBroker(topics={"kompass.clients": 3}, listen_port=port):
        producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}"})
        for value in sent:
            producer.produce("kompass.clients", key=value, value=value)
        assert producer.flush(60) == 0
        partitions = producer.list_topics("kompass.clients", timeout=60).topics["kompass.clients"].partitions

        assert len(partitions) == 3
        assert read_all(f"127.0.0.1:{port}", "kompass.clients", len(sent)) == sent
    assert is_free(port)


def test_no_member_of_a_group_has_the_name_of_one_before_it() -> None:
    names = set()
    with EmbeddedBroker(topics={"kompass.clients": 3}, listen_port=0) as broker:
        # A group of its own for each: the next member of the same one would wait for its session.
        for group in ("first", "second", "third"):
            consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": group})
            consumer.subscribe(["kompass.clients"])
            until = time.monotonic() + 60
            while not consumer.assignment():
                assert time.monotonic() < until
                consumer.poll(0.05)
            names.add(consumer.memberid())
            consumer.close()

    assert len(names) == 3
    # The cluster's own are addresses in its memory.
    assert not any(name.startswith("0x") for name in names)


def test_requests_are_handed_on_whole_and_none_but_a_new_member_is_changed() -> None:
    def request(key: int, member: bytes, version: int = 5) -> bytes:
        group, client = b"kompass-qbo.invoices", b"rdkafka"
        body = struct.pack(f">hhih7sh{len(group)}s", key, version, 1, len(client), client, len(group), group)
        body += struct.pack(">ii" if version else ">i", *([45_000, 300_000] if version else [45_000]))
        body += struct.pack(f">h{len(member)}s", len(member), member) + b"the rest"
        return len(body).to_bytes(4, "big") + body

    stream = request(11, b"known") + request(0, b"") + request(11, b"", version=0)
    requests = Requests()
    given = b"".join(requests.take(stream[at : at + 7]) for at in range(0, len(stream), 7))

    unchanged = len(request(11, b"known") + request(0, b""))
    assert given[:unchanged] == stream[:unchanged]
    named = given[unchanged:]
    member = named[-8 - 32 : -8]
    assert named == request(11, member, version=0)
    assert requests.take(request(11, b"", version=0))[-8 - 32 : -8] != member


def test_the_broker_says_when_its_port_is_taken() -> None:
    with EmbeddedMail() as other, pytest.raises(EmbeddedPartFailed, match=f"cannot listen on 127.0.0.1:{other.port}"):
        EmbeddedBroker(listen_port=other.port).__enter__()


def test_mail_arrives_with_whom_it_went_to() -> None:
    shown: list[str] = []
    with EmbeddedMail(on_message=lambda message: shown.append(message["Subject"])) as server:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as client:
            client.sendmail("sync@example.com", ["a@example.com", "b@example.com"], "Subject: Three wait\n\nVAT 21 %\n")
        (message,) = server.wait_for(1, timeout=60)

    assert message["X-Envelope-To"] == "a@example.com, b@example.com"
    assert message.get_content().strip() == "VAT 21 %"
    assert shown == ["Three wait"]
