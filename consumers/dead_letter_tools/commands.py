"""`kompass-qbo dead-letters list|show|replay`."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from typing import Any

import click

from consumers.dead_letter_tools import from_topic as topic_tools
from consumers.dead_letter_tools.accepting import accept_command, who
from consumers.dead_letter_tools.options import NUMBER, RATE, filters, open_codec, opened, selection
from consumers.dead_letter_tools.replay import Pace, Predicted, kind_of_topic, predict_replay, replay
from consumers.errors import ConsumersError, ExitCode
from consumers.inquiry.showing import plain, pretty, say
from mapping.causes.table import words_of
from schemas.counting import counted
from schemas.errors import SchemasError
from schemas.events import Kind
from schemas.jsonlines import event_to_json
from store import dead_letters, history
from store.dead_letters import QUARANTINE_AFTER, Selection
from store.sql import loads
from sync.settings import Environment, read_kafka

_EXIT_CODES = (
    "Exit codes: 0 done, 1 nothing fits (or, of a replay: something was left out or still cannot be read), 2 the command line, "
    "3 a setting, 4 something does not answer, 5 the database is not migrated."
)


@click.group("dead-letters", epilog=_EXIT_CODES)
def dead_letters_command() -> None:
    """Look through what could not be pushed, and have it tried again.

    A failure closes once its record goes through. Nothing here writes into Kompass's own topics.
    """


dead_letters_command.add_command(accept_command)


@dead_letters_command.command("list", epilog=_EXIT_CODES)
@filters
@click.option("--flat", is_flag=True, help="One line a record instead of one a cause.")
@click.option("--closed", is_flag=True, help="Those that are resolved, too.")
@click.option("--max", "most", default=1000, show_default=True, type=click.IntRange(1), help="At most so many lines.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_command(flat: bool, closed: bool, most: int, as_json: bool, **values: Any) -> int:
    """List open failures: by Org and cause, or one by one."""
    wanted = selection(values, closed=closed)
    with opened() as engine, engine.connect() as db:
        total = dead_letters.count(db, wanted)
        if flat:
            rows = [_row(row) for row in dead_letters.listed(db, wanted, limit=most)]
        else:
            rows = [_group(group) for group in dead_letters.grouped(db, wanted, limit=most)]
    if as_json:
        click.echo(pretty({"total": total, "failures" if flat else "causes": rows}))
    elif not total:
        say("No failure fits." if _narrowed(wanted) else "Nothing failed.")
    else:
        for row in rows:
            _show_row(row) if flat else _show_group(row)
        say()
        say(f"{counted(total, 'failure')}. See one: kompass-qbo dead-letters show <number>")
    return ExitCode.OK if total or not _narrowed(wanted) else ExitCode.FAILED


def _narrowed(wanted: Selection) -> bool:
    return any(value not in (None, False) for value in (getattr(wanted, name) for name in Selection.__slots__))


def _row(row: Any) -> dict[str, object]:
    return {
        "failure": row.id, "org": row.org_id, "kind": row.kind, "id": row.kompass_id, "reference": row.reference,
        "stage": row.stage, "cause": row.cause, "message": row.message, "remedy": row.remedy, "attempts": row.attempts,
        "first_failed_at": row.first_failed_at, "last_failed_at": row.last_failed_at, "replay_count": row.replay_count,
        "replay_asked_at": row.replay_asked_at, "intuit_tid": row.intuit_tid, "closed_at": row.closed_at,
        "closed_because": row.closed_because,
    }  # fmt: skip


def _group(group: dead_letters.Group) -> dict[str, object]:
    words = words_of(group.cause)
    return {
        "org": group.org_id, "org_name": group.org_name, "cause": group.cause, "stage": group.stage, "count": group.count,
        "headline": words.headline_for(cause=group.cause, field=group.field, value=group.value),
        "oldest": group.oldest, "newest": group.newest, "example": group.sample, "message": group.message,
        "remedy": group.remedy or words.remedy, "who": words.who.value,
    }  # fmt: skip


def _moment(at: Any) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M") if isinstance(at, dt.datetime) else ""


def _show_group(row: dict[str, object]) -> None:
    say(f"{row['count']:>6,}  {row['org_name'] or 'no Org'}: {row['headline']} ({row['cause']})")
    say(f"since {_moment(row['oldest'])}, last {_moment(row['newest'])} UTC; for example {row['example']}", indent=8)
    say(f"→ {row['remedy']} ({row['who']})", indent=8)


def _show_row(row: dict[str, object]) -> None:
    over = f" closed: {row['closed_because']}" if row["closed_at"] else ""
    say(
        f"{row['failure']:>6}  {_moment(row['last_failed_at'])}  {row['org'] or '-'}  {row['kind']} "
        f"{row['reference'] or row['id']}  {row['cause']}{over}"
    )
    say(str(row["message"]), indent=8)


@dead_letters_command.command("show", epilog=_EXIT_CODES)
@click.argument("number", type=NUMBER)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_command(number: int, as_json: bool) -> int:
    """Show one failure: the event, the payload that was tried, the fault, and what happened to the record."""
    with opened() as engine, engine.connect() as db:
        row = dead_letters.read(db, number)
        if row is None:
            raise ConsumersError(
                f"there is no failure {number}; kompass-qbo dead-letters list --flat shows their numbers"
            )
        happened = (
            history.read(db, org_id=row.org_id, kind=row.kind, kompass_id=row.kompass_id) if row.kompass_id else []
        )
    event, unreadable = _decoded(row)
    detail = dict(row.detail)
    tried = detail.pop("body", "")
    found = {
        **_row(row),
        "who": words_of(row.cause).who.value,
        "field": row.field,
        "value": row.value,
        "sequence": row.sequence,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "key": bytes(row.event_key) if row.event_key is not None else None,
        "event": event,
        "event_unreadable": unreadable,
        "event_hex": bytes(row.event_value).hex() if unreadable and row.event_value is not None else None,
        "payload": loads(tried) if isinstance(tried, str) and tried else None,
        "detail": detail,
        "history": [
            {
                "at": one.at,
                "what": one.what,
                "outcome": one.outcome,
                "message": one.message,
                "intuit_tid": one.intuit_tid,
            }
            for one in happened
        ],
    }
    if as_json:
        click.echo(pretty(found))
    else:
        _show(found)
    return ExitCode.OK


def _decoded(row: Any) -> tuple[dict[str, object] | None, str]:
    kind = kind_of_topic(row.topic, "" if row.topic else row.kind)
    if row.event_value is None or kind is None:
        return None, ""
    try:
        return event_to_json(open_codec().decode(Kind(kind), bytes(row.event_value))), ""
    except SchemasError as error:
        return None, str(error)


def _show(found: dict[str, Any]) -> None:
    say(f"{found['kind'] or 'connection'} {found['reference'] or found['id']}: {found['message']} ({found['cause']})")
    say(f"→ {found['remedy']} ({found['who']})", indent=2)
    times = f"{counted(found['attempts'], 'attempt')}, replayed {counted(found['replay_count'], 'time')}"
    say(f"{times}; first {_moment(found['first_failed_at'])}, last {_moment(found['last_failed_at'])} UTC", indent=2)
    if found["closed_at"]:
        say(f"closed {_moment(found['closed_at'])}: {found['closed_because']}", indent=2)
    if found["intuit_tid"]:
        say(f"intuit_tid {found['intuit_tid']}", indent=2)
    if found["topic"]:
        say(f"{found['topic']}/{found['partition']}@{found['offset']}, sequence {found['sequence']}", indent=2)
    for title, value in (
        ("What else is known", found["detail"]),
        ("Payload tried", found["payload"]),
        ("Event", found["event"]),
    ):
        if value:
            click.echo(f"\n{title}\n{plain_json(value)}")
    if found["event_unreadable"]:
        say()
        say(f"Event: {found['event_unreadable']}")
        click.echo(str(found["event_hex"])[:2000])
    if found["history"]:
        click.echo("\nHistory (UTC)")
        for one in found["history"]:
            tid = f" [intuit_tid {one['intuit_tid']}]" if one["intuit_tid"] else ""
            say(f"{_moment(one['at'])}  {one['what']} {one['outcome']}: {one['message']}{tid}", indent=2)


def plain_json(value: object) -> str:
    """JSON in which nothing moves a terminal's cursor."""
    return "\n".join(plain(line) for line in pretty(value).splitlines())


