"""`kompass-qbo tidy`: deletes what is done and old. To be run once a day, at any hour, beside everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import click
from sqlalchemy import Engine

from schemas.counting import counted
from store.engine import check_database, open_engine, retrying
from store.tidying import BATCH, STATEMENTS, TRAIL, delete_batch
from sync.settings import settings_from

NEVER = datetime.min.replace(tzinfo=UTC)


def tidy_up(
    engine: Engine, *, before: datetime, trail_before: datetime = NEVER, batch: int = BATCH
) -> Mapping[str, int]:
    """Delete all that was done before that moment, a batch to a transaction; gives how many rows of what.

    :param trail_before: for the trail, which is kept for longer.
    """
    deleted = dict.fromkeys(STATEMENTS, 0)
    for what in STATEMENTS:
        more = True
        while more:
            until = min(before, trail_before) if what == TRAIL else before
            done = retrying(engine, partial(delete_batch, what=what, before=until, batch=batch))
            deleted[what] += done.rows
            more = done.more
    return deleted


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    help="Keep what was done in the last so many days.  [default: KOMPASS_QBO_RETENTION_DAYS, 400]",
)
def tidy(days: int | None) -> None:
    """Delete old history, closed failures and records that nothing needs any more.

    What stands in QuickBooks keeps its link and its record for ever: they are what keeps it from being made twice. The trail (who changed
    what in Kompass, each call and its answer) is kept for KOMPASS_QBO_TRAIL_DAYS, seven years by default.
    """
    settings = settings_from(os.environ)
    kept = days or settings.retention.retention_days
    engine = open_engine(settings.database_url, pool_size=1, application_name="kompass-qbo-tidy")
    try:
        check_database(engine)
        now = datetime.now(UTC)
        trail_before = now - timedelta(days=settings.retention.trail_days)
        deleted = tidy_up(engine, before=now - timedelta(days=kept), trail_before=trail_before)
    finally:
        engine.dispose()
    click.echo(f"older than {counted(kept, 'day')}: " + ", ".join(f"{count} {what}" for what, count in deleted.items()))
