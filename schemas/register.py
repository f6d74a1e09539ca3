"""Puts the shipped schemas into a registry, after making sure that nobody who reads or writes there is cut off."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.compatibility import obstacles
from schemas.errors import IncompatibleChange, NotRegistered
from schemas.events import Kind
from schemas.registry import RegistrySource, subject
from schemas.shipped import current


@dataclass(frozen=True, slots=True)
class Standing:
    """How the current schema of a kind stands with the registry."""

    kind: Kind
    subject: str
    schema_id: int | None
    """None: not registered yet."""
    first: bool
    """Nothing at all is registered under the subject."""
    obstacles: tuple[str, ...]
    """Why it cannot follow what is registered; empty when it can."""


def check(registry: RegistrySource, kind: Kind) -> Standing:
    """Compare with the newest registered version, both ways, and ask the registry by its own rules.

    Raises `schemas.errors.RegistryUnavailable`.
    """
    try:
        schema_id: int | None = registry.schema_id(kind)
    except NotRegistered:
        schema_id = None
    if schema_id is not None:
        return Standing(kind=kind, subject=subject(kind), schema_id=schema_id, first=False, obstacles=())
    latest = registry.latest(kind)
    if latest is None:
        return Standing(kind=kind, subject=subject(kind), schema_id=None, first=True, obstacles=())
    ours = current()[kind].schema
    found = [f"today's reader and data as registered: {o}" for o in obstacles(writer=latest, reader=ours)]
    found += [f"a reader as registered and today's data: {o}" for o in obstacles(writer=ours, reader=latest)]
    if not found and not registry.accepts(kind):
        found.append("the registry refuses it by the compatibility level set there")
    return Standing(kind=kind, subject=subject(kind), schema_id=None, first=False, obstacles=tuple(found))


def register(registry: RegistrySource) -> list[Standing]:
    """Register every shipped schema that is not there yet; all are checked before the first is registered.

    Raises `IncompatibleChange` when one cannot follow what is registered, and `schemas.errors.RegistryUnavailable`.
    """
    standings = [check(registry, kind) for kind in Kind]
    for standing in standings:
        if standing.obstacles:
            raise IncompatibleChange(
                f"{standing.subject}: {'; '.join(standing.obstacles)}; nothing was registered. Upgrade in between, or "
                "remove the registered schema if nobody uses it."
            )
    done: list[Standing] = []
    for standing in standings:
        schema_id = registry.register(standing.kind) if standing.schema_id is None else standing.schema_id
        done.append(
            Standing(
                kind=standing.kind, subject=standing.subject, schema_id=schema_id, first=standing.first, obstacles=()
            )
        )
    return done
