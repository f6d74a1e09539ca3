"""The company check: does what is configured fit the QuickBooks company. Green, amber or red, with a remedy each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from admin.quickbooks_online.check_tax import check_tax, check_tax_codes
from admin.quickbooks_online.entries import CompanyListing
from admin.quickbooks_online.findings import AMBER, GREEN, RED, Finding, rows_of
from admin.quickbooks_online.lists import listing
from admin.quickbooks_online.models import Configuration, CustomField, DepartmentClass, ItemService, Record
from schemas.company import BilledTax, CompanyFacts
from schemas.counting import counted

# Countries of the EU and the UK, by ISO code: what "EU" means to a tax code on every line.
_EU = frozenset(
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE GB UK".split()  # noqa: SIM905
)


def check_company(configuration: Configuration, facts: CompanyFacts) -> list[Finding]:
    """Give the findings, the worst first."""
    found = [
        *_locale(configuration, facts),
        *_currency(configuration, facts),
        *_numbering(configuration, facts),
        *_closing(configuration, facts),
        *check_tax(configuration, facts),
        *_items(configuration),
        *_classes(configuration, facts),
        *check_tax_codes(configuration, facts),
        *_custom_fields(configuration, facts),
    ]
    order = (RED, AMBER, GREEN)
    return sorted(found, key=lambda finding: order.index(finding.level))


def _locale(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    fitting = {"US": "USA", "CA": "Canada"}.get(facts.country, "EU" if facts.country in _EU else "")
    if fitting == configuration.locale:
        yield Finding(GREEN, "Country", f"The company is in {facts.country}; Locale is {configuration.locale}.")
    elif fitting:
        yield Finding(
            RED,
            "Country",
            f"The company is in {facts.country}, but Locale is {configuration.locale}.",
            f"Set Locale to {fitting} in the Configuration: its tax rules are others.",
        )
    else:
        yield Finding(
            AMBER,
            "Country",
            f"The company is in {facts.country}; Locale is {configuration.locale}.",
            "Choose the Locale whose tax works like the company's: EU and Canada put a tax code on every line.",
        )


def _currency(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    seen = sorted(
        currency
        for currency in Record.objects.filter(org_id=configuration.org_id, kind="invoice")
        .values_list("body__currency", flat=True)
        .distinct()
        if currency
    )
    others = [currency for currency in seen if currency != facts.home_currency]
    if facts.multicurrency:
        yield Finding(GREEN, "Currency", f"Home currency {facts.home_currency}; Multicurrency is on.")
    elif others:
        yield Finding(
            RED,
            "Currency",
            f"Kompass bills in {', '.join(others)}, but the company keeps its books in {facts.home_currency} only.",
            "Turn on Multicurrency in QuickBooks (it cannot be turned off again).",
        )
    else:
        yield Finding(GREEN, "Currency", f"Home currency {facts.home_currency}; Multicurrency is off and not needed.")


def _numbering(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    if facts.custom_numbers:
        yield Finding(GREEN, "Invoice numbers", "Custom transaction numbers are on: invoices keep Kompass's numbers.")
    else:
        yield Finding(
            AMBER,
            "Invoice numbers",
            "Custom transaction numbers are off: QuickBooks numbers invoices itself and the DocNumber Template is not "
            "used.",
            "In QuickBooks, turn on Account and settings → Sales → Custom transaction numbers.",
        )


def _closing(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    closed = facts.book_close_date
    if closed is None:
        yield Finding(GREEN, "Closing date", "The books are not closed.")
    elif configuration.start_date is not None and configuration.start_date <= closed:
        yield Finding(
            AMBER,
            "Closing date",
            f"The books are closed to {closed}, but documents are sent from {configuration.start_date}.",
            f"Set the start date after {closed}, or reopen the books in QuickBooks.",
        )
    else:
        yield Finding(GREEN, "Closing date", f"The books are closed to {closed}.")


def _items(configuration: Configuration) -> Iterator[Finding]:
    items = listing(configuration.realm_id, "items")
    if items.problem and not items.entries:
        yield Finding(AMBER, "Items", f"The items could not be read: {items.problem}", "Test the connection again.")
        return
    wrong = False
    if not configuration.default_item_id:
        wrong = True
        yield Finding(
            AMBER,
            "Default Item",
            "No Default Item ID: lines of an unmapped Service are refused.",
            "Choose a Default Item ID in the Configuration.",
        )
    named = [("Default Item ID", configuration.default_item_id)] if configuration.default_item_id else []
    if configuration.locale == "USA" and configuration.billed_tax == BilledTax.ITEM_LINE.value:
        named.append(("Sales tax Item ID", configuration.tax_item_id))
    named += [
        (f"Item Service of {row.service}", row.item_id)
        for row in rows_of(ItemService, configuration).select_related("service")
    ]
    for where, item_id in named:
        problem = _unusable(items, item_id, "item")
        if problem:
            wrong = True
            yield Finding(RED, "Items", f"{where}: {problem}.", "Choose another item there, or fix it in QuickBooks.")
    if not wrong:
        yield Finding(GREEN, "Items", "Every item that is named here is active.")


def _classes(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    rows = [(f"Class of {row.department}", row.class_id) for row in rows_of(DepartmentClass, configuration)]
    rows += [
        (f"Class of Item Service {row.service}", row.class_id)
        for row in rows_of(ItemService, configuration).exclude(class_id="").select_related("service")
    ]
    if configuration.default_class_id:
        rows.append(("Default Class ID", configuration.default_class_id))
    if not (facts.class_per_line or facts.class_per_transaction):
        if rows:
            yield Finding(
                AMBER,
                "Classes",
                f"{counted(len(rows), 'class is', 'classes are')} set here, but the company does not track classes: none is sent.",
                "Turn on class tracking in QuickBooks, or remove them here.",
            )
        else:
            yield Finding(GREEN, "Classes", "The company does not track classes, and none are set.")
        return
    classes = listing(configuration.realm_id, "classes")
    wrong = False
    for where, class_id in rows:
        problem = _unusable(classes, class_id, "class") if classes.entries else ""
        if problem:
            wrong = True
            yield Finding(RED, "Classes", f"{where}: {problem}.", "Choose another class there.")
    if not wrong:
        per = "line" if facts.class_per_line else "invoice"
        yield Finding(GREEN, "Classes", f"The company tracks classes per {per}.")


def _custom_fields(configuration: Configuration, facts: CompanyFacts) -> Iterator[Finding]:
    rows = list(rows_of(CustomField, configuration))
    unknown = [row for row in rows if row.definition_id not in facts.custom_fields]
    for row in unknown:
        yield Finding(
            RED,
            "Custom Fields",
            f"{row}: the company has no custom field {row.definition_id}.",
            "Choose one of the company's fields in Custom Fields, or remove the row.",
        )
    if rows and not unknown:
        yield Finding(GREEN, "Custom Fields", "Every custom field named here exists.")


def _unusable(entries: CompanyListing, identifier: str, what: str) -> str:
    found = next((entry for entry in entries.entries if entry.id == identifier), None)
    if found is None:
        return f"the {what} {identifier} does not exist in QuickBooks"
    if not found.active:
        return f"the {what} {found.name} is inactive in QuickBooks"
    if what == "item" and not found.usable_item and found.type == "Category":
        return f"{found.name} is a category, which no invoice line may name"
    return ""


def count_by_level(findings: list[Finding]) -> Mapping[str, int]:
    return {level: sum(1 for finding in findings if finding.level == level) for level in (RED, AMBER, GREEN)}
