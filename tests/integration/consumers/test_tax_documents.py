"""The documents computed by hand, on the whole way to QuickBooks and back: each tax to the cent under either rounding, no alarm."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mapping.sheet import PREVENTING, Sheet
from qbo_client.calls import Call
from qbo_client.outcomes import Outcome
from schemas.events import Address, Invoice, OrgRef, VatRate
from simulator.company import Company as Books
from simulator.seeds import CANADA, IRELAND, UK, USA, USA_AUTOMATED_TAX
from store import companies
from sync.agreement import read_sheet
from tests.builders import client, event, invoice, line, project
from tests.cases.tax_documents import AMERICAN, COMPANIES, DOCUMENTS, RATES, Company, Document
from tests.pipeline import LOCALES, Pipeline

NETHERLANDS = "9130347000000000021"
REALMS = {"uk": UK, "ie": IRELAND, "nl": NETHERLANDS, "on": CANADA, "qc": CANADA, "bc": CANADA}
DUTCH = {
    "23% S": ("21% hoog", [{"RateValue": 21, "EffectiveDate": "2012-10-01"}]),
    "9% R": (
        "9% laag",
        [
            {"RateValue": 9, "EffectiveDate": "2019-01-01"},
            {"RateValue": 6, "EffectiveDate": "2000-01-01", "EndDate": "2018-12-31"},
        ],
    ),
    "0% Z": ("0% export", [{"RateValue": 0, "EffectiveDate": "2000-01-01"}]),
}
DUTCH_CODES = {"23.0% S": "21% hoog", "9.0% R": "9% laag", "0.0% Z": "0% export"}


def open_dutch_books(world: Any) -> None:
    """A company like Ireland's, with the rates of the Netherlands."""
    books = world.add_company(realm=NETHERLANDS, name="Larch Design BV", like=IRELAND, changes={"country": "NL"})
    for rate in books.tables["TaxRate"].values():
        if rate["Name"] in DUTCH:
            name, periods = DUTCH[rate["Name"]]
            rate.update(Name=name, RateValue=periods[0]["RateValue"], EffectiveTaxRate=periods)
    for code in books.tables["TaxCode"].values():
        code["Name"] = DUTCH_CODES.get(code["Name"], code["Name"])


def rates_of(pipeline: Pipeline, realm: str) -> dict[str, str]:
    """Id → name of the company's tax rates."""

    def names(world: Any) -> dict[str, str]:
        books: Books = world.companies[realm]
        return {str(rate["Id"]): str(rate["Name"]) for rate in books.tables["TaxRate"].values()}

    found: dict[str, str] = pipeline.simulator.call(names)
    return found


def record(document: Document) -> Invoice:
    org = OrgRef(f"org-{document.company.key}", f"Larch {document.company.key}")
    currency = document.currency or document.company.currency
    who = client(f"c-{currency}", org=org, currency=currency)
    lines = tuple(
        line(
            str(net),
            vat=VatRate(row, row, Decimal(document.company.rows[row].percent)),
            position=number,
            amount_vat=tax,
        )
        for number, (net, row, tax) in enumerate(document.line_items(), start=1)
    )
    return invoice(
        document.id,
        of=project(f"p-{currency}", of=who, org=org),
        lines=lines,
        org=org,
        reference=document.id,
        date=document.date,
        due_date=document.date,
        currency=currency,
    )


def linked(pipeline: Pipeline, company: Company) -> str:
    realm = REALMS[company.key]
    if realm == NETHERLANDS:
        pipeline.simulator.call(open_dutch_books)
        LOCALES.setdefault(realm, "EU")
    org_id = f"org-{company.key}"
    pipeline.link(org_id, f"Larch {company.key}", realm=realm)
    for key, row in company.rows.items():
        pipeline.map_vat_rate(key, row.code, org_id=org_id, realm=realm)
    return realm


FOREIGN = {company for company, _ in RATES}
"""Companies with documents in a foreign currency: only there it matters what QuickBooks books without a rate."""
SWITCHES = [
    (company, rounding, omitted)
    for company in COMPANIES
    for rounding, omitted in itertools.product(("per_line", "per_rate"), ("one", "day"))
    if company.key in FOREIGN or (rounding, omitted) in (("per_line", "one"), ("per_rate", "day"))
]


