"""The registry's client over HTTP, against a small registry that holds what it is given and answers in Confluent's shapes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from consumers.cli import run
from schemas.codec import Codec
from schemas.errors import IncompatibleChange, IncompatibleSchema, NotRegistered, RegistryUnavailable, UnknownSchema
from schemas.events import Kind
from schemas.jsonlines import event_from_json
from schemas.register import check, register
from schemas.registry import RegistrySource
from schemas.shipped import current, shipped

EVENT = event_from_json(
    {
        "id": "2f1d6c1e-6a41-4c8b-9d0e-0a7c6f5b4d3e",
        "type": "client.create",
        "resource": "client",
        "action": "create",
        "created": "2026-03-02T12:00:00Z",
        "metadata": {"org_id": "org-uk", "version": 1},
        "object": {"id": 1, "sequence": 1, "name": "A", "orgs": [], "modified": "2026-03-02T12:00:00Z"},
    }
)


class Registry:
    """Subjects, versions and ids; `failing` is the status it answers everything with."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[int]] = {}
        self.schemas: dict[int, dict[str, Any]] = {}
        self.failing: int | None = None
        self.compatible = True
        self.authorisation: str | None = None
        self.requests: list[str] = []
        self.seen_authorisation: str | None = None

    def add(self, subject: str, schema: dict[str, Any]) -> int:
        known = next((number for number, other in self.schemas.items() if other == schema), len(self.schemas) + 1)
        self.schemas[known] = schema
        versions = self.subjects.setdefault(subject, [])
        if known not in versions:
            versions.append(known)
        return known

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = path.partition("?")[0].strip("/").split("/")
        if self.failing:
            return self.failing, {"error_code": self.failing, "message": "out of order"}
        match method, parts:
            case "GET", ["schemas", "ids", number]:
                if int(number) not in self.schemas:
                    return 404, {"error_code": 40403, "message": "Schema not found"}
                return 200, self.schemas[int(number)]
            case "POST", ["subjects", subject, "versions"]:
                return 200, {"id": self.add(subject, self.stored(body))}
            case "POST", ["subjects", subject]:
                if subject not in self.subjects:
                    return 404, {"error_code": 40401, "message": "Subject not found"}
                for version, known in enumerate(self.subjects[subject], start=1):
                    if self.schemas[known] == self.stored(body):
                        return 200, self.full(subject, version)
                return 404, {"error_code": 40403, "message": "Schema not found"}
            case "GET", ["subjects", subject, "versions", version]:
                if subject not in self.subjects:
                    return 404, {"error_code": 40401, "message": "Subject not found"}
                number = len(self.subjects[subject]) if version == "latest" else int(version)
                return 200, self.full(subject, number)
            case "POST", ["compatibility", "subjects", _, "versions", "latest"]:
                return 200, {"is_compatible": self.compatible}
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    @staticmethod
    def stored(body: dict[str, Any]) -> dict[str, Any]:
        return {key: body[key] for key in ("schema", "schemaType", "references") if body.get(key)}

    def full(self, subject: str, version: int) -> dict[str, Any]:
        known = self.subjects[subject][version - 1]
        return {"subject": subject, "version": version, "id": known, **self.schemas[known]}


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def url(registry: Registry) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            registry.requests.append(f"{self.command} {self.path.partition('?')[0]}")
            registry.seen_authorisation = self.headers.get("Authorization")
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            if registry.authorisation and registry.seen_authorisation != registry.authorisation:
                status, answer = 401, {"error_code": 401, "message": "Unauthorized"}
            else:
                status, answer = registry.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 - named by http.server

        def log_message(self, format: str, *args: object) -> None:
            """Not a word on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def previous(kind: Kind) -> dict[str, Any]:
    schema = next(s for s in shipped().values() if s.kind is kind and s.version == current()[kind].version - 1)
    return {"schema": json.dumps(schema.schema)}


def test_what_was_registered_is_written_and_read(url: str) -> None:
    ids = {standing.kind: standing.schema_id for standing in register(RegistrySource(url))}
    assert all(ids.values())
    data = Codec(RegistrySource(url)).encode(EVENT)
    assert int.from_bytes(data[1:5], "big") == ids[Kind.CLIENT]
    assert Codec(RegistrySource(url)).decode(Kind.CLIENT, data) == EVENT


def test_an_id_is_asked_for_once(url: str, registry: Registry) -> None:
    register(RegistrySource(url))
    codec = Codec(RegistrySource(url))
    data = codec.encode(EVENT)
    codec.decode(Kind.CLIENT, data)
    asked = len(registry.requests)
    registry.failing = 500
    for _ in range(3):
        assert codec.decode(Kind.CLIENT, codec.encode(EVENT)) == EVENT
    assert len(registry.requests) == asked


def test_an_unknown_id_is_the_events_fault(url: str) -> None:
    with pytest.raises(UnknownSchema, match="knows no schema 99"):
        Codec(RegistrySource(url)).decode(Kind.CLIENT, b"\x00\x00\x00\x00\x63...")


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_any_other_answer_is_the_registrys(url: str, registry: Registry, status: int) -> None:
    registry.failing = status
    with pytest.raises(RegistryUnavailable, match=f"answers {status}: out of order"):
        Codec(RegistrySource(url)).decode(Kind.CLIENT, b"\x00\x00\x00\x00\x01...")


def test_a_registry_that_is_away_is_waited_for() -> None:
    source = RegistrySource("http://reader:secret@127.0.0.1:9")
    with pytest.raises(RegistryUnavailable, match=r"http://127\.0\.0\.1:9 does not answer") as caught:
        Codec(source).decode(Kind.CLIENT, b"\x00\x00\x00\x00\x01...")
    assert "secret" not in str(caught.value)


def test_the_password_in_the_address_is_used_and_not_logged(
    url: str, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    registry.authorisation = "Basic " + base64.b64encode(b"reader:p@ss").decode()
    with pytest.raises(RegistryUnavailable, match="401"):
        register(RegistrySource(url))
    register(RegistrySource(url.replace("http://", "http://reader:p%40ss@")))
    assert registry.schemas
    assert "HTTP" in caplog.text
    assert "p%40ss" not in caplog.text


def test_a_schema_may_refer_to_others(url: str, registry: Registry) -> None:
    """Confluent's schema references: the record in one subject, the event around it in another."""
    whole = current()[Kind.CLIENT].schema
    record = {**whole["fields"][-1]["type"], "namespace": "kompass.events"}
    event = {**whole, "fields": [*whole["fields"][:-1], {**whole["fields"][-1], "type": "kompass.events.Client"}]}
    registry.add("client-record", {"schema": json.dumps(record)})
    reference = {"name": "kompass.events.Client", "subject": "client-record", "version": 1}
    number = registry.add("kompass.clients-value", {"schema": json.dumps(event), "references": [reference]})
    data = b"\x00" + number.to_bytes(4, "big") + Codec().encode(EVENT)[10:]
    assert Codec(RegistrySource(url)).decode(Kind.CLIENT, data) == EVENT


