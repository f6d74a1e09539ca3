"""The documents computed by hand, on the whole way to QuickBooks and back: each tax to the cent under either rounding, no alarm."""

from __future__ import annotations

import datetime as dt
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
from tests.cases.tax_documents import AMERICAN, COMPANIES, DOCUMENTS, RATES, American, Company, Document
from tests.pipeline import LOCALES, Pipeline

NETHERLANDS = "9130347000000000021"
QUEBEC = "9130347000000000022"
BRITISH_COLUMBIA = "9130347000000000023"
REFUSING = "9130347000000000024"
"""A second company of the USA with manual sales tax."""
REALMS = {"uk": UK, "ie": IRELAND, "nl": NETHERLANDS, "on": CANADA, "qc": QUEBEC, "bc": BRITISH_COLUMBIA}
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


MARCH = dt.date(2026, 3, 1)
CALIFORNIA = Address(line1="1 Pier", town="Oakland", county="CA", postcode="94601", country="United States")


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
    elif realm in (QUEBEC, BRITISH_COLUMBIA):
        name = f"Larch {company.key.upper()} Inc"
        pipeline.simulator.call(lambda world: world.add_company(realm=realm, name=name, like=CANADA, changes={}))
    LOCALES.setdefault(realm, company.locale)
    know_rates(pipeline, company.key, realm)
    org_id = f"org-{company.key}"
    pipeline.link(org_id, f"Larch {company.key}", realm=realm)
    for key, row in company.rows.items():
        pipeline.map_vat_rate(key, row.code, org_id=org_id, realm=realm)
    return realm


def know_rates(pipeline: Pipeline, key: str, realm: str) -> None:
    """Let the books have several currencies, and the rates of the day of the documents."""

    def change(world: Any) -> None:
        books: Books = world.companies[realm]
        (preferences,) = books.tables["Preferences"].values()
        preferences["CurrencyPrefs"]["MultiCurrencyEnabled"] = True
        for (company, currency), rate in RATES.items():
            if company == key:
                books.profile.dated_rates.setdefault(currency, {})["2026-03-01"] = rate

    pipeline.simulator.call(change)


AMERICAN_FOREIGN = sorted({(one.company, one.answer) for one in AMERICAN if one.home})


def link_american(pipeline: Pipeline, company: str, answer: str) -> tuple[str, str]:
    """Link an Org that answers billed tax so; gives it and its company."""
    realm = {"refuse": REFUSING, "item-line": USA, "automated": USA_AUTOMATED_TAX}[answer]
    org_id = f"org-{company}-{answer}"

    def prepare(world: Any) -> None:
        if realm == REFUSING:
            world.add_company(realm=REFUSING, name="Larch North LLC", like=USA, changes={})
        for item in world.companies[USA_AUTOMATED_TAX].tables["Item"].values():
            item["Taxable"] = True

    pipeline.simulator.call(prepare)
    LOCALES.setdefault(realm, "USA")
    know_rates(pipeline, "ua" if company == "automated" else "us", realm)
    pipeline.link(org_id, f"Northstar {answer}", realm=realm)
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(
            "UPDATE qbo_configuration SET billed_tax = %s, tax_item_id = %s WHERE org_id = %s",
            (answer, pipeline.object_id(realm, "Item", "Services"), org_id),
        )
    return org_id, realm


def american(one: American, org_id: str) -> Invoice:
    org = OrgRef(org_id, "Northstar")
    who = client(f"c-{one.currency}", org=org, currency=one.currency, address=CALIFORNIA)
    lines = tuple(
        line(str(net), vat=None, position=number, amount_vat=tax)
        for number, (net, tax) in enumerate(one.line_items(), start=1)
    )
    of = project(f"p-{one.currency}", of=who, org=org, address=CALIFORNIA)
    return invoice(one.id, of=of, lines=lines, org=org, reference=one.id, currency=one.currency)


def booked_in(pipeline: Pipeline, realm: str) -> dict[str, dict[str, Any]]:
    """Number → document."""
    return {one["DocNumber"]: one for entity in ("Invoice", "CreditMemo") for one in pipeline.objects(entity, realm)}


