"""Writes docs/benchmarks.md and its chart from the figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from bench import ROOT
from bench.meaning import meaning_of

if TYPE_CHECKING:
    from bench.figures import Figure

_PAGE = ROOT / "docs" / "benchmarks.md"
_CHART = ROOT / "docs" / "benchmarks.svg"
_LIBRARIES = ("confluent-kafka", "fastavro", "psycopg", "requests", "SQLAlchemy")
_BUSY_LOAD = 1.5
"""A load average a core above this: others were at work on the machine, and rates are lower than they would be."""

_INTRODUCTION = """# Benchmarks

Made by `make bench`; every run of one of its programs replaces that program's rows. Wherever another way of doing the same work exists,
both were run in turns within one program, so that a figure is a ratio that a faster or busier machine leaves as it is. A figure is the
median of its runs, with the smallest and the largest beside it. The load is the machine's (one minute) when the figure was taken.
Below each table stands what a figure was made of, with the command that measures it again, and what it says to who runs the machines:
[operations](operations.md) and [scale](scale.md) size them by these figures.
"""


_APART = """
## By themselves

- Memory over a million events: `make memory`. Every kind of process at rest: `make idle`. The cost of a push with 10,000 companies:
  `python tests/benchmarks/scale.py 10000`.
- Peers side by side are in [peers.md](peers.md).
"""


def write_page(figures: Sequence[Figure]) -> None:
    """Write the page and its chart again."""
    lines = [_INTRODUCTION, _machine(), "\n![Figures against their targets](benchmarks.svg)\n"]
    ordered = sorted(figures, key=lambda one: (one.group, one.key))
    for group, members in groupby(ordered, key=lambda one: one.group):
        shown = list(members)
        lines += [f"\n## {group}\n", "| figure | median | runs | target | | load |", "|---|---|---|---|---|---|"]
        for one in shown:
            target = "-" if one.target is None else f"{_sign(one)} {one.target:g} {one.unit}"
            verdict = {True: "met", False: "**not met**", None: ""}[one.met]
            runs = f"{_number(min(one.values))} to {_number(max(one.values))} ({len(one.values)})"
            lines.append(
                f"| {one.title} | {_number(one.median)} {one.unit} | {runs} | {target} | {verdict} | {one.load:.1f} |"
            )
        lines.append("")
        for one in shown:
            command, meaning = meaning_of(one.key)
            lines.append(f"- **{one.title}** ({one.measured} UTC, `{command}`): {one.note}")
            lines.append(f"  *It says*: {meaning}")
            if one.cause:
                lines.append(f"  {one.cause}")
    lines.append(_APART.rstrip())
    _PAGE.write_text("\n".join(lines) + "\n", "utf-8")
    _CHART.write_text(_chart([one for one in ordered if one.target is not None]), "utf-8")


def _sign(one: Figure) -> str:
    return "≥" if one.better == "higher" else "≤"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"Machine: {os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}. Python {platform.python_version()}, "
        f"{libraries}. Postgres, the broker (librdkafka's mock cluster) and the Intuit simulator run on the same cores; Postgres "
        f"without fsync. Where the load is above {_BUSY_LOAD * (os.cpu_count() or 1):.0f}, other work ran on the machine at the "
        "same time."
    )


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text("utf-8").splitlines() if path.exists() else []


def _chart(figures: Sequence[Figure]) -> str:
    """Horizontal bars of target reached: 100 % is the target, longer is better whichever way a figure counts."""
    left, scale, step, top = 330, 170, 26, 46
    width, height = left + 2 * scale + 150, top + step * len(figures) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        "<title>Each figure as a share of its target</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="20" font-size="14" fill="#1f2933">Each figure as a share of its target (longer is better)</text>',
        f'<line x1="{left + scale}" x2="{left + scale}" y1="32" y2="{height - 10}" stroke="#52606d" stroke-dasharray="4 3"/>',
        f'<text x="{left + scale}" y="{top - 4}" text-anchor="middle" fill="#52606d">target</text>',
    ]
    for row, one in enumerate(figures):
        assert one.target is not None
        share = one.median / one.target if one.better == "higher" else one.target / max(one.median, 1e-9)
        y, length = top + row * step, round(min(share, 2.0) * scale)
        colour = "#2f7d5b" if one.met else "#b54708"
        more = " →" if share > 2 else ""
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end" fill="#1f2933">{escape(one.title)}</text>',
            f'<rect x="{left}" y="{y + 2}" width="{length}" height="16" fill="{colour}"/>',
            f'<text x="{left + length + 6}" y="{y + 14}" fill="#1f2933">{_number(one.median)} {escape(one.unit)}{more}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
