"""Each thing that can go wrong while an admin sets up, as a person with a mouse meets it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from simulator import IRELAND, UK
from tests.admin_site import Site, make_user
from tests.admin_story import tell
from tests.browser import run_action, sign_in, tick_first
from tests.builders import event, invoice


def configure(site: Site) -> None:
    site.sql("INSERT INTO qbo_org (id, name) VALUES ('org-uk', 'Meridian Geomatics Ltd')")
    site.sql("INSERT INTO qbo_configuration (org_id, notification_recipients) VALUES ('org-uk', '{ada@example.com}')")


def authorize(page: Page, company: str, *, button: str = "Connect") -> None:
    page.get_by_role("link", name="Configurations").first.click()
    tick_first(page)
    run_action(page, "Authorize with QuickbooksOnline")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label(company).check()
    page.get_by_role("button", name=button).click()


def test_linking_goes_wrong_in_every_way_and_then_right(site: Site, page: Page) -> None:
    configure(site)
    sign_in(page, site)

    # Enabled too early.
    page.get_by_role("link", name="Configurations").first.click()
    page.get_by_role("link", name="Meridian Geomatics Ltd", exact=True).click()
    page.get_by_label("Enable").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("the QuickBooks company is not linked")).to_be_visible()

    # Cancelled at Intuit.
    authorize(page, "Larch Design Ltd", button="No thanks")
    expect(page.get_by_role("heading", name="The authorization was cancelled")).to_be_visible()
    expect(page.get_by_role("link", name="Go to the Configurations list")).to_be_visible()

    # A way back that nobody asked for, and one used twice.
    authorize(page, "Larch Design Ltd")
    expect(page.get_by_text("is linked to the QuickBooks company Larch Design Ltd")).to_be_visible()
    callback = site.simulator.call(lambda world: list(world.authority.codes))[-1]
    page.goto(f"{site.url}/admin/quickbooks_online/configuration/callback/?code={callback}&state=x&realmId={UK}")
    expect(page.get_by_role("heading", name="This authorization cannot be used")).to_be_visible()

    # Another company asks first.
    authorize(page, "Larch Design Ireland DAC")
    expect(page.get_by_text("has been linked to Larch Design Ltd")).to_be_visible()
    page.get_by_role("button", name="Keep Larch Design Ltd").click()
    expect(page.get_by_text(f"{UK} (Larch Design Ltd)")).to_be_visible()
    authorize(page, "Larch Design Ireland DAC")
    page.get_by_role("button", name="Link Larch Design Ireland DAC and start clean").click()
    expect(page.get_by_text(f"{IRELAND} (Larch Design Ireland DAC)")).to_be_visible()
    expect(page.get_by_text("everything starts clean")).to_be_visible()

    # QuickBooks is out of reach: the form opens all the same.
    site.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    site.sql("UPDATE qboadmin_company_list SET fetched_at = now() - interval '2 hours', tried_at = NULL")
    page.reload()
    expect(page.get_by_text("QuickBooks could not be read").first).to_be_visible()
    page.get_by_role("link", name="Configurations").first.click()
    tick_first(page)
    run_action(page, "Test connection")
    expect(page.get_by_text("Connection to QuickBooks failed")).to_be_visible()
    site.simulator.call(lambda world: world.troubles.remove())

    # Somebody disconnects Kompass inside QuickBooks.
    site.simulator.call(
        lambda world: [world.authority.revoke_grant(one.id) for one in list(world.authority.live_grants(realm=IRELAND))]
    )
    site.simulator.call(lambda world: world.authority.expire_access(realm=IRELAND))
    tick_first(page)
    run_action(page, "Test connection")
    expect(page.get_by_text("Intuit no longer accepts Kompass's access")).to_be_visible()
    page.get_by_role("link", name="Sync errors").first.click()
    expect(page.get_by_text("The connection to QuickBooks is lost")).to_be_visible()
    authorize(page, "Larch Design Ireland DAC")
    expect(page.get_by_text("stored, renewed")).to_be_visible()

    # Disconnect.
    page.get_by_role("link", name="Disconnect from QuickBooks…").click()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("the access is revoked at Intuit")).to_be_visible()
    expect(page.get_by_text("no longer valid")).to_be_visible()


def test_somebody_without_permission_sees_no_section(site: Site, page: Page) -> None:
    configure(site)
    make_user(site, "eve")
    sign_in(page, site, "eve")
    expect(page.get_by_text("You don’t have permission to view or edit anything.")).to_be_visible()
    assert "Quickbooks" not in page.content()


def test_errors_are_fixed_from_where_they_are_shown(site: Site, page: Page) -> None:
    tell(site)
    sign_in(page, site)
    pipeline = site.pipeline()

    # A missing tax code: mapped from the error itself.
    page.get_by_role("link", name="Sync errors").first.click()
    group = page.get_by_role("region", name="2 invoices need attention: Reduced has no QuickBooks tax code")
    group.get_by_role("link", name="Map it here").click()
    expect(page.get_by_label("Kompass VAT rate:").locator("option:checked")).to_have_text("Reduced (5 %)")
    page.get_by_label("QBO tax code:").select_option(label="5.0% R (5 %)")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("2 unsent documents will go out")).to_be_visible()
    pipeline.drive()
    page.get_by_role("link", name="Sync errors").first.click()
    expect(page.get_by_text("Reduced has no QuickBooks tax code")).to_have_count(0)

    # A name that QuickBooks does not take: a name of its own.
    page.get_by_role("link", name="Give it a DisplayName of its own").click()
    page.get_by_label("DisplayName override:").fill("Orchard Homes (Phase 2) Ltd")
    page.get_by_role("button", name="Save", exact=True).click()
    pipeline.drive()
    assert "Orchard Homes (Phase 2) Ltd" in {one["DisplayName"] for one in pipeline.objects("Customer")}
    assert "24-0371-09" in {one["DocNumber"] for one in pipeline.objects("Invoice")}

    # A conflict with a bookkeeper's edit: both sides, and a person decides.
    page.get_by_role("link", name="Sync errors").first.click()
    page.get_by_role("region", name=re.compile("changed in QuickBooks and in Kompass")).get_by_role(
        "link", name="Show it"
    ).click()
    page.get_by_role("link", name="24-0341-02").click()
    expect(page.get_by_text("12,000.00")).to_be_visible()
    expect(page.get_by_text("13,000.00")).to_be_visible()
    page.get_by_role("button", name="Send what Kompass says").click()
    pipeline.drive()
    (document,) = [one for one in pipeline.objects("Invoice") if one["DocNumber"] == "24-0341-02"]
    assert document["Line"][0]["Amount"] == 13_000

    # A template that breaks says so while it is typed.
    page.get_by_role("link", name="Configurations").first.click()
    page.get_by_role("link", name="Meridian Geomatics Ltd", exact=True).click()
    page.get_by_label("DocNumber Template:").fill("{{ invoice.number }}")
    expect(page.get_by_text("invoice has no field 'number'")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Please correct the error below.")).to_be_visible()


def test_times_are_in_the_viewers_zone(site: Site, page: Page) -> None:
    pipeline = site.pipeline()
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    site.sql("UPDATE qbo_link SET synced_at = '2026-07-01 12:00:00+00' WHERE kind = 'invoice'")
    sign_in(page, site)
    page.goto(f"{site.url}/admin/quickbooks_online/invoice/")
    page.get_by_role("link", name="INV-i1").click()
    expect(page.get_by_text("1 Jul 2026, 13:00")).to_be_visible()
    assert urlsplit(page.url).hostname == "127.0.0.1"
