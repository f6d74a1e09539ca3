"""`kompass-qbo backfill`: for an Org whose Configuration was made after its events went by, and after a disaster."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine, func, select

from consumers.backfill.reading import Backfill, Backfilled
from consumers.dead_letter_tools.options import Moment, open_codec, opened
from consumers.errors import ConsumersError, ExitCode
from consumers.inquiry.showing import say
from qbo_client.calls import MAX_BATCH_ITEMS
from qbo_client.quota import INTUIT, MINUTE, SECOND
from schemas.counting import counted
from schemas.events import Kind
from schemas.link_state import LinkState
from store.tables import configuration, link
from sync.settings import Environment, read_kafka

# A bar of fewer records than this would only flicker.
_LONG = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an Org's company has still to be sent."""

    realm_id: str | None
    enabled: bool
    links: int

    @property
    def seconds(self) -> float:
        """How long the quota of one company takes for them: 40 batches of thirty a minute, and 10 calls a second."""
        minutes, rest = divmod(-(-self.links // MAX_BATCH_ITEMS), INTUIT.batches_per_minute)
        return minutes * MINUTE + rest / INTUIT.per_second * SECOND


def waiting(engine: Engine, org_id: str) -> Waiting:
    """Give what is due for the company of an Org. Raises `ConsumersError`."""
    with engine.begin() as db:
        row = db.execute(
            select(configuration.c.realm_id, configuration.c.enabled).where(configuration.c.org_id == org_id)
        ).one_or_none()
        if row is None:
            raise ConsumersError(
                f"Org {org_id!r} has no Configuration, so its events would not be kept; add it in the admin "
                "(Quickbooks_online → Configurations) and run this again"
            )
        due = db.execute(
            select(func.count()).where(
                link.c.realm_id == row.realm_id, link.c.due_at.is_not(None), link.c.state != LinkState.FAILED
            )
        ).scalar_one()
    return Waiting(row.realm_id, row.enabled, int(due))


def duration(seconds: float) -> str:
    """``4 min``, ``2 h 05 min``: as long as a person wants to know."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


@click.command()
@click.option("--org", "org_id", required=True, help="Read the events of this Org, by its Kompass id.")
@click.option("--since", type=Moment(), help="Only events published at or after this moment: 2026-03-02, 2h, 3d.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice([kind.value for kind in Kind]),
    multiple=True,
    help="Only these; can be repeated.",
)
def backfill(org_id: str, since: dt.datetime | None, kinds: Iterable[str]) -> int:
    """Read Kompass's topics again for one Org: a Configuration that was made late, a database that was lost.

    Runs beside the consumers, which push what it finds. Events that are known already change nothing. Interrupted, and started
    again with the same --org and --since, it goes on where it was; to read all again, give another --since.
    """
    chosen = [Kind(kind) for kind in kinds] or list(Kind)
    with opened() as engine:
        waiting(engine, org_id)
        reading = Backfill(
            engine, open_codec(), read_kafka(Environment(os.environ)), org_id=org_id, kinds=chosen, since=since
        )
        try:
            _run_shown(reading, engine, org_id)
        except KeyboardInterrupt:
            moment = "" if since is None else f" --since {since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}"
            say(f"Stopped. To go on: kompass-qbo backfill --org {org_id}{moment}")
            return ExitCode.INTERRUPTED
        finally:
            reading.close()
        _report(reading.done, waiting(engine, org_id), org_id)
    return ExitCode.OK


def _run_shown(reading: Backfill, engine: Engine, org_id: str) -> None:
    console = Console(stderr=True)
    looked = 0.0
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("reading")

        def show(done: Backfilled) -> None:
            nonlocal looked
            bar.update(task, completed=done.read, total=done.total, visible=done.total >= _LONG)
            if console.is_terminal and time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                due = waiting(engine, org_id)
                bar.update(task, description=f"{done.newer:,} new; {due.links:,} to push, {duration(due.seconds)}")

        reading.run(progress=show)


def _report(done: Backfilled, due: Waiting, org_id: str) -> None:
    say(
        f"{counted(done.read, 'event')} read, {done.of_org:,} of {org_id}: {counted(done.newer, 'record was', 'records were')} new, "
        f"{done.known:,} known already."
    )
    for count, one, several, words in (
        (done.earlier, "event of the Org is", "events of the Org are", "from before --since"),
        (
            done.unreadable,
            "event that names the Org",
            "events that name the Org",
            "cannot be read: kompass-qbo dead-letters list",
        ),
        (done.deleted, "record was", "records were", "deleted by Kafka's retention since this backfill was begun"),
    ):
        if count:
            say(f"{counted(count, one, several)} {words}.")
    if due.realm_id is None:
        say("The Org is not linked to a QuickBooks company yet: link it in the admin, and they are pushed.")
    elif not due.enabled:
        say(f"{counted(due.links, 'record waits', 'records wait')} until Enable is set on the Configuration.")
    elif due.links:
        say(
            f"{counted(due.links, 'record is', 'records are')} to be pushed: about {duration(due.seconds)} at Intuit's "
            f"{INTUIT.batches_per_minute} batches a minute, once the consumers run."
        )
    else:
        say("Nothing is left to push.")
