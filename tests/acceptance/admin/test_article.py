"""The set-up article from top to bottom, as written, by a person with a mouse: until the invoices are in QuickBooks."""

from __future__ import annotations

import datetime as dt
import json
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from demo.command import sample_file
from simulator import UK
from tests.acceptance.admin.secrecy import leaks
from tests.acceptance.admin.sync import Sync, eventually, running_sync
from tests.admin_site import Site
from tests.browser import run_action, sign_in
from tests.builders import event, invoice, line

RECENT = dt.datetime.now(dt.UTC).date()


def test_the_article_from_add_configuration_to_invoices_in_quickbooks(site: Site, page: Page, tmp_path: Path) -> None:
    seen: dict[str, str] = {}
    page.on("load", lambda shown: seen.update({f"page {len(seen)} {urlsplit(shown.url).path}": shown.content()}))
    with running_sync(site, tmp_path) as sync:
        walk(site, page, sync, tmp_path)
        eventually(lambda: mailed_to(sync, "operator@example.com", "unreadable bytes"))
        letters = sync.dead_letters(3)
        answers = sync.commands(
            ("why", "invoice", "INV-i1"),
            ("why", "invoice", "INV-i1", "--json"),
            ("explain", str(sample_file())),
            ("dead-letters", "list", "--json"),
            ("dead-letters", "list", "--from-topic", "--json"),
            ("agree", "--org", "org-uk", "--month", f"{RECENT:%Y-%m}", "--json"),
            ("doctor",),
        )
        assert "INV-i1" in answers["why invoice INV-i1"]
        produced = {**seen, **mailed(sync), **answers, **sync.said(), "dead letters": "\n".join(letters)}
        assert not leaks(site, produced)
        assert leaks(site, {"a page": f"<b>{site.secrets['TOKEN_KEYS']}</b>"}) == ["TOKEN_KEYS in a page"], "it finds"


def mailed(sync: Sync) -> dict[str, str]:
    """Every mail, with its headers and in every form it has."""

    def whole(message: EmailMessage) -> str:
        bodies = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
        return "\n".join([str(message.items()), *bodies])

    return {f"mail {number}": whole(one) for number, one in enumerate(sync.mail.messages)}


def mailed_to(sync: Sync, recipient: str, words: str) -> bool:
    return any(recipient in mail and words in mail for mail in mailed(sync).values())


def settled(site: Site) -> int:
    return int(site.sql("SELECT count(*) FROM qbo_link WHERE kind = 'invoice' AND state = 'synced'")[0][0])


