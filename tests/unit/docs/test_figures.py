"""A measured figure in the docs can be measured again: its section names the command and the day, or the page that has both."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.docs.prose import ROOT

_FENCE = re.compile(r"^ *```.*?^ *```[^\n]*$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\d[\d,.]*\s(?:ms|µs|kB|MB|cores?)\b")
LIMIT = re.compile(r"\b(?:at most|below|beyond|larger than|limited to|more than|assumed)\b| [×=] |^Machine:")
"""A sentence that sets a limit, does arithmetic, or names the machine: nothing was measured."""
COMMAND = re.compile(r"`(?:make|python|pytest|kompass-qbo) ?[^`]*`")
DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b|\b\d{1,2} [A-Z][a-z]+ 20\d\d\b")
MADE = re.compile(r"\]\((?:\.\./)*(?:docs/)?(?:benchmarks|reliability)\.md")
"""A link to a page whose figures have both."""

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/*.md")])


def sections(page: str) -> list[str]:
    """The page's sections, each with the introduction of the page before it, which may name the command for all."""
    first, *others = re.split(r"^(?=## )", _FENCE.sub("", page), flags=re.MULTILINE)
    return [first, *(first + "\n\n" + other for other in others)]


def figures(section: str) -> list[str]:
    found = re.split(r"(?<=[.!?])\s+|\n\s*\n|\n(?=[|-])", section)
    return [" ".join(one.split()) for one in found if FIGURE.search(one) and not LIMIT.search(one)]


def without_a_source(page: str) -> list[str]:
    """The sentences with a figure in sections that name no command, or no day."""
    return [
        figure
        for section in sections(page)
        if not MADE.search(section) and not (COMMAND.search(section) and DAY.search(section))
        for figure in figures(section)
    ]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("# A\n\n## B\n\nIt takes 12 ms.\n", ["It takes 12 ms."]),
        ("# A\n\n## B\n\nIt takes 12 ms (`make bench`, 27 November 2026).\n", []),
        ("# A\n\nMade by `make bench`.\n\n## B\n\nOn 2026-11-27 it took 12 ms.\n", []),
        ("# A\n\n`make bench` on 2026-11-27.\n\n## B\n\nIt has 3 MB.\n", []),
        ("# A\n\nA mail has at most 100 kB.\n", []),
        ("# A\n\n| it | 3 cores |\n", ["| it | 3 cores |"]),
        ("# A\n\nSee [benchmarks](benchmarks.md). 3 MB.\n", []),
    ],
)
def test_a_figure_needs_a_command_and_a_day(page: str, found: list[str]) -> None:
    assert without_a_source(page) == found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_figures_of_a_page_say_where_they_come_from(page: object) -> None:
    assert without_a_source(ROOT.joinpath(str(page)).read_text("utf-8")) == []


def test_the_figures_of_the_reliability_page_name_a_day_each() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    silent = [
        section.partition("\n")[0]
        for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]
        if not DAY.search(section) and not MADE.search(section)
    ]
    assert silent == []


def test_each_published_figure_says_what_it_means_and_how_it_is_measured() -> None:
    figures = json.loads((ROOT / "docs" / "benchmarks.json").read_text("utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert page.count("*It says*: ") == len(figures)
