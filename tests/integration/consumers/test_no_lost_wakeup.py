"""In any sequence between two steps, a link that could go is due again: nobody has to press anything."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from consumers.ingest.findings import records_in
from qbo_client.outcomes import Done, Forbidden, Refused
from schemas.events import Kind
from simulator.seeds import IRELAND, UK
from store.links import LANES
from store.records import write_newer
from sync.link import newer_records
from sync.settle import Answer
from tests.builders import UK_ORG, client, event, invoice, line, project
from tests.pipeline import Pipeline


def execute(pipeline: Pipeline, statement: str, **values: object) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text(statement), values)


def states(pipeline: Pipeline) -> set[tuple[str, str]]:
    return {(row.kind, row.state) for row in pipeline.links()}


def test_news_that_came_while_another_company_was_linked_goes_when_the_first_one_is_back(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(name="First")))
    pipeline.drive()
    pipeline.link(realm=IRELAND)
    pipeline.drive()
    pipeline.ingest(event(client(sequence=2, name="Second")))
    pipeline.drive()
    assert [one["DisplayName"] for one in pipeline.objects("Customer", UK)] == ["First"]
    pipeline.link(realm=UK)
    pipeline.drive()
    assert [one["DisplayName"] for one in pipeline.objects("Customer", UK)] == ["Second"]


@pytest.mark.parametrize("between", [IRELAND, None])
def test_news_that_came_while_a_company_was_linked_away_and_back_between_two_sweeps(
    pipeline: Pipeline, between: str | None
) -> None:
    pipeline.drive()
    if between is None:
        execute(pipeline, "UPDATE qbo_configuration SET realm_id = NULL")
    else:
        pipeline.link(realm=between)
    pipeline.ingest(event(client()))
    pipeline.link(realm=UK)
    pipeline.drive()
    assert len(pipeline.objects("Customer", UK)) == 1


def test_a_call_without_an_answer_is_recovered_when_its_company_is_linked_again(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(name="First")))
    (attempt,) = pipeline.claim().attempts
    pipeline.call(attempt)
    pipeline.link(realm=IRELAND)
    pipeline.lease = 0.0
    execute(pipeline, "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour', resend_after = now()")
    execute(pipeline, "UPDATE qbo_link SET due_at = now()")
    pipeline.drive()
    assert len(pipeline.rows("qbo_attempt")) == 1
    assert [one["DisplayName"] for one in pipeline.objects("Customer", IRELAND)] == ["First"]
    pipeline.link(realm=UK)
    pipeline.drive()
    assert [one["DisplayName"] for one in pipeline.objects("Customer", UK)] == ["First"]
    assert pipeline.rows("qbo_attempt") == []


@pytest.mark.parametrize("sent_before", [False, True])
def test_a_mapping_that_is_fixed_while_the_call_it_dooms_is_under_way(pipeline: Pipeline, sent_before: bool) -> None:
    pipeline.ingest(event(invoice()))
    if sent_before:
        pipeline.drive()
    execute(pipeline, "UPDATE qbo_configuration SET default_item_id = '999999'")
    pipeline.ingest(event(invoice(sequence=2, details="again")))
    if sent_before:
        pipeline.ingest(event(invoice(sequence=3, lines=(line("300.00"),))))
    attempt = None
    for _ in range(5):
        pipeline.sweep()
        attempts = pipeline.claim().attempts
        document = [one for one in attempts if one.entity == "Invoice"]
        if document:
            (attempt,) = document
            break
        pipeline.settle(*[Answer(one, pipeline.call(one)) for one in attempts])
    assert attempt is not None
    outcome = pipeline.call(attempt)
    assert isinstance(outcome, Refused)
    item = pipeline.object_id(UK, "Item", "Surveying")
    execute(pipeline, "UPDATE qbo_configuration SET default_item_id = :item", item=item)
    pipeline.sweep()
    pipeline.settle(Answer(attempt, outcome))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert len(pipeline.objects("Invoice")) == 1


def test_an_old_refusal_to_let_us_in_does_not_outlive_a_new_authorisation(pipeline: Pipeline) -> None:
    """The call went out under the old connection; somebody authorised again before its answer was written back."""
    pipeline.ingest(event(client()))
    (attempt,) = pipeline.claim().attempts
    pipeline.link()
    pipeline.sweep()
    pipeline.settle(Answer(attempt, Forbidden(())))
    pipeline.drive()
    assert states(pipeline) == {("client", "synced")}
    assert not [row for row in pipeline.rows("qbo_failure") if row.closed_at is None]


def test_a_job_that_an_invoice_is_being_decided_upon_hears_of_its_customer(pipeline: Pipeline) -> None:
    """The decision about the invoice locks the job, at the very moment in which the job's customer is settled."""
    pipeline.ingest(event(project()))
    customer, job = pipeline.one("client", "c1"), pipeline.one("project", "p1")
    (attempt,) = pipeline.claim([customer.id]).attempts
    assert pipeline.claim([job.id]).attempts == []
    pipeline.ingest(event(invoice()))
    document = pipeline.one("invoice", "i1")
    outcome = pipeline.call(attempt)
    with pipeline.engine.begin() as db:
        pipeline.steps.claims(db, [document.id], calls_allowed={})
        settling = threading.Thread(target=pipeline.settle, args=(Answer(attempt, outcome),))
        settling.start()
        settling.join(1.0)
    settling.join()
    pipeline.drive()
    assert states(pipeline) == {("client", "synced"), ("project", "synced"), ("invoice", "synced")}