def know_rates(pipeline: Pipeline, company: Company, realm: str) -> None:
    """Give the books the rates of the day of the documents."""

    def change(world: Any) -> None:
        for (key, currency), rate in RATES.items():
            if key == company.key:
                world.companies[realm].profile.dated_rates.setdefault(currency, {})["2026-03-01"] = rate

    pipeline.simulator.call(change)


@pytest.mark.parametrize(("company", "rounding", "omitted"), SWITCHES, ids=lambda one: getattr(one, "key", one))
def test_every_document_is_booked_to_the_cent_or_refused(
    unlinked: Pipeline, company: Company, rounding: str, omitted: str
) -> None:
    settings = {"tax_rounding": rounding, "omitted_exchange_rate": omitted}
    unlinked.simulator.call(lambda world: world.change_settings(settings))
    realm = linked(unlinked, company)
    know_rates(unlinked, company, realm)
    names = rates_of(unlinked, realm)
    wanted = [one for one in DOCUMENTS if one.company is company]
    unlinked.ingest(*(event(record(one)) for one in wanted))
    unlinked.drive()
    booked = {
        found["DocNumber"]: found for entity in ("Invoice", "CreditMemo") for found in unlinked.objects(entity, realm)
    }
    differing = {row.link_id: row.cause for row in unlinked.rows("qbo_difference")}
    assert set(differing.values()) <= {"difference:tax-rounding"}, "no alarm"
    for one in wanted:
        link = unlinked.one("invoice", one.id)
        if one.refused:
            assert (link.cause, one.id in booked) == (f"tax-would-differ:{one.refused}", False), one.why
            continue
        found = booked[one.id]
        expected = one.taxes(by_line=rounding == "per_line")
        taxes = {
            names[part["TaxLineDetail"]["TaxRateRef"]["value"]]: Decimal(str(part["Amount"]))
            for part in found["TxnTaxDetail"].get("TaxLine", ())
        }
        assert taxes == expected, (one.id, one.why)
        net = abs(sum(net for net, _, _ in one.line_items()))
        assert Decimal(str(found["TotalAmt"])) == net + sum(expected.values()), (one.id, one.why)
        home = Decimal(one.home) if one.home else Decimal(str(found["TotalAmt"]))
        assert Decimal(str(found.get("HomeTotalAmt", found["TotalAmt"]))) == home, (one.id, one.why)
        billed = abs(sum(tax for _, _, tax in one.line_items()))
        assert (link.id in differing) == (sum(expected.values()) != billed), (one.id, one.why)


@pytest.mark.parametrize("company", [COMPANIES[0], COMPANIES[4]], ids=lambda company: company.key)
@pytest.mark.parametrize("rounding", ["per_line", "per_rate"])
def test_kompass_to_the_cent_leaves_no_difference(unlinked: Pipeline, company: Company, rounding: str) -> None:
    unlinked.simulator.call(lambda world: world.change_settings({"tax_rounding": rounding}))
    realm = linked(unlinked, company)
    with unlinked.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET tax_amounts = 'kompass'")
    wanted = [one for one in DOCUMENTS if one.company is company and not one.refused]
    unlinked.ingest(*(event(record(one)) for one in wanted))
    unlinked.drive()
    assert unlinked.rows("qbo_difference") == []
    booked = {
        found["DocNumber"]: Decimal(str(found["TxnTaxDetail"]["TotalTax"]))
        for entity in ("Invoice", "CreditMemo")
        for found in unlinked.objects(entity, realm)
    }
    assert booked == {one.id: abs(sum(tax for _, _, tax in one.line_items())) for one in wanted}


