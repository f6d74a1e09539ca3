"""The agreement sheet: every document of a month, on both sides, to the cent."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

from click.testing import CliRunner

from consumers.agreement.command import agree
from qbo_client.calls import create
from schemas.events import InvoiceType, Step
from store.sql import loads
from tests.builders import event, invoice, line
from tests.integration.pipeline.test_bookkeeper import edit
from tests.pipeline import Pipeline

UK = "9130347000000000002"


def test_a_month_that_agrees(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", lines=(line("-50.00"),))))
    pipeline.drive()
    before = len(pipeline.requests())
    result = run()
    assert result.return_value == 0, result.stdout
    assert "The month agrees to the cent." in result.stdout
    assert len(pipeline.requests()) - before == 2
    found = loads(run("--json").stdout)
    (sums,) = found["totals"].values()
    assert sums["kompass"] == sums["quickbooks"] == {"net": Decimal(50), "tax": Decimal(10), "gross": Decimal(60)}
    assert found["reads"] == 2


def test_a_read_that_is_refused_in_passing_is_made_again(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    before = len(pipeline.requests())
    refused = {"kind": "fault", "code": "6000", "operation": "query", "count": 1}
    absent = {"kind": "http", "status": 503, "operation": "query", "skip": 1, "count": 1}
    pipeline.simulator.call(lambda world: [world.troubles.add(one) for one in (refused, absent)])
    result = run()
    assert result.return_value == 0, result.stdout
    assert "The month agrees to the cent." in result.stdout
    assert len(pipeline.requests()) - before == 4


def test_everything_that_does_not_agree_is_named(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(
        event(invoice("skipped", synchronize=False)),
        event(invoice("journal", type=InvoiceType.JOURNAL)),
        event(invoice("back")),
        event(invoice("unmapped", lines=(line(vat=None),))),
    )
    pipeline.drive()
    pipeline.ingest(event(invoice("back", sequence=2, step=Step.REJECTED)))
    pipeline.drive()
    pipeline.ingest(event(invoice("edited")))
    pipeline.drive()
    document = pipeline.objects("Invoice")[-1]
    lines = [one for one in document["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    detail = {
        name: value for name, value in lines[0]["SalesItemLineDetail"].items() if name not in ("Qty", "UnitPrice")
    }
    edit(pipeline, "Invoice", Line=[{**lines[0], "Amount": Decimal("77.00"), "SalesItemLineDetail": detail}])
    token = pipeline.simulator.authorize(UK)["access_token"]
    body = {
        name: document[name]
        for name in ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation")
        if name in document
    }
    by_hand = {**body, "DocNumber": "=HAND", "Line": [{**lines[0]}]}
    by_hand["Line"][0].pop("Id")
    assert (
        type(pipeline.transport.send(UK, token, create("Invoice", by_hand, request_id="r"), deadline=10.0)).__name__
        == "Done"
    )

    result = run("--json")
    assert result.return_value == 1
    found = {one["reference"]: one for one in loads(result.stdout)["lines"]}
    assert {reference: one["standing"] for reference, one in found.items()} == {
        "INV-edited": "differs",
        "INV-back": "withdrawn",
        "=HAND": "resembles",
        "INV-skipped": "not-sent",
        "INV-journal": "not-sent",
        "INV-unmapped": "missing",
    }
    assert found["INV-edited"]["difference"] == Decimal("92.40") - Decimal("120.00")
    assert "QuickBooks comes to another net amount" in found["INV-edited"]["remark"]
    assert found["INV-skipped"]["remark"] == "Synchronize is off in Kompass"
    rows = list(csv.DictReader(io.StringIO(run("--csv").stdout)))
    assert [row["remark"] for row in rows if row["standing"] == "verdict"] == [loads(result.stdout)["verdict"]]
    assert len(rows) == 7
    assert {row["reference"] for row in rows} >= {"'=HAND"}
    text = run().stdout
    assert "Taken back in Kompass, still in QuickBooks (1)" in text
    assert "-27.60" in text


def test_another_month_is_empty_and_another_org_is_named(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    empty = run("--month", "2026-04", "--json")
    assert (loads(empty.stdout)["lines"], empty.return_value) == ([], 0)
    assert loads(empty.stdout)["verdict"] == (
        "The month is empty: neither Kompass nor QuickBooks has a document of it."
    )
    missing = CliRunner().invoke(agree, ["--org", "nobody", "--month", "2026-03"], standalone_mode=False)
    assert "no Org has the id or name 'nobody'" in str(missing.exception)
    bad = CliRunner().invoke(agree, ["--org", "org-uk", "--month", "2026-13"])
    assert bad.exit_code == 2
    assert "is no month; give it as 2026-03" in bad.output