@dead_letters_command.command("replay", epilog=_EXIT_CODES)
@filters
@click.option("--failure", "failure_id", type=NUMBER, help="Only the failure of this number.")
@click.option(
    "--dry-run", is_flag=True, help="Say what would become of them: a histogram by cause and predicted outcome."
)
@click.option("--max", "most", type=click.IntRange(1), help="At most so many.")
@click.option("--rate", type=RATE, help="At most so many a second.")
@click.option(
    "--force",
    is_flag=True,
    help=f"Also those that came back from {QUARANTINE_AFTER} replays, or were asked for already.",
)
@click.option(
    "--from-topic",
    is_flag=True,
    help="Take the dead letters from the topic, by its own consumer group, not from the database.",
)
@click.option("--group", default=topic_tools.GROUP, show_default=True, help="The group of --from-topic.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def replay_command(
    failure_id: int | None,
    dry_run: bool,
    most: int | None,
    rate: float | None,
    force: bool,
    from_topic: bool,
    group: str,
    as_json: bool,
    **values: Any,
) -> int:
    """Have failed records tried again.

    Their links become due and the consumers decide them again: what still cannot go comes back with its count raised, and what is
    older than QuickBooks has is not applied. Bytes that could not be read are read again. Stopped anywhere and started again, it
    goes on where it was.
    """
    if from_topic and failure_id is not None:
        raise click.UsageError("--failure names a row of the database; with --from-topic use --id and --cause")
    wanted = selection(values, failure_id=failure_id)
    codec = open_codec()
    with opened() as engine:
        if from_topic:
            reader = topic_tools.TopicReader(read_kafka(Environment(os.environ)), group=group)
            try:
                if dry_run:
                    predicted = topic_tools.predict_from_topic(engine, codec, reader, wanted, most=most, force=force)
                    return _report(predicted, as_json=as_json)
                got = topic_tools.replay_from_topic(
                    engine, codec, reader, wanted, most=most, force=force, pace=Pace(rate)
                )
            finally:
                reader.close()
            return _done(
                got.to_json(),
                "records ingested",
                clean=not (got.undecodable or got.skipped["quarantined"]),
                as_json=as_json,
            )
        if dry_run:
            return _report(predict_replay(engine, codec, wanted, most=most, force=force), as_json=as_json)
        done = replay(
            engine, codec, wanted, by=f"dead-letters replay by {who()}", most=most, force=force, pace=Pace(rate)
        )
    left_out = done.undecodable or done.skipped["quarantined"] or done.skipped["without bytes"]
    found = done.asked or done.ingested or done.skipped["asked for already"]
    return _done(done.to_json(), "asked to be tried again", clean=bool(found and not left_out), as_json=as_json)


