"""What can be wrong with an event, or with the place where its schema is kept."""

from __future__ import annotations


class SchemasError(Exception):
    """Base of everything this room raises."""


class RegistryUnavailable(SchemasError):
    """The schema registry did not answer as it should: the event may well be fine, so wait and try again."""


class NotRegistered(SchemasError):
    """The registry does not hold our current schema, so nothing can be written with it."""


class UndecodableEvent(SchemasError):
    """These bytes will never be an event; `cause` is a stable code for people's filters and for metrics."""

    cause = "undecodable"


class Garbage(UndecodableEvent):
    """Not the encoding of any event: neither framing fits, or a value inside is impossible."""

    cause = "garbage"


class Truncated(UndecodableEvent):
    """The bytes end in the middle of a value."""

    cause = "truncated"


class TrailingBytes(UndecodableEvent):
    """A whole event, and then something more."""

    cause = "trailing-bytes"


class TooLarge(UndecodableEvent):
    """More bytes than any event has."""

    cause = "too-large"


class UnknownSchema(UndecodableEvent):
    """Written with a schema that neither the registry nor this program knows."""

    cause = "unknown-schema"


class IncompatibleSchema(UndecodableEvent):
    """Written with a schema that cannot be read as the event this program knows."""

    cause = "incompatible-schema"


class WrongKind(UndecodableEvent):
    """An event of another kind than its topic's."""

    cause = "wrong-kind"


class BadRecord(SchemasError):
    """A JSON value is not the record it should be.

    `path` leads to the member (``object.lines[2].amount_net``), `problem` names the value and the remedy.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def inside(self, member: str) -> BadRecord:
        """The same, seen from the object or list that holds it; `member` is a name or ``[index]``."""
        dot = "." if self.path and not self.path.startswith("[") else ""
        return type(self)(self.problem, f"{member}{dot}{self.path}")

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class BadLine(SchemasError):
    """A line of a JSON-lines stream is not an event; `number` counts from 1."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(number, problem)
        self.number = number
        self.problem = problem

    def __str__(self) -> str:
        return f"line {self.number}: {self.problem}"


class IncompatibleChange(SchemasError):
    """A shipped schema cannot take the place of the one that is registered."""
