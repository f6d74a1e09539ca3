"""One decision: everybody who asks what to do about a record gets the answer that the claim acts on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from django.db.models import Q

from admin.quickbooks_online.impact import UNSENT, impact_of
from admin.quickbooks_online.models import Link
from admin.quickbooks_online.pages.going_live import _first_invoices
from admin.quickbooks_online.pages.links import _preview
from admin.quickbooks_online.preview import Preview, _sentence
from consumers.inquiry.explain import explained
from consumers.inquiry.forecast import Forecast
from consumers.inquiry.why import find_one, story
from schemas.events import Action, Invoice, Step, kind_of
from store.searching import links_of_record
from store.sql import dumps
from sync.decide import PLACEHOLDER
from tests.builders import event
from tests.integration.admin.conftest import Section
from tests.integration.admin.situations import SITUATIONS, World

OUTCOMES = {
    "pending": "read", "synced": "nothing", "skipped": "skip", "waiting": "wait", "failed": "fail", "withdrawn": "withdraw",
}  # fmt: skip
HEADLINES = {
    "Nothing would be sent": "nothing",
    "Cannot be sent: fix the problem first": "fail",
    "It waits": "wait",
    "It would be read again first": "read",
}


@dataclass(frozen=True)
class Answer:
    outcome: str
    words: str
    body: Any = None
    """The payload of a call, as plain values."""


def plain(body: object) -> Any:
    return None if not body else orjson.loads(body if isinstance(body, str) else dumps(body))


def by_claim(world: World) -> tuple[Answer, str]:
    """Claim the link; gives what was decided, and its cause."""
    link = world.link()
    with world.pipeline.engine.begin() as db:
        db.exec_driver_sql(f"UPDATE qbo_link SET due_at = now() WHERE id = {link.id}")
    claimed = world.pipeline.claim([link.id])
    if claimed.attempts:
        (attempt,) = claimed.attempts
        return Answer(attempt.operation, "", plain(attempt.body)), ""
    assert claimed.decided, claimed
    link = world.link()
    return Answer(OUTCOMES[link.state], _sentence(link.reason)), link.cause


def by_forecast(one: Forecast, *, now: bool) -> Answer:
    if now and one.now is not None:
        return Answer(one.now.outcome, _sentence(one.now.reason))
    calls = one.outcome in ("create", "update", "void", "read")
    return Answer(one.outcome, "" if calls else _sentence(one.reason), plain(one.body))


def by_preview(shown: Preview) -> Answer:
    for operation, verb in {"create": "created", "update": "updated", "void": "voided"}.items():
        if f"would be {verb} in QuickBooks" in shown.headline:
            return Answer(operation, "", plain(shown.body))
    outcome = HEADLINES.get(shown.headline, "not synced")
    if outcome == "read":
        return Answer("read", "")
    words = _sentence(shown.problems[0].message) if shown.problems else shown.explanation
    return Answer(outcome, words)


def unsynced(one: Answer) -> Answer:
    """The pages have one headline for what is skipped and what is withdrawn."""
    return replace(one, outcome="not synced") if one.outcome in ("skip", "withdraw") else one


@pytest.fixture
def world(section: Section) -> World:
    section.pipeline.link()
    section.pipeline.map_vat_rate("vat-20", "20.0% S")
    return World(section.pipeline)


def test_there_are_situations_enough() -> None:
    assert len(SITUATIONS) >= 30


@pytest.mark.parametrize("name", SITUATIONS)
def test_all_who_ask_get_the_answer_of_the_claim(section: Section, world: World, name: str) -> None:
    make, expected = SITUATIONS[name]
    make(world)
    world.pipeline.sweep()
    link, record = world.link(), world.asked
    assert record is not None
    with world.pipeline.engine.begin() as db:
        all_links = links_of_record(
            db, org_id="org-uk", kind=kind_of(record), kompass_id=record.id, realm_id=world.realm
        )
        place = [one.id for one in all_links].index(link.id)
        change = event(record, action=Action.DELETE if world.deleted else Action.UPDATE)
        explaining = [one for one, _ in explained(change, db, own=True)][place]
        telling = story(db, find_one(db, kind_of(record), record.id, None)).now[place]
    page = _preview(Link.objects.get(pk=link.id))
    impact = impact_of(section.configuration(), kinds=(kind_of(record).value,), part=Q(kompass_id=record.id))
    first = _going_live(section, record)

    claimed, cause = by_claim(world)

    assert f"{claimed.outcome} {cause}".strip() == expected
    assert by_forecast(explaining, now=True) == claimed
    assert by_forecast(telling, now=True) == claimed
    in_the_end = by_forecast(explaining, now=False)
    if explaining.now is None:
        assert in_the_end == claimed
    assert by_preview(page) == unsynced(in_the_end)
    if first is not None:
        assert by_preview(first) == unsynced(in_the_end)
    enabled = section.configuration().enabled
    goes = enabled and link.state in UNSENT and in_the_end.outcome in ("create", "update", "void")
    assert impact.going_out == int(goes)
    differs = enabled and link.state == "synced" and not link.voided and in_the_end.outcome == "update"
    assert impact.link_ids == ((link.id,) if differs else ())


def _going_live(section: Section, record: Any) -> Preview | None:
    """What the page of going live shows of it; None where it is none of the first invoices."""
    if not isinstance(record, Invoice) or record.step not in (Step.APPROVED, Step.POSTED, Step.VOIDED):
        return None
    start = section.configuration().start_date or dt.date(2000, 1, 1)
    shown = {one.reference: one.preview for one in _first_invoices(section.configuration(), start)}
    return shown.get(record.reference)


@pytest.mark.parametrize("name", ["a_customer_that_is_not_there", "a_second_currency"])
def test_what_is_predicted_beyond_a_customer_is_what_is_sent_then(section: Section, world: World, name: str) -> None:
    SITUATIONS[name][0](world)
    with world.pipeline.engine.begin() as db:
        assert world.asked is not None
        (explaining,) = [one for one, _ in explained(event(world.asked), db, own=True)]
    predicted = by_forecast(explaining, now=False)
    assert (predicted.outcome, explaining.now is not None) == ("create", True)
    world.step()
    sent = None
    while sent is None:
        claimed = world.pipeline.claim()
        for realm_id, org_id in claimed.unready.items():
            world.pipeline.jobs.prepare(org_id, realm_id)
        for attempt in claimed.attempts:
            if attempt.link.kompass_id == world.asked.id and attempt.link.kind is kind_of(world.asked):
                sent = plain(attempt.body)
            else:
                world.pipeline.settle(*world.pipeline.answers([attempt]))
    # The rate of the day is read when the document goes, and nothing is read for a forecast.
    sent.pop("ExchangeRate", None)
    text = orjson.dumps(sent).decode()
    for member in ("ParentRef", "CustomerRef"):
        if member in sent:
            text = text.replace(
                f'"{member}":{{"value":"{sent[member]["value"]}"', f'"{member}":{{"value":"{PLACEHOLDER}"'
            )
    assert orjson.loads(text) == predicted.body
