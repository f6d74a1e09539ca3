"""Every page of the section in a browser: nothing broken at 1280 px, readable by everybody (axe), and no secret anywhere."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.acceptance.admin.screenshots import tour
from tests.acceptance.admin.secrecy import leaks
from tests.admin_site import Site
from tests.admin_story import tell
from tests.browser import WIDTH

# Without preload: it would fetch the style sheets once more, their imports from wrong addresses.
RULES = {"preload": False, "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


def test_every_page_is_sound_readable_and_keeps_its_secrets(site: Site, page: Page) -> None:
    tell(site)
    axe = Axe()
    seen: dict[str, str] = {}
    problems: list[str] = []
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda answer: errors.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)

    def look(name: str) -> None:
        seen[name] = page.content()
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > WIDTH:
            problems.append(f"{name}: {width} px wide")
        for violation in axe.run(page, options=RULES).response["violations"]:
            nodes = "; ".join(str(node["html"])[:160] for node in violation["nodes"][:3])
            problems.append(f"{name}: {violation['id']} ({violation['impact']}): {nodes}")

    tour(page, site, look)
    errors = [error for error in errors if "configuration/callback/?state=unknown" not in error]
    assert not problems, "\n".join(problems)
    assert not errors, errors

    assert not leaks(site, seen)
