"""Three people walk through the admin in a real browser: a first Org, a second of another locale, and a bookkeeper on a phone.

Nothing is typed or chosen that the page offers already, and each press is counted.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal

import pytest
from playwright.sync_api import Locator, Page, expect

from demo.embedded.mail import EmbeddedMail
from schemas.events import OrgRef, VatRate
from simulator import CANADA, UK
from tests.admin_site import Site
from tests.browser import sign_in
from tests.builders import client, event, invoice, line, project
from tests.integration.notifier.harness import Post, plain

TODAY = dt.datetime.now(dt.UTC).date()
NORTH = OrgRef("org-ca", "Arpentage Boréal inc.")
GST = VatRate("vat-gst", "TPS 5 %", Decimal(5))
AT_MOST = 14


@dataclass
class Hand:
    """A person's hand: presses what is there, and counts."""

    page: Page
    presses: int = 0

    def press(self, what: Locator) -> None:
        what.click()
        self.presses += 1

    def link(self, name: str) -> None:
        self.press(self.page.get_by_role("link", name=name, exact=True).first)

    def button(self, name: str) -> None:
        self.press(self.page.get_by_role("button", name=name, exact=True).first)

    def choose(self, field: str, option: str) -> None:
        """Open a dropdown and press an option."""
        self.page.get_by_label(field).select_option(label=option)
        self.presses += 2


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def link_and_go_live(hand: Hand, company: str, item: str) -> None:
    """From the page of an Org that is not linked yet until documents are sent."""
    page = hand.page
    expect(page.get_by_role("heading", name="Next: Link to QuickBooks")).to_be_visible()
    hand.button("Authorize with QuickbooksOnline")
    hand.button("Sign in")
    hand.press(page.get_by_label(company))
    hand.button("Connect")
    expect(page.get_by_text(f"is linked to the QuickBooks company {company}")).to_be_visible()
    hand.choose("Default Item ID:", item)
    hand.press(page.get_by_label("Enable"))
    hand.button("Save")
    expect(page.get_by_role("heading", name="Going live")).to_be_visible()
    # What is suggested for the VAT rate is accepted as it is.
    expect(page.get_by_text(re.compile("^Suggested: ")).first).to_be_visible()
    hand.button("Save these mappings")
    expect(page.get_by_text("1 Tax Code VAT Rate added")).to_be_visible()
    expect(page.get_by_role("heading", name="Going live")).to_be_visible()
    hand.button("Enable and start sending")
    expect(page.get_by_text("is enabled")).to_be_visible()


def test_a_first_org_and_a_second_of_another_locale_beside_it(site: Site, page: Page) -> None:
    pipeline = site.pipeline()
    pipeline.ingest(event(invoice("i0")))
    sign_in(page, site)
    page.get_by_role("link", name="Configurations", exact=True).first.click()

    first = Hand(page)
    first.press(page.get_by_role("link", name=re.compile("Add configuration", re.IGNORECASE)).first)
    expect(page.get_by_label("Org:").locator("option:checked")).to_have_text("Meridian Geomatics Ltd")
    expect(page.get_by_label("Notification recipients:")).to_have_value("ada@example.com")
    first.button("Save")
    pipeline.ingest(event(invoice("i1", date=TODAY)))
    first.press(page.get_by_role("link", name="Overview of Meridian Geomatics Ltd"))
    link_and_go_live(first, "Larch Design Ltd", "Surveying")
    pipeline.drive()
    assert [one["DocNumber"] for one in pipeline.objects("Invoice", UK)] == ["INV-i1"]
    assert first.presses <= AT_MOST
    page.reload()
    expect(page.get_by_role("link", name="3 in QuickBooks")).to_be_visible()

    # A second Org, of Canada. It is the only one without a Configuration, so it is filled in.
    of = project("p9", of=client("c9", name="Mines d'Émeraude & Fils – Québec", org=NORTH), org=NORTH)
    bill = invoice("i9", of=of, org=NORTH, currency="CAD", date=TODAY, lines=(line(vat=GST),))
    pipeline.ingest(event(bill))
    page.get_by_role("link", name="Configurations", exact=True).first.click()
    second = Hand(page)
    second.press(page.get_by_role("link", name=re.compile("Add configuration", re.IGNORECASE)).first)
    expect(page.get_by_label("Org:").locator("option:checked")).to_have_text(NORTH.name)
    second.choose("Locale:", "Canada")
    second.button("Save")
    pipeline.ingest(event(bill))
    second.press(page.get_by_role("link", name=f"Overview of {NORTH.name}"))
    link_and_go_live(second, "Larch Design Canada Inc", "Services")
    pipeline.drive()
    assert [one["DocNumber"] for one in pipeline.objects("Invoice", CANADA)] == ["INV-i9"]
    assert len(pipeline.objects("Invoice", UK)) == 1, "the first Org's books are as they were"
    assert second.presses <= AT_MOST + 2, "and two for the Locale"
    # The tables open with the Org that was linked last, and offer both.
    page.get_by_role("link", name="Tax Code VAT Rates", exact=True).first.click()
    expect(page.locator("#changelist-filter li.selected")).to_have_text(NORTH.name)
    expect(page.locator("#changelist-filter").get_by_text("Meridian Geomatics Ltd")).to_be_visible()


def test_a_bookkeeper_on_a_phone_from_the_mail_to_the_fixed_invoice(site: Site, phone: Page) -> None:
    pipeline = site.pipeline()
    pipeline.link()
    with EmbeddedMail() as mail:
        post = Post(pipeline, mail)
        post.recipients("books@example.com")
        post.later(seconds=0)
        of = project("p2", of=client("c2", name="Équipements Müller GmbH"))
        pipeline.ingest(event(invoice("i1")), event(invoice("i2", of=of, lines=(line("1028.80"),))))
        pipeline.drive()
        (message,) = post.later(seconds=6)
    (address,) = set(re.findall(r"https://kompass\.example(/admin/quickbooks_online/failure/\?\S+)", plain(message)))

    sign_in(phone, site)
    phone.goto(f"{site.url}{address}")
    hand = Hand(phone)
    expect(phone.get_by_role("heading", name="Standard 20 % has no QuickBooks tax code")).to_be_visible()
    hand.link("Map it here")
    hand.choose("QBO tax code:", "20.0% S (20 %)")
    hand.button("Save")
    expect(phone.get_by_text("2 unsent documents will go out")).to_be_visible()
    pipeline.drive()
    assert sorted(one["DocNumber"] for one in pipeline.objects("Invoice")) == ["INV-i1", "INV-i2"]

    # The invoice is found, and its page says that it is there.
    # By client and amount, as a person in Québec types them on a phone: without accents, with a space and a comma.
    phone.goto(f"{site.url}/admin/quickbooks_online/invoice/")
    phone.locator("#searchbar").fill("muller 1 234,56")
    phone.get_by_role("button", name="Search", exact=True).click()
    expect(phone.locator("#result_list tbody tr")).to_have_count(1)
    card = phone.locator("#result_list tbody tr")
    box = card.bounding_box()
    assert box is not None
    assert box["width"] >= 280
    expect(card).to_contain_text("In QuickBooks")
    hand.link("INV-i2")
    expect(phone.get_by_text("In QuickBooks").first).to_be_visible()
    assert hand.presses <= 5
