"""A past month is compared with what was sent, member by member; what the Configuration says today is for what is still to be sent."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from mapping.sheet import Sheet
from schemas.events import OrgRef, VatRate
from simulator import bookkeeper
from simulator.seeds import UK, USA
from sync.keeping import keep_quickbooks
from tests.builders import STANDARD, client, event, invoice, line, project
from tests.integration.agreement.sheets import edit, sheet, standings
from tests.integration.agreement.test_month_end import sheet_of
from tests.pipeline import Pipeline

ZERO = VatRate("vat-0", "Zero", Decimal(0))


def statement(pipeline: Pipeline, sql: str, *values: object) -> None:
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(sql, values)


def remap(pipeline: Pipeline, vat: str, code: str) -> None:
    """Give a VAT rate another tax code today, of the same percent or of another."""
    there = pipeline.object_id(UK, "TaxCode", code)
    statement(
        pipeline,
        "UPDATE qbo_tax_code_vat_rate SET tax_code_id = %s, tax_code_name = %s"
        " WHERE vat_rate_id = (SELECT id FROM qbo_vat_rate WHERE kompass_id = %s)",
        there,
        code,
        vat,
    )


@pytest.mark.usefixtures("no_background_trouble")
def test_a_change_of_the_configuration_leaves_a_filed_month_as_it_is(pipeline: Pipeline) -> None:
    """Each switch and row that decides about tax and rates is another one after March was filed."""
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    thirds = tuple(line("0.33", position=number) for number in (1, 2, 3))
    pipeline.ingest(
        event(invoice("i1")),
        event(invoice("zero", lines=(line("100.00", vat=ZERO), line("50.00", position=2)))),
        event(invoice("credit", lines=(line("-50.00"),))),
        event(invoice("rounded", lines=thirds)),
        event(invoice("usd", of=project("p9", of=client("c9", currency="USD")), currency="USD")),
    )
    pipeline.drive()
    filed = sheet_of(pipeline, file_by="ada")
    assert filed.agrees, filed.verdict

    def unchanged(why: str) -> Sheet:
        pipeline.drive()
        now = sheet_of(pipeline)
        assert (now.agrees, now.changes, now.by_tax_code()) == (True, (), filed.by_tax_code()), why
        assert [one.standing for one in now.lines] == [one.standing for one in filed.lines], why
        return now

    remap(pipeline, "vat-0", "Exempt")
    unchanged("another code of the same percent")
    remap(pipeline, "vat-20", "5.0% R")
    unchanged("another code of another percent")
    statement(pipeline, "DELETE FROM qbo_tax_code_vat_rate")
    unchanged("no rows")
    for column, value in (
        ("tax_amounts", "kompass"), ("exchange_rates", "quickbooks"), ("project_customers", False), ("locale", "USA"),
        ("billed_tax", "item-line"), ("doc_number_template", "K-{{ invoice.reference }}"),
    ):  # fmt: skip
        statement(pipeline, f"UPDATE qbo_configuration SET {column} = %s", value)
        unchanged(column)


def test_what_is_due_again_is_compared_with_what_would_be_sent_today(pipeline: Pipeline, run: Any) -> None:
    """A typo is corrected after the row changed: its next sending has the new code, and does not go through."""
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    pipeline.ingest(event(invoice("i1", lines=(line("100.00", vat=ZERO),))))
    pipeline.drive()
    edit(pipeline, "INV-i1", "pay")
    remap(pipeline, "vat-0", "Exempt")
    pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("100.00", vat=ZERO),), details="Thank you")))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"], only["state"]) == (1, "differs", "failed")
    assert only["remark"].startswith("its newest version is not in QuickBooks (failed: ")
    assert "tax code Exempt: net 0.00 in QuickBooks, 100.00 in Kompass" in only["remark"]


EDITS = {
    "number": ({"DocNumber": "XX-1"}, "number XX-1 in QuickBooks, INV-number was sent"),
    "date": ({"TxnDate": "2026-03-20"}, "dated 2026-03-20 in QuickBooks, 2026-03-01 in Kompass"),
    "due": ({"DueDate": "2026-12-31"}, "due 2026-12-31 in QuickBooks, 2026-03-31 in Kompass"),
    "customer": ({"CustomerRef": "other"}, "booked to customer "),
}


@pytest.mark.usefixtures("no_background_trouble")
def test_each_member_that_a_bookkeeper_changed_is_said_until_a_person_keeps_it(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(
        event(invoice("other", of=project("p2", of=client("c2", name="Another Ltd")))),
        *(event(invoice(one, due_date=dt.date(2026, 3, 31))) for one in EDITS),
    )
    pipeline.drive()
    assert sheet_of(pipeline, file_by="ada").agrees
    theirs = next(one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-other")
    for one, (members, _) in EDITS.items():
        wanted = {"CustomerRef": {"value": theirs["CustomerRef"]["value"]}} if one == "customer" else members
        edit(pipeline, f"INV-{one}", "update", members=wanted)
    code, found = sheet(run)
    assert code == 1
    otherwise = {f"INV-{one}": "otherwise" for one in ("number", "date", "due")}
    assert standings(found) == {"INV-other": "agrees", "INV-customer": "differs", **otherwise}
    remarks = {one["kompass_id"]: one["remark"] for one in found["lines"]}
    for one, (_, words) in EDITS.items():
        assert words in remarks[one]
    changes = "\n".join(found["changes"])
    assert (
        "INV-number: number in QuickBooks was INV-number, is XX-1; "
        "standing was agrees, is otherwise (number XX-1 in QuickBooks, INV-number was sent)"
    ) in changes
    assert "date in QuickBooks was 2026-03-01, is 2026-03-20" in changes
    assert "due date in QuickBooks was 2026-03-31, is 2026-12-31" in changes
    assert "customer in QuickBooks was " in changes
    assert "INV-other" not in changes

    # Kompass changes the very members, both sides are shown, and a person keeps QuickBooks'.
    pipeline.ingest(
        *(event(invoice(one, sequence=2, due_date=dt.date(2026, 3, 31), details=f"Typo of {one}")) for one in EDITS)
    )
    pipeline.drive()
    for one in EDITS:
        with pipeline.engine.begin() as db:
            keep_quickbooks(db, pipeline.one("invoice", one).id, by="ann")
    pipeline.drive()
    code, found = sheet(run)
    left = {"INV-customer": "left"}
    assert (code, standings(found)) == (0, dict.fromkeys(standings(found), "agrees") | left), found["verdict"]


def test_what_only_kompass_changed_is_said_while_it_is_not_sent(pipeline: Pipeline, run: Any) -> None:
    """Re-dated within a month whose books are closed: refused, and the two sides have two dates."""
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "close_books", date="2026-03-31")
    pipeline.ingest(event(invoice("i1", sequence=2, date=dt.date(2026, 3, 20))))
    pipeline.drive()
    code, found = sheet(run)
    (only,) = found["lines"]
    assert (code, only["standing"], only["state"]) == (0, "otherwise", "failed")
    assert found["verdict"].startswith("The month agrees to the cent. Look at this first: Booked, with another number")
    assert "dated 2026-03-01 in QuickBooks, 2026-03-20 in Kompass" in only["remark"]


@pytest.mark.parametrize("rounding", ["per_line", "per_rate"])
def test_a_tax_that_was_changed_by_hand_is_said_with_what_to_do(pipeline: Pipeline, run: Any, rounding: str) -> None:
    pipeline.simulator.call(lambda world: world.change_settings({"tax_rounding": rounding}))
    pipeline.map_vat_rate("vat-5", "5.0% R")
    two = (line("100.00", vat=STANDARD), line("100.00", vat=VatRate("vat-5", "Reduced", Decimal(5)), position=2))
    pipeline.ingest(event(invoice("i1")), event(invoice("two", lines=two)), event(invoice("day")))
    pipeline.drive()
    edit(pipeline, "INV-i1", "override_tax", tax="20.01")
    edit(pipeline, "INV-two", "override_tax", tax="26.00")
    code, found = sheet(run)
    remarks = {one["kompass_id"]: one["remark"] for one in found["lines"]}
    assert (code, standings(found)) == (1, {"INV-i1": "differs", "INV-two": "differs", "INV-day": "agrees"})
    assert remarks["i1"] == (
        "tax changed by hand in QuickBooks, 20.01 instead of 20.00: enter 20.00 there again, or correct the tax in Kompass if 20.01 "
        "is right; QuickBooks 120.01 against 120.00"
    )
    assert remarks["two"].startswith("tax changed by hand in QuickBooks, 26.00 instead of 25.00")


def test_tax_that_was_added_by_hand_in_the_usa_is_said_as_such(pipeline: Pipeline) -> None:
    """1,000.00 without tax, sent without a code; 80.00 of California's was put on it in QuickBooks."""
    pipeline.link("org-us", "Cascade", realm=USA)
    org = OrgRef("org-us", "Cascade")
    pipeline.ingest(event(invoice("us", org=org, currency="USD", lines=(line("1000.00", vat=None),))))
    pipeline.drive()
    assert sheet_of(pipeline, org_id="org-us", realm=USA).agrees
    (there,) = pipeline.objects("Invoice", USA)
    (sales,) = [dict(one) for one in there["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    sales["SalesItemLineDetail"] = {**sales["SalesItemLineDetail"], "TaxCodeRef": {"value": "TAX"}}
    code = {"value": pipeline.object_id(USA, "TaxCode", "California")}
    wanted = {"action": "update", "entity": "Invoice", "id": there["Id"],
              "members": {"Line": [sales], "TxnTaxDetail": {"TxnTaxCodeRef": code}}}  # fmt: skip
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[USA], wanted))
    (only,) = sheet_of(pipeline, org_id="org-us", realm=USA).lines
    assert only.remark.startswith("tax changed by hand in QuickBooks, 80.00 instead of 0.00: enter 0.00 there again")