def test_an_override_goes_again_with_the_lines_and_ends_with_the_reason_for_it(unlinked: Pipeline) -> None:
    """3 × 0.33 at 0.07: billed 0.21, by sum 0.198 → 0.20; then 1.00 at 0.20, which needs no override."""
    unlinked.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    linked(unlinked, COMPANIES[0])
    with unlinked.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET tax_amounts = 'kompass'")
    rate = VatRate("s", "s", Decimal(20))
    org = OrgRef("org-uk", "Larch uk")
    thirds = tuple(line("0.33", vat=rate, position=number) for number in (1, 2, 3))

    def push(sequence: int, *lines: Any) -> Decimal:
        unlinked.ingest(
            event(
                invoice(
                    "i1", of=project("p1", of=client("c1", org=org), org=org), org=org, lines=lines, sequence=sequence
                )
            )
        )
        unlinked.drive()
        (found,) = unlinked.objects("Invoice")
        return Decimal(str(found["TxnTaxDetail"]["TotalTax"]))

    assert push(1, *thirds) == Decimal("0.21")
    assert push(2, *(replace(one, description="Anew") for one in thirds)) == Decimal("0.21")
    assert push(3, line("1.00", vat=rate)) == Decimal("0.2")
    assert unlinked.rows("qbo_difference") == []


CALIFORNIA = Address(line1="1 Pier", town="Oakland", county="CA", postcode="94601", country="United States")


@pytest.mark.parametrize(
    ("company", "answer", "rounding"),
    [
        ("manual", "item-line", "per_line"),
        ("manual", "refuse", "per_rate"),
        ("automated", "automated", "per_line"),
        ("automated", "automated", "per_rate"),
    ],
)
def test_documents_of_the_usa_are_booked_as_the_admin_chose(
    unlinked: Pipeline, company: str, answer: str, rounding: str
) -> None:
    realm = USA if company == "manual" else USA_AUTOMATED_TAX

    def prepare(world: Any) -> None:
        world.change_settings({"tax_rounding": rounding})
        for item in world.companies[USA_AUTOMATED_TAX].tables["Item"].values():
            item["Taxable"] = True

    unlinked.simulator.call(prepare)
    org = OrgRef("org-us", "Northstar")
    unlinked.link(org.id, org.name, realm=realm)
    with unlinked.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE qbo_configuration SET billed_tax = %s, tax_item_id = %s",
            (answer, unlinked.object_id(realm, "Item", "Services")),
        )
    wanted = [one for one in AMERICAN if (one.company, one.answer) == (company, answer)]
    of = project("p1", of=client("c1", org=org, currency="USD", address=CALIFORNIA), org=org, address=CALIFORNIA)
    for one in wanted:
        lines = tuple(
            line(str(net), vat=None, position=number, amount_vat=tax)
            for number, (net, tax) in enumerate(one.line_items(), start=1)
        )
        unlinked.ingest(event(invoice(one.id, of=of, lines=lines, org=org, reference=one.id, currency="USD")))
    unlinked.drive()
    booked = {
        found["DocNumber"]: Decimal(str(found["TotalAmt"]))
        for entity in ("Invoice", "CreditMemo")
        for found in unlinked.objects(entity, realm)
    }
    assert booked == {one.id: Decimal(one.total) for one in wanted if one.total}, [one.why for one in wanted]
    differing = {row.link_id: row.cause for row in unlinked.rows("qbo_difference")}
    for one in wanted:
        link = unlinked.one("invoice", one.id)
        assert link.cause == ("" if one.total else "tax-not-booked"), one.why
        assert differing.get(link.id) == ("difference:automated-tax" if one.differs else None), one.why
    prevents = {line.reference for line in sheet_of(unlinked, org.id, realm).lines if line.standing in PREVENTING}
    assert prevents == {one.id for one in wanted if one.differs or not one.total}, "of what differs the month disagrees"


def sheet_of(pipeline: Pipeline, org_id: str, realm: str) -> Sheet:
    """The agreement sheet of March 2026."""
    with pipeline.engine.begin() as db:
        configuration = companies.read_configuration(db, org_id)
        facts = companies.read_facts(db, [realm])[realm]
    assert configuration is not None
    token = pipeline.simulator.authorize(realm)["access_token"]

    def send(call: Call) -> Outcome:
        return pipeline.transport.send(realm, token, call, deadline=10.0)

    return read_sheet(pipeline.engine, send, configuration, facts, dt.date(2026, 3, 1))
