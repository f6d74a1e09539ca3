"""`explain` and `why` say what the pipeline would do and did, and move nothing."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from consumers import cli
from consumers.inquiry.explain import explain
from consumers.inquiry.why import find_one, story, why
from schemas.events import Event, Kind, OrgRef, VatRate
from schemas.jsonlines import event_to_json
from store.searching import find_records
from store.sql import dumps, loads
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


def lines_of(*events: Event) -> str:
    return "".join(orjson.dumps(event_to_json(one)).decode() + "\n" for one in events)


@pytest.fixture
def run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def invoke(command: Any, *arguments: str, input: str = "") -> Any:
        return CliRunner().invoke(command, list(arguments), input=input, standalone_mode=False)

    return invoke


def test_explain_gives_the_very_payload_that_is_sent(pipeline: Pipeline, run: Any) -> None:
    change = event(invoice())
    told = run(explain, "-", "--json", input=lines_of(change))
    assert told.exit_code == 0, told.output
    assert told.return_value == 0
    predicted = {one["kind"]: one for one in map(loads, told.stdout.splitlines())}
    assert list(predicted) == ["client", "project", "invoice"]
    assert pipeline.links() == []
    assert pipeline.rows("qbo_record") == []

    pipeline.ingest(change)
    pipeline.drive()
    sent = {one.kind: one.applied.members for one in pipeline.links()}
    job = pipeline.one("project", "p1")
    assert predicted["client"]["payload"] == loads(dumps(sent["client"]))
    expected = {**loads(dumps(sent["invoice"])), "CustomerRef": {"value": "(new)"}}
    assert predicted["invoice"]["payload"] == expected
    assert job.qbo_id != "(new)"
    (assumed,) = predicted["invoice"]["assumed"]
    assert assumed == (
        "the sub-customer p1 (GBP) is not in QuickBooks yet: it is sent first, and (new) stands for its Id"
    )
    reasons = {one["member"]: one["reason"] for one in predicted["invoice"]["choices"]}
    assert "Default Item ID" in reasons["Line[1].ItemRef"]


def test_explain_meets_the_problems_and_says_what_mends_them(pipeline: Pipeline, run: Any) -> None:
    change = event(invoice(lines=(line(vat=VatRate("vat-21", "VAT 21 %", Decimal(21))),)))
    told = run(explain, "-", "--own", input=lines_of(change))
    assert told.return_value == 1
    assert "invoice INV-i1 (i1): cannot be sent" in told.stdout
    assert "VAT rate “VAT 21 %” has no row in Tax Code VAT Rates (no-tax-code:vat-21)" in told.stdout
    assert "→ Add a row for VAT rate “VAT 21 %” to Tax Code VAT Rates." in told.stdout


def test_explain_of_what_quickbooks_has_already_is_the_difference(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    calls = len(pipeline.requests())
    told = run(explain, "-", "--own", "--json", input=lines_of(event(invoice(sequence=2, details="Phase one"))))
    (predicted,) = map(json.loads, told.stdout.splitlines())
    assert predicted["outcome"] == "update"
    assert set(predicted["payload"]) == {"Id", "SyncToken", "sparse", "CustomerMemo"}
    assert predicted["assumed"] == []
    same = run(explain, "-", "--own", "--json", input=lines_of(event(invoice())))
    assert json.loads(same.stdout)["outcome"] == "nothing"
    pipeline.ingest(event(invoice(sequence=5)))
    stale = run(explain, "-", "--own", "--json", input=lines_of(event(invoice(sequence=3))))
    assert json.loads(stale.stdout)["outcome"] == "stale"
    assert len(pipeline.requests()) == calls


def test_explain_without_a_database_maps_everything_to_something(run: Any) -> None:
    told = run(explain, "-", "--offline", "--own", "--json", input=lines_of(event(invoice())))
    predicted = loads(told.stdout)
    assert predicted["outcome"] == "create"
    assert predicted["payload"]["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"] == {
        "value": "(tax code of Standard 20 %)"
    }
    assert predicted["assumed"][0].startswith("no Configuration was read")


def test_explain_of_an_org_without_a_configuration(run: Any) -> None:
    told = run(explain, "-", input=lines_of(event(client(org=OrgRef("org-x", "Elsewhere")))))
    assert "is not kept" in told.stdout
    assert "The Org org-x has no Configuration" in told.stdout


def test_a_line_that_is_no_event_is_named(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text(lines_of(event(client())) + "{}\n")
    told = run(explain, str(file))
    assert "line 2" in str(told.exception)


def test_why_tells_events_decisions_calls_and_failures_in_order(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice(details="x" * 1001)))
    pipeline.drive()
    pipeline.ingest(event(invoice(sequence=2)))
    pipeline.drive()
    told = run(why, "invoice", "INV-i1", "--json")
    assert told.return_value == 0, told.output
    found = json.loads(told.stdout)
    whats = [one["what"] for one in found["history"]]
    assert whats[0] == "event"
    assert "failed" in whats
    assert whats.index("failed") < whats.index("closed")
    (call,) = [one for one in found["history"] if one["what"] == "called"]
    assert call["intuit_tid"]
    assert found["links"][0]["state"] == "synced"
    assert found["now"][0]["outcome"] == "nothing"
    text = run(why, "invoice", "i1").stdout
    assert "create Invoice, done" in text
    assert f"[intuit_tid {call['intuit_tid']}]" in text
    assert "QuickBooks agrees" in text


def test_why_of_what_waits_says_for_what(unlinked: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    unlinked.link()
    unlinked.map_vat_rate("vat-20", "20.0% S")
    unlinked.ingest(event(invoice(of=project(of=client(name="A:B")))))
    unlinked.drive()
    url = unlinked.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    text = CliRunner().invoke(why, ["project", "24-p1"], standalone_mode=False).stdout
    assert "waiting" in text
    assert "dependency:name-characters" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("invoice", "nowhere"), "no invoice with id, reference or name 'nowhere' was seen"),
        (("client", "harbour"), "'harbour' fits 2 clients: Harbour & Sons c1 (id c1"),
        (("client", "c1", "--org", "nobody"), "no Org has the id or name 'nobody'"),
    ],
)
def test_why_of_none_or_several_is_one_clear_line(
    pipeline: Pipeline, run: Any, arguments: tuple[str, ...], words: str
) -> None:
    pipeline.ingest(event(client("c1")), event(client("c2")))
    assert cli.known_error(run(why, *arguments).exception) is not None
    assert words in str(run(why, *arguments).exception)


def test_why_of_what_is_retried_says_when_and_why(pipeline: Pipeline, run: Any) -> None:
    pipeline.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    pipeline.ingest(event(client()))
    pipeline.settle(*pipeline.answers(pipeline.claim().attempts))
    link = pipeline.one("client", "c1")
    text = run(why, "client", "c1").stdout
    assert f"retrying, {link.reason}" in text
    assert f"; next try {link.due_at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" in text


def test_a_percent_sign_is_no_wildcard(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="50% Off Ltd")), event(client("c2", name="50 Quays Off Ltd")))
    with pipeline.engine.begin() as db:
        assert [one.kompass_id for one in find_records(db, Kind.CLIENT, "50% off")] == ["c1"]


def test_why_names_who_changed_it_in_kompass_and_when(pipeline: Pipeline) -> None:
    change = event(invoice("i1"))
    pipeline.ingest(replace(change, metadata=replace(change.metadata, user_id="user-7")))
    with pipeline.engine.begin() as db:
        told = story(db, find_one(db, Kind.INVOICE, "i1", None))
    (seen,) = [one for one in told.happened if one.what == "event"]
    assert seen.message.endswith(", changed by user-7")
    assert (seen.detail["user"], seen.detail["created"]) == ("user-7", change.created.isoformat())
