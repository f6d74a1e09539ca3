"""A company with years of history is linked: nothing that it has is made a second time.

`LINK_UP=300` has 300 documents sent again to a company of 5,000 customers and 20,000 invoices; by default it is a tenth of the first and
a twentieth of the others.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import Client

from admin.quickbooks_online import first_link_up
from admin.quickbooks_online.impact import ask_again
from admin.quickbooks_online.models import Configuration
from schemas.events import Invoice
from simulator import UK, bookkeeper
from store import inventory
from tests.builders import client, event, invoice, line, project
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
RESENT = int(os.environ.get("LINK_UP", "30"))
BIG = RESENT >= 300
CUSTOMERS, INVOICES = (5000, 20_000) if BIG else (250, 1000)
MOST_READS = 40
TYPED = ("same", "same", "same", "same", "amount", "day", "number", "customer", "spelling", "currency")
"""How a document, or its customer, was typed in before; each in its turn."""


@dataclass(frozen=True)
class Resent:
    """A document that Kompass sends again, and how the company had it."""

    record: Invoice
    typed: str

    @property
    def there(self) -> str:
        """The number under which it was typed in."""
        return "" if self.typed == "number" else self.record.reference


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


def resent(number: int) -> Resent:
    who = client(f"c{number // 2}", name=f"Quarry & Sons {number // 2} Ltd")
    amount = f"{'-' if number % 15 == 7 else ''}{100 + number}.00"
    of = project(f"p{number // 2}", of=who)
    record = invoice(f"r{number}", of=of, lines=(line(amount),), date=dt.date(2026, 3, 1 + number % 28))
    return Resent(record, TYPED[number % len(TYPED)])


def customer_members(name: str, currency: str = "GBP") -> dict[str, Any]:
    plain = {"DisplayName": name, "FullyQualifiedName": name, "Active": True, "Job": False, "Balance": 0}
    return {**plain, "CurrencyRef": {"value": currency}}


def name_there(one: Resent) -> str:
    """The name of its client in QuickBooks."""
    name = one.record.client.name
    return name.replace("&", "and").removesuffix(" Ltd").upper() if one.typed == "spelling" else name


def history(section: Section, documents: list[Resent]) -> None:
    """Fill the company as a bookkeeper did for ten years, with what Kompass will send again among it."""
    item = section.pipeline.object_id(UK, "Item", "Surveying")
    code = section.pipeline.object_id(UK, "TaxCode", "20.0% S")

    def members(customer: str, record: Invoice, number: str) -> dict[str, Any]:
        net = abs(record.amount_net)
        detail = {"ItemRef": {"value": item}, "TaxCodeRef": {"value": code}}
        lines = [{"DetailType": "SalesItemLineDetail", "Amount": net, "SalesItemLineDetail": detail}]
        numbered = {"DocNumber": number} if number else {}
        dated = {"TxnDate": record.date.isoformat(), "GlobalTaxCalculation": "TaxExcluded"}
        whose = {"CustomerRef": {"value": customer}, "CurrencyRef": {"value": "GBP"}}
        return {**numbered, **dated, **whose, "Line": lines}

    def fill(world: Any) -> None:
        company = world.companies[UK]
        # Such a company would take every one of them twice without a word.
        bookkeeper.edit(company, {"action": "setting", "setting": "warn_duplicates", "on": False})
        ids = {}
        for one in documents:
            name = name_there(one)
            if name not in ids:
                currency = "EUR" if one.typed == "currency" else "GBP"
                ids[name] = company.insert("Customer", customer_members(name, currency))["Id"]
        others = [
            company.insert("Customer", customer_members(f"Old customer {number}"))["Id"]
            for number in range(CUSTOMERS - len(ids))
        ]
        for one in documents:
            if one.typed == "currency":
                continue
            there = one.record
            if one.typed == "amount":
                there = replace(there, amount_net=there.amount_net + (1 if there.amount_net > 0 else -1))
            elif one.typed == "day":
                there = replace(there, date=there.date + dt.timedelta(days=1))
            customer = others[0] if one.typed == "customer" else ids[name_there(one)]
            entity = "Invoice" if there.amount_net > 0 else "CreditMemo"
            wanted = {"action": "create", "entity": entity, "members": members(customer, there, one.there)}
            bookkeeper.edit(company, wanted)
        (old,) = bookkeeper.edit(
            company,
            {"action": "create", "entity": "Invoice", "members": members(others[0], documents[0].record, "OLD-0")},
        )
        old_ones.update(company.tables["Invoice"][old["Id"]])
        owners.extend(others)

    def fill_years(world: Any, numbers: range) -> None:
        for number in numbers:
            day = dt.date(2016, 1, 1) + dt.timedelta(days=number % 3650)
            again = {"DocNumber": f"OLD-{number + 1}", "TxnDate": day.isoformat()}
            owner = {"CustomerRef": {"value": owners[number % len(owners)]}}
            world.companies[UK].insert("Invoice", {**old_ones, **again, **owner})

    old_ones: dict[str, Any] = {}
    owners: list[str] = []
    section.simulator.call(fill)
    for start in range(0, INVOICES, 1000):
        section.simulator.call(lambda world, start=start: fill_years(world, range(start, min(start + 1000, INVOICES))))


def type_again(world: Any, like: str, number: str) -> None:
    """Type in an invoice like one that is there, under another number."""
    company = world.companies[UK]
    (there,) = [one for one in company.tables["Invoice"].values() if one.get("DocNumber") == like]
    lines = [one for one in there["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    members = {name: there[name] for name in ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation")}
    wanted = {**members, "DocNumber": number, "Line": [{k: v for k, v in one.items() if k != "Id"} for one in lines]}
    bookkeeper.edit(company, {"action": "create", "entity": "Invoice", "members": wanted})


def reads(section: Section) -> int:
    return sum(1 for one in section.pipeline.requests() if one.operation in ("read", "query") and one.realm == UK)


def numbers(section: Section) -> Counter[str]:
    return Counter(
        str(one.get("DocNumber"))
        for entity in ("Invoice", "CreditMemo")
        for one in section.pipeline.objects(entity)
        if one.get("DocNumber")
    )


@pytest.mark.usefixtures("no_background_trouble")
def test_a_company_with_a_history_is_linked_and_nothing_is_there_twice(section: Section, ada: Client) -> None:
    documents = [resent(number) for number in range(RESENT)]
    new = project("pn", of=client("cn", name="New Quay"))
    fresh, late = [invoice(f"new{number}", of=new) for number in range(3)], invoice("late", of=new)
    history(section, documents)
    # It was typed in before today.
    section.simulator.call(lambda world: world.clock.advance(600))
    before = numbers(section)
    pipeline = section.pipeline
    read_before = reads(section)
    pipeline.link(enabled=False)
    pipeline.map_vat_rate("vat-20", "20.0% S")
    with pipeline.engine.begin() as db:
        inventory.want(db, UK)
    pipeline.ingest(*(event(one.record) for one in documents), *(event(one) for one in fresh), event(late))
    pipeline.drive()
    assert reads(section) - read_before <= 5, "nobody asked yet: only what the company says of itself was read"

    # A person has the company read: the first thousands at once, the rest by the consumers.
    ada.post(f"{ROOT}configuration/1/match-customers/")
    pipeline.drive()
    page = words(ada.get(f"{ROOT}configuration/1/match-customers/"))
    assert "customers and sub-customers" in page
    configuration = section.configuration()
    for _ in range(3):
        # Customers first; their projects are none's; then what is theirs.
        ticked = [one.pair for one in first_link_up.suggestions(configuration) if one.ticked]
        ada.post(f"{ROOT}configuration/1/match-customers/", {"link": "1", "pair": ticked})
    assert not [one for one in first_link_up.suggestions(configuration) if one.ticked]

    # What is typed in before syncing is switched on is read by then.
    section.simulator.call(lambda world: type_again(world, documents[0].record.reference, late.reference))
    before[late.reference] += 1
    Configuration.objects.update(notification_recipients=["ada@example.com"])
    ada.post(f"{ROOT}configuration/1/going-live/", {"start_date": "2026-03-01"})
    assert section.configuration().enabled
    pipeline.drive()
    spent = reads(section) - read_before
    print(f"{CUSTOMERS} customers, {INVOICES} invoices, {RESENT} sent again: {spent} metered reads")
    assert spent <= MOST_READS

    made = {number for number, many in numbers(section).items() if many > before.get(number, 0)}
    assert made == {one.reference for one in fresh}
    assert (pipeline.one("invoice", "late").state, pipeline.one("invoice", "late").cause) == (
        "failed",
        "document-exists",
    )
    for one in documents:
        link = pipeline.one("invoice", one.record.id)
        linked = link.state == "synced" and link.qbo_id is not None
        waits = (link.state, link.cause) == ("failed", "document-exists")
        party = link.state == "waiting" and link.cause.startswith("dependency")
        assert linked + waits + party == 1, (one.typed, link.state, link.cause, link.reason)
        known = pipeline.one("client", one.record.client.id).qbo_id is not None
        assert known or party, (one.typed, link.state, link.cause)
        assert linked == (known and one.typed in ("same", "currency", "spelling")) or party, (one.typed, link.reason)

    # What is not sure is decided by a person: linked, or sent as another one.
    for _ in range(2):
        chosen: dict[str, set[str]] = {"link": set(), "another": set()}
        for suggested in first_link_up.suggestions(configuration):
            other = suggested.kind == "client" and "EUR" in suggested.words
            chosen["another" if other or "another customer" in suggested.words else "link"].add(suggested.pair)
        for button, pairs in chosen.items():
            ada.post(f"{ROOT}configuration/1/match-customers/", {button: "1", "pair": sorted(pairs)})
        pipeline.drive()
    assert not first_link_up.suggestions(configuration)
    left = [row for row in pipeline.links(kind="invoice") if row.state != "synced"]
    assert not [(row.kompass_id, row.state, row.cause, row.reason) for row in left]
    others = {one.record.reference for one in documents if one.typed in ("customer", "currency")} | {late.reference}
    made = {number for number, many in numbers(section).items() if many > before.get(number, 0)}
    assert made == others | {one.reference for one in fresh}
    differing = {row.link_id for row in pipeline.rows("qbo_difference")}
    assert differing == {pipeline.one("invoice", one.record.id).id for one in documents if one.typed == "amount"}

    # A person may have what changed since read at any time.
    already = reads(section)
    ada.post(f"{ROOT}configuration/1/match-customers/")
    assert reads(section) - already == 3
    assert "QuickBooks had" in words(ada.get(f"{ROOT}configuration/1/match-customers/"))

    # A link is taken back: the record waits again, and nothing is made.
    (linked, *_) = [row for row in pipeline.links(kind="invoice") if row.adopted]
    ada.post(f"{ROOT}configuration/1/match-customers/", {"remove": str(linked.id)})
    pipeline.drive()
    (again,) = pipeline.links(id=linked.id)
    assert (again.qbo_id, again.state, again.cause) == (None, "failed", "document-exists")


def test_another_one_of_a_number_that_is_taken_asks_no_more(section: Section, ada: Client) -> None:
    """The company takes a number once: the person has answered, and what is left is another number, or to link it after all."""
    pipeline = section.pipeline
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    item, code = pipeline.object_id(UK, "Item", "Surveying"), pipeline.object_id(UK, "TaxCode", "20.0% S")
    detail = {"ItemRef": {"value": item}, "TaxCodeRef": {"value": code}}
    typed = {
        "DocNumber": "INV-i1", "TxnDate": "2026-02-01", "GlobalTaxCalculation": "TaxExcluded", "CurrencyRef": {"value": "GBP"},
        "Line": [{"DetailType": "SalesItemLineDetail", "Amount": 5, "SalesItemLineDetail": detail}],
    }  # fmt: skip

    def type_in(world: Any) -> None:
        company = world.companies[UK]
        who = company.insert("Customer", customer_members("Somebody else"))["Id"]
        members = {**typed, "CustomerRef": {"value": who}}
        bookkeeper.edit(company, {"action": "create", "entity": "Invoice", "members": members})

    section.simulator.call(type_in)
    with pipeline.engine.begin() as db:
        inventory.want(db, UK)
    pipeline.ingest(event(invoice("i1")))
    ada.post(f"{ROOT}configuration/1/match-customers/")
    pipeline.drive()
    assert pipeline.one("invoice", "i1").cause == "document-exists"
    pairs = [one.pair for one in first_link_up.suggestions(section.configuration())]
    ada.post(f"{ROOT}configuration/1/match-customers/", {"another": "1", "pair": pairs})
    pipeline.drive()
    for _ in range(2):
        link = pipeline.one("invoice", "i1")
        assert (link.state, link.cause) == ("failed", "number-taken")
        assert first_link_up.suggestions(section.configuration()) == []
        failure = next(row for row in pipeline.rows("qbo_failure") if row.closed_at is None)
        assert "give one of the two another number" in failure.remedy
        ask_again([link.id], by="ada")
        pipeline.drive()
    pipeline.ingest(event(invoice("i1", sequence=2, reference="INV-i1a")))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert numbers(section) == {"INV-i1": 1, "INV-i1a": 1}
