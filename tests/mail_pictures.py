"""Every kind of mail in a real browser: ``python -m tests.mail_pictures DIRECTORY`` makes a picture of each, ``--docs`` the one in docs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from playwright.sync_api import BrowserContext

from consumers.notifier.addresses import AdminPages
from consumers.notifier.digest import Differing, Digest, Item, Left, Section, short
from consumers.notifier.rendering import Rendered, Renderer
from mapping.causes.table import words_of
from schemas.counting import counted, form_of
from tests.browser import open_browser

DOCS = Path(__file__).resolve().parents[1] / "docs" / "screenshots" / "mail-digest.png"
WIDTHS = (600, 375)
"""Pixels: a mail reader's pane, and a phone."""
ColorScheme = Literal["light", "dark"]
PAGES = AdminPages("https://kompass.example")
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft_mbH_&_Co_KG_" + "W" * 60
WIDE = "測量" * 60


def section(
    cause: str, value: str, *references: str, message: str, stage: str = "map", more: int = 0, behind: str = ""
) -> Section:
    words = words_of(cause)
    count = len(references) + more
    # The worst names may be clients' names, too.
    client = LONG[:60] if LONG in references else "Harbour & Sons"
    items = tuple(
        Item(short(one, 60), short(f"Invoice {one}: {message}", 250), PAGES.failure(1), "", f"{client}, GBP 1,200.00")
        for one in references
    )
    state = (
        form_of(count, "is waiting", "are waiting")
        if stage == "connect"
        else form_of(count, "needs attention", "need attention")
    )
    return Section(
        cause=cause,
        headline=short(words.headline_for(cause=cause, field=short(value, 60), value=short(value, 60)), 160),
        shared=words.shared,
        waiting=f"{counted(count, 'invoice')} {state}",
        count=count,
        behind=behind,
        message=short(f"Invoice {references[0] if references else 'INV-1'}: {message}"),
        remedy=short(words.remedy),
        who=words.who.value,
        items=items if stage != "connect" else (),
        more=more,
        url=PAGES.cause("org-uk", cause),
        link_words="Open these in Kompass",
        code=words.codes[0] if words.codes else "",
        intuit_tid="1-65f0a1b2-3c4d5e6f708192a3b4c5d6e7" if stage == "push" else "",
        amount=f"GBP {1200 * max(count, 1):,}.00" if count else "",
    )


def digest(*sections: Section, org: str = "Meridian Geomatics Ltd", **more: object) -> Digest:
    subject = f"{sections[0].waiting}: {sections[0].headline}" if sections else "Taken back in Kompass"
    made = Digest(
        org_id="org-uk", org_name=short(org, 80), subject=short(subject, 150), sections=sections, more_causes=0, left=(),
        more_left=0, differing=(), told_before=0, url=PAGES.sync_errors("org-uk"),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def kinds(renderer: Renderer) -> Iterator[tuple[str, Rendered]]:
    """Every kind of mail that people get, and the worst that names can do to one."""
    tax = section(
        "no-tax-code:vat-21", "VAT 21 %", "24-0329-01", "24-0329-02", "24-0331-01",
        message="VAT rate “VAT 21 %” has no row in Tax Code VAT Rates",
    )  # fmt: skip
    name = section(
        "name-taken", "Harbour & Sons", "24-0412-01", stage="push", behind="12 invoices wait behind it",
        message="a customer, vendor or employee of that name is in QuickBooks already (Id 58)",
    )  # fmt: skip
    gone = section(
        "disconnected", "", "24-0500-01", stage="connect", more=36,
        message="Intuit no longer takes the refresh token of this company",
    )  # fmt: skip
    taken = section(
        "number-taken", "24-0500-01", "24-0500-01", "24-0500-02", stage="push", more=4,
        message="its number is used in QuickBooks already, by Invoice with Id 396",
    )  # fmt: skip
    yield "first-failure", renderer.digest(digest(tax))
    yield "digest", renderer.digest(digest(tax, name, taken, more_causes=2, told_before=1))
    yield "disconnected", renderer.digest(digest(gone))
    bad = section("undecodable", "", "", message="The value begins with 74 68; an event begins with 00 or c3 01.")
    yield "operator", renderer.digest(digest(bad, org="", org_id=""))
    still = "is still in QuickBooks with GBP 1,200.00"
    left = Left(f"Invoice 24-0300-07 {still}", "rejected in Kompass after it was sent", PAGES.invoice(7))
    yield "withdrawn", renderer.digest(digest(left=(left, left), more_left=3))
    words = words_of("difference:tax-rounding")
    off = Item("24-0329-01", "Kompass 120.00, QuickBooks 120.01: 0.01 more in QuickBooks", PAGES.invoice(1), "")
    differing = Differing(
        "difference:tax-rounding", words.headline_for(cause="difference:tax-rounding"), "2 documents differ",
        words.remedy, words.who.value, (off, off),
        1, PAGES.differing("org-uk", "difference:tax-rounding"),
    )  # fmt: skip
    yield "differing", renderer.digest(digest(differing=(differing,)))
    headlines = ["VAT 21 % has no QuickBooks tax code", LONG, WIDE]
    yield (
        "all-clear",
        renderer.all_clear(org_name="Meridian Geomatics Ltd", headlines=headlines, url=PAGES.sync_errors("org-uk")),
    )
    yield (
        "outage",
        renderer.outage(
            org_name=LONG[:80],
            since="2026-03-02 09:30",
            waiting="37 records are waiting",
            url=PAGES.sync_errors("org-uk"),
        ),
    )
    worst = section(
        "name-taken", LONG, LONG, WIDE, "W" * 200, stage="push", more=9_999, behind="9,999 invoices wait behind them",
        message=f"{LONG} {WIDE} <b>{'&' * 80}</b>",
    )  # fmt: skip
    other = replace(worst, cause="no-tax-code:" + "v" * 300, shared=True)
    note = (
        f"The Configuration of {LONG[:80]} names no Notification recipients that can be mailed, so this comes to you."
    )
    still = Left(LONG, WIDE, PAGES.invoice(1))
    yield "long-names", renderer.digest(digest(worst, other, org=LONG, note=note, left=(still,)))


def photograph(
    browser: BrowserContext, directory: Path, schemes: Sequence[ColorScheme] = ("light", "dark")
) -> Iterator[tuple[str, int, bool]]:
    """Make a picture of each kind at each width, in the light and in the dark; gives whether one is too wide for its window."""
    page = browser.new_page()
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 700})
            for name, mail in kinds(Renderer()):
                page.set_content(mail.html)
                page.screenshot(path=directory / f"{name}-{width}-{scheme}.png", full_page=True)
                yield name, width, page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    page.close()


def main(arguments: list[str]) -> None:
    if arguments == ["--docs"]:
        with open_browser() as browser:
            page = browser.new_page()
            page.set_viewport_size({"width": 640, "height": 700})
            page.set_content(dict(kinds(Renderer()))["digest"].html)
            page.screenshot(path=DOCS, full_page=True)
        return
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        for name, width, too_wide in photograph(browser, directory):
            print(f"{name} at {width}: {'TOO WIDE' if too_wide else 'fits'}")
    for name, mail in kinds(Renderer()):
        (directory / f"{name}.txt").write_text(mail.text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
