"""A Confluent-compatible schema registry as the codec's `SchemaSource`.

Protocol: Confluent's "Schema Registry API Reference" (``GET /schemas/ids/{id}``, ``POST /subjects/{subject}``), spoken by
confluent-kafka's own client. Only its error 40403 says that an id is unknown: any other 404 may come from a wrong address, and
events must not be given up for that.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient, SchemaRegistryError

from schemas.avro import Schema, load, resolved
from schemas.compose import inline
from schemas.errors import IncompatibleSchema, NotRegistered, RegistryUnavailable, UnknownSchema
from schemas.events import Kind
from schemas.shipped import ShippedSchema, current, topic

TIMEOUT_SECONDS = 5.0
_SUBJECT_UNKNOWN = 40401
_VERSION_UNKNOWN = 40402
_SCHEMA_UNKNOWN = 40403
_MOST_REFERENCES = 100


def subject(kind: Kind) -> str:
    """Where schemas of `kind` are registered (Confluent's TopicNameStrategy)."""
    return f"{topic(kind)}-value"


def as_registered(schema: ShippedSchema) -> RegistrySchema:
    """`schema` as it is sent to a registry, documentation included."""
    return RegistrySchema(json.dumps(schema.schema, ensure_ascii=False, separators=(",", ":")), "AVRO")


class RegistrySource:
    """What a registry at `url` (``https://user:password@host:port``) knows.

    Nothing is asked before it is needed, so a registry that is away at start keeps nobody from starting.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        # Apart from the address, because the HTTP client logs and quotes that in full.
        credentials, _, host = parts.netloc.rpartition("@")
        self._place = urlunsplit((parts.scheme, host, parts.path, "", "")).rstrip("/")
        settings: dict[str, Any] = {
            "url": self._place,
            "timeout": TIMEOUT_SECONDS,
            "max.retries": 2,
            "retries.wait.ms": 100,
            "retries.max.wait.ms": 1000,
        }
        if credentials:
            user, _, password = credentials.partition(":")
            settings["basic.auth.user.info"] = f"{unquote(user)}:{unquote(password)}"
        try:
            self._client = SchemaRegistryClient(settings)
        except (ValueError, TypeError, OSError) as error:
            raise RegistryUnavailable(f"The schema registry at {self._place} cannot be used: {error}") from error

    def schema(self, schema_id: int) -> Schema:
        found = self._ask(self._client.get_schema, schema_id)
        if found is None:
            raise UnknownSchema(f"The schema registry at {self._place} knows no schema {schema_id}.")
        return self._parsed(found, f"Registry schema {schema_id}")

    def schema_id(self, kind: Kind) -> int:
        found = self._ask(self._client.lookup_schema, subject(kind), as_registered(current()[kind]), True)
        if found is None:
            raise NotRegistered(
                f"The schema registry at {self._place} does not hold the current schema under {subject(kind)}; "
                "run: kompass-qbo schemas register"
            )
        return int(found.schema_id)

    def latest(self, kind: Kind) -> Schema | None:
        """The newest schema registered for `kind`, None when there is none."""
        found = self._ask(self._client.get_latest_version, subject(kind))
        return None if found is None else self._parsed(found.schema, f"The schema under {subject(kind)}")

    def accepts(self, kind: Kind) -> bool:
        """Whether the registry, by the compatibility level set there, would take the current schema of `kind`."""
        return bool(self._ask(self._client.test_compatibility, subject(kind), as_registered(current()[kind])))

    def register(self, kind: Kind) -> int:
        """Register the current schema of `kind`; gives its id, the old one when it was registered before."""
        found = self._ask(self._client.register_schema, subject(kind), as_registered(current()[kind]), True)
        if found is None:
            raise RegistryUnavailable(f"The schema registry at {self._place} did not register {subject(kind)}.")
        return int(found)

    def _parsed(self, found: RegistrySchema, name: str) -> Schema:
        if found.schema_type not in (None, "AVRO"):
            raise IncompatibleSchema(f"{name} is {found.schema_type}, not Avro.")
        types: dict[str, Any] = {}
        waiting = list(found.references or ())
        read = 0
        while waiting:
            reference = waiting.pop()
            read += 1
            if read > _MOST_REFERENCES:
                raise IncompatibleSchema(f"{name} refers to more than {_MOST_REFERENCES} others.")
            version = self._ask(self._client.get_version, reference.subject, reference.version)
            if version is None:
                raise IncompatibleSchema(f"{name} refers to {reference.subject}, which the registry does not hold.")
            waiting += version.schema.references or ()
            self._load(version.schema, name, types)
        schema = self._load(found, name, {})
        return inline(schema, types, set()) if types else schema

    def _load(self, found: RegistrySchema, name: str, types: dict[str, Any]) -> Schema:
        try:
            return resolved(load(found.schema_str or ""), types)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise IncompatibleSchema(f"{name} is not valid Avro: {error}") from error

    def _ask(self, question: Any, *arguments: Any) -> Any:
        """The answer, or None when the registry says that there is no such thing."""
        try:
            return question(*arguments)
        except SchemaRegistryError as error:
            if error.error_code in (_SUBJECT_UNKNOWN, _VERSION_UNKNOWN, _SCHEMA_UNKNOWN):
                return None
            raise RegistryUnavailable(
                f"The schema registry at {self._place} answers {error.http_status_code}: {error.error_message}. "
                "Check SCHEMA_REGISTRY_URL and the registry."
            ) from error
        except Exception as error:
            # httpx's own errors, and those of its JSON: none of it says anything about the event.
            raise RegistryUnavailable(
                f"The schema registry at {self._place} does not answer ({error or type(error).__name__}). "
                "Check SCHEMA_REGISTRY_URL and the registry."
            ) from error
