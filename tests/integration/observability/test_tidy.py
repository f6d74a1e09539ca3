"""What is done and old goes; what keeps an object from being made twice stays, however old it is."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from consumers.tidy import tidy_up
from schemas.events import Action, OrgRef
from tests.builders import client, event, invoice, line
from tests.pipeline import Pipeline

YEAR_AGO = datetime.now(UTC) - timedelta(days=365)


def age(pipeline: Pipeline, table: str, *columns: str, where: str = "true") -> None:
    changes = ", ".join(f"{column} = {column} - interval '2 years'" for column in columns)
    with pipeline.engine.begin() as db:
        db.execute(text(f"UPDATE {table} SET {changes} WHERE {where}"))


def test_old_decisions_go_and_the_trail_stays_for_longer(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()), event(client("c2", name="")), event(invoice()))
    pipeline.drive()
    age(pipeline, "qbo_history", "at", where="id % 2 = 0 OR what IN ('event', 'called')")
    before = pipeline.rows("qbo_history")
    old = {row.id for row in before if row.at < YEAR_AGO}
    trail = {row.id for row in before if row.what in ("event", "called")}
    assert old - trail
    assert trail
    tidied = tidy_up(pipeline.engine, before=YEAR_AGO, batch=1)
    assert (tidied["history"], tidied["entries of the trail"]) == (len(old - trail), 0)
    assert {row.id for row in pipeline.rows("qbo_history")} == {row.id for row in before} - (old - trail)

    after_seven_years = tidy_up(pipeline.engine, before=YEAR_AGO, trail_before=YEAR_AGO)
    assert after_seven_years["entries of the trail"] == len(old & trail)
    assert {row.id for row in pipeline.rows("qbo_history")} == {row.id for row in before} - old


def test_closed_failures_go_and_open_ones_stay(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice(lines=(line(vat=None),))), event(invoice("i2", lines=(line(vat=None),))))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_failure SET closed_at = now() WHERE kompass_id = 'i1'"))
    age(pipeline, "qbo_failure", "last_failed_at", "closed_at")

    # Their dead letters are still to be produced.
    assert tidy_up(pipeline.engine, before=YEAR_AGO)["closed failures"] == 0
    with pipeline.engine.begin() as db:
        db.execute(text("DELETE FROM qbo_outbox"))
    assert tidy_up(pipeline.engine, before=YEAR_AGO)["closed failures"] == 1
    assert [row.kompass_id for row in pipeline.rows("qbo_failure")] == ["i2"]


def test_what_stands_in_quickbooks_stays_and_is_not_made_again(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    age(pipeline, "qbo_record", "received_at")
    age(pipeline, "qbo_link", "created_at", "synced_at")
    deleted = tidy_up(pipeline.engine, before=YEAR_AGO)
    assert deleted["records deleted in Kompass and never sent"] == 0
    pipeline.ingest(event(client()))
    assert pipeline.drive() == []
    assert len(pipeline.links(kind="client")) == 1


def test_a_record_that_was_deleted_after_it_was_sent_stays(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice()))
    pipeline.drive()
    pipeline.ingest(event(replace(invoice(), sequence=2), action=Action.DELETE))
    pipeline.drive()
    age(pipeline, "qbo_record", "received_at")
    tidy_up(pipeline.engine, before=YEAR_AGO)
    assert pipeline.one("invoice", "i1").state == "withdrawn"
    assert [row.kompass_id for row in pipeline.rows("qbo_record") if row.kind == "invoice"] == ["i1"]


def test_a_record_deleted_before_it_was_sent_goes_with_its_link(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice(), action=Action.DELETE), event(invoice("i2")))
    pipeline.drive()
    # New ones stay.
    assert tidy_up(pipeline.engine, before=YEAR_AGO)["records deleted in Kompass and never sent"] == 0
    age(pipeline, "qbo_record", "received_at")
    assert tidy_up(pipeline.engine, before=YEAR_AGO)["records deleted in Kompass and never sent"] == 1
    assert [row.kompass_id for row in pipeline.links(kind="invoice")] == ["i2"]
    assert [row.kompass_id for row in pipeline.rows("qbo_record") if row.kind == "invoice"] == ["i2"]


def test_a_link_that_is_due_keeps_its_record(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice(), action=Action.DELETE))
    age(pipeline, "qbo_record", "received_at")
    assert tidy_up(pipeline.engine, before=YEAR_AGO)["records deleted in Kompass and never sent"] == 0


def test_records_of_an_org_whose_configuration_was_deleted_go(unlinked: Pipeline) -> None:
    other = OrgRef("org-ie", "Liffey Surveys")
    with unlinked.engine.begin() as db:
        db.execute(text("INSERT INTO qbo_org (id, name) VALUES ('org-ie', 'Liffey'), ('org-uk', 'Meridian')"))
        db.execute(text("INSERT INTO qbo_configuration (org_id) VALUES ('org-ie'), ('org-uk')"))
    unlinked.ingest(event(client("c1", org=other)), event(client("c2")))
    with unlinked.engine.begin() as db:
        db.execute(text("DELETE FROM qbo_configuration WHERE org_id = 'org-ie'"))
    age(unlinked, "qbo_record", "received_at")
    assert tidy_up(unlinked.engine, before=YEAR_AGO)["records of Orgs without a Configuration"] == 1
    # The other one waits for its Org to be enabled.
    assert [row.kompass_id for row in unlinked.rows("qbo_record")] == ["c2"]


def test_the_command_says_what_it_deleted(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    age(pipeline, "qbo_history", "at")
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, "-c", "from consumers.tidy import tidy; tidy()"],
        env={**os.environ, "DATABASE_URL": url, "KOMPASS_QBO_RETENTION_DAYS": "300", "KOMPASS_QBO_TRAIL_DAYS": "300"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("older than 300 days: ")
    assert pipeline.rows("qbo_history") == []
