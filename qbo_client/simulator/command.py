"""`kompass-qbo simulator`: a local Intuit, for trying things out and for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from qbo_client.simulator.runner import run_process
from qbo_client.simulator.settings import Settings, SettingsError
from qbo_client.simulator.world import StateError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the state from this file, write it at the end.",
)
@click.option(
    "--set",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a switch (docs/simulator.md lists them); can be given more than once.",
)
def simulator(host: str, port: int, state: Path | None, switches: tuple[str, ...]) -> None:
    """Serve a stand-in for Intuit: OAuth and the QuickBooks Online Accounting API."""
    try:
        run_process(host=host, port=port, settings=Settings().replace(_read(switches)), state=state, ready=_say)
    except (SettingsError, StateError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _say(base_url: str) -> None:
    click.echo(f"The simulator answers on {base_url}")
    click.echo(f"INTUIT_ENVIRONMENT={base_url}")


def _read(switches: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE → name and value; a value is a number, true, false, or else text."""
    found: dict[str, Any] = {}
    for switch in switches:
        name, equals, text = switch.partition("=")
        if not equals:
            raise click.BadParameter(f"{switch!r} is not NAME=VALUE", param_hint="--set")
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
        current = getattr(Settings(), name, None)
        found[name] = text if isinstance(current, str) else value
    return found
