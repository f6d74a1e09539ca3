"""Command-line options that all dead-letter commands share: the filters that select dead letters, and whom to ask."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy import Engine

from schemas.codec import Codec
from schemas.events import Kind
from store.dead_letters import Selection
from store.engine import check_database, open_engine
from sync.settings import Environment, read_database, read_registry

NUMBER = click.IntRange(1, 2**63 - 1)
"""Of a row in the database."""
OFFSET = click.IntRange(0, 2**63 - 1)


class _Rate(click.FloatRange):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value).strip().lower() == "nan":
            self.fail(f"{value!r} is no number", param, ctx)
        return super().convert(value, param, ctx)


RATE = _Rate(0, 100_000, min_open=True)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Moment(click.ParamType[dt.datetime]):
    """``2026-03-02``, ``2026-03-02T09:30`` (UTC unless it says otherwise), or how long ago: ``90m``, ``2h``, ``3d``."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        ago = re.fullmatch(r"(\d{1,6})([smhdw])", value)
        try:
            if ago is not None:
                return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
            moment = dt.datetime.fromisoformat(value)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no moment; give 2026-03-02, 2026-03-02T09:30, or how long ago: 90m, 2h, 3d", param, ctx
            )
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


_FILTERS = (
    click.option("--org", help="Of this Org, by id or name; '' for those that belong to none."),
    click.option("--kind", type=click.Choice([kind.value for kind in Kind])),
    click.option("--id", "kompass_id", help="Of this record, by Kompass id or reference."),
    click.option("--cause", help="Of this cause (docs/faults.md), or of all that it heads: no-tax-code."),
    click.option("--since", type=Moment(), help="Failed last at or after this moment: 2026-03-02, 2h, 3d."),
    click.option("--until", type=Moment(), help="Failed last before this moment."),
)


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options from which `selection` makes a `Selection`."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def selection(values: dict[str, Any], **more: Any) -> Selection:
    return Selection(
        **{name: values[name] for name in ("org", "kind", "kompass_id", "cause", "since", "until")}, **more
    )


@contextmanager
def opened() -> Iterator[Engine]:
    """Open the database of DATABASE_URL and see that it is ours."""
    engine = open_engine(read_database(Environment(os.environ)), pool_size=2)
    try:
        check_database(engine)
        yield engine
    finally:
        engine.dispose()


def open_codec() -> Codec:
    """Give a codec that asks the registry of SCHEMA_REGISTRY_URL, if one is set."""
    url = read_registry(Environment(os.environ))
    if url is None:
        return Codec()
    from schemas.registry import RegistrySource

    return Codec(RegistrySource(url))
