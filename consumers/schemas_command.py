"""`kompass-qbo schemas`: the shipped Avro schemas and the schema registry."""

from __future__ import annotations

import os

import click
from rich.console import Console
from rich.table import Table

from consumers.errors import ExitCode
from schemas.events import Kind
from schemas.register import Standing, check, register
from schemas.registry import RegistrySource
from sync.settings import BadSetting, Environment, read_registry


@click.group()
def schemas() -> None:
    """The Avro schemas of the events, in a schema registry."""


@schemas.command("register")
def register_command() -> None:
    """Register the schemas that ship with this version; checks compatibility first, both ways.

    Registering what is registered already changes nothing.
    """
    registry = _registry()
    for standing in register(registry):
        click.echo(f"{standing.subject}: schema id {standing.schema_id}")


@schemas.command("check")
def check_command() -> int:
    """Say whether the schemas that ship with this version are, or could be, registered; changes nothing."""
    registry = _registry()
    standings = [check(registry, kind) for kind in Kind]
    table = Table("subject", "id", "standing", box=None, pad_edge=False)
    for standing in standings:
        table.add_row(standing.subject, str(standing.schema_id or "-"), _words(standing))
    Console().print(table)
    return ExitCode.FAILED if any(standing.obstacles for standing in standings) else ExitCode.OK


def _words(standing: Standing) -> str:
    if standing.obstacles:
        return "incompatible: " + "; ".join(standing.obstacles)
    if standing.schema_id is not None:
        return "registered"
    return "not registered, nothing is" if standing.first else "not registered, compatible with what is"


def _registry() -> RegistrySource:
    url = read_registry(Environment(os.environ))
    if url is None:
        raise BadSetting(
            "SCHEMA_REGISTRY_URL",
            "is not set",
            "give the address of a schema registry, such as http://registry:8081",
        )
    return RegistrySource(url)
