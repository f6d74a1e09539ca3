"""Item, class and tax code of a line over all combinations of what the set-up article names, held against the article's own words."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from mapping.invoice import map_invoice
from mapping.results import Unmappable
from schemas.company import CompanyFacts, Configuration, ItemService, Locale, TaxCodeFact
from schemas.events import Department, Invoice, Service, VatRate

SCANNING = Department("dep-1", "Scanning")
SERVICES = (None, Service("svc-1", "LiDAR"), Service("svc-1", "LiDAR", SCANNING), Service("svc-2", "Drone", SCANNING))
ITEM_SERVICES = (None, ItemService("12"), ItemService("12", "c-item"))
CLASSES = ("line", "transaction", "off")


def the_article_on_items(service: Service | None, row: ItemService | None, default: str | None) -> str | None:
    """Invoice lines use the mapping; unmapped lines fall back to the Configuration's Default Item ID."""
    return row.item_id if row is not None and service is not None and service.id == "svc-1" else default


def the_article_on_classes(
    service: Service | None, row: ItemService | None, departments: dict[str, str], default: str | None
) -> str | None:
    """The Item Service's Class takes precedence over the Department's; the Default Class ID is the final fallback."""
    if service is not None and service.id == "svc-1" and row is not None and row.class_id:
        return row.class_id
    if service is not None and service.department is not None and service.department.id in departments:
        return departments[service.department.id]
    return default


def mapped(invoice: Invoice, configuration: Configuration, facts: CompanyFacts) -> tuple[Any, set[str]]:
    """Give the payload, or the causes for which there is none."""
    try:
        return map_invoice(invoice, configuration, facts, customer_id="77").payload, set()
    except Unmappable as refused:
        return {}, {one.cause.partition(":")[0] for one in refused.problems}


def test_items_and_classes_are_what_the_article_says(make: Any) -> None:
    tried = 0
    for row, department, default_class, default_item, tracked in itertools.product(
        ITEM_SERVICES, (None, "c-dep"), (None, "c-default"), (None, "1"), CLASSES
    ):
        departments = {} if department is None else {"dep-1": department}
        configuration = make.configuration(
            item_services={} if row is None else {"svc-1": row},
            department_classes=departments,
            default_class_id=default_class,
            default_item_id=default_item,
        )
        facts = make.facts(class_per_line=tracked == "line", class_per_transaction=tracked == "transaction")
        for pair in itertools.product(SERVICES, SERVICES):
            tried += 1
            lines = [make.line(service=one, position=place) for place, one in enumerate(pair, start=1)]
            items = [the_article_on_items(one, row, default_item) for one in pair]
            classes = [the_article_on_classes(one, row, departments, default_class) for one in pair]
            what = (row, departments, default_class, default_item, tracked, pair)
            payload, causes = mapped(make.invoice(*lines), configuration, facts)
            assert causes == ({"no-item"} if None in items else set()), what
            if causes:
                continue
            details = [one["SalesItemLineDetail"] for one in payload["Line"]]
            assert [one["ItemRef"]["value"] for one in details] == items, what
            on_lines = [one.get("ClassRef", {}).get("value") for one in details]
            whole = (payload.get("ClassRef") or {}).get("value")
            assert on_lines == (classes if tracked == "line" else [None, None]), what
            # One class a transaction: the one in which the lines agree, else the Default Class.
            agreed = classes[0] if classes[0] == classes[1] else default_class
            assert whole == (agreed if tracked == "transaction" else None), what
    assert tried == 72 * 16


RATES = (VatRate("vat-20", "UK 20 %", Decimal(20)), None)
OLD = TaxCodeFact("9", "20.0% S (old)", False, Decimal(20))
CODES = (None, "5", "9", "unknown")
"""A row without a code, with an active one, an inactive one, and one that the company does not have."""


def test_tax_codes_are_what_the_article_says(make: Any) -> None:
    tried = 0
    for locale, tax_enabled, coded, uncoded, rate in itertools.product(
        (Locale.EU, Locale.CANADA, Locale.USA), (True, False), CODES, CODES, RATES
    ):
        tried += 1
        rows = {key: code for key, code in (("vat-20", coded), ("", uncoded)) if code is not None}
        facts = make.facts(tax_enabled=tax_enabled)
        facts = make.facts(tax_enabled=tax_enabled, tax_codes={**facts.tax_codes, "9": OLD})
        configuration = make.configuration(locale=locale, tax_codes=rows)
        code = coded if rate is not None else uncoded
        net = "0.00" if code == "5" and rate is None else "100.00"
        untaxed = {} if rate is not None else {"amount_vat": Decimal(0)}
        one = make.line(vat_rate=rate, amount_net=Decimal(net), **untaxed)
        what = (locale, tax_enabled, coded, uncoded, rate)
        sends_codes = locale is not Locale.USA and tax_enabled
        payload, causes = mapped(make.invoice(one), configuration, facts)
        if not sends_codes:
            # Tax that was billed and that the company would not book.
            assert causes == (set() if rate is None else {"tax-not-booked"}), what
        else:
            wanted = {None: {"no-tax-code"}, "9": {"tax-code-inactive"}, "unknown": {"tax-code-unknown"}, "5": set()}
            assert causes == wanted[code], what
        if causes:
            continue
        (detail,) = [line["SalesItemLineDetail"] for line in payload["Line"]]
        assert (detail.get("TaxCodeRef") or {}).get("value") == (code if sends_codes else None), what
        if locale is Locale.USA:
            assert "GlobalTaxCalculation" not in payload, what
        else:
            assert payload["GlobalTaxCalculation"] == ("TaxExcluded" if tax_enabled else "NotApplicable"), what
    assert tried == 3 * 2 * 4 * 4 * 2
