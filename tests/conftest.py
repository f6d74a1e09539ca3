"""What all tests share: the parts they run on, the seed they draw from, and what is said about tests that could not run."""

from __future__ import annotations

import logging
import os
import random
from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from consumers.embedded.broker import EmbeddedBroker
from consumers.embedded.mail import EmbeddedMail
from tests.database import database_server, migrated_database, module_database, template_database

__all__ = ["database_server", "migrated_database", "module_database", "template_database"]

# The browser driver keeps an event loop in the tests' own thread, in which Django would otherwise refuse to ask its database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

SEED = int(os.environ.get("TEST_SEED", "20261122"))

# The same examples in every run; `make explore` looks further.
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("steady")


def pytest_report_header() -> str:
    return f"seed: {SEED} (TEST_SEED)"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that are the same for this test in every run with the same TEST_SEED."""
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that configures logging writes to the stderr of its own test, which is closed after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """An embedded broker of the test's own, with Kompass's topics."""
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def mail() -> Iterator[EmbeddedMail]:
    """A mail server of the test's own."""
    with EmbeddedMail() as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say by name what could not be run on this machine, and why."""
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
