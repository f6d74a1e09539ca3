"""What a company says of itself is asked again when an answer contradicts it, and when a person wants a refusal tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from schemas.link_state import Because
from simulator import bookkeeper
from simulator.seeds import CANADA, UK, USA
from store import companies
from sync.companies import refetch_facts_for
from sync.link import make_due
from tests.builders import event, invoice
from tests.pipeline import Pipeline

ORGS = {UK: "org-uk", CANADA: "org-ca", USA: "org-us"}


def prefer(pipeline: Pipeline, realm: str, group: str, **members: object) -> None:
    edit = {"action": "preferences", "group": group, "members": members}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[realm], edit))


def facts_read(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.path.endswith("/preferences"))


def try_again(pipeline: Pipeline) -> None:
    """As the button and ``dead-letters replay`` do."""
    with pipeline.engine.begin() as db:
        ids = [row.link_id for row in pipeline.rows("qbo_failure") if row.closed_at is None]
        refetch_facts_for(db, ids)
        make_due(db, ids, Because.REPLAY, "test")


def test_a_refusal_by_facts_that_changed_goes_when_a_person_tries_it_again(pipeline: Pipeline) -> None:
    prefer(pipeline, UK, "CurrencyPrefs", MultiCurrencyEnabled=False)
    with pipeline.engine.begin() as db:
        companies.mark_facts_stale(db, UK)
    pipeline.ingest(event(invoice(currency="EUR")))
    pipeline.drive()
    assert {row.cause for row in pipeline.rows("qbo_failure")} == {"no-multicurrency:EUR"}
    prefer(pipeline, UK, "CurrencyPrefs", MultiCurrencyEnabled=True)
    before = facts_read(pipeline)
    try_again(pipeline)
    pipeline.drive()
    assert facts_read(pipeline) == before + 1
    assert pipeline.one("invoice", "i1").state == "synced"


def test_a_refusal_by_facts_of_some_hours_ago_asks_for_fresh_ones_first(pipeline: Pipeline) -> None:
    prefer(pipeline, UK, "CurrencyPrefs", MultiCurrencyEnabled=False)
    with pipeline.engine.begin() as db:
        companies.mark_facts_stale(db, UK)
    pipeline.jobs.prepare("org-uk", UK)
    prefer(pipeline, UK, "CurrencyPrefs", MultiCurrencyEnabled=True)
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_company_facts SET fetched_at = now() - interval '2 hours'"))
    pipeline.ingest(event(invoice(currency="EUR")))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert pipeline.rows("qbo_failure") == []


def test_facts_that_an_answer_contradicts_are_read_before_the_next_decision_and_no_more_than_once_an_hour(
    pipeline: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    other = opened()
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    before = facts_read(pipeline)
    for number in (2, 3, 4):
        with pipeline.engine.begin() as db:
            companies.mark_facts_stale(db, UK)
        other.ingest(event(invoice(f"i{number}")))
        other.drive()
        # They said the same as before: the answer has another reason.
        assert facts_read(pipeline) == before + 1
    with pipeline.engine.begin() as db:
        db.execute(
            text("UPDATE qbo_company_facts SET fetched_at = fetched_at - interval '61 minutes', refetch_at = NULL")
        )
        companies.mark_facts_stale(db, UK)
    other.ingest(event(invoice("i5")))
    other.drive()
    assert facts_read(pipeline) == before + 2


def test_facts_that_changed_are_read_again_at_once_when_they_are_contradicted_again(pipeline: Pipeline) -> None:
    before = facts_read(pipeline)
    for number, numbered in enumerate((False, True, False)):
        prefer(pipeline, UK, "SalesFormsPrefs", CustomTxnNumbers=numbered)
        with pipeline.engine.begin() as db:
            companies.mark_facts_stale(db, UK)
        pipeline.ingest(event(invoice(f"i{number}")))
        pipeline.drive()
    assert facts_read(pipeline) == before + 3


@pytest.mark.parametrize("realm", [UK, CANADA, USA])
def test_only_the_companies_of_what_is_tried_again_are_asked(unlinked: Pipeline, realm: str) -> None:
    for one, org in ORGS.items():
        unlinked.link(org, org, realm=one)
    with unlinked.engine.begin() as db:
        for one, org in ORGS.items():
            db.execute(
                text(
                    "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, state, cause)"
                    " VALUES (:org, :realm, 'client', :org, 'failed', :cause)"
                ),
                {"org": org, "realm": one, "cause": "no-multicurrency:JPY" if one == realm else "name-held-by-another"},
            )
        ids = [row.id for row in db.execute(text("SELECT id FROM qbo_link"))]
        refetch_facts_for(db, ids)
        wanted = {
            row.realm_id
            for row in db.execute(text("SELECT realm_id FROM qbo_company_facts WHERE refetch_at IS NOT NULL"))
        }
    assert wanted == {realm}
