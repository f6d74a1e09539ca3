"""`kompass-qbo restored`: to be run once after the database was restored, before any consumer is started."""

from __future__ import annotations

import datetime as dt
import os
from typing import Final

import click

from consumers.dead_letter_tools.options import Moment, opened
from consumers.errors import ConsumersError
from consumers.inquiry.showing import say
from consumers.restoring.places import accept, check_stopped, rewind
from schemas.counting import counted
from schemas.link_state import Because
from store import restores
from sync import link
from sync.settings import Environment, read_kafka

_MARGIN: Final = dt.timedelta(hours=1)
"""The last thing written down is not the last thing sent; and clocks differ."""


@click.command()
@click.option(
    "--since", type=Moment(), help="When the backup was taken; by default the last moment the database knows."
)
@click.option("--keep-offsets", is_flag=True, help="Read no event again: Kafka's offsets were moved by hand.")
def restored(since: dt.datetime | None, keep_offsets: bool) -> None:
    """Make a restored database safe to run on. Stop every consumer first.

    The groups go back to where the backup had read; and in each company, before anything is made there, the customers, invoices and
    credit memos that it got since the backup are looked through, so that what was made already is reattached instead of made again.
    Sends nothing; safe to run again.
    """
    with opened() as engine:
        kafka = read_kafka(Environment(os.environ))
        check_stopped(engine, kafka)
        with engine.begin() as db:
            since = since or restores.last_moment(db)
            if since is None:
                raise ConsumersError("the database is empty: give the moment of the backup, --since 2026-03-02T02:00")
            under_way = restores.begin(db, since - _MARGIN)
            link.make_due(db, under_way, Because.RESTORED, "the database was restored while its call was under way")
        calls = counted(len(under_way), "call was", "calls were")
        say(f"The database is as of {since.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC; {calls} under way then.")
        if keep_offsets:
            accept(engine, kafka)
            say("The groups stay where they are.")
        else:
            rewound = rewind(engine, kafka)
            say(f"The groups are set back: {counted(rewound.events, 'event is', 'events are')} read again.")
            if rewound.lost:
                lost = counted(rewound.lost, "record was", "records were")
                say(
                    f"{lost} deleted by Kafka's retention since the backup: have Kompass send again what changed in that time."
                )
        say("Start the consumers: each company is looked through before anything is made in it.")
