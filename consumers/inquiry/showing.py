"""Answers on a terminal: wrapped text for people, JSON for scripts. Numbers keep their digits in both."""

from __future__ import annotations

import datetime as dt
import textwrap
import uuid
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum

import click
import orjson

from consumers.inquiry.forecast import Forecast

WIDTH = 110

HEADLINES = {
    "create": "would be created",
    "update": "would be updated",
    "void": "would be voided",
    "read": "would be read again first",
    "nothing": "nothing to send",
    "skip": "is not to be synced",
    "wait": "waits",
    "withdraw": "stays in QuickBooks although Kompass took it back",
    "fail": "cannot be sent",
    "stale": "changes nothing",
    "unconfigured": "is not kept",
    "undecodable": "cannot be read",
    "unlinked": "waits",
}


def _exact(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID | Enum):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def pretty(value: object) -> str:
    """JSON over several lines, decimals with the digits they have."""
    return orjson.dumps(value, default=_exact, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()


def one_line_json(value: object) -> str:
    return orjson.dumps(value, default=_exact, option=orjson.OPT_NON_STR_KEYS).decode()


def plain(text: str) -> str:
    """Text from events without what a terminal would obey."""
    return "".join(character if character.isprintable() else "�" for character in text)


def say(text: str = "", *, indent: int = 0) -> None:
    """Write one paragraph, wrapped."""
    if not text:
        click.echo()
        return
    lead = " " * indent
    click.echo(
        textwrap.fill(
            plain(text), WIDTH, initial_indent=lead, subsequent_indent=lead + "  ", break_long_words=False,
            break_on_hyphens=False,
        )
    )  # fmt: skip


def forecast_lines(one: Forecast) -> Iterator[str]:
    """What would become of a record, line by line; the payload as it would be sent."""
    title = f"{one.kind.value} {one.label or one.kompass_id} ({one.kompass_id}): {HEADLINES[one.outcome]}"
    if one.entity and one.outcome in ("create", "update", "void", "read"):
        title += f" as {one.entity}" if one.outcome == "create" else f", {one.entity} {one.object_id}"
    yield plain(title)
    if one.reason and one.outcome != "fail":
        yield plain(f"  {one.reason[:1].upper()}{one.reason[1:]}" + (f" ({one.cause})" if one.cause else ""))
    for problem in one.problems:
        yield plain(f"  ✗ {problem.message} ({problem.cause})")
        if problem.remedy:
            yield plain(f"    → {problem.remedy}")
    for note in one.assumed:
        yield plain(f"  Assumed: {note}")
    for choice in one.choices:
        yield plain(f"  {choice.member} = {choice.value or 'nothing'}: {choice.reason}")
    if one.body is not None:
        yield textwrap.indent(pretty(one.body), "  ")
