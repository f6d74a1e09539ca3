"""What keeps commits and releases in order works on what is right and on what is wrong."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.unit.docs.prose import ROOT

problems = runpy.run_path(str(ROOT / "docs" / "tools" / "commit_message.py"))["problems"]


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("Add a rule\n\nWithout it a line goes without a code.\n# a comment\n", []),
        ("Merge branch 'x'\n", []),
        ("Add a rule.\n\nWhy.\n", ["the subject ends with a full stop; leave it out"]),
        ("Add a rule\n", ["there is no body; say why, and what else was weighed"]),
        ("Add a rule\nWhy.\n", ["the second line is not empty; put an empty line after the subject"]),
        ("x" * 73 + "\n\nWhy.\n", ["the subject has 73 characters; write 1 to 72"]),
    ],
)
def test_a_commit_message_has_a_short_subject_and_a_body(message: str, wrong: list[str]) -> None:
    assert problems(message) == wrong


def test_every_path_with_an_owner_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text("utf-8").splitlines()
    paths = [line.split()[0] for line in lines if line.startswith("/")]
    assert paths
    assert [path for path in paths if not (ROOT / path.strip("/")).exists()] == []


def test_the_change_log_has_the_sections_of_keep_a_changelog() -> None:
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.findall("^## (.*)", log, re.MULTILINE)[0] == "[Unreleased]"
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall("^### (.*)", log, re.MULTILINE)) <= kinds


def test_the_examples_of_the_tutorial_are_events() -> None:
    from schemas.jsonlines import read_json_lines

    for name in ("invoice.jsonl", "invoice-changed.jsonl"):
        with Path(ROOT / "docs" / "examples" / name).open("rb") as lines:
            assert len(list(read_json_lines(lines))) == 1
