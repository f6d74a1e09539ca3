"""A real Chromium for tests, headless; tests that need one are skipped by name where there is none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.admin_site import PASSWORD, Site

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, HEIGHT = 1280, 800


def chromium() -> str | None:
    """Where Chromium is: CHROMIUM, or what the machine calls it."""
    for name in (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


@contextmanager
def open_browser() -> Iterator[BrowserContext]:
    """A browser with a profile of its own, at the width of a laptop."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium; or name one in CHROMIUM)")
    with tempfile.TemporaryDirectory(prefix="kqbrowser", ignore_cleanup_errors=True) as profile, sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            profile,
            executable_path=path,
            args=list(FLAGS),
            headless=True,
            viewport={"width": WIDTH, "height": HEIGHT},
            timezone_id="Europe/Dublin",
            locale="en-GB",
            accept_downloads=True,
        )
        context.set_default_timeout(15_000)
        refused: list[str] = []
        context.on(
            "console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None
        )
        try:
            yield context
        finally:
            context.close()
        assert refused == [], "our own pages keep to the policy that they come with"


def sign_in(page: Page, site: Site, name: str = "ada") -> None:
    page.goto(f"{site.url}/admin/")
    page.get_by_label("Username:").fill(name)
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def run_action(page: Page, action: str) -> None:
    """Choose an action of a list for the ticked rows."""
    page.get_by_label("Action:").select_option(label=action)
    page.get_by_role("button", name="Go", exact=True).click()


def tick_first(page: Page) -> None:
    page.locator("input.action-select").first.check()
