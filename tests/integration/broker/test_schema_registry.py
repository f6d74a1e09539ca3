"""Events written and read by way of a real schema registry (Apicurio's, through Confluent's protocol)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer

from consumers.cli import run
from schemas.codec import Codec, event_values
from schemas.errors import IncompatibleChange, RegistryUnavailable, UnknownSchema
from schemas.events import Kind
from schemas.register import check, register
from schemas.registry import RegistrySource, subject
from schemas.shipped import current, shipped
from tests import builders
from tests.integration.broker.members import Members, Publisher, all_committed, eventually, kept
from tests.kafka import Kafka
from tests.kafka_cluster import write_certificates
from tests.schema_registry import Guard, SchemaRegistry

EVENT = builders.event(builders.client("c1"))


@pytest.fixture
def url(schema_registry: SchemaRegistry) -> Iterator[str]:
    """By way of a guard, because the registry itself keeps connections open that Confluent's client never closes."""
    with Guard(schema_registry) as guard:
        yield guard.url


@pytest.fixture
def client(url: str) -> SchemaRegistryClient:
    """Confluent's client of the registry, in which there is nothing."""
    client = SchemaRegistryClient({"url": url})
    for name in client.get_subjects():
        client.delete_subject(name)
        client.delete_subject(name, permanent=True)
    return client


@pytest.fixture
def registered(client: SchemaRegistryClient, url: str) -> RegistrySource:
    """The registry with our schemas in it."""
    source = RegistrySource(url)
    register(source)
    return source


@pytest.fixture
def guard(registered: RegistrySource, schema_registry: SchemaRegistry) -> Iterator[Guard]:
    with Guard(schema_registry) as guard:
        yield guard


def previous(kind: Kind) -> Schema:
    (old,) = [schema for schema in shipped().values() if schema.kind is kind and schema.version == 1]
    return Schema(json.dumps(old.schema), "AVRO")


def framed(schema: Schema, schema_id: int) -> bytes:
    """`EVENT` as somebody writes it who has only that schema."""
    stream = BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    stream.seek(5)
    schemaless_writer(stream, parse_schema(json.loads(schema.schema_str or "")), event_values(EVENT))
    return stream.getvalue()


def test_registration_and_a_round_trip(client: SchemaRegistryClient, url: str) -> None:
    source = RegistrySource(url)
    assert [check(source, kind).first for kind in Kind] == [True, True, True]
    first = register(source)
    assert sorted(client.get_subjects()) == sorted(subject(kind) for kind in Kind)
    assert [standing.schema_id for standing in register(source)] == [standing.schema_id for standing in first]
    data = Codec(RegistrySource(url)).encode(EVENT)
    assert data[0] == 0
    assert Codec(RegistrySource(url)).decode(Kind.CLIENT, data) == EVENT


def test_versions_follow_each_other_and_all_stay_readable(client: SchemaRegistryClient, url: str) -> None:
    old = previous(Kind.CLIENT)
    old_id = client.register_schema(subject(Kind.CLIENT), old)
    source = RegistrySource(url)
    new_id = next(one.schema_id for one in register(source) if one.kind is Kind.CLIENT)
    assert new_id != old_id
    assert len(client.get_versions(subject(Kind.CLIENT))) == 2
    codec = Codec(source)
    assert codec.decode(Kind.CLIENT, framed(old, old_id)).object.id == "c1"
    assert codec.decode(Kind.CLIENT, codec.encode(EVENT)) == EVENT


def test_what_would_cut_readers_off_is_not_registered(client: SchemaRegistryClient, url: str) -> None:
    required = json.loads(json.dumps(current()[Kind.CLIENT].schema))
    required["fields"].append({"name": "tenant", "type": "string"})
    client.register_schema(subject(Kind.CLIENT), Schema(json.dumps(required), "AVRO"))
    with pytest.raises(IncompatibleChange, match="tenant"):
        register(RegistrySource(url))
    assert client.get_subjects() == [subject(Kind.CLIENT)]


