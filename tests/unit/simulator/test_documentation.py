"""docs/simulator.md tells the truth: every test it names exists, every switch is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from simulator.known import CONFIDENCE, known, table
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


def test_the_table_of_switches_is_the_one_that_the_code_makes() -> None:
    assert table() in section("Switches for what is not known"), "run python -m simulator.known"


def test_each_switch_has_a_question_a_source_and_a_confidence() -> None:
    written = json.loads((ROOT / "simulator" / "data" / "known.json").read_text())
    assert written.keys() == Settings().as_mapping().keys()
    for name, fact in known().items():
        assert fact.question.endswith("."), name
        assert fact.source, name
        assert fact.sure in CONFIDENCE, name


def test_each_switch_with_choices_has_a_test_that_turns_it() -> None:
    for name in Settings().as_mapping():
        assert re.search(rf"\b{name}\b", TESTS), name
