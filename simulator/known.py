"""What is known of each switch: what is open, where the answers come from, and how sure they are.

`data/known.json` is the one place where this is written down: `python -m simulator.known` prints the table of
docs/simulator.md from it and from the defaults, and a test holds the page to it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import orjson

from simulator.settings import Settings, choices, others

CONFIDENCE = ("A", "B", "C", "?")


class Known(NamedTuple):
    """`sure`: A Intuit's own page, SDK or schema, or a recorded response; B several independent reports; C one; ? none."""

    question: str
    source: str
    sure: str


@cache
def known() -> dict[str, Known]:
    """Name of each switch → what is known of it, in the order of the settings."""
    written = orjson.loads(resources.files("simulator").joinpath("data/known.json").read_bytes())
    return {name: Known(*written[name]) for name in Settings().as_mapping()}


def table() -> str:
    """The table of defaults in Markdown: the default, the other values that a client has to be safe under, the source."""
    lines = ["| switch | default | other values | what is open | source | sure |", "|---|---|---|---|---|---|"]
    for name, default in Settings().as_mapping().items():
        rest = [value for value in (*choices().get(name, ()), *others().get(name, ())) if value != default]
        fact = known()[name]
        cells = (f"`{name}`", _code(default), ", ".join(map(_code, rest)), fact.question, fact.source, fact.sure)
        lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines)


def _code(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    print(table())
