"""What all tests share: the parts they run on, the seed they draw from, the workers they run in, and what is said at the end."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from demo.embedded.broker import EmbeddedBroker
from demo.embedded.mail import EmbeddedMail
from simulator.settings import VARIABLE
from tests.database import database_server, migrated_database, module_database, template_database
from tests.summary import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown
from tests.workers import pytest_collection_modifyitems, pytest_configure, pytest_xdist_make_scheduler

__all__ = [
    "database_server",
    "migrated_database",
    "module_database",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_xdist_make_scheduler",
    "template_database",
]

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
def no_background_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """No faults at random, for a test that counts its calls one by one or steps between them: a troubled company makes others."""
    leave_out_trouble(monkeypatch)


@pytest.fixture(scope="module")
def no_background_trouble_here() -> Iterator[None]:
    """The same for a module whose tests share a company: it is at rest within a limit, which troubled records miss for hours."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_trouble(patch)
        yield


def leave_out_trouble(patch: pytest.MonkeyPatch) -> None:
    switches = [one for one in os.environ.get(VARIABLE, "").split(",") if not one.startswith("background_trouble=")]
    patch.setenv(VARIABLE, ",".join(switches))


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
