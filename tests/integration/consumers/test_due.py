"""Why and since when a link is due: the reason is in its history, and a link that failed does not say that it waits since then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.events import Kind
from schemas.link_state import Because, LinkState
from simulator import UK, bookkeeper
from store import gauges, links, restores
from sync import link as link_life
from tests.builders import client, event, invoice, project
from tests.pipeline import Pipeline

LONG_AGO = datetime.now(UTC) - timedelta(days=10)


def reasons(pipeline: Pipeline, kompass_id: str) -> list[str]:
    return [one.outcome for one in pipeline.rows("qbo_history") if one.what == "due" and one.kompass_id == kompass_id]


def run(pipeline: Pipeline, statement: str, **values: Any) -> None:
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(statement, values)


def ask(pipeline: Pipeline, *ids: int) -> int:
    with pipeline.engine.begin() as db:
        return link_life.make_due(db, ids, Because.RESEND, "ada asked for it")


@pytest.fixture(autouse=True)
def swept(pipeline: Pipeline) -> None:
    """The company was linked before anything was said."""
    pipeline.sweep()


@pytest.fixture
def failed(pipeline: Pipeline) -> Any:
    """An invoice that was due for ten days before it failed."""
    run(pipeline, "DELETE FROM qbo_tax_code_vat_rate")
    pipeline.ingest(event(invoice()))
    run(pipeline, "UPDATE qbo_link SET due_since = %(at)s", at=LONG_AGO)
    pipeline.drive()
    found = pipeline.one("invoice", "i1")
    assert found.state == LinkState.FAILED
    return found


def test_a_link_that_failed_is_not_due_since_then(pipeline: Pipeline, failed: Any) -> None:
    assert failed.due_since is None
    ask(pipeline, failed.id)
    with pipeline.engine.begin() as db:
        (age,) = [one.due_age for one in gauges.read_gauges(db).links if one.due_age is not None]
    assert age < 3600


def test_a_link_that_quickbooks_refused_is_not_due_since_then(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    vendor = {"action": "create", "entity": "Vendor", "members": {"DisplayName": client().name}}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], vendor))
    run(pipeline, "UPDATE qbo_link SET due_since = %(at)s", at=LONG_AGO)
    pipeline.drive()
    link = pipeline.one("client", "c1")
    assert (link.state, link.due_since) == (LinkState.FAILED, None)


def test_something_newer_during_a_call_keeps_the_link_due(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    (attempt,) = pipeline.claim().attempts
    run(pipeline, "UPDATE qbo_link SET due_since = %(at)s", at=LONG_AGO)
    answers = pipeline.answers([attempt])
    pipeline.ingest(event(client(sequence=2, phone="+44 117 1")))
    pipeline.settle(*answers)
    link = pipeline.one("client", "c1")
    assert (link.state, link.due_at is not None) == (LinkState.SYNCED, True)
    assert link.due_since > LONG_AGO + timedelta(days=1)


def test_a_newer_event_has_an_entry_of_its_own(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    pipeline.ingest(event(client(sequence=2, phone="+44 117 1")))
    pipeline.drive()
    entries = [one.what for one in pipeline.rows("qbo_history") if one.kompass_id == "c1"]
    assert entries.count("event") == 2
    assert reasons(pipeline, "c1") == []


def test_what_waits_for_a_customer_says_so(pipeline: Pipeline) -> None:
    pipeline.ingest(event(project()))
    pipeline.drive()
    assert reasons(pipeline, "p1") == [Because.DEPENDENCY]


def test_a_changed_configuration_is_named(pipeline: Pipeline, failed: Any) -> None:
    run(pipeline, "UPDATE qbo_configuration SET doc_number_template = 'N {{ invoice.reference }}'")
    version = pipeline.rows("qbo_configuration")[0].version
    pipeline.drive()
    assert reasons(pipeline, "i1")[-1] == Because.CONFIGURATION
    (entry,) = [one for one in pipeline.rows("qbo_history") if one.outcome == Because.CONFIGURATION]
    assert entry.message == f"version {version} of the Configuration"


def test_a_person_who_asked_is_named(pipeline: Pipeline, failed: Any) -> None:
    assert ask(pipeline, failed.id) == 1
    (entry,) = [one for one in pipeline.rows("qbo_history") if one.outcome == Because.RESEND]
    assert (entry.what, entry.message, entry.link_id) == ("due", "ada asked for it", failed.id)


def test_a_company_that_was_linked_again_is_named(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    run(pipeline, "UPDATE qbo_sweep SET realm_id = 'another', version = 0")
    pipeline.sweep()
    assert reasons(pipeline, "c1") == [Because.COMPANY_LINKED]


def test_a_restore_is_named(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    (attempt,) = pipeline.claim().attempts
    with pipeline.engine.begin() as db:
        under_way = restores.begin(db, datetime.now(UTC))
        assert under_way == [attempt.link.id]
        link_life.make_due(db, under_way, Because.RESTORED, "restored")
    assert reasons(pipeline, "c1") == [Because.RESTORED]


@pytest.mark.parametrize(
    ("state", "moments", "woken"),
    [
        ("pending", "due_since = now() + interval '1 hour'", 1),
        ("retrying", "due_since = now() - interval '1 day', last_failed_at = now() + interval '1 hour'", 1),
        ("retrying", "due_since = now() - interval '1 day', last_failed_at = now()", 0),
    ],
)
def test_what_was_queued_by_a_clock_that_was_ahead_does_not_wait_for_it(
    pipeline: Pipeline, state: str, moments: str, woken: int
) -> None:
    pipeline.ingest(event(client()))
    run(pipeline, f"UPDATE qbo_link SET state = '{state}', cause = 'x', due_at = now() + interval '1 hour', {moments}")
    with pipeline.engine.begin() as db:
        assert link_life.wake_ahead(db, lane=links.LANES[Kind.CLIENT]) == woken
        assert link_life.wake_ahead(db, lane=links.LANES[Kind.CLIENT]) == 0
    assert reasons(pipeline, "c1") == [Because.CLOCK] * woken
    with pipeline.engine.begin() as db:
        assert db.exec_driver_sql("SELECT bool_and(due_since <= now()) FROM qbo_link").scalar()


def test_a_held_link_is_made_due_when_there_is_budget_again(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    run(pipeline, "UPDATE qbo_link SET state = 'retrying', cause = 'no-budget', due_at = now() + interval '9 days'")
    with pipeline.engine.begin() as db:
        assert link_life.wake_held(db, lane=links.LANES[Kind.CLIENT], cause="no-budget") == 1
    assert reasons(pipeline, "c1") == [Because.BUDGET]
