"""What a person uses: one browser for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.browser import open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[BrowserContext]:
    with open_browser() as context:
        yield context
