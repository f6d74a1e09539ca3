"""`kompass-qbo simulator`: a local Intuit, for trying things out and for tests."""

from __future__ import annotations

from pathlib import Path

import click

from simulator.company_file import CompanyFileError
from simulator.runner import run_process
from simulator.settings import VARIABLE, Settings, SettingsError, read_switches
from simulator.world import StateError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the state from this file, and write it there: every few seconds if it changed, and at the end.",
)
@click.option(
    "--companies",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Start with the companies of this JSON file (simulator/README.md has its form). A state that exists goes before.",
)
@click.option(
    "--set",
    "switches",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"Set a switch (docs/simulator.md lists them); can be given more than once, and goes before {VARIABLE}.",
)
def simulator(host: str, port: int, state: Path | None, companies: Path | None, switches: tuple[str, ...]) -> None:
    """Serve a stand-in for Intuit: OAuth and the QuickBooks Online Accounting API."""
    try:
        settings = Settings.from_environment().replace(read_switches(switches))
        run_process(host=host, port=port, settings=settings, state=state, ready=_say, companies=companies)
    except (SettingsError, StateError, CompanyFileError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


def _say(base_url: str) -> None:
    click.echo(f"The simulator answers on {base_url}")
    click.echo(f"Books to look at: {base_url}/")
    click.echo(f"INTUIT_ENVIRONMENT={base_url}")
