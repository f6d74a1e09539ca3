"""Makes docs/screenshots: ``python -m tests.acceptance.admin.screenshots``. Also every page's look, for the accessibility test."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from qbo_client.simulator import Settings, Simulator
from tests.admin_site import Site, make_user, served
from tests.admin_story import ORG, tell
from tests.browser import open_browser, run_action, sign_in, tick_first
from tests.database import cloned_database, embedded_server, migrate

DIRECTORY = Path(__file__).resolve().parents[3] / "docs" / "screenshots"
Shot = Callable[[str], None]


def go(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.url}/admin/quickbooks_online/{path}")


def link_id(site: Site, kind: str, reference: str) -> int:
    return int(site.sql("SELECT id FROM qbo_link WHERE kind = %s AND reference = %s", kind, reference)[0][0])


def tour(page: Page, site: Site, shot: Shot) -> None:
    """Show every page of the section, with ``shot(name)`` at each."""
    sign_in(page, site)
    shot("section")
    go(page, site, "configuration/")
    shot("configurations")
    go(page, site, "configuration/add/")
    expect(page.locator(".qbo-preview").first).not_to_be_empty()
    shot("configuration-add")
    go(page, site, "configuration/1/change/")
    expect(page.locator(".qbo-preview table").first).to_be_visible()
    shot("configuration")
    go(page, site, "configuration/1/disconnect/")
    shot("disconnect")
    go(page, site, "configuration/callback/?state=unknown")
    shot("authorization-failed")
    go(page, site, "configuration/")
    tick_first(page)
    run_action(page, "Test connection")
    shot("company-check")
    go(page, site, "configuration/1/going-live/?start_date=2026-01-01")
    shot("going-live")
    for model, name in (
        ("itemservice", "item-services"),
        ("departmentclass", "classes"),
        ("taxcodevatrate", "tax-code-vat-rates"),
        ("customfield", "custom-fields"),
    ):
        go(page, site, f"{model}/")
        shot(name)
    go(page, site, "taxcodevatrate/import/")
    shot("import")
    go(page, site, "itemservice/add/")
    shot("item-service-add")
    go(page, site, "customfield/add/?configuration=1")
    page.get_by_label("Template:").fill("PO {{ project.order_confirmation }}")
    expect(page.locator(".qbo-preview")).to_contain_text("PO PO-")
    shot("custom-field-add")
    go(page, site, "customer/")
    shot("customers")
    go(page, site, "customer/add/")
    page.get_by_label("Search QBO customers by name:").fill("Harb")
    page.get_by_role("button", name="Search").last.click()
    expect(page.locator("#qbo-search-results li").first).to_be_visible()
    shot("customer-link")
    go(page, site, f"customer/{link_id(site, 'client', 'Harbour & Sons')}/change/")
    shot("customer")
    go(page, site, "project/")
    shot("projects")
    go(page, site, "invoice/")
    shot("invoices")
    invoice = link_id(site, "invoice", "24-0329-01")
    go(page, site, f"invoice/{invoice}/change/")
    shot("invoice")
    go(page, site, f"invoice/{link_id(site, 'invoice', '24-0352-06')}/preview/")
    shot("preview-refused")
    go(page, site, "failure/")
    shot("sync-errors")
    (conflict,) = site.sql("SELECT id FROM qbo_failure WHERE cause LIKE 'conflict:%%' AND closed_at IS NULL")
    go(page, site, f"failure/{conflict[0]}/change/")
    shot("conflict")
    site.sql("UPDATE qbo_configuration SET doc_number_template = '{{ invoice.reference }}/K'")
    go(page, site, f"invoice/{invoice}/preview/")
    shot("preview")
    go(page, site, "configuration/1/impact/?names=1")
    shot("impact")


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kqshots", ignore_cleanup_errors=True) as temporary:
        place = Path(temporary)
        place.chmod(0o755)
        with embedded_server(place / "data") as server:
            migrate(server)
            with (
                cloned_database(server, server) as url,
                Simulator(settings=Settings(quota_enabled=False)) as intuit,
                served(url, intuit, place) as site,
                open_browser() as browser,
            ):
                make_user(site, "ada", group="Quickbooks Online admins")
                tell(site)
                page = browser.new_page()

                def shot(name: str) -> None:
                    page.screenshot(path=directory / f"{name}.png", full_page=True)

                tour(page, site, shot)
                print(f"{ORG.name}: screenshots in {directory}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