def home_total(found: dict[str, Any]) -> Decimal:
    return Decimal(str(found.get("HomeTotalAmt", found["TotalAmt"])))


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("omitted", ["one", "day"])
@pytest.mark.parametrize("rounding", ["per_line", "per_rate"])
def test_every_document_of_eight_companies_is_booked_to_the_cent_or_refused(
    unlinked: Pipeline, rounding: str, omitted: str
) -> None:
    """The tax of each rate, the total and the home amount, and the sheet of the month names none but what was refused."""
    settings = {"tax_rounding": rounding, "omitted_exchange_rate": omitted}
    unlinked.simulator.call(lambda world: world.change_settings({**settings, "automated_tax_line": "item"}))
    realms = {company.key: linked(unlinked, company) for company in COMPANIES}
    answers = sorted({(one.company, one.answer) for one in AMERICAN})
    orgs = {answer: link_american(unlinked, company, answer) for company, answer in answers}
    unlinked.ingest(*(event(record(one)) for one in DOCUMENTS))
    unlinked.ingest(*(event(american(one, orgs[one.answer][0])) for one in AMERICAN))
    unlinked.drive()
    differing = {row.link_id: row.cause for row in unlinked.rows("qbo_difference")}
    links = {row.kompass_id: row for row in unlinked.links(kind="invoice")}
    for company in COMPANIES:
        realm = realms[company.key]
        names, booked = rates_of(unlinked, realm), booked_in(unlinked, realm)
        for one in (each for each in DOCUMENTS if each.company is company):
            if one.refused:
                assert (links[one.id].cause, one.id in booked) == (f"tax-would-differ:{one.refused}", False), one.why
                continue
            found = booked[one.id]
            expected = one.taxes(by_line=rounding == "per_line")
            taxes = {
                names[part["TaxLineDetail"]["TaxRateRef"]["value"]]: Decimal(str(part["Amount"]))
                for part in found["TxnTaxDetail"].get("TaxLine", ())
            }
            assert taxes == expected, (one.id, one.why)
            net = abs(sum(net for net, _, _ in one.line_items()))
            total = net + sum(expected.values())
            assert Decimal(str(found["TotalAmt"])) == total, (one.id, one.why)
            assert home_total(found) == (Decimal(one.home) if one.home else total), (one.id, one.why)
            billed = abs(sum(tax for _, _, tax in one.line_items()))
            alarm = "difference:tax-rounding" if sum(expected.values()) != billed else None
            assert differing.get(links[one.id].id) == alarm, (one.id, one.why)
        named = {each.id for each in DOCUMENTS if each.company is company and each.refused and each.date == MARCH}
        assert prevented(unlinked, f"org-{company.key}", realm) == named, "no false alarm in the sheet"
    for answer, (org_id, realm) in orgs.items():
        wanted = [each for each in AMERICAN if each.answer == answer]
        booked = booked_in(unlinked, realm)
        totals = {number: Decimal(str(found["TotalAmt"])) for number, found in booked.items()}
        assert totals == {each.id: Decimal(each.total) for each in wanted if each.total}, [each.why for each in wanted]
        for each in wanted:
            if each.total:
                assert home_total(booked[each.id]) == Decimal(each.home or each.total), (each.id, each.why)
            assert links[each.id].cause == ("" if each.total else "tax-not-booked"), each.why
            assert differing.get(links[each.id].id) == ("difference:automated-tax" if each.differs else None), each.why
        named = {each.id for each in wanted if each.differs or not each.total}
        assert prevented(unlinked, org_id, realm) == named, "of what differs the month disagrees"


@pytest.mark.usefixtures("no_background_trouble")
@pytest.mark.parametrize("omitted", ["one", "day"])
def test_the_sheet_finds_what_quickbooks_booked_at_a_rate_of_1(unlinked: Pipeline, omitted: str) -> None:
    """Where the Configuration leaves the rate to QuickBooks: all of it is named or none, and never a document at home."""
    unlinked.simulator.call(
        lambda world: world.change_settings({"omitted_exchange_rate": omitted, "automated_tax_line": "item"})
    )
    orgs = {company.key: (f"org-{company.key}", linked(unlinked, company)) for company in COMPANIES}
    orgs |= {answer: link_american(unlinked, company, answer) for company, answer in AMERICAN_FOREIGN}
    with unlinked.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET exchange_rates = 'quickbooks'")
    foreign = [one for one in DOCUMENTS if one.home or one.id in ("uk-01", "nl-01")]
    theirs = [one for one in AMERICAN if one.home]
    unlinked.ingest(*(event(record(one)) for one in foreign))
    unlinked.ingest(*(event(american(one, orgs[one.answer][0])) for one in theirs))
    unlinked.drive()
    named = {number for org_id, realm in orgs.values() for number in prevented(unlinked, org_id, realm)}
    assert named == ({one.id for one in (*foreign, *theirs) if one.home} if omitted == "one" else set())
    booked = {number: found for _, realm in orgs.values() for number, found in booked_in(unlinked, realm).items()}
    for one in (*foreign, *theirs):
        found = booked[one.id]
        at_home = Decimal(one.home) if one.home and omitted == "day" else Decimal(str(found["TotalAmt"]))
        assert home_total(found) == at_home, (one.id, one.why)


def test_each_company_has_documents_in_a_foreign_currency() -> None:
    """Only there it matters what QuickBooks books without a rate."""
    foreign = {one.company.key for one in DOCUMENTS if one.home} | {one.company for one in AMERICAN if one.home}
    assert foreign == {company.key for company in COMPANIES} | {"manual", "automated"}
    assert len(foreign) == 8
    assert len(DOCUMENTS) + len(AMERICAN) >= 80


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


def prevented(pipeline: Pipeline, org_id: str, realm: str) -> set[str]:
    """The references that keep March from agreeing."""
    return {line.reference for line in sheet_of(pipeline, org_id, realm).lines if line.standing in PREVENTING}


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