def test_an_unknown_id_is_a_dead_letter(
    kafka: Kafka, registered: RegistrySource, database: str, members: Members
) -> None:
    codec = Codec(registered)
    publisher = Publisher(kafka)
    publisher.send("c9", value=b"\0" + (987_654).to_bytes(4, "big") + b"anything", partition=0)
    publisher.send("c1", value=codec.encode(EVENT), partition=0)
    publisher.flush()
    members(kafka, codec=Codec(registered))
    eventually(lambda: kept(database) == {"c1": 1})
    with psycopg.connect(database) as db:
        assert db.execute("SELECT cause, kompass_id FROM qbo_failure").fetchall() == [(UnknownSchema.cause, "c9")]


def test_the_registry_is_away_at_start(
    kafka: Kafka, registered: RegistrySource, guard: Guard, database: str, members: Members,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    value = Codec(registered).encode(EVENT)
    guard.close()
    publisher = Publisher(kafka)
    publisher.send("c1", value=value)
    publisher.flush()
    member = members(kafka, codec=Codec(RegistrySource(guard.url)))
    eventually(lambda: "registry is not available: The schema registry at" in caplog.text)
    turns = len(member.turns)
    eventually(lambda: len(member.turns) > turns + 3, "the loop turns")
    assert kept(database) == {}
    guard.open()
    eventually(lambda: kept(database) == {"c1": 1})
    eventually(lambda: all_committed(kafka))


def test_the_registry_goes_away_and_known_ids_keep_working(
    kafka: Kafka, client: SchemaRegistryClient, url: str, schema_registry: SchemaRegistry, database: str, members: Members,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    old = previous(Kind.CLIENT)
    old_id = client.register_schema(subject(Kind.CLIENT), old)
    source = RegistrySource(url)
    register(source)
    writer = Codec(source)
    publisher = Publisher(kafka)
    with Guard(schema_registry) as guard:
        members(kafka, codec=Codec(RegistrySource(guard.url)))
        publisher.send("c1", value=writer.encode(EVENT))
        publisher.flush()
        eventually(lambda: kept(database) == {"c1": 1})
        guard.close()
        publisher.send("c2", value=writer.encode(builders.event(builders.client("c2"))))
        publisher.flush()
        eventually(lambda: "c2" in kept(database), "an event with an id that is known")
        publisher.send("c1", value=framed(old, old_id))
        publisher.send("c3", value=writer.encode(builders.event(builders.client("c3"))))
        publisher.flush()
        eventually(
            lambda: "registry is not available: The schema registry at" in caplog.text, "one with an id that is not"
        )
        guard.open()
        eventually(lambda: "c3" in kept(database))
    eventually(lambda: all_committed(kafka))


def test_basic_authentication(
    registered: RegistrySource, schema_registry: SchemaRegistry, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with Guard(schema_registry, credentials="kompass:s3cret") as guard:
        assert Codec(RegistrySource(guard.url)).encode(EVENT)
        wrong = guard.url.replace("s3cret", "wrong")
        with pytest.raises(RegistryUnavailable, match="answers 401") as refused:
            Codec(RegistrySource(wrong)).encode(EVENT)
        assert "wrong" not in str(refused.value)
        monkeypatch.setenv("SCHEMA_REGISTRY_URL", guard.url)
        assert run(["schemas", "check"]) == 0
        monkeypatch.setenv("SCHEMA_REGISTRY_URL", wrong)
        assert run(["schemas", "check"]) == 4
        assert "wrong" not in capsys.readouterr().err


def test_tls(
    registered: RegistrySource, schema_registry: SchemaRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = tmp_path / "authority.pem", tmp_path / "registry.pem"
    write_certificates(authority, certificate)
    with Guard(schema_registry, certificate=certificate) as guard:
        with pytest.raises(RegistryUnavailable, match=r"(?i)certificate.verify.failed"):
            Codec(RegistrySource(guard.url)).encode(EVENT)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert Codec(RegistrySource(guard.url)).encode(EVENT)
