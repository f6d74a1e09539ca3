"""The end of a test run: what it ran on, and by name what it could not run. Workers tell the process that started them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import pytest

_RAN_ON: Final = pytest.StashKey[dict[str, str]]()
_IN_OUTPUT: Final = "ran_on"


def ran_on(config: pytest.Config, what: str, name: str) -> None:
    """Have the end of the run say that tests ran on `name`; once for each `what`."""
    config.stash.setdefault(_RAN_ON, {})[what] = name


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_IN_OUTPUT] = session.config.stash.get(_RAN_ON, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    # One that crashed says nothing any more.
    said = getattr(node, "workeroutput", None) or {}
    for what, name in said.get(_IN_OUTPUT, {}).items():
        ran_on(node.config, what, name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped: dict[str, list[str]] = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        skipped[why.removeprefix("Skipped: ")].append(report.nodeid)
    terminalreporter.section("what could not be run here")
    if not skipped:
        terminalreporter.write_line("nothing: every test ran")
    for why, names in sorted(skipped.items()):
        terminalreporter.write_line(f"{why}:")
        for name in sorted(set(names)):
            terminalreporter.write_line(f"  {name}")
    for _, name in sorted(config.stash.get(_RAN_ON, {}).items()):
        terminalreporter.write_line(f"broker tests ran on: {name}")
