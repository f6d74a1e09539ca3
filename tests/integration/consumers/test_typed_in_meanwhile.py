"""What a bookkeeper typed in before Kompass sends it is not booked a second time, whenever it was typed and however it was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from schemas.events import Event, Invoice
from simulator import bookkeeper
from simulator.seeds import UK
from store import inventory
from sync import by_hand
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline

METERED = ("read", "query")


@pytest.fixture
def company(pipeline: Pipeline) -> Pipeline:
    """A company that takes every number twice without a word, newly linked and not enabled yet."""
    edit(pipeline, action="setting", setting="warn_duplicates", on=False)
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET enabled = false, project_customers = false"))
        inventory.want(db, UK)
    return pipeline


def edit(pipeline: Pipeline, **wanted: Any) -> list[dict[str, Any]]:
    return pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))


def customer(pipeline: Pipeline, name: str, **more: Any) -> str:
    members = {"DisplayName": name, "CurrencyRef": {"value": "GBP"}, **more}
    return str(edit(pipeline, action="create", entity="Customer", members=members)[0]["Id"])


def typed(pipeline: Pipeline, whose: str, number: str, *, net: str = "100.00", date: str = "2026-03-01") -> str:
    """Type an invoice in at 20 %."""
    detail = {
        "ItemRef": {"value": pipeline.object_id(UK, "Item", "Surveying")},
        "TaxCodeRef": {"value": pipeline.object_id(UK, "TaxCode", "20.0% S")},
    }
    members = {
        "TxnDate": date, "CustomerRef": {"value": whose}, "CurrencyRef": {"value": "GBP"}, "GlobalTaxCalculation": "TaxExcluded",
        "Line": [{"DetailType": "SalesItemLineDetail", "Amount": float(net), "SalesItemLineDetail": detail}],
        **({"DocNumber": number} if number else {}),
    }  # fmt: skip
    return str(edit(pipeline, action="create", entity="Invoice", members=members)[0]["Id"])


def enable(pipeline: Pipeline, on: bool = True) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET enabled = :on"), {"on": on})


def look_through(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        inventory.ask(db, UK)
    pipeline.jobs.prepare("org-uk", UK)


def later(pipeline: Pipeline, *, days: int) -> None:
    """Let the reading, and the moment when syncing was switched on, be so many days older."""
    trigger = "ALTER TABLE qbo_configuration {} TRIGGER qbo_configuration_enabled"
    back = f"- interval '{days} days'"
    for statement in (
        trigger.format("DISABLE"),
        f"UPDATE qbo_configuration SET enabled_at = enabled_at {back}",
        f"UPDATE qbo_inventory SET (begun_at, taken_at) = (begun_at {back}, taken_at {back})",
        trigger.format("ENABLE"),
    ):
        with pipeline.engine.begin() as db:
            db.execute(text(statement))


def link_customer(pipeline: Pipeline, kompass_id: str, qbo_id: str) -> None:
    link = pipeline.one("client", kompass_id)
    (there,) = [one for one in pipeline.objects("Customer") if one["Id"] == qbo_id]
    with pipeline.engine.begin() as db:
        by_hand.take_over(db, link.id, "Customer", there, by="ada")


def reads(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.operation in METERED and one.realm == UK)


def states(pipeline: Pipeline) -> dict[str, tuple[str, str]]:
    return {row.kompass_id: (row.state, row.cause) for row in pipeline.links(kind="invoice")}


def numbers(pipeline: Pipeline) -> list[str]:
    return sorted(str(one.get("DocNumber")) for one in pipeline.objects("Invoice"))


WAITS = ("failed", "document-exists")
SYNCED = ("synced", "")


def test_what_was_typed_in_since_the_company_was_read_is_read_before_anything_is_made(company: Pipeline) -> None:
    whose = customer(company, "Harbour & Sons c1")
    old = typed(company, whose, "INV-i0", date="2026-02-01")
    company.simulator.call(lambda world: world.clock.advance(600))
    look_through(company)
    company.ingest(event(client()))
    company.drive()
    link_customer(company, "c1", whose)

    # Between the reading and Enable.
    typed(company, whose, "INV-i1")
    with company.engine.begin() as db:
        inventory.forget(db, UK, "Invoice", {old})
    company.ingest(event(invoice("i1")), event(invoice("i2", lines=(line("55.00"),))))
    before = reads(company)
    enable(company)
    company.drive()
    assert states(company) == {"i1": WAITS, "i2": SYNCED}
    assert reads(company) - before <= 4, "three for what changed, and the customer that was linked"
    found = {row.name for row in company.rows("qbo_existing") if row.entity == "Invoice"}
    assert found == {"INV-i1"}, "what did not change is not read again"

    # Nothing is read for what goes at once.
    later(company, days=3)
    before = reads(company)
    company.ingest(just_now(company, invoice("i3", lines=(line("66.00"),))))
    company.drive()
    assert (states(company)["i3"], reads(company) - before) == (SYNCED, 0)

    # Off for weeks: the bookkeeper goes on by hand, and then it is on again.
    enable(company, on=False)
    company.ingest(just_now(company, invoice("i4", lines=(line("77.00"),))))
    company.drive()
    typed(company, whose, "", net="77.00", date="2026-03-02")
    enable(company)
    company.drive()
    assert states(company)["i4"] == WAITS

    # It stays on, and a document is held up: typed in meanwhile, and then what held it up is fixed.
    later(company, days=3)
    typed(company, whose, "1234", net="88.00")
    company.ingest(event(invoice("i5", lines=(line("88.00"),))), event(invoice("i6", lines=(line("99.00"),))))
    before = reads(company)
    company.drive()
    assert (states(company)["i5"], states(company)["i6"]) == (WAITS, SYNCED)
    assert reads(company) - before == 3, "Kompass said both long ago: once an hour what changed is read"
    assert numbers(company) == sorted(["INV-i0", "INV-i1", "INV-i2", "INV-i3", "None", "1234", "INV-i6"])


def test_a_company_that_has_something_of_ours_is_read_from_now_on(company: Pipeline) -> None:
    """It was linked before, and is linked again: what is typed in while it is off is read, and its history is not."""
    with company.engine.begin() as db:
        db.execute(text("DELETE FROM qbo_inventory"))
    enable(company)
    company.ingest(event(client("c2")), event(invoice("i1", of=project(of=client("c2")))))
    company.drive()
    with company.engine.begin() as db:
        inventory.want(db, UK)
    before = reads(company)
    enable(company, on=False)
    company.drive()
    typed(company, company.one("client", "c2").qbo_id, "77", net="55.00")
    enable(company)
    company.ingest(event(invoice("i3", of=project(of=client("c2")), lines=(line("55.00"),))))
    company.drive()
    assert states(company) == {"i1": SYNCED, "i3": WAITS}
    assert reads(company) - before == 3


def test_what_is_written_otherwise_waits_for_a_person(company: Pipeline) -> None:
    """Documents of one customer and total a few days or cents apart; on a sub-customer, or a customer of a similar name."""
    whose = customer(company, "Harbour & Sons c1")
    job = customer(company, "Quay", Job=True, ParentRef={"value": whose})
    alike = customer(company, "The Harbour and Sons C1 Ltd.")
    other = customer(company, "Somebody else")
    near = {
        "day": typed(company, whose, "1001", net="101.00", date="2026-03-04"),
        "cent": typed(company, whose, "1002", net="102.01"),
        "job": typed(company, job, "1003", net="103.00"),
        "alike": typed(company, alike, "", net="104.00", date="2026-02-27"),
        "digits": typed(company, other, "55", net="105.00"),
    }
    # Each month the same, and two others of one total; of these one bears the number of another one that Kompass has.
    typed(company, whose, "1010", net="110.00", date="2026-02-01")
    typed(company, whose, "1011", net="110.00", date="2026-03-29")
    typed(company, other, "1012", net="111.00")
    typed(company, whose, "INV-twin", net="112.00")
    with company.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET enabled = true"))
    company.ingest(event(client()))
    company.drive()
    link_customer(company, "c1", whose)
    records = {name: f"{101 + place}.00" for place, name in enumerate(near)}
    others = {"month": "110.00", "stranger": "111.00", "twin": "112.00", "first": "112.00"}
    company.ingest(
        *(
            event(invoice(name, lines=(line(net),), reference="INV-0055" if name == "digits" else f"INV-{name}"))
            for name, net in {**records, **others}.items()
        )
    )
    company.drive()
    waiting, found = {*near, "twin"}, states(company)
    assert {name for name, state in found.items() if state == WAITS} == waiting
    assert {name for name, state in found.items() if state == SYNCED} == {*others} - {"twin"}
    reasons = {row.kompass_id: row.reason for row in company.links(kind="invoice")}
    for name, words in {
        "day": "it is dated 2026-03-04 there",
        "cent": "it comes to 122.41 GBP there",
        "job": "it is another sub-customer's there, or that of a customer with a similar name",
        "alike": "it has no number there; it is dated 2026-02-27 there; it is another sub-customer's",
        "digits": "its number is 55 there; it is another customer's there",
    }.items():
        assert f"(Id {near[name]})" in reasons[name]
        assert words in reasons[name], reasons[name]

    # The other way round: ours belong on sub-customers, and what was typed in is the customer's, or another job's.
    with company.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET project_customers = true"))
    typed(company, whose, "1021", net="121.00", date="2026-03-02")
    typed(company, job, "1022", net="122.00", date="2026-03-02")
    enable(company, on=False)
    enable(company)
    ours = [invoice(name, of=project(), lines=(line(net),)) for name, net in (("up", "121.00"), ("beside", "122.00"))]
    company.ingest(*map(event, ours), event(invoice("alone", of=project(), lines=(line("123.00"),))))
    company.drive()
    assert {name: states(company)[name] for name in ("up", "beside", "alone")} == {
        "up": WAITS,
        "beside": WAITS,
        "alone": SYNCED,
    }


def just_now(pipeline: Pipeline, record: Invoice) -> Event:
    """Say it in Kompass at this moment."""
    with pipeline.engine.begin() as db:
        return replace(event(record), created=db.execute(text("SELECT now()")).scalar_one())
