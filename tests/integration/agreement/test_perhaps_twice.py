"""A hand-typed document that is perhaps one of ours is named with it; a plain one is not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from schemas.events import Step, VatRate
from simulator import bookkeeper
from simulator.seeds import UK
from sync.keeping import keep_quickbooks
from tests.builders import client, event, invoice, line, project
from tests.integration.agreement.sheets import edit, sheet, standings
from tests.pipeline import Pipeline


def type_in(pipeline: Pipeline, like: str, number: str, **changed: Any) -> str:
    """Type in another document like one that is there; gives how the sheet calls it."""
    (document,) = [one for one in pipeline.objects("Invoice") if one.get("DocNumber") == like]
    lines = [{key: value for key, value in one.items() if key != "Id"} for one in document["Line"]]
    sales = [one for one in lines if one["DetailType"] == "SalesItemLineDetail"]
    body = {name: document[name] for name in ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation")}
    members = {**body, "Line": sales, **({"DocNumber": number} if number else {}), **changed}
    wanted = {"action": "create", "entity": "Invoice", "members": members}
    (made,) = pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    return number or str(made["Id"])


def customer(pipeline: Pipeline, name: str, **more: Any) -> dict[str, str]:
    wanted = {
        "action": "create",
        "entity": "Customer",
        "members": {"DisplayName": name, "CurrencyRef": {"value": "GBP"}, **more},
    }
    (made,) = pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    return {"value": made["Id"]}


def ours(number: int, **more: Any) -> Any:
    plain = {"lines": (line(f"{100 + number}.00"),), "reference": f"INV-{number:03}"}
    return invoice(f"i{number}", **{**plain, **more})


def remark(found: dict[str, Any], reference: str) -> str:
    (one,) = [each for each in found["lines"] if each["reference"] == reference]
    return str(one["remark"])


def test_what_may_be_booked_twice_is_named_with_ours(pipeline: Pipeline, run: Any) -> None:
    pipeline.simulator.call(
        lambda world: bookkeeper.edit(
            world.companies[UK], {"action": "setting", "setting": "warn_duplicates", "on": False}
        )
    )
    pipeline.ingest(*(event(ours(number)) for number in range(1, 8)))
    february = dt.date(2026, 2, 27)
    pipeline.ingest(
        event(ours(8, date=february)), event(ours(10, date=february)), event(ours(9, date=dt.date(2026, 3, 31)))
    )
    pipeline.drive()
    code, before = sheet(run)
    assert (code, before["verdict"]) == (0, "The month agrees to the cent.")

    # Under a number of its own it is named, and the verdict says so; without one a person has to look at it first.
    own = type_in(pipeline, "INV-001", "HAND-1", TxnDate="2026-03-03")
    code, found = sheet(run)
    assert (code, standings(found)[own]) == (0, "resembles")
    words = remark(found, own)
    assert "perhaps the same as INV-001 of Kompass (Id 1)" in words
    assert "its number is HAND-1 there; it is dated 2026-03-03 there" in words
    assert found["verdict"] == (
        "The month agrees to the cent. Look at this first: Typed by hand, resembles a document of Kompass: 1 (121.20 GBP)."
    )
    assert found["hand_typed"]["GBP"]["gross"] == Decimal("121.20")
    assert found["totals"] == before["totals"]
    assert found["tax_codes"] == before["tax_codes"]
    assert found["home"] == before["home"]

    parent = customer(pipeline, "Harbour and Sons C1 Ltd")
    other = customer(pipeline, "Somebody else")
    twice = {
        type_in(pipeline, "INV-002", "inv 2"): "INV-002",
        type_in(pipeline, "INV-003", ""): "INV-003",
        type_in(pipeline, "INV-004", "4", CustomerRef=other, TxnDate="2026-03-02"): "INV-004",
        type_in(pipeline, "INV-005", "", CustomerRef=parent): "INV-005",
        # Ours are in the month before.
        type_in(pipeline, "INV-008", "INV-08", TxnDate="2026-03-01"): "INV-008",
        type_in(pipeline, "INV-010", "", TxnDate="2026-03-01"): "INV-010",
    }
    plain = [
        type_in(pipeline, "INV-006", "", TxnDate="2026-03-29"),
        type_in(pipeline, "INV-006", "", CustomerRef=other),
        type_in(pipeline, "INV-009", "", TxnDate="2026-03-10"),
    ]
    coincidence = type_in(pipeline, "INV-002", "INV-007", CustomerRef=other)
    code, found = sheet(run)
    by_reference = standings({"lines": [one for one in found["lines"] if one["reference"] != "INV-007"]})
    assert code == 1
    assert {each for each, standing in by_reference.items() if standing == "perhaps-twice"} == set(twice)
    for reference, same in twice.items():
        words = remark(found, reference)
        assert f"perhaps the same as {same} of Kompass" in words
        assert words.endswith("If so, void one of the two, or give this one a number of its own")
    assert [by_reference[one] for one in plain] == ["only-in-quickbooks"] * 3
    assert [one["standing"] for one in found["lines"] if one["reference"] == coincidence] == ["resembles", "agrees"]
    assert found["verdict"].startswith(
        "The month does not agree. Perhaps booked twice: typed by hand, like a document of Kompass: 6 ("
    )

    # The person gives it a number of its own, or voids it. What is voided in Kompass is booked once at most.
    for one in [each for each in pipeline.objects("Invoice") if "PrivateNote" not in each]:
        wanted: dict[str, Any] = {"entity": "Invoice", "id": one["Id"]}
        if one.get("DocNumber", "") in ("inv 2", "4", "INV-08"):
            wanted |= {"action": "update", "members": {"DocNumber": f"OWN-{one['Id']}"}}
        elif one["Id"] == next(each for each, same in twice.items() if same == "INV-003"):
            wanted |= {"action": "void"}
        if "action" in wanted:
            pipeline.simulator.call(lambda world, wanted=wanted: bookkeeper.edit(world.companies[UK], wanted))
    void = {"sequence": 2, "step": Step.VOIDED}
    pipeline.ingest(event(ours(5, **void)), event(ours(10, **void, date=february)))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, [one for one in found["lines"] if one["standing"] == "perhaps-twice"]) == (0, [])


def test_one_that_is_not_sent_yet_is_linked(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(ours(1)))
    pipeline.drive()
    pipeline.ingest(event(ours(2, lines=(line("101.00", vat=VatRate("unmapped", "", Decimal(20))),))))
    pipeline.drive()
    typed = type_in(pipeline, "INV-001", "2")
    code, found = sheet(run)
    assert (code, standings(found)[typed]) == (1, "perhaps-twice")
    assert "the same as INV-002 of Kompass, which is not sent yet" in remark(found, typed)
    assert "If so, link it under Already in QuickBooks" in remark(found, typed)


def test_two_clients_of_one_total_are_two(pipeline: Pipeline, run: Any) -> None:
    one, other = (project(f"p{number}", of=client(f"c{number}", name=f"Client {number}")) for number in (1, 2))
    pipeline.ingest(event(invoice("a", of=one)), event(invoice("b", of=other)))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, found["verdict"]) == (0, "The month agrees to the cent.")


def test_all_customers_of_a_client_are_one_client(pipeline: Pipeline, run: Any) -> None:
    """By the links: under any name in QuickBooks, in each currency, and each of the client's jobs."""
    one, two = (project(f"p{number}", of=client("c1")) for number in (1, 2))
    rate = {"action": "exchange_rate", "currency": "EUR", "date": "2026-01-01", "rate": "0.85"}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], rate))
    pipeline.ingest(
        event(ours(1, of=one)), event(ours(2, of=one, currency="EUR")), event(ours(3, of=one)), event(ours(4, of=two)),
        event(ours(5, of=one)), event(ours(6, of=project("p9", of=client("c9", name="Somebody else")))),
    )  # fmt: skip
    pipeline.drive()
    customers = {each.currency: each.qbo_id for each in pipeline.links(kind="client", kompass_id="c1")}
    pounds = next(found for currency, found in customers.items() if currency != "EUR")
    rename = {"action": "rename", "entity": "Customer", "id": pounds, "name": "H and S Survey"}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], rename))
    job, stranger = pipeline.one("project", "p2").qbo_id, pipeline.one("client", "c9").qbo_id
    twice = {
        type_in(pipeline, "INV-001", "", CustomerRef={"value": pounds}): "INV-001",
        type_in(pipeline, "INV-002", "", CustomerRef={"value": customers["EUR"]}): "INV-002",
        type_in(pipeline, "INV-003", "", CustomerRef={"value": job}): "INV-003",
    }
    # Of a job that somebody else made QuickBooks says whose it is: one read.
    parent = {"ParentRef": {"value": pounds}, "Job": True, "BillWithParent": True}
    twice[type_in(pipeline, "INV-005", "", CustomerRef=customer(pipeline, "Roof", **parent))] = "INV-005"
    plain = type_in(pipeline, "INV-004", "", CustomerRef={"value": stranger})
    code, found = sheet(run)
    assert (code, standings(found)) == (
        1,
        {
            **dict.fromkeys(twice, "perhaps-twice"),
            plain: "only-in-quickbooks",
            **{f"INV-00{number}": "agrees" for number in range(1, 7)},
        },
    )
    assert found["reads"] == 3
    assert [each for each, same in twice.items() if f"the same as {same} of Kompass" not in remark(found, each)] == []


