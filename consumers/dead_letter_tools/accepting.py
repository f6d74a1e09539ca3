"""`kompass-qbo dead-letters accept`: have consumers go on past unreadable or damaged records that a person looked at."""

from __future__ import annotations

import getpass
import os

import click

from consumers.dead_letter_tools.options import OFFSET, opened
from consumers.errors import ConsumersError, ExitCode
from consumers.ingest.group import topic_of
from consumers.inquiry.showing import say
from consumers.restoring.damaged import go_past
from schemas.events import Kind
from store import stretches
from store.engine import retrying
from store.stretches import Accepted, Gap
from sync.settings import Environment, read_kafka

_TOPICS = [topic_of(kind) for kind in Kind]


@click.command("accept")
@click.argument("topic", type=click.Choice(_TOPICS))
@click.argument("partition", type=click.IntRange(0, 2**31 - 1))
@click.option("--from", "first", required=True, type=OFFSET, help="Offset of the first record.")
@click.option("--to", "last", required=True, type=OFFSET, help="Offset of the last record.")
@click.option("--reason", required=True, help="Why it is safe to go on; kept with your name.")
@click.option(
    "--damaged", is_flag=True, help="Kafka cannot give these records any more; stop the topic's consumers first."
)
def accept_command(topic: str, partition: int, first: int, last: int, reason: str, damaged: bool) -> int:
    """Have consumers go on past unreadable records that you looked at.

    A consumer stops when too many records in a row cannot be read. This lets it go on past those of one stretch of a partition.
    Nothing is skipped: each record is a dead letter, and `dead-letters replay` reads its bytes again once they can be read.

    With --damaged, the records are gone: it sees first that Kafka gives an error instead of them, and what follows them. They are kept
    as a gap.
    """
    if last < first:
        raise click.UsageError(f"--to {last} is before --from {first}")
    if damaged:
        with opened() as engine:
            lost = Gap(topic, partition, first, last, by=who(), reason=reason)
            go_past(engine, read_kafka(Environment(os.environ)), lost)
        say(
            f"Consumers of {topic}/{partition} go on at {last + 1}. Have Kompass send again what changed in the records before. Start "
            "the consumers."
        )
        return ExitCode.OK
    accepted = Accepted(topic, partition, first, last, by=who(), reason=reason)
    with opened() as engine:
        with engine.connect() as db:
            kept = stretches.unreadable(db, topic, partition, first, last)
        if not kept:
            raise ConsumersError(
                f"no record of {topic}/{partition} from {first} to {last} is kept as unreadable; see their offsets with: "
                "kompass-qbo dead-letters list --flat"
            )
        retrying(engine, lambda db: stretches.accept(db, accepted))
    say(
        f"Consumers go on past {topic}/{partition} from {first} to {last}. {kept:,} unreadable record{'s' if kept != 1 else ''} of it "
        "stay as dead letters. Restart the consumers, or wait until their supervisor does."
    )
    return ExitCode.OK


def who() -> str:
    """Name the user of this process, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown user"
