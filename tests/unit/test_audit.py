"""What the dependency audit concludes: a known vulnerability fails, an audit that was not made does not look like one."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def audit() -> Any:
    spec = importlib.util.spec_from_file_location("ci_audit", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ci_audit"] = module
    spec.loader.exec_module(module)
    return module


WELL = {"name": "jinja2", "version": "3.1.6", "vulns": []}
ILL = {
    "name": "jinja2",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "aliases": []}],
}
UNKNOWN = {"name": "yarl", "skip_reason": "Dependency not found on PyPI and could not be audited: yarl (1.25.1)"}


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_known_vulnerability_fails_and_is_named(audit: Any) -> None:
    verdict = audit.read_verdict(report(WELL, ILL, UNKNOWN), "")
    assert verdict.vulnerable
    assert "jinja2 2.0: PYSEC-2019-217, fixed in 2.10.1" in verdict.words


@pytest.mark.parametrize(
    ("printed", "error", "words"),
    [
        (report(WELL), "", "no known vulnerability in 1 packages"),
        (report(WELL, UNKNOWN), "", "in 1 packages; no answer for yarl"),
        (report(UNKNOWN), "", "not run, because PyPI gave no answer for any of 1 packages (Dependency not found"),
        ("", "a\nConnectionError: no route", "not run, because ConnectionError: no route"),
        ("", "", "not run, because pip-audit said nothing"),
    ],
)
def test_what_was_not_made_says_so_and_keeps_nothing_out(audit: Any, printed: str, error: str, words: str) -> None:
    verdict = audit.read_verdict(printed, error)
    assert not verdict.vulnerable
    assert words in verdict.words


def test_it_is_part_of_what_has_to_pass() -> None:
    assert "make audit" in (PATH.parent / "run").read_text("utf-8")
