"""Choosing one of thousands of items in a real browser, with a keyboard alone."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, expect

from simulator import UK
from tests.admin_site import PASSWORD, Site
from tests.builders import event, invoice

ITEMS = 5_000


def test_an_item_of_thousands_is_found_by_keyboard(site: Site, page: Page) -> None:
    pipeline = site.pipeline()
    pipeline.link()
    pipeline.ingest(event(invoice("i1")))
    body = [[str(100 + number), f"Division {number % 50}:Item {number}", True, "Service"] for number in range(ITEMS)]
    site.sql("DELETE FROM qboadmin_company_list")
    site.sql(
        "INSERT INTO qboadmin_company_list (realm_id, what, body, fetched_at) VALUES (%s, 'items', %s, '2100-01-01')",
        UK,
        json.dumps(body),
    )
    keys = page.keyboard
    page.goto(f"{site.url}/admin/")
    # The field for the name has the focus.
    keys.type("ada")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.goto(f"{site.url}/admin/quickbooks_online/itemservice/add/?configuration=1")
    page.get_by_label("Kompass Service:").focus()
    keys.press("ArrowDown")
    expect(page.get_by_label("Kompass Service:").locator("option:checked")).to_have_text("LiDAR")
    keys.press("Tab")
    expect(page.locator(".field-item_id .select2-selection")).to_be_focused()
    keys.press("Enter")
    # A list of what was typed so far may come first and be replaced under the keys: wait for the answer to all of it.
    with page.expect_response(re.compile(r"term=division(\+|%20)17(\+|%20)item(\+|%20)42(&|$)")) as answered:
        keys.type("division 17 item 42")
    found = [option["text"] for option in answered.value.json()["results"]]
    assert "Division 17:Item 4217" in found
    assert len(found) <= 20, "a page of what is found, not the list"
    expect(page.locator(".select2-results__option")).to_have_text(found)
    keys.press("ArrowDown")
    chosen = page.locator(".select2-results__option--highlighted").inner_text()
    assert chosen.startswith("Division 17:Item 42")
    keys.press("Enter")
    expect(page.locator(".field-item_id .select2-selection")).to_contain_text(chosen)
    # On to the button: every field on the way is left by Tab.
    for _ in range(12):
        if page.evaluate("document.activeElement.name") == "_save":
            break
        keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert site.sql("SELECT item_name FROM qbo_item_service") == [(chosen,)]
