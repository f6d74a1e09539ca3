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
from schemas.events import Event
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


def test_something_has_to_be_asked_for(pipeline: Pipeline, run: Any) -> None:
    bad = CliRunner().invoke(trail, ["--org", "org-uk"])
    assert bad.exit_code == 2
    assert "give --month, --client or --invoice" in bad.output
    missing = CliRunner().invoke(trail, ["--org", "nobody", "--month", "2026-03"], standalone_mode=False)
    assert "no Org has the id or name 'nobody'" in str(missing.exception)
