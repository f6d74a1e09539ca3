"""The documents computed by hand: predicted exactly under both ways of rounding, sent when right and refused when wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mapping.invoice import map_invoice
from mapping.results import Unmappable
from mapping.tax import document_pieces
from mapping.tax_amounts import Rounding, predictions, tax_by_rate
from schemas.company import (
    CompanyFacts,
    Configuration,
    Locale,
    RateBase,
    RatePeriod,
    SalesRate,
    TaxAmounts,
    TaxCodeFact,
)
from schemas.events import Invoice, InvoiceType, VatRate
from tests.cases.tax_documents import COMPANIES, DOCUMENTS, Company, Document


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


PERIODS: dict[str, tuple[RatePeriod, ...]] = {
    "20% S": (
        RatePeriod(Decimal(20), day("2011-01-04")),
        RatePeriod(Decimal("17.5"), day("2010-01-01"), day("2011-01-03")),
    ),
    "5% R": (RatePeriod(Decimal(5)),),
    "23% S": (
        RatePeriod(Decimal(23), day("2021-03-01")),
        RatePeriod(Decimal(21), day("2020-09-01"), day("2021-02-28")),
        RatePeriod(Decimal(23), None, day("2020-08-31")),
    ),
    "13.5% R": (RatePeriod(Decimal("13.5")),),
    "9% R": (RatePeriod(Decimal(9)),),
    "21% hoog": (RatePeriod(Decimal(21)),),
    "9% laag": (RatePeriod(Decimal(9), day("2019-01-01")), RatePeriod(Decimal(6), None, day("2018-12-31"))),
    "HST ON": (RatePeriod(Decimal(13)),),
    "HST NS": (RatePeriod(Decimal(14), day("2025-04-01")), RatePeriod(Decimal(15), None, day("2025-03-31"))),
    "GST": (RatePeriod(Decimal(5)),),
    "PST BC": (RatePeriod(Decimal(7)),),
    "QST": (RatePeriod(Decimal("9.975"), day("2013-01-01")),),
    "QST 9.5": (RatePeriod(Decimal("9.5")),),
}
COMPOUND = {"QST 9.5"}


def facts_of(company: Company) -> CompanyFacts:
    def rate(name: str) -> SalesRate:
        base = RateBase.NET_AND_TAX if name in COMPOUND else RateBase.NET
        return SalesRate(f"rate {name}", name, base, PERIODS.get(name, (RatePeriod(Decimal(0)),)))

    codes = {
        row.code: TaxCodeFact(row.code, row.code, True, None, tuple(rate(name) for name in row.rates))
        for row in company.rows.values()
    }
    return CompanyFacts(
        realm_id="9130",
        name=company.key,
        country="",
        home_currency=company.currency,
        fetched_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        multicurrency=True,
        tax_codes=codes,
    )


def configuration_of(company: Company) -> Configuration:
    return Configuration(
        org_id="org-1",
        org_name="Tidal Surveys",
        version=1,
        realm_id="9130",
        enabled=True,
        default_item_id="1",
        locale=Locale(company.locale),
        tax_codes={key: row.code for key, row in company.rows.items()},
    )


def invoice_of(make: Any, document: Document) -> Invoice:
    rows = document.company.rows
    lines = [
        make.line(
            id=f"line-{number}",
            position=number,
            amount_net=net,
            amount_vat=tax,
            vat_rate=VatRate(row, f"Rate {row}", Decimal(rows[row].percent)),
        )
        for number, (net, row, tax) in enumerate(document.line_items(), start=1)
    ]
    made: Invoice = make.invoice(
        *lines,
        id=document.id,
        reference=document.id,
        date=document.date,
        currency=document.currency or document.company.currency,
    )
    return replace(made, type=InvoiceType.CREDIT_NOTE) if document.credit else made


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.id)
@pytest.mark.parametrize("way", Rounding, ids=lambda way: way.name.lower())
def test_the_tax_of_each_rate_is_predicted_to_the_cent(make: Any, document: Document, way: Rounding) -> None:
    facts = facts_of(document.company)
    invoice = invoice_of(make, document)
    details = [{"TaxCodeRef": {"value": document.company.rows[row].code}} for _, row, _ in document.line_items()]
    lines = sorted(invoice.lines, key=lambda line: line.position)
    pieces, unknown = document_pieces(lines, details, facts, day=invoice.date, credit=document.credit)
    assert unknown == set()
    expected = document.taxes(by_line=way is Rounding.BY_LINE)
    assert tax_by_rate(pieces, way) == {f"rate {name}": tax for name, tax in expected.items()}, document.why
    assert sum(expected.values()) in predictions(pieces, invoice.currency)


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if not one.refused], ids=lambda one: one.id)
def test_what_differs_by_rounding_alone_is_sent(make: Any, document: Document) -> None:
    company = document.company
    mapped = map_invoice(invoice_of(make, document), configuration_of(company), facts_of(company), customer_id="77")
    assert mapped.payload["GlobalTaxCalculation"] == "TaxExcluded"


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if one.refused], ids=lambda one: one.id)
def test_what_differs_by_more_is_refused_with_rate_code_and_both_sums(make: Any, document: Document) -> None:
    company = document.company
    with pytest.raises(Unmappable) as raised:
        map_invoice(invoice_of(make, document), configuration_of(company), facts_of(company), customer_id="77")
    (problem,) = raised.value.problems
    row = company.rows[document.refused]
    billed = sum(abs(tax) for _, _, tax in document.line_items())
    assert problem.cause == f"tax-would-differ:{document.refused}"
    assert f"“Rate {document.refused}” ({row.percent} %)" in problem.message
    assert f"“{row.code}”" in problem.message
    assert f"{billed:,.2f} of tax" in problem.message
    booked = sorted({sum(document.taxes(by_line=by_line).values()) for by_line in (True, False)})
    assert f"would book {' to '.join(f'{one:,.2f}' for one in booked)} with" in problem.message


def test_there_are_documents_of_every_company() -> None:
    assert {document.company.key for document in DOCUMENTS} == {company.key for company in COMPANIES}
    assert len({document.id for document in DOCUMENTS}) == len(DOCUMENTS) >= 60


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if not one.refused], ids=lambda one: one.id)
def test_kompass_to_the_cent_sends_the_billed_tax_where_rounding_may_differ(
    make: Any, members: Any, document: Document
) -> None:
    company = document.company
    chosen = replace(configuration_of(company), tax_amounts=TaxAmounts.KOMPASS)
    payload: Any = map_invoice(invoice_of(make, document), chosen, facts_of(company), customer_id="77").payload
    billed = abs(sum(tax for _, _, tax in document.line_items()))
    by_line, by_sum = (sum(document.taxes(by_line=way).values()) for way in (True, False))
    if by_line == by_sum == billed and document.currency != "JPY":
        assert "TxnTaxDetail" not in payload, "nothing is overridden where both ways agree"
    elif by_line != by_sum or by_line != billed:
        detail = payload["TxnTaxDetail"]
        rates = [line["TaxLineDetail"]["TaxRateRef"]["value"] for line in detail["TaxLine"]]
        assert sum(line["Amount"] for line in detail["TaxLine"]) == detail["TotalTax"] == billed
        assert len(rates) == len(set(rates)), "each rate once"
        members.check("Invoice", payload)
