"""Rates, broken documents and what a person decided: what the sheet of a month makes of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import OrgRef, Step, VatRate
from simulator import bookkeeper
from simulator.seeds import CANADA, UK, USA
from sync.by_hand import Customer, KnownClient, link_customer, take_over
from sync.keeping import keep_quickbooks
from tests.builders import client, event, invoice, line, project
from tests.integration.agreement.sheets import edit, sheet, standings
from tests.pipeline import Pipeline


def know(pipeline: Pipeline, currency: str, rate: str) -> None:
    """Give the company a rate of a currency from the beginning of 2026."""

    def change(world: Any) -> None:
        world.companies[UK].profile.dated_rates[currency] = {"2026-01-01": rate}

    pipeline.simulator.call(change)


def configure(pipeline: Pipeline, column: str, value: object) -> None:
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(f"UPDATE qbo_configuration SET {column} = %s", (value,))


def in_currency(currency: str, id: str = "i1", **more: Any) -> Any:
    return event(invoice(id, of=project(of=client(currency=currency)), currency=currency, **more))


def test_a_currency_that_quickbooks_has_no_rate_of_does_not_agree(pipeline: Pipeline, run: Any) -> None:
    """QuickBooks answers 1 where it knows no rate. 120.00 NOK are not 120.00 GBP."""
    pipeline.ingest(in_currency("NOK"))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["remark"]) == (1, "booked at an exchange rate of 1: 120.00 NOK as GBP")
    assert found["home"] == {"currency": "GBP", "kompass": 0, "quickbooks": 120, "without_rate": {"NOK": 120}}
    edit(pipeline, "INV-i1", "update", members={"ExchangeRate": Decimal("0.074")})
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees"})


def test_a_rate_that_quickbooks_chose_is_held_against_later_ones(pipeline: Pipeline, run: Any) -> None:
    """0.85 when it was written; 8.5 was typed by hand: 1,020.00 GBP instead of 102.00."""
    pipeline.simulator.call(lambda world: world.change_settings({"omitted_exchange_rate": "day"}))
    know(pipeline, "EUR", "0.85")
    configure(pipeline, "exchange_rates", "quickbooks")
    pipeline.ingest(in_currency("EUR"))
    pipeline.drive()
    assert sheet(run)[0] == 0
    edit(pipeline, "INV-i1", "update", members={"ExchangeRate": Decimal("8.5")})
    code, found = sheet(run)
    assert (code, found["lines"][0]["remark"]) == (1, "exchange rate 8.5 in QuickBooks, and 0.85 when it was written")
    assert (found["home"]["kompass"], found["home"]["quickbooks"]) == (102, 1020)


def test_a_rate_that_a_person_kept_agrees(pipeline: Pipeline, run: Any) -> None:
    know(pipeline, "EUR", "0.85")
    pipeline.ingest(in_currency("EUR"))
    pipeline.drive()
    edit(pipeline, "INV-i1", "update", members={"ExchangeRate": Decimal("0.86")})
    pipeline.ingest(in_currency("EUR", sequence=2, details="Thank you"))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    with pipeline.engine.begin() as db:
        keep_quickbooks(db, pipeline.one("invoice", "i1").id, by="ann")
    pipeline.drive()
    code, found = sheet(run)
    # 120.00 × 0.86
    assert (code, standings(found), found["home"]["kompass"]) == (0, {"INV-i1": "left"}, Decimal("103.20"))
    assert found["lines"][0]["remark"] == "exchange rate 0.86, as a person left it; 0.85 was sent"
    # The choice was of 0.86: what is typed afterwards is asked about again, also where Kompass changes a text alone.
    edit(pipeline, "INV-i1", "update", members={"ExchangeRate": Decimal("8.6")})
    pipeline.ingest(in_currency("EUR", sequence=3, details="Many thanks"))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found), found["home"]["quickbooks"]) == (1, {"INV-i1": "differs"}, 1032)


@pytest.mark.parametrize("merged", ["gone", "inactive"])
def test_documents_of_a_merged_customer_agree_once_the_client_is_linked(
    pipeline: Pipeline, run: Any, merged: str
) -> None:
    pipeline.simulator.call(lambda world: world.change_settings({"merged_customer": merged}))
    configure(pipeline, "project_customers", value=False)
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    former = pipeline.one("client", "c1").qbo_id
    edit(
        pipeline,
        "INV-i1",
        "create",
        entity="Customer",
        members={"DisplayName": "Quay", "CurrencyRef": {"value": "GBP"}},
    )
    quay = next(one for one in pipeline.objects("Customer") if one["DisplayName"] == "Quay")
    edit(pipeline, "INV-i1", "merge", id=former, into=quay["Id"])
    code, found = sheet(run)
    assert (code, found["lines"][0]["remark"]) == (
        1,
        f"booked to customer Quay in QuickBooks, and sent to customer {former}",
    )
    with pipeline.engine.begin() as db:
        there = Customer(quay["Id"], "Quay", "GBP")
        link_customer(db, KnownClient("org-uk", "c1", "c1", None), UK, there, by="ann", gone=former)
    pipeline.ingest(event(invoice("i2")))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees", "INV-i2": "agrees"})


@pytest.mark.usefixtures("no_background_trouble")
def test_a_document_that_breaks_queries_hides_nothing_else(pipeline: Pipeline, run: Any) -> None:
    """Two email addresses without a comma: each query that meets the document is refused with 4002."""
    pipeline.simulator.call(lambda world: world.change_settings({"bad_email_in_query": "4002"}))
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.drive()
    broken = {"BillEmail": {"Address": "anna@x.com ben@x.com"}}
    edit(pipeline, "INV-i2", "type", members=broken)
    code, found = sheet(run)
    assert (code, standings(found), found["not_given"]) == (0, {"INV-i1": "agrees", "INV-i2": "agrees"}, 0)
    typed = {
        "DocNumber": "HAND-1",
        "TxnDate": "2026-03-04",
        "CustomerRef": pipeline.objects("Invoice")[0]["CustomerRef"],
    }
    item = {"ItemRef": {"value": "1"}, "TaxCodeRef": {"value": pipeline.object_id(UK, "TaxCode", "20.0% S")}}
    typed_line = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": item}
    edit(pipeline, "INV-i1", "create", members={**typed, "CurrencyRef": {"value": "GBP"}, "Line": [typed_line]})
    edit(pipeline, "HAND-1", "type", members=broken)
    code, found = sheet(run)
    assert (code, found["not_given"]) == (1, 1)
    assert found["verdict"].startswith("The month does not agree. Not given by QuickBooks: 1.")
    edit(pipeline, "HAND-1", "type", members={"BillEmail": {"Address": "anna@x.com"}})
    code, found = sheet(run)
    assert (code, standings(found)["HAND-1"], found["not_given"]) == (0, "only-in-quickbooks", 0)


def test_a_void_document_passes_kompass_list_absent_at_0_and_in_full(
    pipeline: Pipeline, run: Any, tmp_path: Any
) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i2", sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    path = tmp_path / "march.csv"
    for void in ("", "i2,INV-i2,0.00\n", "i2,INV-i2,120.00\n"):
        path.write_text(f"id,reference,total\ni1,INV-i1,120.00\n{void}", encoding="utf-8")
        code, found = sheet(run, "--control", str(path))
        assert code == 0, found["verdict"]


def close_march(pipeline: Pipeline) -> None:
    edit(pipeline, "INV-i1", "close_books", date="2026-03-31")


def leave(pipeline: Pipeline, id: str) -> None:
    """Press Keep what QuickBooks says."""
    with pipeline.engine.begin() as db:
        keep_quickbooks(db, pipeline.one("invoice", id).id, by="ann")
    pipeline.drive()


def remedy(pipeline: Pipeline, id: str) -> str:
    """The open failure of an invoice: what is wrong, and what to do."""
    with pipeline.engine.begin() as db:
        link = pipeline.one("invoice", id).id
        asked = "SELECT message || ' ' || remedy FROM qbo_failure WHERE link_id = %s AND closed_at IS NULL"
        return str(db.exec_driver_sql(asked, (link,)).scalar_one())


@pytest.mark.usefixtures("no_background_trouble")
def test_what_changed_in_a_closed_month_can_be_left_there(pipeline: Pipeline, run: Any) -> None:
    """A void, an amount and a date: each is corrected in April by hand, and March agrees but for them."""
    ids = ("void", "less", "out")
    pipeline.ingest(*(event(invoice(one)) for one in ids))
    pipeline.drive()
    edit(pipeline, "INV-void", "close_books", date="2026-03-31")
    pipeline.ingest(
        event(invoice("void", sequence=2, step=Step.VOIDED)),
        event(invoice("less", sequence=2, lines=(line("50.00"),))),
        event(invoice("out", sequence=2, date=dt.date(2026, 4, 2))),
    )
    pipeline.drive()
    for one in ids:
        assert "Keep what QuickBooks says" in remedy(pipeline, one)
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-void": "differs", "INV-less": "differs", "INV-out": "other-month"})
    for one in ids:
        leave(pipeline, one)
    code, found = sheet(run)
    assert (code, set(standings(found).values())) == (0, {"left"})
    # 120.00 for the void, 60.00 for the smaller one, 120.00 for what Kompass dates in April.
    assert found["verdict"] == "The month agrees but for what a person left as QuickBooks has it: 3 (300.00 GBP)."
    code, found = sheet(run, "--month", "2026-04")
    assert (code, standings(found)) == (0, {"INV-out": "left"})
    # Another edit by hand is no longer what the person left.
    edit(pipeline, "INV-less", "close_books", date=None)
    less = next(one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-less")
    less["Line"][0]["Amount"], less["Line"][0]["SalesItemLineDetail"]["UnitPrice"] = 70, 70
    edit(pipeline, "INV-less", "update", members={"Line": less["Line"]})
    code, found = sheet(run)
    assert (code, standings(found)["INV-less"]) == (1, "differs")


def test_a_void_that_was_left_is_decided_again_once_kompass_billed_it_again(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    close_march(pipeline)
    pipeline.ingest(event(invoice("i1", sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    leave(pipeline, "i1")
    pipeline.ingest(event(invoice("i1", sequence=3, step=Step.VOIDED, details="Void")))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    pipeline.ingest(event(invoice("i1", sequence=4)))
    pipeline.drive()
    assert sheet(run)[0] == 0
    pipeline.ingest(event(invoice("i1", sequence=5, step=Step.VOIDED)))
    pipeline.drive()
    assert (pipeline.one("invoice", "i1").state, pipeline.one("invoice", "i1").cause) == ("failed", "books-closed")


def test_a_document_that_is_to_move_into_a_closed_month_is_not_said_to_lie_there(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1", date=dt.date(2026, 4, 5))))
    pipeline.drive()
    close_march(pipeline)
    pipeline.ingest(event(invoice("i1", sequence=2, date=dt.date(2026, 3, 30))))
    pipeline.drive()
    # Whether the refusal or the closing date is known first, is QuickBooks' matter.
    assert "date it after" in remedy(pipeline, "i1").lower()
    pipeline.ingest(event(invoice("i1", sequence=3, date=dt.date(2026, 3, 30))))
    pipeline.drive()
    said = remedy(pipeline, "i1")
    assert "its new date 2026-03-30 lies in a period that is closed in QuickBooks (to 2026-03-31)" in said
    assert "in QuickBooks it is dated 2026-04-05" in said
    assert "Date it after 2026-03-31 in Kompass" in said
    assert "credit note" not in said


def test_a_document_that_was_taken_over_at_another_customer_differs(pipeline: Pipeline, run: Any) -> None:
    """Quay's invoice of the same number was linked: its amounts are right, and it is not our client's."""
    configure(pipeline, "project_customers", value=False)
    pipeline.ingest(event(client("c1")))
    pipeline.drive()
    document = type_by_hand(pipeline, "Quay", "INV-i1")
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        take_over(db, pipeline.one("invoice", "i1").id, "Invoice", document, by="ann")
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    assert "booked to customer Quay in QuickBooks" in found["lines"][0]["remark"]


def test_a_control_list_does_not_have_what_was_typed_by_hand(pipeline: Pipeline, run: Any, tmp_path: Any) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i2", sequence=2, step=Step.REJECTED)))
    pipeline.drive()
    (quay, other) = (type_by_hand(pipeline, name, number) for name, number in (("Quay", "901"), ("Moss", "902")))
    assert quay != other
    edit(pipeline, "INV-i2", "delete")
    path = tmp_path / "march.csv"
    path.write_text("id,reference,total\ni1,INV-i1,120.00\n", encoding="utf-8")
    code, found = sheet(run, "--control", str(path))
    assert (code, standings(found)["901"], standings(found)["902"]) == (0, *["only-in-quickbooks"] * 2), found[
        "verdict"
    ]
    assert set(found["totals"]) == {"GBP"}


def test_a_taken_over_rate_is_held_against_the_rate_of_the_day(pipeline: Pipeline, run: Any) -> None:
    """120.00 EUR typed at 8.5, where 1 March has 0.85: 1,020.00 GBP instead of 102.00."""
    know(pipeline, "EUR", "0.85")
    configure(pipeline, "project_customers", value=False)
    pipeline.ingest(event(client("c1", currency="EUR")))
    pipeline.drive()
    customer = pipeline.one("client", "c1").qbo_id
    document = type_by_hand(pipeline, customer, "INV-i1", CurrencyRef={"value": "EUR"}, ExchangeRate=Decimal("8.5"))
    pipeline.ingest(in_currency("EUR"))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        take_over(db, pipeline.one("invoice", "i1").id, "Invoice", document, by="ann")
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "otherwise"})
    assert found["lines"][0]["remark"] == "exchange rate 8.5 in QuickBooks, whose rate of 2026-03-01 is 0.85"
    assert "Look at this first" in found["verdict"]


def test_tax_that_was_moved_from_one_authority_to_the_other_differs(pipeline: Pipeline, run: Any) -> None:
    """Quebec: 1,000.00 has 50.00 of GST and 99.75 of QST. By hand: none, and 149.75."""
    pipeline.link("org-ca", "Laurentian", realm=CANADA)
    pipeline.map_vat_rate("qc", "GST/QST QC - 9.975", org_id="org-ca", realm=CANADA)
    quebec = VatRate("qc", "GST and QST", Decimal("14.975"))
    lines = (line("1000.00", vat=quebec, amount_vat=Decimal("149.75")),)
    pipeline.ingest(event(invoice("i1", org=OrgRef("org-ca", "Laurentian"), currency="CAD", lines=lines)))
    pipeline.drive()
    code, found = sheet(run, "--org", "org-ca")
    assert (code, standings(found)) == (0, {"INV-i1": "agrees"})
    (document,) = pipeline.objects("Invoice", CANADA)
    gst, qst = document["TxnTaxDetail"]["TaxLine"]
    assert (gst["Amount"], qst["Amount"]) == (50, Decimal("99.75"))
    moved = {"TaxLine": [{**gst, "Amount": 0}, {**qst, "Amount": Decimal("149.75")}]}
    wanted = {"action": "update", "entity": "Invoice", "id": document["Id"], "members": {"TxnTaxDetail": moved}}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[CANADA], wanted))
    code, found = sheet(run, "--org", "org-ca")
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    assert "149.75 in QuickBooks, and it charges 99.75" in found["lines"][0]["remark"]


def test_tax_that_was_folded_into_the_service_line_differs(pipeline: Pipeline, run: Any) -> None:
    """USA: 1,000.00 and 82.50 of tax on an item of its own. By hand: one line of 1,082.50, and nothing is owed to the state."""
    pipeline.link("org-us", "Cascade", realm=USA)
    tax_item = pipeline.object_id(USA, "Item", "Surveying")
    with pipeline.engine.begin() as db:
        changed = "UPDATE qbo_configuration SET billed_tax = 'item-line', tax_item_id = %s WHERE org_id = 'org-us'"
        db.exec_driver_sql(changed, (tax_item,))
    lines = (line("1000.00", vat=VatRate("ca", "Sales tax", Decimal("8.25")), amount_vat=Decimal("82.50")),)
    pipeline.ingest(event(invoice("i1", org=OrgRef("org-us", "Cascade"), currency="USD", lines=lines)))
    pipeline.drive()
    code, found = sheet(run, "--org", "org-us")
    assert (code, standings(found)) == (0, {"INV-i1": "agrees"})
    (document,) = pipeline.objects("Invoice", USA)
    service, _ = (each for each in document["Line"] if each["DetailType"] == "SalesItemLineDetail")
    service["SalesItemLineDetail"]["ItemRef"] = {"value": "1"}
    service["SalesItemLineDetail"].pop("UnitPrice", None)
    service["SalesItemLineDetail"].pop("Qty", None)
    members = {"Line": [{**service, "Amount": Decimal("1082.50")}]}
    wanted = {"action": "update", "entity": "Invoice", "id": document["Id"], "members": members}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[USA], wanted))
    code, found = sheet(run, "--org", "org-us")
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    assert "the item that carries the tax has 0.00 in QuickBooks" in found["lines"][0]["remark"]


def type_by_hand(pipeline: Pipeline, customer: str, number: str, **more: Any) -> dict[str, Any]:
    """Have a bookkeeper type an invoice of 100.00 and 20 % for a customer by its Id, or for a new one by its name."""

    def edit_by_hand(**wanted: Any) -> None:
        pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], {"action": "create", **wanted}))

    if not customer.isdigit():
        edit_by_hand(entity="Customer", members={"DisplayName": customer, "CurrencyRef": {"value": "GBP"}})
        customer = next(one["Id"] for one in pipeline.objects("Customer") if one["DisplayName"] == customer)
    detail = {"ItemRef": {"value": "1"}, "TaxCodeRef": {"value": pipeline.object_id(UK, "TaxCode", "20.0% S")}}
    members = {
        "DocNumber": number, "TxnDate": "2026-03-01", "CustomerRef": {"value": customer}, "CurrencyRef": {"value": "GBP"},
        "GlobalTaxCalculation": "TaxExcluded",
        "Line": [{"Amount": 100, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}],
        **more,
    }  # fmt: skip
    edit_by_hand(entity="Invoice", members=members)
    return next(one for one in pipeline.objects("Invoice") if one["DocNumber"] == number)