def walk(site: Site, page: Page, sync: Sync, tmp_path: Path) -> None:
    """Do what the article says, top to bottom."""
    # What Kompass has sent before anybody opened the admin: the Org is known, its events are kept once it is configured.
    sync.publish(event(invoice("i0")), garbage=b"this is no event")
    eventually(lambda: site.sql("SELECT 1 FROM qbo_org WHERE id = 'org-uk'"))
    sign_in(page, site)

    # Step 1 — Create the Configuration
    expect(page.get_by_role("link", name="Quickbooks Online")).to_be_visible()
    page.get_by_role("link", name="Configurations").first.click()
    page.get_by_role("link", name=re.compile("Add configuration", re.IGNORECASE)).first.click()
    page.get_by_label("Org:").select_option(label="Meridian Geomatics Ltd")
    expect(page.get_by_label("Enable")).not_to_be_checked()
    page.get_by_label("Notification recipients:").fill("ada@example.com\nbooks@example.com")
    expect(page.get_by_label("Project customers")).to_be_checked()
    expect(page.get_by_label("DocNumber Template:")).to_have_value("{{ invoice.reference }}")
    page.get_by_label("Locale:").select_option("EU")
    expect(page.get_by_label("Default Item ID:")).to_be_disabled()
    assert page.content().count("&lt;will be extracted") == 2
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist li")).to_have_text(
        [re.compile("was added successfully"), re.compile("^Next: tick")]
    )

    # Step 2 — Link
    sync.publish(
        event(invoice("i1", date=RECENT)),
        event(invoice("i2", date=RECENT, lines=(line("250.00"), line("50.00", position=2)))),
    )
    # The event of before the Configuration, too: the consumers read it again.
    eventually(lambda: site.sql("SELECT count(*) FROM qbo_record WHERE kind = 'invoice'")[0][0] == 3)
    page.locator("input.action-select").check()
    run_action(page, "Authorize with QuickbooksOnline")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Larch Design Ltd").check()
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("is linked to the QuickBooks company Larch Design Ltd")).to_be_visible()

    # Step 3 — Set defaults, enable, and test
    expect(page.get_by_text(f"{UK} (Larch Design Ltd)")).to_be_visible()
    expect(page.get_by_text("stored, renewed")).to_be_visible()
    assert "will be extracted" not in page.content()
    page.get_by_label("Default Item ID:").select_option(label="Surveying")
    options = page.get_by_label("Default Item ID:").locator("option").all_inner_texts()
    assert "Studio" not in options, "a category cannot be on an invoice line"
    assert not any("deleted" in option for option in options)
    page.get_by_label("Enable").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Going live")).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Standard 20 % 3 is refused until it is mapped"))).to_be_visible()
    expect(page.get_by_label("Send documents dated from")).to_have_value(f"{RECENT:%Y-%m-01}")
    page.get_by_role("button", name="Enable and start sending").click()
    expect(page.get_by_text("is enabled")).to_be_visible()
    page.get_by_role("link", name="Configurations").first.click()
    page.locator("input.action-select").check()
    run_action(page, "Test connection")
    expect(page.get_by_text("Connection successful: Kompass reached Larch Design Ltd")).to_be_visible()
    expect(page.get_by_text("Without a tax code: Standard 20 %")).to_be_visible()

    # What is not mapped is shown, and mapped in one go; what waited is sent.
    eventually(lambda: site.sql("SELECT count(*) FROM qbo_failure WHERE kind = 'invoice'")[0][0] == 2)
    page.get_by_role("link", name="Sync errors").first.click()
    expect(page.get_by_text("2 invoices need attention: Standard 20 % has no QuickBooks tax code")).to_be_visible()

    eventually(lambda: mailed_to(sync, "ada@example.com", "Standard 20 % has no QuickBooks tax code"))

    # Step 4 — Post-link mappings
    page.get_by_role("link", name="Item Services").first.click()
    page.get_by_role("row", name=re.compile("LiDAR")).get_by_role("combobox").select_option(label="Engineering")
    page.get_by_role("button", name="Save these mappings").click()
    expect(page.get_by_text("1 Item Service added")).to_be_visible()
    page.get_by_role("link", name="Tax Code VAT Rates").first.click()
    page.get_by_role("row", name=re.compile("Standard 20 %")).get_by_role("combobox").select_option(
        label="20.0% S (20 %)"
    )
    page.get_by_role("button", name="Save these mappings").click()
    expect(page.get_by_text("1 Tax Code VAT Rate added")).to_be_visible()
    expect(page.get_by_text("2 unsent documents will go out")).to_be_visible()
    eventually(lambda: settled(site) == 2)
    page.get_by_role("link", name="Custom Fields").first.click()
    page.get_by_role("link", name=re.compile("Add custom field", re.IGNORECASE)).first.click()
    page.get_by_label("QBO custom field:").select_option(label="Order confirmation")
    page.get_by_label("Template:").fill("{{ project.reference }}")
    expect(page.get_by_label("Preview")).to_contain_text("24-p1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    expect(page.get_by_text("2 sent documents would now differ")).to_be_visible()
    page.get_by_role("link", name="see the difference, resend").click()
    page.get_by_role("button", name="Resend the ticked ones").click()
    expect(page.get_by_text("2 will be resent in the background.")).to_be_visible()

    # How the sync runs after setup
    def documents() -> dict[str, dict[str, Any]]:
        return {one["DocNumber"]: one for one in site.pipeline().objects("Invoice")}

    def custom_fields() -> list[str]:
        return [one["CustomField"][-1].get("StringValue", "") for one in documents().values() if one.get("CustomField")]

    eventually(lambda: custom_fields() == ["24-p1", "24-p1"] and settled(site) == 2)
    assert sorted(documents()) == ["INV-i1", "INV-i2"]
    assert documents()["INV-i2"]["TotalAmt"] == 360
    page.get_by_role("link", name="Invoices").first.click()
    expect(page.get_by_role("row", name=re.compile("INV-i2"))).to_contain_text("In QuickBooks")
    page.get_by_role("link", name="INV-i2").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.get_by_role("link", name="Preview").click()
    expect(page.get_by_text("Nothing would be sent")).to_be_visible()
    page.get_by_role("link", name="Sync errors").first.click()
    expect(page.get_by_text("has no QuickBooks tax code")).to_have_count(0)

    # Troubleshooting actions
    for action, names in (
        ("Get QBO customers as JSON", {"Harbour & Sons c1"}),
        ("Get QBO jobs (sub-customers) as JSON", {"24-p1 Survey p1"}),
        ("Get QBO invoices as JSON", {"INV-i1", "INV-i2"}),
    ):
        page.get_by_role("link", name="Configurations").first.click()
        page.locator("input.action-select").check()
        with page.expect_download() as download:
            run_action(page, action)
        path = tmp_path / "dump.json"
        download.value.save_as(path)
        rows = json.loads(path.read_text())
        assert {row.get("DocNumber") or row["DisplayName"] for row in rows} == names


def test_the_action_menu_holds_the_articles_five_and_no_more(site: Site, page: Page) -> None:
    site.pipeline().link()
    sign_in(page, site)
    page.get_by_role("link", name="Configurations").first.click()
    expect(page.get_by_label("Action:").locator("option")).to_have_text(
        [
            "---------",
            "Authorize with QuickbooksOnline",
            "Test connection",
            "Get QBO customers as JSON",
            "Get QBO jobs (sub-customers) as JSON",
            "Get QBO invoices as JSON",
        ]
    )
    assert "sync now" not in page.content().lower()
