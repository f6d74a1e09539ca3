"""A call without an answer is found among many, and what was asked for while a call was under way is not forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from qbo_client.calls import Call
from qbo_client.outcomes import Done, Outcome, Unknown
from simulator import bookkeeper
from simulator.seeds import UK
from sync.attempt import Attempt
from sync.explaining import Explainer
from sync.patience import Patience
from sync.settings import RetryPolicy
from sync.settle import Answer
from tests.builders import client, event, invoice
from tests.pipeline import Pipeline


def forgotten(pipeline: Pipeline) -> None:
    """So long ago that Intuit need not remember the request id."""
    with pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_attempt SET heartbeat_at = now() - interval '1 day', resend_after = now(),"
                " first_sent_at = first_sent_at - interval '11 minutes'"
            )
        )
        db.execute(text("UPDATE qbo_link SET due_at = now() WHERE id IN (SELECT link_id FROM qbo_attempt)"))


def numbered_by_quickbooks(pipeline: Pipeline) -> None:
    edit = {"action": "preferences", "group": "SalesFormsPrefs", "members": {"CustomTxnNumbers": False}}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_company_facts SET fetched_at = fetched_at - interval '2 days'"))


def test_an_invoice_without_a_number_is_found_among_a_busy_day(pipeline: Pipeline) -> None:
    numbered_by_quickbooks(pipeline)
    pipeline.ingest(*[event(invoice(f"i{number}")) for number in range(105)])
    pipeline.drive()
    pipeline.ingest(event(invoice("lost")))
    (attempt,) = pipeline.claim().attempts
    assert "DocNumber" not in attempt.body
    assert isinstance(pipeline.call(attempt), Done)
    pipeline.ingest(*[event(invoice(f"j{number}")) for number in range(105)])
    for _ in range(10):
        attempts = pipeline.claim().attempts
        pipeline.settle(*[Answer(one, pipeline.call(one)) for one in attempts])
        if not attempts:
            break
    forgotten(pipeline)
    pipeline.drive()
    assert len(pipeline.objects("Invoice")) == 211
    assert pipeline.one("invoice", "lost").state == "synced"


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered by us", "numbered by QuickBooks"])
def test_a_page_that_is_full_proves_nothing(pipeline: Pipeline, numbered: bool) -> None:
    if not numbered:
        numbered_by_quickbooks(pipeline)
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    pipeline.ingest(event(invoice("lost")))
    (attempt,) = pipeline.claim().attempts
    assert isinstance(pipeline.call(attempt), Done)
    ours = pipeline.objects("Invoice")[-1]
    forgotten(pipeline)
    (look,) = pipeline.claim().attempts
    assert (look.phase, look.request_id) == ("lookup", attempt.request_id)
    first = pipeline.call(look)
    assert isinstance(first, Done)
    (other,) = (one for one in first.rows("Invoice") if one["Id"] != ours["Id"])
    full = replace(first, body={"QueryResponse": {"Invoice": [other] * 1000}})
    asked: list[str] = []

    def crowded(attempt: Attempt, call: Call) -> Outcome:
        """The company has so many that ours is on no first page."""
        asked.append(str(call.query))
        beyond = "DocNumber = 'INV-lost'" in asked[-1] or "STARTPOSITION 1001" in asked[-1]
        return replace(first, body={"QueryResponse": {"Invoice": [ours]}}) if beyond else full

    explainer = Explainer(pipeline.engine, crowded)
    pipeline.settle(Answer(look, full, learned=explainer.learn(look, full)))
    assert len(asked) == 2
    link = pipeline.one("invoice", "lost")
    assert (link.state, link.qbo_id) == ("synced", ours["Id"])


@pytest.mark.parametrize("became", ["never made", "made", "moved"])
def test_a_look_up_that_has_no_quota_for_its_second_read_asks_for_all_at_once_the_next_time(
    pipeline: Pipeline, became: str
) -> None:
    pipeline.ingest(event(client("c2", name="Quay")), event(invoice("i0")), event(invoice("i1")))
    pipeline.drive()
    pipeline.ingest(event(invoice("lost")))
    (attempt,) = pipeline.claim().attempts
    if became != "never made":
        assert isinstance(pipeline.call(attempt), Done)
    if became == "moved":
        lost, other = pipeline.objects("Invoice")[-1]["Id"], pipeline.one("client", "c2").qbo_id
        edit = {"action": "update", "entity": "Invoice", "id": lost, "members": {"CustomerRef": {"value": other}}}
        pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], edit))
    forgotten(pipeline)
    (look,) = pipeline.claim().attempts
    pipeline.settle(Answer(look, pipeline.call(look)))
    if became != "made":
        assert pipeline.one("invoice", "lost").state == "retrying"
        forgotten(pipeline)
        (again,) = pipeline.claim().attempts
        assert "CustomerRef" in str(look.call().query)
        assert "CustomerRef" not in str(again.call().query)
        pipeline.settle(Answer(again, pipeline.call(again)))
    pipeline.drive()
    link = pipeline.one("invoice", "lost")
    # Found under another customer than Kompass says: a person chooses.
    assert (link.state, link.cause) == (("failed", "conflict:edited-in-qbo") if became == "moved" else ("synced", ""))
    assert len(pipeline.objects("Invoice")) == 3


def test_names_asked_for_while_a_call_is_under_way_are_given_afterwards(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client(name="Harbour")))
    pipeline.drive()
    pipeline.ingest(event(client(name="Harbour", sequence=2, email="new@example.com")))
    (attempt,) = pipeline.claim().attempts
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_configuration SET client_name_template = '{{ client.name }} Ltd'"))
        db.execute(text("UPDATE qbo_link SET refresh_names = true, due_at = now(), again = true"))
    pipeline.settle(Answer(attempt, pipeline.call(attempt)))
    pipeline.drive()
    assert [one["DisplayName"] for one in pipeline.objects("Customer")] == ["Harbour Ltd"]
    assert not pipeline.one("client", "c1").refresh_names


def test_a_call_that_may_be_under_way_is_not_looked_for_because_its_record_was_given_up(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c0")))
    pipeline.drive()
    pipeline.ingest(event(client("c1")))
    (attempt,) = pipeline.claim().attempts
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_attempt SET resend_after = now() + interval '2 minutes'"))
        db.execute(text("UPDATE qbo_link SET attempts = 20, last_failed_at = now() - interval '1 hour'"))
    pipeline.settle_with(retries=RetryPolicy(), patience=Patience())
    pipeline.settle(Answer(attempt, Unknown("timed out")))
    assert pipeline.one("client", "c1").state == "failed"
    with pipeline.engine.begin() as db:
        assert db.execute(text("SELECT resend_after > now() + interval '1 minute' FROM qbo_attempt")).scalar()
