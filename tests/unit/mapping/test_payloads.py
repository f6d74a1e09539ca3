"""What holds of every payload, of any record."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapping import members as limits
from mapping.client import map_client
from mapping.invoice import map_invoice, mark
from mapping.money import half_up
from mapping.project import map_job
from mapping.results import Mapped, Unmappable
from mapping.tax import document_pieces
from mapping.tax_amounts import accepted_together
from schemas.company import CustomField, ItemService, Locale
from schemas.events import Address, InvoiceLine, InvoiceType, QuoteItem, VatRate

D = Decimal
EXAMPLES = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mostly(draw: Any, usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
    """Odd once in fifteen times: a record has some thirty values, and one that is refused refuses the record."""
    return draw(odd if draw(st.integers(1, 15)) == 15 else usual)


odd_texts = st.text(max_size=40) | st.sampled_from(
    ["", " ", "A:B", "x" * 31, "x" * 101, "x" * 501, "x" * 4001, "n\x00", "\u2028"]
)
texts = mostly(st.sampled_from(["Quay wall", "{{ 7 * 7 }}", " a\r\nb ", "ß 測 O'B", "24-0329"]), odd_texts)
optional_texts = st.none() | texts
amounts = st.decimals(min_value=-9999, max_value=9999, places=2)
numbers = st.none() | st.decimals(min_value=-999, max_value=999, places=4) | st.sampled_from([D(0), D(1), D("2.5")])
rates = mostly(
    st.sampled_from([None, VatRate("vat-20", "20 %", D(20)), VatRate("vat-0", "0 %", D(0))]),
    st.just(VatRate("other", "Other", D(5))),
)
addresses = st.none() | st.builds(Address, texts, texts, texts, texts, line2=optional_texts, county=optional_texts)
emails = mostly(st.sampled_from([None, "", "a@b.co"]), st.sampled_from(["nobody", "x" * 99 + "@b.co"]) | odd_texts)
websites = mostly(st.sampled_from([None, "www.h.example"]), odd_texts)
phones = mostly(st.sampled_from([None, "+44 1482 000000"]), odd_texts)


@st.composite
def lines(draw: Any) -> InvoiceLine:
    quantity, price = draw(numbers), draw(numbers)
    net = draw(mostly(amounts, st.decimals(-99, 99, places=3)))
    if quantity is not None and price is not None and draw(st.booleans()):
        net = half_up(quantity * price)
    return InvoiceLine(
        id=draw(st.uuids()).hex,
        position=draw(st.integers(0, 5)),
        quote_item=QuoteItem("q", draw(texts), draw(st.none() | amounts)),
        amount_net=net,
        amount_vat=draw(st.sampled_from([D(0), half_up(net / 5)])),
        description=draw(optional_texts),
        percentage=draw(numbers),
        quantity=quantity,
        unit=draw(optional_texts),
        unit_price=price,
        vat_rate=draw(rates),
    )


@st.composite
def cases(draw: Any) -> Any:
    """An invoice as changes of an example, its configuration and its company."""
    untaxed = draw(st.booleans())
    made = draw(mostly(st.lists(lines(), min_size=1, max_size=3), st.just([])))
    if untaxed:
        made = [replace(line, amount_vat=D(0)) for line in made]
    net = sum((line.amount_net for line in made), D(0))
    vat = sum((line.amount_vat for line in made), D(0))
    kind = InvoiceType.CREDIT_NOTE if net + vat < 0 else InvoiceType.INVOICE
    return {
        "lines": tuple(made),
        "amounts": (net, vat, net + vat + draw(mostly(st.just(D(0)), st.just(D("0.01"))))),
        "type": draw(mostly(st.just(kind), st.sampled_from([InvoiceType.INVOICE, InvoiceType.CREDIT_NOTE]))),
        "reference": draw(mostly(st.just("24-0329-01"), odd_texts)),
        "details": draw(optional_texts),
        "currency": draw(mostly(st.sampled_from(["GBP", "EUR"]), st.sampled_from(["JPY", "gbp", ""]))),
        "payer": {
            "name": draw(texts),
            "email": draw(emails),
            "accounts_email": draw(emails),
            "address": draw(addresses),
            "website": draw(websites),
            "phone": draw(phones),
            "notes": draw(optional_texts),
        },
        "locale": draw(st.sampled_from(Locale) if untaxed else mostly(st.just(Locale.EU), st.sampled_from(Locale))),
        "tax_enabled": draw(st.booleans() if untaxed else mostly(st.just(True), st.just(False))),
        "class_per_line": draw(st.booleans()),
        "custom_numbers": draw(st.booleans()),
        "custom": draw(mostly(st.sampled_from(["{{ client.name }}", ""]), st.just("{{ broken"))),
    }


def build(make: Any, case: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    net, vat, gross = case["amounts"]
    payer = make.client(**case["payer"])
    invoice = make.invoice(
        lines=case["lines"],
        amount_net=net,
        amount_vat=vat,
        amount_gross=gross,
        type=case["type"],
        reference=case["reference"],
        details=case["details"],
        currency=case["currency"],
        client=payer,
        project=make.project(name=case["payer"]["name"], client=payer, billing_client=payer),
    )
    configuration = make.configuration(
        locale=case["locale"],
        item_services={"svc-1": ItemService("12", "7")},
        default_class_id="9",
        custom_fields=(CustomField("1", "Who", case["custom"]),),
    )
    facts = make.facts(
        tax_enabled=case["tax_enabled"],
        class_per_line=case["class_per_line"],
        class_per_transaction=True,
        custom_numbers=case["custom_numbers"],
    )
    return invoice, configuration, facts


def values(payload: object) -> Iterator[object]:
    if isinstance(payload, Mapping):
        for value in payload.values():
            yield from values(value)
    elif isinstance(payload, list):
        for item in payload:
            yield from values(item)
    else:
        yield payload


def clean(text: str) -> str:
    return " ".join(text.split())


def attempt(call: Any, *args: Any, **kwargs: Any) -> Mapped | None:
    """Mapped, or None when it is unmappable: then in words that name what is wrong and what to do."""
    try:
        made: Mapped = call(*args, **kwargs)
    except Unmappable as unmappable:
        told = unmappable.problems
        assert told
        assert len({(problem.cause, problem.field) for problem in told}) == len(told)
        for problem in told:
            assert problem.message
            assert problem.remedy.endswith((".", "?"))
            assert len(problem.message) < 700
        return None
    else:
        return made


@EXAMPLES
@given(case=cases())
def test_documents(make: Any, members: Any, case: Any) -> None:
    invoice, configuration, facts = build(make, case)
    mapped = attempt(map_invoice, invoice, configuration, facts, customer_id="77")
    if mapped is None:
        return
    payload: Any = mapped.payload
    members.check(mapped.entity, payload)
    sign = -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    ordered = sorted(invoice.lines, key=lambda line: line.position)
    assert not any(isinstance(value, float) for value in values(payload))
    assert [line["Amount"] for line in payload["Line"]] == [sign * line.amount_net for line in ordered]
    assert sum(line["Amount"] for line in payload["Line"]) == sign * invoice.amount_net >= 0
    for entry, line in zip(payload["Line"], ordered, strict=True):
        detail = entry["SalesItemLineDetail"]
        if "Qty" in detail:
            assert half_up(detail["Qty"] * detail["UnitPrice"]) == entry["Amount"]
        assert ("TaxCodeRef" in detail) == (payload.get("GlobalTaxCalculation") == "TaxExcluded")
        assert clean(line.description or "") in clean(entry.get("Description", ""))
    if invoice.details and invoice.details.strip():
        assert clean(payload["CustomerMemo"]["value"]) == clean(invoice.details)
    if "DocNumber" in payload:
        assert clean(payload["DocNumber"]) == clean(invoice.reference)
    assert ("DocNumber" in payload) == facts.custom_numbers
    assert ("CurrencyRef" in payload) == facts.multicurrency
    assert clean(mark(invoice)) in clean(payload["PrivateNote"])
    if payload.get("GlobalTaxCalculation") == "TaxExcluded":
        details = [line["SalesItemLineDetail"] for line in payload["Line"]]
        pieces, _ = document_pieces(ordered, details, facts, day=invoice.date, credit=sign < 0)
        assert sign * invoice.amount_vat in accepted_together(pieces, invoice.currency)
    else:
        assert invoice.amount_vat == 0
    assert map_invoice(invoice, configuration, facts, customer_id="77") == mapped


@EXAMPLES
@given(case=cases())
def test_customers_and_jobs(make: Any, members: Any, case: Any) -> None:
    invoice, configuration, facts = build(make, case)
    client, project = invoice.client, invoice.project
    currency = case["currency"]
    for call in (
        lambda: map_client(client, configuration, facts, currency=currency),
        lambda: map_job(project, configuration, facts, billing_client=client, currency=currency, parent_id="58"),
    ):
        mapped = attempt(call)
        if mapped is None:
            continue
        payload: Any = mapped.payload
        members.check("Customer", payload)
        assert not any(isinstance(value, float) for value in values(payload))
        assert clean(client.name) in clean(payload["DisplayName"])
        assert len(payload["DisplayName"]) <= limits.DISPLAY_NAME
        assert not set(":\t\n") & set(payload["DisplayName"])
        assert ("CurrencyRef" in payload) == facts.multicurrency
        if not payload.get("Job") and client.notes and client.notes.strip():
            assert ("Notes" in payload) != ("Notes" in mapped.left_out)
            assert "Notes" in mapped.left_out or clean(payload["Notes"]) == clean(client.notes)
        assert call() == mapped


def test_most_of_these_cases_are_worth_something(make: Any) -> None:
    """The properties above would say nothing if nearly every case were unmappable."""
    mapped = 0

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(case=cases())
    def count(case: Any) -> None:
        nonlocal mapped
        invoice, configuration, facts = build(make, case)
        mapped += attempt(map_invoice, invoice, configuration, facts, customer_id="77") is not None

    count()
    assert mapped >= 60, mapped


def test_an_invoice_of_five_lines_maps_in_well_under_half_a_millisecond(make: Any) -> None:
    line = make.line(quantity=D("2.5"), unit="days", unit_price=D("40"))
    invoice = make.invoice(*(replace(line, id=str(n), position=n) for n in range(5)), date=dt.date(2025, 3, 1))
    configuration, facts = make.configuration(default_class_id="9"), make.facts()

    def seconds(runs: int = 40) -> float:
        started = time.process_time()
        for _ in range(runs):
            map_invoice(invoice, configuration, facts, customer_id="77")
        return (time.process_time() - started) / runs

    assert min(seconds() for _ in range(10)) < 0.0005
