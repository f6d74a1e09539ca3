"""The trail of documents as CSV: who changed what in Kompass, and what was sent and answered."""

from __future__ import annotations

import csv
import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from consumers.inquiry.trail import trail
from schemas.events import Action, Event, Step
from sync.trail import COLUMNS
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


def by(user: str, made: Event) -> Event:
    return replace(made, metadata=replace(made.metadata, user_id=user))


@pytest.fixture
def run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def invoke(*arguments: str) -> tuple[int, list[dict[str, str]]]:
        result = CliRunner().invoke(trail, ["--org", "org-uk", *arguments], standalone_mode=False)
        assert result.exception is None, result.exception
        return result.return_value, list(csv.DictReader(io.StringIO(result.stdout)))

    return invoke


def test_each_change_is_traced_from_who_made_it_to_what_was_answered(pipeline: Pipeline, run: Any) -> None:
    april = invoice("i2", of=project("p2", of=client("c2", name="=Quay")), date=dt.date(2026, 4, 2))
    pipeline.ingest(by("ada", event(invoice("i1"))), by("bob", event(april)))
    pipeline.drive()
    pipeline.ingest(by("bob", event(invoice("i1", sequence=2, lines=(line("200.00"),)))))
    pipeline.drive()

    code, rows = run("--invoice", "INV-i1")
    assert code == 0
    assert [(row["what"], row["changed_by"], row["operation"], row["sequence"]) for row in rows] == [
        ("event", "ada", "", "1"),
        ("called", "", "create", "1"),
        ("event", "bob", "", "2"),
        ("called", "", "update", "2"),
    ]
    (document,) = [one for one in pipeline.objects("Invoice") if one["DocNumber"] == "INV-i1"]
    created, updated = rows[1], rows[3]
    assert (created["qbo_id"], created["sync_token"], Decimal(created["total"])) == (document["Id"], "0", Decimal(120))
    assert (updated["sync_token"], Decimal(updated["total"])) == (document["SyncToken"], Decimal(240))
    assert "Line" in updated["members"].split()
    assert all(row["intuit_tid"] for row in (created, updated))
    assert rows[0]["changed_at"].startswith("2026-03-02T09:30")
    assert set(rows[0]) == set(COLUMNS)

    assert {row["document"] for row in run("--month", "2026-03")[1]} == {"INV-i1"}
    assert {row["document"] for row in run("--client", "=Quay")[1]} == {"INV-i2"}
    assert {row["client"] for row in run("--client", "c2")[1]} == {"'=Quay"}, "no formula in a spreadsheet"
    assert run("--month", "2026-05") == (1, [])


def test_the_trail_of_a_month_has_what_was_dated_in_it_at_any_time(pipeline: Pipeline, run: Any) -> None:
    """Sent and re-dated away, re-dated into it, and re-dated before it ever went: each with all its entries."""
    march, april = dt.date(2026, 3, 1), dt.date(2026, 4, 2)
    pipeline.ingest(
        by("ada", event(invoice("away"))),
        by("ada", event(invoice("into", date=april))),
        by("ada", event(invoice("draft", step=Step.DRAFT))),
        event(invoice("april", date=april)),
    )
    pipeline.drive()
    pipeline.ingest(
        by("bob", event(invoice("away", sequence=2, date=april))),
        by("bob", event(invoice("into", sequence=2, date=march))),
        by("bob", event(invoice("draft", sequence=2, step=Step.DRAFT, date=april))),
    )
    pipeline.drive()
    _, rows = run("--month", "2026-03")
    said = {one: [] for one in ("INV-away", "INV-into", "INV-draft")}
    for row in rows:
        said[row["document"]].append((row["what"], row["changed_by"], row["dated"]))
    assert said == {
        "INV-away": [
            ("event", "ada", "2026-03-01"), ("called", "", "2026-03-01"), ("event", "bob", "2026-04-02"), ("called", "", "2026-04-02"),
        ],
        "INV-into": [
            ("event", "ada", "2026-04-02"), ("called", "", "2026-04-02"), ("event", "bob", "2026-03-01"), ("called", "", "2026-03-01"),
        ],
        "INV-draft": [("event", "ada", "2026-03-01"), ("event", "bob", "2026-04-02")],
    }  # fmt: skip
    assert {row["document"] for row in run("--month", "2026-04")[1]} == {*said, "INV-april"}
    pipeline.ingest(by("eve", event(invoice("away", sequence=3), action=Action.DELETE)))
    assert [row["changed"] for row in run("--invoice", "away")[1] if row["changed_by"] == "eve"] == ["deleted"]


def test_who_changed_a_client_or_project_is_said_with_what(pipeline: Pipeline, run: Any) -> None:
    """The VAT number is never sent again, so only the event says it. Carl's invoice carries Bob's change, and arrives first."""
    first = client("c1", vat_number="GB111111111")
    second = client("c1", vat_number="GB999999999", sequence=2, email="new@example.org")
    pipeline.ingest(by("ada", event(first)), by("ada", event(project("p1", of=first))), by("ada", event(client("c2"))))
    pipeline.drive()
    pipeline.ingest(by("carl", event(invoice("i1", of=project("p1", of=second)))))
    for _ in range(2):
        # Delivered twice.
        pipeline.ingest(by("bob", event(second)))
    pipeline.ingest(
        by("dora", event(project("p1", of=second, sequence=2, name="Quay wall", billing_client=client("c2"))))
    )
    pipeline.drive()

    _, rows = run("--kind", "client", "--client", "c1")
    assert [
        (row["what"], row["outcome"], row["changed_by"], row["sequence"], row["changed"])
        for row in rows
        if row["what"] == "event"
    ] == [
        ("event", "newer", "ada", "1", ""),
        ("event", "newer", "", "2", "email; vat_number was GB111111111, is GB999999999"),
        ("event", "known", "bob", "2", ""),
    ]
    assert {(row["operation"], row["entity"]) for row in rows if row["what"] == "called"} >= {("create", "Customer")}
    assert {(row["kind"], row["kompass_id"], row["date"]) for row in rows} == {("client", "c1", "")}

    _, rows = run("--kind", "project", "--client", "c2")
    assert [(row["changed_by"], row["changed"]) for row in rows if row["what"] == "event"] == [
        ("ada", ""),
        (
            "dora",
            "billing_client was Harbour & Sons c1 (c1), is Harbour & Sons c2 (c2); name was Survey p1, is Quay wall",
        ),
    ]
    today = f"{dt.datetime.now(dt.UTC):%Y-%m}"
    _, rows = run("--kind", "client", "--month", today)
    assert {row["kompass_id"] for row in rows} == {"c1", "c2"}
    assert run("--kind", "client", "--month", "2026-03") == (1, []), "by the day on which it happened here"


def test_something_has_to_be_asked_for(pipeline: Pipeline, run: Any) -> None:
    bad = CliRunner().invoke(trail, ["--org", "org-uk"])
    assert bad.exit_code == 2
    assert "give --month, --client or --invoice" in bad.output
    bad = CliRunner().invoke(trail, ["--org", "org-uk", "--kind", "client", "--invoice", "i1"])
    assert "--invoice goes with --kind invoice, not with --kind client" in bad.output
    missing = CliRunner().invoke(trail, ["--org", "nobody", "--month", "2026-03"], standalone_mode=False)
    assert "no Org has the id or name 'nobody'" in str(missing.exception)