def test_a_record_changed_while_it_was_not_to_be_synced_goes_when_it_is_again(pipeline: Pipeline) -> None:
    pipeline.ingest(event(project()))
    pipeline.drive()
    execute(pipeline, "UPDATE qbo_configuration SET project_customers = false")
    pipeline.ingest(event(project(sequence=2, name="Renamed meanwhile")))
    pipeline.drive()
    execute(pipeline, "UPDATE qbo_configuration SET project_customers = true")
    pipeline.drive()
    assert "24-p1 Renamed meanwhile" in {one["DisplayName"] for one in pipeline.objects("Customer")}


def test_news_that_comes_while_a_company_is_disconnected_follows_the_call_that_hung(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(name="First")))
    (attempt,) = pipeline.claim().attempts
    pipeline.call(attempt)
    execute(pipeline, "UPDATE qbo_connection SET state = 'disconnected', version = version + 1")
    execute(pipeline, "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour', resend_after = now()")
    pipeline.ingest(event(client(sequence=2, name="Second")))
    pipeline.drive()
    assert pipeline.one("client", "c1").state == "waiting"
    pipeline.link()
    pipeline.drive()
    assert [one["DisplayName"] for one in pipeline.objects("Customer")] == ["Second"]


@pytest.mark.parametrize("seed", range(12))
def test_a_configuration_saved_at_any_moment_among_decisions_is_heeded(
    pipeline: Pipeline, opened: Callable[..., Pipeline], seed: int
) -> None:
    """Two processes claim, call, settle and sweep while an admin takes a mapping away, gives it back, and events come in."""
    chance = random.Random(seed)
    other = opened(owner="other")
    rate = pipeline.rows("qbo_tax_code_vat_rate")[0]
    stop = threading.Event()
    problems: list[BaseException] = []

    def work(one: Pipeline, dice: random.Random) -> None:
        try:
            while not stop.is_set():
                if dice.random() < 0.4:
                    one.sweep()
                claimed = one.claim(one.due()[: dice.randint(1, 4)])
                for found in claimed.attempts:
                    outcome = one.call(found)
                    if dice.random() < 0.5:
                        one.sweep()
                    one.settle(Answer(found, outcome))
        except BaseException as problem:  # noqa: BLE001 - handed to the test
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(one, random.Random(chance.random()))) for one in (pipeline, other)]
    for thread in threads:
        thread.start()
    for number in range(1, 9):
        pipeline.ingest(event(invoice(f"i{number % 4}", sequence=number, details=str(number))))
        if number % 2:
            execute(pipeline, "DELETE FROM qbo_tax_code_vat_rate")
        else:
            execute(
                pipeline,
                "INSERT INTO qbo_tax_code_vat_rate (configuration_id, realm_id, vat_rate_id, tax_code_id)"
                " VALUES (:configuration, :realm, :rate, :code)",
                configuration=rate.configuration_id, realm=rate.realm_id, rate=rate.vat_rate_id, code=rate.tax_code_id,
            )  # fmt: skip
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    # What is still under way belongs to nobody now; everything else has to become due on its own.
    execute(pipeline, "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 hour', resend_after = now()")
    execute(pipeline, "UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
    outcomes = pipeline.drive()
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert {row.state for row in pipeline.links()} == {"synced"}, (seed, pipeline.links())
    assert sorted(one["DocNumber"] for one in pipeline.objects("Invoice")) == ["INV-i0", "INV-i1", "INV-i2", "INV-i3"]
    assert sorted(one["CustomerMemo"]["value"] for one in pipeline.objects("Invoice")) == ["5", "6", "7", "8"]


def test_a_customer_wanted_in_another_currency_while_its_news_are_being_written(pipeline: Pipeline) -> None:
    """The change reached the links that there were: one made beside them before the change can be seen would miss it."""
    pipeline.ingest(event(client()))
    pipeline.drive()
    pipeline.ingest(event(invoice(currency="EUR")))
    newer = event(client(sequence=2, notes="Pays late"))
    with pipeline.engine.begin() as writing:
        written = write_newer(writing, records_in(newer, pipeline.source(newer))).newer
        newer_records(writing, written, {UK_ORG.id: UK}, lane=LANES[Kind.CLIENT])
        for _ in range(4):
            pipeline.settle(*[Answer(attempt, pipeline.call(attempt)) for attempt in pipeline.claim().attempts])
    execute(
        pipeline, "UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL"
    )  # Those who found it busy look again in a moment.
    pipeline.drive()
    notes = {one["DisplayName"]: one.get("Notes") for one in pipeline.objects("Customer")}
    assert notes["Harbour & Sons c1 (EUR)"] == "Pays late", notes
    assert states(pipeline) == {("client", "synced"), ("project", "synced"), ("invoice", "synced")}