def _done(found: dict[str, object], title: str, *, clean: bool, as_json: bool) -> int:
    if as_json:
        click.echo(pretty(found))
    else:
        words = [f"{name.replace('_', ' ')}: {value}" for name, value in found.items() if isinstance(value, int)]
        say(f"{title}: " + ", ".join(words))
        skipped = found["skipped"]
        assert isinstance(skipped, dict)
        for reason, count in skipped.items():
            say(f"{count} left out: {_REASONS.get(reason, reason)}", indent=2)
    return ExitCode.OK if clean else ExitCode.FAILED


_REASONS = {
    "connection": "a lost connection is not replayed: run Authorize with QuickbooksOnline on the Configuration",
    "quarantined": f"came back from {QUARANTINE_AFTER} replays; --force tries them once more",
    "asked for already": "within the last hour; their consumers have them",
    "without bytes": "the original bytes are not kept here",
    "does not fit": "other than those asked for",
}


def _report(found: Counter[Predicted], *, as_json: bool) -> int:
    rows = [
        {"org": one.org_id, "cause": one.cause, "outcome": one.outcome, "cause_then": one.cause_now, "count": count}
        for one, count in sorted(
            found.items(),
            key=lambda pair: (-pair[1], pair[0].org_id, pair[0].cause, pair[0].outcome, pair[0].cause_now),
        )
    ]
    if as_json:
        click.echo(pretty({"total": found.total(), "outcomes": rows}))
    elif not rows:
        say("No dead letter fits.")
    else:
        for row in rows:
            then = f" ({row['cause_then']})" if row["cause_then"] else ""
            say(f"{row['count']:>6,}  {row['org'] or 'no Org'}  {row['cause']} → {row['outcome']}{then}")
        say(f"{found.total():,} would be tried; nothing was.")
    return ExitCode.OK if rows else ExitCode.FAILED