def test_a_number_is_one_of_ours_in_any_month(pipeline: Pipeline, run: Any) -> None:
    setting = {"action": "setting", "setting": "warn_duplicates", "on": False}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], setting))
    january = {"date": dt.date(2026, 1, 5)}
    pipeline.ingest(*(event(ours(number, **january)) for number in (1, 2, 3, 4, 6)))
    pipeline.ingest(
        event(ours(5, date=dt.date(2026, 7, 1), lines=(line("9.00", vat=VatRate("unmapped", "", Decimal(20))),)))
    )
    pipeline.ingest(event(ours(7, **january, step=Step.DRAFT)), event(ours(8)))
    pipeline.drive()
    # A person left January's void as it is, to type the document into a month that is open.
    edit(pipeline, "INV-006", "void")
    pipeline.ingest(event(ours(6, **january, sequence=2, details="Thank you")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        keep_quickbooks(db, pipeline.one("invoice", "i6").id, by="ann")
    pipeline.drive()
    other, march = customer(pipeline, "Somebody else"), {"TxnDate": "2026-03-20"}
    wanted = {
        type_in(pipeline, "INV-001", "inv 1", **march): "perhaps-twice",
        type_in(pipeline, "INV-002", "INV 02", **march, CustomerRef=other): "perhaps-twice",
        # In nothing but the number.
        type_in(pipeline, "INV-001", "inv 03", **march, CustomerRef=other): "resembles",
        # Ours failed.
        type_in(pipeline, "INV-001", "INV-5", **march): "perhaps-twice",
        type_in(pipeline, "INV-001", "INV-6", **march): "only-in-quickbooks",
        type_in(pipeline, "INV-001", "INV-7", **march): "only-in-quickbooks",
        type_in(pipeline, "INV-001", "INV-14", **march): "only-in-quickbooks",
        type_in(pipeline, "INV-001", "", **march): "only-in-quickbooks",
    }
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {**wanted, "INV-008": "agrees"})
    assert "perhaps the same as INV-001 of Kompass (Id 1): but it is dated 2026-03-20 there" in remark(found, "inv 1")


def test_a_copy_of_what_kompass_took_back_is_named(pipeline: Pipeline, run: Any) -> None:
    """It is in the books, and Kompass says that it is in none. It prevents nothing: nothing is booked twice."""
    setting = {"action": "setting", "setting": "warn_duplicates", "on": False}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], setting))
    pipeline.ingest(*(event(ours(number)) for number in range(1, 6)))
    pipeline.drive()
    rejected = {"sequence": 2, "step": Step.REJECTED}
    pipeline.ingest(
        event(ours(1, sequence=2, step=Step.VOIDED)), event(ours(2, **rejected)), event(ours(3, **rejected))
    )
    pipeline.drive()
    other = customer(pipeline, "Somebody else")
    for number in (2, 3):
        (there,) = [one for one in pipeline.objects("Invoice") if one.get("DocNumber") == f"INV-00{number}"]
        void = {"action": "void", "entity": "Invoice", "id": there["Id"]}
        pipeline.simulator.call(lambda world, void=void: bookkeeper.edit(world.companies[UK], void))
    lines = {"Line": _lines(pipeline, "INV-004")}
    wanted = {
        type_in(pipeline, "INV-001", "inv 1", **lines, TxnDate="2026-03-20"): "resembles",
        type_in(pipeline, "INV-002", "inv 2", **lines): "resembles",
        # The number is free again.
        type_in(pipeline, "INV-003", "inv 3", **lines, CustomerRef=other): "only-in-quickbooks",
    }
    code, found = sheet(run)
    assert code == 0
    assert {each: standings(found)[each] for each in wanted} == wanted
    assert "perhaps the same as INV-001 of Kompass (voided in Kompass)" in remark(found, "inv 1")
    assert "perhaps the same as INV-002 of Kompass (its step is Rejected; it goes" in remark(found, "inv 2")
    assert remark(found, "inv 2").endswith("If so, void this one, too")


def _lines(pipeline: Pipeline, number: str) -> list[dict[str, Any]]:
    (document,) = [one for one in pipeline.objects("Invoice") if one.get("DocNumber") == number]
    sales = [one for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    return [{key: value for key, value in one.items() if key != "Id"} for one in sales]
