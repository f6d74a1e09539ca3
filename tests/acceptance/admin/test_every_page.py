"""Every page of the section in a browser, light and dark, on a desktop and on a phone.

Nothing is wider than the window, boxes are wide and buttons high enough, axe finds nothing, and no secret is anywhere.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.acceptance.admin.screenshots import MODES, Mode, tour
from tests.acceptance.admin.secrecy import leaks
from tests.admin_site import Site
from tests.admin_story import tell, typed_before

# Without preload: it would fetch the style sheets once more, their imports from wrong addresses.
# Violations alone: all that passes, too, is megabytes of each page.
RULES = {
    "preload": False,
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
}
# Django's links fade from one colour to the other. Nobody waits for it: a window that draws nothing never ends a fade.
FADED = """for (const one of document.getAnimations()) {
  if (one.effect.getComputedTiming().endTime < Infinity) { one.finish(); } else { one.cancel(); }
}"""
RUN = "async (rules) => (await axe.run(document, rules)).violations.map((one) => [one.id, one.impact, one.nodes.map((node) => node.html)])"
WIDTHS = (360, 390, 768, 1024, 1280)
NARROWEST = 280
"""CSS pixels of a card on a phone of 390."""
LOWEST = 44
"""CSS pixels of what is pressed on a phone: WCAG 2.5.5."""

MEASURE = """
([narrowest, lowest]) => {
  const found = [];
  const shown = (one) => one.checkVisibility() && one.getBoundingClientRect().width > 1;
  const whole = document.documentElement.scrollWidth;
  if (whole > innerWidth) { found.push(`${whole} px wide at ${innerWidth}`); }
  // A column that is cut off is not seen: a list fits into its place on a laptop.
  for (const list of document.querySelectorAll("#changelist .results")) {
    if (innerWidth >= 1280 && list.scrollWidth > list.clientWidth + 1) {
      found.push(`a list of ${list.scrollWidth} px has room for ${list.clientWidth} at ${innerWidth}`);
    }
  }
  // The site's own index is Django's.
  if (innerWidth > 767 || !document.body.classList.contains("app-quickbooks_online")) { return found; }
  const say = (one, what) => found.push(`${what} at ${innerWidth}: ${one.outerHTML.slice(0, 120)}`);
  for (const card of document.querySelectorAll(".qbo-cardlist > tbody > tr, .qbo-card, .qbo-section, .module, .qbo-empty")) {
    const width = card.getBoundingClientRect().width;
    if (shown(card) && innerWidth >= 390 && width < narrowest) { say(card, `${Math.round(width)} px narrow`); }
  }
  // What wraps in a card stays under itself.
  for (const cell of document.querySelectorAll(".qbo-cardlist > tbody > tr > td[data-label]")) {
    const text = document.createRange();
    text.selectNodeContents(cell);
    const lefts = Array.from(text.getClientRects()).filter((one) => one.width > 0).map((one) => one.left);
    if (shown(cell) && lefts.length && Math.min(...lefts) < lefts[0] - 1) { say(cell, "wraps under its heading"); }
  }
  const pressed = "button, select, textarea, .button, input:not([type=hidden]):not([type=checkbox]):not([type=radio])"
    + ", .object-tools a, th a, #changelist-filter li a, .qbo-cards a, .breadcrumbs a, #user-tools a";
  const elsewhere = "#nav-sidebar, .select2-container, #qbo-preview-settings, .theme-toggle, .toggle-nav-sidebar";
  for (const one of document.querySelectorAll(`#container :is(${pressed})`)) {
    const height = one.getBoundingClientRect().height;
    if (shown(one) && !one.closest(elsewhere) && height < lowest - 0.5) { say(one, `${Math.round(height)} px high`); }
  }
  return found;
}
"""


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("no_background_trouble")
def test_every_page_is_sound_readable_and_keeps_its_secrets(site: Site, page: Page) -> None:
    tell(site)
    typed_before(site)
    script = Axe().axe_script
    seen: dict[str, str] = {}
    problems: list[str] = []
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)

    def audit(name: str, mode: Mode) -> None:
        page.evaluate(FADED)
        for rule, impact, nodes in page.evaluate(RUN, RULES):
            problems.append(f"{name} ({mode.name}): {rule} ({impact}): {'; '.join(node[:160] for node in nodes[:3])}")

    def look(name: str) -> None:
        seen[name] = page.content()
        page.evaluate(script)
        for mode in MODES[1:]:
            mode.use(page)
            audit(name, mode)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            problems.extend(f"{name}: {one}" for one in page.evaluate(MEASURE, [NARROWEST, LOWEST]))
        MODES[0].use(page)
        audit(name, MODES[0])

    tour(page, site, look)
    expected = ("configuration/callback/?state=unknown", "failure/try-again/")
    errors = [error for error in errors if not any(address in error for address in expected)]
    assert not problems, "\n".join(problems)
    assert not errors, errors

    assert not leaks(site, seen)
