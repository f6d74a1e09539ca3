"""docs/simulator.md tells the truth: every test it names exists, every switch is in it."""

from __future__ import annotations

import re
from pathlib import Path

from simulator.settings import Settings

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "simulator.md").read_text()
TESTS = "\n".join(
    path.read_text()
    for kind in ("unit", "integration")
    for path in (ROOT / "tests" / kind / "simulator").glob("test_*.py")
)


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_each_behaviour_names_tests_that_exist() -> None:
    rows = [row for row in section("What it does, and how sure that is").splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 90
    for row in rows:
        named = re.findall(r"`(test_\w+|Test\w+)`", row.split("|")[4])
        assert named, row
        for name in named:
            assert re.search(rf"^(def {name}\(|{name} = )", TESTS, re.MULTILINE), name


def test_each_switch_is_listed_with_its_default_first() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)`", section("Switches for what is not known"), re.MULTILINE)
    defaults = {
        name: {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        for name, value in Settings().as_mapping().items()
    }
    assert dict(rows) == defaults


def test_each_switch_with_choices_has_a_test_that_turns_it() -> None:
    for name in Settings().as_mapping():
        assert re.search(rf"\b{name}\b", TESTS), name
