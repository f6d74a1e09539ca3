"""The admin's section, the pipeline behind it and a mail server: for what goes wrong for long, and ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import UK, Simulator
from simulator.settings import Settings
from tests.chaos.conftest import postgres, restartable_database
from tests.integration.admin.conftest import authorize, database, django_in_tests, section, simulator

__all__ = [
    "authorize",
    "database",
    "django_in_tests",
    "postgres",
    "restartable_database",
    "section",
    "simulator",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("endurance").addoption(
        "--events", type=int, default=800, help="How many events an outage lasts for."
    )


@pytest.fixture
def careless_intuit() -> Iterator[Simulator]:
    """A company that lets two documents have one number: nothing but the pipeline stands between a document and a second one."""
    with Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit:
        intuit.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", False))
        yield intuit
