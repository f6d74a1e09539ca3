"""Makes docs/screenshots: ``python -m tests.acceptance.admin.screenshots``. Also every page's look, for the accessibility test.

``--all`` (`make screenshots`) takes every page on a desktop and a phone, light and dark, into build/screenshots.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, expect

from simulator import UK, Settings, Simulator
from tests.admin_site import Site, make_user, served
from tests.admin_story import tell_demo
from tests.browser import HEIGHT, WIDTH, open_browser, run_action, sign_in
from tests.database import cloned_database, embedded_server, migrate

ROOT = Path(__file__).resolve().parents[3]
DIRECTORY = ROOT / "docs" / "screenshots"
ALL = ROOT / "build" / "screenshots"
# Pixels; a long list looks the same further down. In the docs less will do, and they stay small.
TALLEST, TALLEST_IN_DOCS = 1_700, 1_200
Shot = Callable[[str], None]


def go(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.url}/admin/quickbooks_online/{path}")


def one_link(site: Site, kind: str, state: str) -> int:
    """A record of the company that keeps its books in pounds, the newest one in this state."""
    rows = site.sql(
        "SELECT id FROM qbo_link WHERE realm_id = %s AND kind = %s AND state = %s ORDER BY id DESC LIMIT 1",
        UK,
        kind,
        state,
    )
    return int(rows[0][0])


def tour(page: Page, site: Site, shot: Shot) -> None:
    """Show every page of the section, with ``shot(name)`` at each."""
    sign_in(page, site)
    ((own,),) = site.sql("SELECT id FROM qbo_configuration WHERE realm_id = %s", UK)
    shot("section")
    page.goto(f"{site.url}/admin/quickbooks_online/")
    shot("orgs")
    go(page, site, "configuration/")
    shot("configurations")
    go(page, site, f"configuration/{own}/overview/")
    shot("overview")
    go(page, site, "configuration/add/")
    expect(page.locator(".qbo-preview").first).not_to_be_empty()
    shot("configuration-add")
    go(page, site, f"configuration/{own}/change/")
    expect(page.locator(".qbo-preview table").first).to_be_visible()
    shot("configuration")
    go(page, site, f"configuration/{own}/disconnect/")
    shot("disconnect")
    go(page, site, "configuration/callback/?state=unknown")
    shot("authorization-failed")
    go(page, site, "configuration/")
    page.locator(f"input.action-select[value='{own}']").check()
    run_action(page, "Test connection")
    shot("company-check")
    ((month,),) = site.sql(
        "SELECT left(r.body ->> 'date', 7) FROM qbo_record r JOIN qbo_configuration c USING (org_id)"
        " WHERE c.realm_id = %s AND r.kind = 'invoice' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
        UK,
    )
    go(page, site, f"configuration/{own}/agreement/")
    page.get_by_label("Month:").fill(month)
    page.get_by_role("button", name="Make the sheet").click()
    expect(page.get_by_text("reads of QuickBooks.")).to_be_visible()
    shot("agreement")
    # As it looks before Enable is set.
    site.sql("UPDATE qbo_configuration SET enabled = false WHERE id = %s", own)
    go(page, site, f"configuration/{own}/going-live/?start_date=2026-01-01")
    shot("going-live")
    site.sql("UPDATE qbo_configuration SET enabled = true WHERE id = %s", own)
    # As if the company was linked just now: nothing of it was read.
    site.sql("DELETE FROM qbo_inventory WHERE realm_id = %s", UK)
    go(page, site, f"configuration/{own}/match-customers/")
    shot("already-in-quickbooks-unread")
    page.get_by_role("button", name="Read what QuickBooks has").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    shot("already-in-quickbooks")
    page.get_by_role("button", name="Link the ticked ones").click()
    expect(page.get_by_role("heading", name="Linked by hand")).to_be_visible()
    shot("linked-by-hand")
    page.get_by_role("button", name="Remove the link of client").click()
    expect(page.get_by_text("The link is removed.")).to_be_visible()
    for model, name in (
        ("itemservice", "item-services"),
        ("departmentclass", "classes"),
        ("taxcodevatrate", "tax-code-vat-rates"),
        ("customfield", "custom-fields"),
    ):
        go(page, site, f"{model}/?configuration__id__exact={own}")
        shot(name)
    go(page, site, "taxcodevatrate/import/")
    shot("import")
    go(page, site, f"itemservice/add/?configuration={own}")
    shot("item-service-add")
    go(page, site, f"customfield/add/?configuration={own}")
    page.get_by_label("Template:").fill("PO {{ project.order_confirmation }}")
    expect(page.locator(".qbo-preview tbody tr").first).to_be_visible()
    expect(page.locator(".qbo-preview")).to_contain_text("PO")
    shot("custom-field-add")
    go(page, site, "customer/")
    shot("customers")
    go(page, site, f"customer/add/?configuration={own}")
    page.get_by_label("Search QBO customers by name:").fill("on")
    page.get_by_role("button", name="Search").last.click()
    expect(page.locator("#qbo-search-results li").first).to_be_visible()
    shot("customer-link")
    go(page, site, f"customer/{one_link(site, 'client', 'synced')}/change/")
    shot("customer")
    go(page, site, "project/")
    shot("projects")
    go(page, site, "invoice/")
    shot("invoices")
    invoice = one_link(site, "invoice", "synced")
    go(page, site, f"invoice/{invoice}/change/")
    shot("invoice")
    go(page, site, f"invoice/{invoice}/trail/")
    shot("trail")
    ((refused,),) = site.sql(
        "SELECT link_id FROM qbo_failure WHERE cause LIKE 'no-tax-code%%' AND closed_at IS NULL LIMIT 1"
    )
    go(page, site, f"invoice/{refused}/preview/")
    shot("preview-refused")
    go(page, site, "failure/")
    shot("sync-errors")
    page.get_by_role("link", name=re.compile("^Show (it|all)")).first.click()
    shot("sync-errors-of-a-cause")
    go(page, site, "failure/try-again/")
    shot("only-a-button")
    go(page, site, f"configuration/{own}/activity/")
    shot("activity")
    ((conflict,),) = site.sql(
        "SELECT id FROM qbo_failure WHERE cause LIKE 'conflict:%%' AND closed_at IS NULL ORDER BY id LIMIT 1"
    )
    go(page, site, f"failure/{conflict}/change/")
    shot("conflict")
    # Another item for every Service: what was sent would now differ.
    site.sql("UPDATE qbo_item_service SET item_id = %s WHERE realm_id = %s", "2", UK)
    go(page, site, f"invoice/{invoice}/preview/")
    shot("preview")
    go(page, site, f"configuration/{own}/impact/")
    shot("impact")


@dataclass(frozen=True, slots=True)
class Mode:
    """How a person looks at the pages."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]

    def use(self, page: Page) -> None:
        page.set_viewport_size({"width": self.width, "height": self.height})
        page.emulate_media(color_scheme=self.scheme)


