"""The admin in a browser: a served site, Intuit's simulator, a person with a mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from simulator import Settings, Simulator
from tests.admin_site import Site, make_user, served


@pytest.fixture
def page(browser: BrowserContext) -> Iterator[Page]:
    """A window of somebody who is not signed in anywhere."""
    browser.clear_cookies()
    opened = browser.new_page()
    yield opened
    opened.close()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit:
        yield intuit


@pytest.fixture
def site(migrated_database: str, simulator: Simulator, tmp_path: Path) -> Iterator[Site]:
    with served(migrated_database, simulator, tmp_path) as running:
        make_user(running, "ada", group="Quickbooks Online admins")
        yield running
