"""The refresh token dies while 500 invoices wait: one mail, one click, and within two minutes all are in QuickBooks, each once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from admin.quickbooks_online.models import Configuration, Org
from demo.embedded.mail import EmbeddedMail
from qbo_client.quota import INTUIT
from simulator import UK
from simulator.world import World
from sync.batches import Batch
from tests.acceptance.recovery.clock import let_pass, now_at_intuit
from tests.builders import event, invoice, project
from tests.integration.admin.conftest import Section, words
from tests.integration.notifier.harness import Post
from tests.pipeline import Pipeline

WAITING: Final = 500
LIST: Final = "/admin/quickbooks_online/configuration/"
WORKERS: Final = 16


def press_authorize(ada: Any, configuration: Configuration, authorize: Callable[[str, str], dict[str, str]]) -> str:
    """Choose the action, go through Intuit's pages, and come back by the callback; gives the page's words."""
    asked = ada.post(LIST, {"action": "authorize", "_selected_action": [str(configuration.pk)]})
    return words(ada.get(f"{LIST}callback/", authorize(str(asked["Location"]), UK), follow=True))


def turn(pipeline: Pipeline) -> None:
    """What a process's dispatcher, workers and settler do once, with the workers it has."""
    pipeline.sweep()
    claimed = pipeline.claim(pipeline.due()[:WORKERS])
    for realm, org in claimed.unready.items():
        pipeline.jobs.prepare(org, realm)
    # Workers call side by side: what one call takes here makes no other late.
    sent = (pipeline.steps.send(Batch(batch.attempts)) for batch in claimed.batches)
    if answers := [answer for one in sent for answer in pipeline.steps.answers(one)]:
        pipeline.settle(*answers)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("no_background_trouble")
def test_re_authorising_sends_all_that_waited(
    section: Section, mail: EmbeddedMail, authorize: Callable[[str, str], dict[str, str]]
) -> None:
    org = Org.objects.create(id="org-uk", name="Meridian Geomatics Ltd")
    configuration = Configuration.objects.create(org=org, notification_recipients=["books@meridian.example"])
    ada = section.person(group=True)
    assert "is linked to" in press_authorize(ada, configuration, authorize)
    pipeline = section.pipeline
    Configuration.objects.update(enabled=True, default_item_id=pipeline.object_id(UK, "Item", "Surveying"))
    pipeline.jobs.prepare("org-uk", UK)
    pipeline.map_vat_rate("vat-20", "20.0% S")
    survey = project()
    pipeline.ingest(event(survey))
    pipeline.drive()

    def kill_the_grant(world: World) -> None:
        for grant in list(world.authority.live_grants(realm=UK)):
            world.authority.revoke_grant(grant.id)

    section.simulator.call(kill_the_grant)
    pipeline.ingest(*(event(invoice(f"i{number}", of=survey)) for number in range(WAITING)))
    while pipeline.due():
        turn(pipeline)
    waiting = [row for row in pipeline.links(kind="invoice") if row.cause == "disconnected"]
    assert len(waiting) == WAITING

    post = Post(pipeline, mail, operator=None)
    mails = [message for _ in range(4) for message in post.later(minutes=45)]
    assert [message["To"] for message in mails] == ["books@meridian.example"]
    before = section.requests()

    # Intuit's own limits from here on: refused calls would show as throttled.
    section.simulator.call(lambda world: world.change_settings({"quota_enabled": True}))
    pipeline.steps.claims.policy = replace(pipeline.steps.policy, limits=INTUIT)
    called_back = now_at_intuit(pipeline)
    assert "is linked to" in press_authorize(ada, configuration, authorize)
    while any(row.state != "synced" for row in pipeline.links(kind="invoice")):
        turn(pipeline)
        let_pass(pipeline, 0.4)
        assert now_at_intuit(pipeline) - called_back <= 120.0, Counter(row.state for row in pipeline.links())

    booked = [re.findall(r"Kompass invoice (\S+) ", one["PrivateNote"]) for one in pipeline.objects("Invoice")]
    assert sorted(booked) == sorted([f"i{number}"] for number in range(WAITING))
    assert len(pipeline.objects("Customer")) == 2
    assert [one.status for one in pipeline.requests() if one.status == 429] == []
    assert section.requests() - before <= WAITING + 20
    over = [message for _ in range(4) for message in post.later(minutes=45)]
    assert len(over) <= 1
    assert all("again" in message["Subject"].lower() or "clear" in message["Subject"].lower() for message in over), [
        message["Subject"] for message in over
    ]