MODES = (
    Mode("desktop", WIDTH, HEIGHT, "light"),
    Mode("desktop-dark", WIDTH, HEIGHT, "dark"),
    Mode("phone", 390, 844, "light"),
    Mode("phone-dark", 390, 844, "dark"),
)


def shots(page: Page, site: Site, directory: Path, mode: Mode) -> None:
    """Take the picture of every page in this mode."""
    directory.mkdir(parents=True, exist_ok=True)
    page.context.clear_cookies()
    mode.use(page)

    def shot(name: str) -> None:
        tall = TALLEST_IN_DOCS if directory == DIRECTORY else TALLEST if mode.width == WIDTH else 2 * TALLEST
        height = min(page.evaluate("document.documentElement.scrollHeight"), tall)
        page.set_viewport_size({"width": mode.width, "height": max(height, mode.height)})
        page.screenshot(path=directory / f"{name}.png")
        page.set_viewport_size({"width": mode.width, "height": mode.height})

    tour(page, site, shot)
    print(f"screenshots in {directory}", flush=True)


def main(directory: Path, modes: Sequence[Mode]) -> None:
    with tempfile.TemporaryDirectory(prefix="kqshots", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        place.chmod(0o755)
        with embedded_server(place / "data") as server:
            migrate(server)
            with (
                cloned_database(server, server) as url,
                Simulator(settings=Settings.from_environment(quota_enabled=False)) as intuit,
                served(url, intuit, place) as site,
                open_browser() as browser,
            ):
                make_user(site, "ada", group="Quickbooks Online admins")
                tell_demo(site)
                page = browser.new_page()
                for mode in modes:
                    shots(page, site, directory / mode.name if len(modes) > 1 else directory, mode)


if __name__ == "__main__":
    # Every page in every mode for a person to look at, or the pictures of the docs.
    if "--all" in sys.argv:
        main(ALL, MODES)
    else:
        main(DIRECTORY, MODES[:1])
