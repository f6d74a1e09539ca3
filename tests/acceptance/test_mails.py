"""Mails in a real browser: none is wider than its window, at a reader's width and at a phone's, with names of any length."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from consumers.notifier.rendering import Renderer
from tests.mail_pictures import WIDTHS, kinds, photograph

KINDS = 9


def test_every_kind_fits_its_window(browser: BrowserContext, tmp_path: Path) -> None:
    seen = list(photograph(browser, tmp_path, schemes=("light",)))
    assert len(seen) == KINDS * len(WIDTHS)
    assert [f"{name} at {width}" for name, width, too_wide in seen if too_wide] == []
    assert all(path.stat().st_size > 5_000 for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "mail"), list(kinds(Renderer())), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_kind_keeps_its_own_colours_and_is_readable_as_text(name: str, mail: object) -> None:
    page, plain = getattr(mail, "html", ""), getattr(mail, "text", "")
    # Dark readers invert what says nothing; this says that it is light, and every text has its colour.
    assert '<meta name="color-scheme" content="light">' in page
    assert "prefers-color-scheme" not in page
    assert "<" not in plain.replace("<b>", "")
    assert "https://kompass.example/admin/" in plain
    assert "Sent to" in plain or "Nothing is left to do" in plain
    assert max(map(len, plain.splitlines())) < 998