@pytest.mark.parametrize(
    "schema",
    [
        {"schema": "syntax = 'proto3';", "schemaType": "PROTOBUF"},
        {"schema": "not json"},
        {"schema": '{"type": "record", "name": "ClientEvent"}'},
        {"schema": '"string"', "references": [{"name": "a", "subject": "nowhere", "version": 1}]},
    ],
    ids=["protobuf", "no json", "no fields", "dangling reference"],
)
def test_a_schema_that_is_no_avro_is_incompatible(url: str, registry: Registry, schema: dict[str, Any]) -> None:
    number = registry.add("kompass.clients-value", schema)
    with pytest.raises(IncompatibleSchema):
        Codec(RegistrySource(url)).decode(Kind.CLIENT, b"\x00" + number.to_bytes(4, "big") + b"...")


def test_writing_asks_for_registration_first(url: str) -> None:
    with pytest.raises(NotRegistered, match="kompass-qbo schemas register"):
        Codec(RegistrySource(url)).encode(EVENT)


def test_a_newer_version_follows_the_previous_one(url: str, registry: Registry) -> None:
    for kind in Kind:
        registry.add(f"kompass.{kind}s-value", previous(kind))
    assert [check(RegistrySource(url), kind).obstacles for kind in Kind] == [(), (), ()]
    register(RegistrySource(url))
    assert {len(versions) for versions in registry.subjects.values()} == {2}
    before = len(registry.schemas)
    register(RegistrySource(url))
    assert len(registry.schemas) == before


def test_an_incompatible_schema_is_never_registered(url: str, registry: Registry) -> None:
    text = json.dumps(current()[Kind.PROJECT].schema).replace('"scale": 6', '"scale": 4')
    required = json.loads(text)
    required["fields"].append({"name": "tenant", "type": "string"})
    registry.add("kompass.projects-value", {"schema": json.dumps(required)})
    with pytest.raises(IncompatibleChange, match=r"kompass\.projects-value: a reader as registered .* tenant: is not"):
        register(RegistrySource(url))
    assert set(registry.subjects) == {"kompass.projects-value"}


def test_the_registrys_own_verdict_counts(url: str, registry: Registry) -> None:
    registry.add("kompass.clients-value", previous(Kind.CLIENT))
    registry.compatible = False
    with pytest.raises(IncompatibleChange, match="compatibility level set there"):
        register(RegistrySource(url))


def test_the_command_registers_and_checks(
    url: str, registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", url)
    assert run(["schemas", "check"]) == 0
    assert "kompass.clients-value   -   not registered, nothing is" in capsys.readouterr().out
    assert run(["schemas", "register"]) == 0
    assert "kompass.invoices-value: schema id 3" in capsys.readouterr().out
    assert run(["schemas", "check"]) == 0
    assert "kompass.invoices-value  3   registered" in capsys.readouterr().out
    registry.failing = 503
    assert run(["schemas", "check"]) == 4
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "registry:8081")
    assert run(["schemas", "check"]) == 3
