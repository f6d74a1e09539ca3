"""Situations that an accountant meets on signing a month, each with what the sheet has to say."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from consumers.agreement.showing import printed
from mapping.sheet import Sheet, Standing
from schemas.events import VatRate
from simulator import bookkeeper
from simulator.seeds import UK
from store import companies
from sync.agreement import file_sheet, read_sheet
from tests.builders import STANDARD, client, event, invoice, line, project
from tests.pipeline import Pipeline

REDUCED = VatRate("vat-5", "Reduced", Decimal(5))


def sheet_of(
    pipeline: Pipeline, month: int = 3, *, file_by: str = "", org_id: str = "org-uk", realm: str = UK
) -> Sheet:
    with pipeline.engine.begin() as db:
        configuration = companies.read_configuration(db, org_id)
        facts = companies.read_facts(db, [realm])[realm]
    assert configuration is not None
    token = pipeline.simulator.authorize(realm)["access_token"]
    sheet = read_sheet(
        pipeline.engine,
        lambda call: pipeline.transport.send(realm, token, call, deadline=10.0),
        configuration,
        facts,
        dt.date(2026, month, 1),
    )
    if file_by:
        assert file_sheet(pipeline.engine, sheet, configuration, by=file_by)
    return sheet


def edit(pipeline: Pipeline, **wanted: object) -> None:
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))


def test_a_credit_note_into_a_closed_month_is_missing_there_with_its_amount(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    edit(pipeline, action="close_books", date="2026-03-31")
    pipeline.ingest(event(invoice("credit", lines=(line("-50.00"),), date=dt.date(2026, 3, 31))))
    pipeline.ingest(event(invoice("april", lines=(line("-50.00"),), date=dt.date(2026, 4, 1))))
    pipeline.drive()
    march = sheet_of(pipeline)
    (missing,) = march.of(Standing.MISSING)
    assert (missing.what, missing.kompass.gross if missing.kompass else None) == ("credit note", Decimal("-60.00"))
    assert "closed" in missing.remark
    assert march.totals()["GBP"][0].gross == 60
    assert sheet_of(pipeline, 4).agrees


def test_two_clients_of_one_name_are_two_in_the_sums(pipeline: Pipeline) -> None:
    """QuickBooks takes the name once: the second waits for an override, and the receivables are not one client's."""
    twins = [client(one, name="Twin Ltd") for one in ("c1", "c2")]
    for who in twins:
        pipeline.ingest(event(invoice(f"i-{who.id}", of=project(f"p-{who.id}", of=who))))
        pipeline.drive()
    sheet = sheet_of(pipeline)
    (missing,) = sheet.of(Standing.MISSING)
    assert missing.kompass_id == "i-c2"
    sums = {name: (ours.gross, theirs.gross) for name, (ours, theirs) in sheet.by_client().items()}
    assert sums == {"Twin Ltd (c1), GBP": (120, 120), "Twin Ltd (c2), GBP": (120, 0)}


def test_swapped_rows_are_refused_though_the_totals_agree(pipeline: Pipeline) -> None:
    """100.00 at 20 % and 100.00 at 5 % are 25.00 of tax under either order of the codes."""
    pipeline.map_vat_rate("vat-5", "20.0% S")
    with pipeline.engine.begin() as db:
        code = pipeline.object_id(UK, "TaxCode", "5.0% R")
        db.exec_driver_sql("UPDATE qbo_tax_code_vat_rate SET tax_code_id = %s WHERE tax_code_name = '20.0%% S' AND vat_rate_id ="
                           " (SELECT id FROM qbo_vat_rate WHERE kompass_id = 'vat-20')", (code,))  # fmt: skip
    pipeline.ingest(event(invoice("i1", lines=(line("100.00", vat=STANDARD), line("100.00", vat=REDUCED, position=2)))))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    assert (link.state, link.qbo_id) == ("failed", None)
    assert link.cause.startswith("tax-would-differ")


def test_what_has_no_rate_is_said_beside_the_home_sum(pipeline: Pipeline) -> None:
    """5,000.00 USD that were never sent have no rate: the sum in GBP is without them, and says so."""
    unmapped = VatRate("nobody", "Unmapped", Decimal(0))
    pipeline.ingest(event(invoice("i1")), event(invoice("usd", lines=(line("5000.00", vat=unmapped),), currency="USD")))
    pipeline.drive()
    sheet = sheet_of(pipeline)
    assert sheet.home()[0] == 120
    assert sheet.without_rate() == {"USD": Decimal("5000.00")}
    assert any(re.fullmatch(r"Without a known rate, not in it: USD +5,000.00", one) for one in printed(sheet))


def test_a_filed_month_says_what_a_late_change_did(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2")))
    pipeline.drive()
    assert sheet_of(pipeline, file_by="ada").agrees
    assert sheet_of(pipeline).changes == ()
    pipeline.ingest(event(invoice("i1", sequence=2, lines=(line("150.00"),))), event(invoice("late")))
    pipeline.ingest(event(invoice("i2", sequence=2, date=dt.date(2026, 4, 1))))
    pipeline.drive()
    changes = " | ".join(sheet_of(pipeline).changes)
    assert "INV-i1: net in Kompass was 100.00, is 150.00" in changes
    assert "INV-late was not in it" in changes
    assert "INV-i2 is no longer in it" in changes
