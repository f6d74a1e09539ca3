"""A month agrees only if all that Kompass says belongs in it is in QuickBooks so, and the other way round."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from consumers.agreement.command import agree
from qbo_client.calls import create
from schemas.events import Step, VatRate
from simulator.seeds import UK
from tests.builders import client, event, invoice, line, project
from tests.cases.kompass_cases import events_of
from tests.integration.agreement.sheets import edit, sheet, standings
from tests.pipeline import Pipeline


def test_an_approved_invoice_that_is_missing_prevents_it(pipeline: Pipeline, run: Any) -> None:
    """60,000.00 approved in Kompass, whose VAT rate has no tax code: the case s01."""
    pipeline.ingest(*events_of("s01-agree-with-rejected"))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, found["agrees"]) == (1, False)
    first = found["lines"][0]
    assert (first["standing"], first["kompass_gross"], first["quickbooks_gross"]) == ("missing", Decimal(60000), None)
    assert first["state"] == "failed"
    assert "has no row in Tax Code VAT Rates" in first["remark"]
    assert found["verdict"] == (
        "The month does not agree. Belongs in the month, but is not in QuickBooks: 1 (60,000.00 GBP)."
    )
    text = run().stdout
    assert text.index("Belongs in the month, but is not in QuickBooks (1)") < text.index("Agrees (1)")
    sums = found["totals"]["GBP"]
    assert (sums["kompass"]["gross"], sums["quickbooks"]["gross"]) == (Decimal(60120), Decimal(120))


@pytest.mark.parametrize("action", ["void", "delete"])
def test_a_withdrawal_is_over_once_quickbooks_has_nothing_of_it(pipeline: Pipeline, run: Any, action: str) -> None:
    """The case s12: taken back in Kompass, then voided or deleted in QuickBooks as the mail says."""
    first, back = events_of("s12-withdrawn-resolved")
    pipeline.ingest(first)
    pipeline.drive()
    pipeline.ingest(back)
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-r1": "withdrawn"})
    assert found["lines"][0]["kompass_gross"] == 0
    edit(pipeline, "INV-r1", action)
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-r1": "not-sent"})
    assert "QuickBooks has nothing of it" in found["lines"][0]["remark"]
    assert found["totals"] == {}


def test_one_that_waits_or_is_queued_prevents_it_with_its_reason(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"], only["state"], only["remark"]) == (1, "missing", "pending", "queued: not sent yet")


def test_deleted_in_quickbooks_is_missing(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "delete")
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"]) == (1, "missing")
    assert "was deleted in QuickBooks" in only["remark"]


def test_voided_in_quickbooks_differs(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "void")
    code, found = sheet(run)
    assert (code, found["lines"][0]["standing"], found["lines"][0]["remark"]) == (1, "differs", "voided in QuickBooks")


def test_another_month_on_the_other_side_is_said_in_both_months(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "update", members={"TxnDate": "2026-04-02"})
    for month, kompass, quickbooks in (("2026-03", 120, 0), ("2026-04", 0, 120)):
        code, found = sheet(run, "--month", month)
        (only,) = found["lines"]
        assert (code, only["standing"]) == (1, "other-month"), month
        assert only["remark"] == "dated 2026-03-01 in Kompass and 2026-04-02 in QuickBooks"
        sums = found["totals"]["GBP"]
        assert (sums["kompass"]["gross"], sums["quickbooks"]["gross"]) == (kompass, quickbooks), month


def test_another_customer_in_quickbooks_differs(pipeline: Pipeline, run: Any) -> None:
    other = client("c2", name="Another Ltd")
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", of=project("p2", of=other))))
    pipeline.drive()
    theirs = next(one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-i2")
    edit(pipeline, "INV-i1", "update", members={"CustomerRef": {"value": theirs["CustomerRef"]["value"]}})
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs", "INV-i2": "agrees"})
    assert "booked to customer" in found["lines"][0]["remark"]


def test_another_tax_code_differs_though_the_totals_agree(pipeline: Pipeline, run: Any) -> None:
    """Zero-rated and exempt both come to nothing, and stand in other boxes of the return."""
    zero = VatRate("vat-0", "Zero", Decimal(0))
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    pipeline.ingest(event(invoice("i1", lines=(line("100.00", vat=zero),))))
    pipeline.drive()
    (document,) = pipeline.objects("Invoice")
    (sales,) = [one for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    exempt = {"value": pipeline.object_id(UK, "TaxCode", "Exempt")}
    edit(
        pipeline,
        "INV-i1",
        "update",
        members={"Line": [{**sales, "SalesItemLineDetail": {**sales["SalesItemLineDetail"], "TaxCodeRef": exempt}}]},
    )
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    assert found["lines"][0]["remark"] == (
        "tax code 0.0% Z: net 0.00 in QuickBooks, 100.00 in Kompass; tax code Exempt: net 100.00 in QuickBooks, nothing in Kompass"
    )
    assert found["tax_codes"]["0.0% Z, GBP"]["kompass"]["net"] == 100
    assert found["tax_codes"]["Exempt, GBP"]["quickbooks"]["net"] == 100


def by_hand(pipeline: Pipeline, number: str, **more: Any) -> None:
    document = pipeline.objects("Invoice")[0]
    sales = [dict(one) for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    for one in sales:
        one.pop("Id")
    body = {name: document[name] for name in ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation")}
    token = pipeline.simulator.authorize(UK)["access_token"]
    wanted = {**body, "DocNumber": number, "Line": sales, **more}
    outcome = pipeline.transport.send(UK, token, create("Invoice", wanted, request_id=number), deadline=10.0)
    assert type(outcome).__name__ == "Done", outcome


def test_hand_typed_documents_are_summed_apart_and_do_not_prevent_it(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    by_hand(pipeline, "HAND", TxnDate="2026-03-20")
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"HAND": "only-in-quickbooks", "INV-i1": "agrees"})
    assert found["verdict"] == "The month agrees to the cent."
    assert found["totals"]["GBP"]["quickbooks"]["gross"] == 120
    assert found["hand_typed"]["GBP"]["gross"] == 120


def test_a_second_document_with_our_mark_prevents_it(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    by_hand(pipeline, "TWICE", PrivateNote=pipeline.objects("Invoice")[0]["PrivateNote"])
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"TWICE": "unknown", "INV-i1": "agrees"})
    assert "carries the mark of Kompass invoice i1" in found["lines"][0]["remark"]


def test_rounding_alone_does_not_prevent_it_and_is_said(pipeline: Pipeline, run: Any) -> None:
    pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    pipeline.ingest(event(invoice("i1", lines=tuple(line("0.33", position=number) for number in (1, 2, 3)))))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "rounding"})
    assert found["verdict"] == "The month agrees but for rounding of tax: 1 (-0.01 GBP)."
    edit(pipeline, "INV-i1", "override_tax", tax="0.10")
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})


def test_a_failed_change_of_what_is_there_is_said_with_both_amounts(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("100.00", amount_vat=Decimal("17.50")),))))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"], only["state"]) == (1, "differs", "failed")
    assert only["remark"].startswith("its newest version is not in QuickBooks (failed: ")


def test_a_void_agrees_with_nothing(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("never", step=Step.VOIDED)))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees", "INV-never": "not-sent"})


def test_what_is_void_in_quickbooks_concerns_the_month_of_kompass_alone(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "void")
    pipeline.ingest(event(invoice("i1", sequence=2, date=dt.date(2026, 4, 2))))
    pipeline.drive()
    code, found = sheet(run, "--month", "2026-03")
    assert (code, standings(found)) == (0, {})
    code, found = sheet(run, "--month", "2026-04")
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
    assert "voided in QuickBooks" in found["lines"][0]["remark"]


def test_what_is_void_on_both_sides_is_in_no_month_and_for_nobody(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", of=project("p2"))))
    pipeline.drive()
    theirs = next(one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-i2")
    for members in ({"TxnDate": "2026-04-02"}, {"CustomerRef": {"value": theirs["CustomerRef"]["value"]}}):
        edit(pipeline, "INV-i1", "update", members=members)
    edit(pipeline, "INV-i1", "void")
    pipeline.ingest(event(invoice("i1", sequence=2, step=Step.VOIDED)))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees", "INV-i2": "agrees"})
    assert sheet(run, "--month", "2026-04")[0] == 0
    edit(pipeline, "INV-i1", "delete")
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees", "INV-i2": "agrees"})
    assert found["lines"][0]["remark"].startswith("voided in Kompass; Invoice ")


def test_a_start_date_decides_only_about_what_was_never_sent(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET start_date = '2026-03-15'")
    pipeline.ingest(event(invoice("i2", date=dt.date(2026, 3, 2))))
    pipeline.drive()
    code, found = sheet(run)
    assert (code, standings(found)) == (0, {"INV-i1": "agrees", "INV-i2": "not-sent"})


def test_a_foreign_document_at_a_rate_of_1_is_noticed_where_the_rate_is_left_to_quickbooks(
    pipeline: Pipeline, run: Any
) -> None:
    """The case s02: 1,000,000 JPY booked as 1,000,000.00 GBP."""
    pipeline.simulator.call(lambda world: world.change_settings({"omitted_exchange_rate": "one"}))
    pipeline.map_vat_rate("uk0", "0.0% Z")
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET exchange_rates = 'quickbooks'")
    pipeline.ingest(*events_of("s02-fx-rate-one"))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"]) == (1, "differs")
    assert only["remark"] == (
        "booked at an exchange rate of 1: 1,000,000.00 JPY as GBP; exchange rate 1 in QuickBooks, whose rate of 2026-03-01 is 0.0049"
    )


def test_home_amounts_stand_beside_the_documents_own(pipeline: Pipeline, run: Any) -> None:
    """5,000.00 USD × 0.79 = 3,950.00 GBP; with 120.00 GBP it is 4,070.00."""
    pipeline.map_vat_rate("uk0", "0.0% Z")
    pipeline.ingest(*events_of("uk12-usd"), event(invoice("i1")))
    pipeline.drive()
    code, found = sheet(run)
    assert code == 0
    assert {one["reference"]: (one["kompass_home"], one["quickbooks_home"]) for one in found["lines"]} == {
        "INV-i1": (120, 120),
        "uk12-usd": (3950, 3950),
    }
    assert found["home"] == {"currency": "GBP", "kompass": 4070, "quickbooks": 4070, "without_rate": {}}


def control(run: Any, tmp_path: Path, text: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "list"
    path.write_text(text, encoding="utf-8")
    return sheet(run, "--control", str(path))


def test_the_list_of_kompass_finds_what_no_event_told_of(pipeline: Pipeline, run: Any, tmp_path: Path) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")), event(invoice("draft", step=Step.DRAFT)))
    pipeline.drive()
    code, found = control(run, tmp_path, "id,reference,total\ni1,INV-i1,120.00\ni2,INV-i2,120.00\n")
    assert (code, found["control"]) == (0, "Kompass's list: 2 documents, 240.00; each arrived with its total.")
    rows = "id,reference,total\ni1,INV-i1,120.00\nlost,INV-lost,60000\ni2,INV-i2,130\n"
    code, found = control(run, tmp_path, rows)
    assert code == 1
    assert {one["reference"]: one["remark"] for one in found["lines"] if one["standing"] == "not-arrived"} == {
        "INV-lost": "no event of lost arrived: have Kompass send it again",
        "INV-i2": "Kompass's list says 130.00, the newest event here 120.00",
    }
    assert found["verdict"].startswith("The month does not agree. Kompass's list and the events disagree: 2")
    code, found = control(run, tmp_path, '{"id": "i1", "reference": "INV-i1", "total": 120.00}\n')
    assert code == 1
    assert [one["remark"] for one in found["lines"] if one["standing"] == "not-arrived"] == [
        "an event of it arrived, and Kompass's list does not have it"
    ]


def test_the_list_names_what_the_events_date_or_number_otherwise(pipeline: Pipeline, run: Any, tmp_path: Path) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", date=dt.date(2026, 4, 1))))
    pipeline.drive()
    code, found = control(run, tmp_path, "id;reference;total\ni1;INV-one;120,00\ni2;INV-i2;120,00\n")
    assert code == 1
    assert {one["kompass_id"]: one["remark"] for one in found["lines"] if one["standing"] == "not-arrived"} == {
        "i1": "Kompass's list calls it INV-one, the newest event here INV-i1",
        "i2": "Kompass's list of 2026-03 has it, and the newest event here dates it 2026-04-01",
    }


def test_a_list_that_cannot_be_read_is_said_with_its_row(pipeline: Pipeline, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("id,reference,total\ni1,INV-i1,many\n", encoding="utf-8")
    bad = CliRunner().invoke(agree, ["--org", "org-uk", "--month", "2026-03", "--control", str(path)])
    assert bad.exit_code == 2
    assert "row 1 of the list: the total 'many' is no amount" in " ".join(bad.output.split())
    path.write_bytes("id;reference;total\ni1;INV-Größe;1,00\n".encode("cp1252"))
    bad = CliRunner().invoke(agree, ["--org", "org-uk", "--month", "2026-03", "--control", str(path)])
    assert "the list is not UTF-8: save it as CSV UTF-8" in " ".join(bad.output.split())


def test_a_paid_invoice_that_kompass_gives_to_another_client_does_not_agree(pipeline: Pipeline, run: Any) -> None:
    """Its amounts are what they were, and the receivable is another client's: nothing is written over a payment."""
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "pay")
    pipeline.ingest(event(invoice("i1", sequence=2, of=project("p2", of=client("c2", name="Another Ltd")))))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"], only["state"]) == (1, "differs", "failed")
    assert "and its newest version is for " in only["remark"]


def test_tax_by_hand_on_a_zero_rate_is_no_rounding(pipeline: Pipeline, run: Any) -> None:
    """1,000.00 at 0 % and 0.01 of tax put in by hand: no way of rounding makes a cent of nothing."""
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    pipeline.ingest(event(invoice("i1", lines=(line("1000.00", vat=VatRate("vat-0", "Zero", Decimal(0))),))))
    pipeline.drive()
    edit(pipeline, "INV-i1", "override_tax", tax="0.01")
    code, found = sheet(run)
    assert (code, standings(found)) == (1, {"INV-i1": "differs"})
