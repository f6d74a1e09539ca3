"""`kompass-qbo tidy`: deletes what is done and old. To be run once a day, at any hour, beside everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import click
from sqlalchemy import Engine

from store.engine import check_database, open_engine
from store.tidying import BATCH, STATEMENTS, delete_batch
from store.transactions import retrying
from sync.settings import settings_from


def tidy_up(engine: Engine, *, before: datetime, batch: int = BATCH) -> Mapping[str, int]:
    """Delete all that was done before that moment, a batch to a transaction; gives how many rows of what."""
    deleted = dict.fromkeys(STATEMENTS, 0)
    for what in STATEMENTS:
        more = True
        while more:
            done = retrying(engine, partial(delete_batch, what=what, before=before, batch=batch))
            deleted[what] += done.rows
            more = done.more
    return deleted


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1),
    help="Keep what was done in the last so many days.  [default: KOMPASS_QBO_RETENTION_DAYS, 400]",
)
def tidy(days: int | None) -> None:
    """Delete old history, closed failures and records that nothing needs any more.

    What stands in QuickBooks keeps its link and its record for ever: they are what keeps it from being made twice.
    """
    settings = settings_from(os.environ)
    kept = days or settings.retention.retention_days
    engine = open_engine(settings.database_url, pool_size=1, application_name="kompass-qbo-tidy")
    try:
        check_database(engine)
        deleted = tidy_up(engine, before=datetime.now(UTC) - timedelta(days=kept))
    finally:
        engine.dispose()
    click.echo(f"older than {kept} days: " + ", ".join(f"{count} {what}" for what, count in deleted.items()))
