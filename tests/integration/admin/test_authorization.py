"""Linking: the state that travels through Intuit, every way it can go wrong, another company, Disconnect."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client
from django.utils import timezone
from sqlalchemy import text

from admin.quickbooks_online.models import (
    CompanyConnection,
    Configuration,
    CustomField,
    Org,
    PendingAuthorization,
    Service,
)
from admin.quickbooks_online.models import ItemService as ItemServiceRow
from admin.quickbooks_online.seen import unmapped
from simulator import IRELAND, UK
from tests.integration.admin.conftest import Section, words

LIST = "/admin/quickbooks_online/configuration/"
CALLBACK = f"{LIST}callback/"
Back = Callable[[str, str], dict[str, str]]


def configured(org_id: str = "org-uk", name: str = "Meridian") -> Configuration:
    org, _ = Org.objects.get_or_create(id=org_id, name=name)
    return Configuration.objects.create(org=org, notification_recipients=["ada@example.com"])


def begin(client: Client, configuration: Configuration) -> str:
    answer = client.post(LIST, {"action": "authorize", "_selected_action": [str(configuration.pk)]})
    assert answer.status_code == 302, words(answer)
    return str(answer["Location"])


def linked(client: Client, configuration: Configuration, authorize: Back, realm: str = UK) -> Any:
    return client.get(CALLBACK, authorize(begin(client, configuration), realm), follow=True)


def test_a_person_links_a_company(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    configuration = configured()
    page = words(linked(ada, configuration, authorize))
    assert "Meridian is linked to the QuickBooks company Larch Design Ltd" in page
    configuration.refresh_from_db()
    assert configuration.realm_id == UK
    stored = CompanyConnection.objects.get()
    assert (stored.realm_id, stored.state, stored.company_name) == (UK, "connected", "Larch Design Ltd")
    assert stored.refresh_token
    assert not stored.refresh_token.startswith("RT"), "encrypted"
    assert "Linked to Larch Design Ltd" in LogEntry.objects.latest("pk").change_message


def test_a_state_is_good_for_one_callback(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    assert ada.get(CALLBACK, back).status_code == 302
    replayed = ada.get(CALLBACK, back)
    assert replayed.status_code == 400
    assert "has been used already" in words(replayed)


def test_a_forged_state_is_refused(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    assert ada.get(CALLBACK, {**back, "state": "forged"}).status_code == 400
    assert not CompanyConnection.objects.exists()


def test_a_state_belongs_to_its_session(section: Section, authorize: Back) -> None:
    ada, eve = section.person(group=True), section.person("eve", group=True)
    back = authorize(begin(ada, configured()), UK)
    assert eve.get(CALLBACK, back).status_code == 400
    assert not CompanyConnection.objects.exists()


def until_waiting(section: Section, number: int) -> None:
    """Until so many sessions of this test's database wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    give_up = time.monotonic() + 60
    while True:
        with section.pipeline.engine.begin() as db:
            if db.execute(waiting).scalar_one() >= number:
                return
        assert time.monotonic() < give_up, "nobody waits"
        time.sleep(0.02)


def test_of_two_callbacks_at_the_same_moment_one_is_refused(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)

    def come_back() -> int:
        browser = Client()
        browser.cookies = ada.cookies
        try:
            return browser.get(CALLBACK, back).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        # Both are let go only once both stand before the row that says that it was not used yet.
        with section.pipeline.engine.begin() as db:
            db.execute(text("SELECT 1 FROM qboadmin_authorization FOR UPDATE"))
            answers = [pool.submit(come_back) for _ in range(2)]
            until_waiting(section, 2)
        assert sorted(answer.result() for answer in answers) == [302, 400]
    assert len(section.pipeline.rows("qbo_connection")) == 1


def test_a_state_dies_after_a_quarter_of_an_hour(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    PendingAuthorization.objects.update(until=timezone.now() - dt.timedelta(seconds=1))
    page = ada.get(CALLBACK, back)
    assert page.status_code == 400
    assert "more than 15 minutes ago" in words(page)


def test_access_denied_has_its_own_page(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    state = authorize(begin(ada, configured()), UK)["state"]
    page = ada.get(CALLBACK, {"error": "access_denied", "state": state})
    assert page.status_code == 400
    assert "not an admin of the QuickBooks company" in words(page)


def test_somebody_signed_out_learns_what_to_do(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    page = Client().get(CALLBACK, back)
    assert page.status_code == 403
    assert "You are signed out" in words(page)
    assert back["code"] not in page.content.decode()
    assert back["state"] not in page.content.decode()


def test_a_company_of_another_org_is_refused(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    linked(ada, configured(), authorize)
    second = configured("org-2", "Bravo")
    page = linked(ada, second, authorize)
    assert page.status_code == 409
    assert "linked to the Org Meridian" in words(page)
    second.refresh_from_db()
    assert second.realm_id is None


def test_a_code_does_not_open_a_company_it_was_not_given_for(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    page = ada.get(CALLBACK, {**back, "realmId": IRELAND})
    assert page.status_code == 403
    assert "did not give access to this company" in words(page)
    assert not CompanyConnection.objects.exists()


@pytest.mark.parametrize("realm", ["", "../../x", "1" * 65])
def test_a_malformed_company_is_refused(section: Section, authorize: Back, realm: str) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    assert ada.get(CALLBACK, {**back, "realmId": realm}).status_code == 400


def test_intuit_out_of_reach_has_its_own_page(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    back = authorize(begin(ada, configured()), UK)
    section.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    page = ada.get(CALLBACK, back)
    assert page.status_code == 502
    assert "Intuit is out of reach" in words(page)


def test_the_same_company_again_renews_the_tokens(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    configuration = configured()
    linked(ada, configuration, authorize)
    Configuration.objects.update(enabled=True, default_item_id="5")
    before = CompanyConnection.objects.get()
    linked(ada, configuration, authorize)
    after = CompanyConnection.objects.get()
    assert after.version > before.version
    assert after.refresh_token != before.refresh_token
    configuration.refresh_from_db()
    assert (configuration.enabled, configuration.default_item_id) == (True, "5")


@pytest.fixture
def moving(section: Section, authorize: Back) -> tuple[Client, Configuration]:
    """Linked to one company with defaults and a mapping, and back from Intuit with another."""
    ada = section.person(group=True)
    configuration = configured()
    linked(ada, configuration, authorize)
    Configuration.objects.update(enabled=True, default_item_id="5", default_class_id="9")
    service = Service.objects.create(org_id="org-uk", kompass_id="s", name="Mapping of heights")
    ItemServiceRow.objects.create(
        configuration=configuration, realm_id=UK, service=service, item_id="2", item_name="Design"
    )
    answer = ada.get(CALLBACK, authorize(begin(ada, configuration), IRELAND), follow=True)
    assert "has been linked to Larch Design Ltd" in words(answer)
    return ada, configuration


def test_another_company_asks_first(moving: tuple[Client, Configuration]) -> None:
    ada, configuration = moving
    configuration.refresh_from_db()
    assert configuration.realm_id == UK
    ada.post(f"{LIST}{configuration.pk}/another-company/", {"cancel": "1"})
    configuration.refresh_from_db()
    assert (configuration.realm_id, configuration.enabled) == (UK, True)
    assert ada.post(f"{LIST}{configuration.pk}/another-company/", {"confirm": "1"}).status_code == 400


def test_another_company_starts_clean(moving: tuple[Client, Configuration]) -> None:
    ada, configuration = moving
    page = words(ada.post(f"{LIST}{configuration.pk}/another-company/", {"confirm": "1"}, follow=True))
    assert "everything starts clean" in page
    configuration.refresh_from_db()
    assert configuration.realm_id == IRELAND
    assert (configuration.enabled, configuration.default_item_id, configuration.default_class_id) == (False, "", "")
    assert CompanyConnection.objects.get().realm_id == IRELAND
    assert ItemServiceRow.objects.get().realm_id == UK, "the former company's mapping stays, and does not count"
    (one,) = unmapped(configuration, ItemServiceRow)
    assert one.proposal, "proposed again by the name it had"
    assert CustomField.objects.count() == 0


def test_disconnect_revokes_at_intuit(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    configuration = configured()
    linked(ada, configuration, authorize)
    assert section.simulator.call(lambda world: len(list(world.authority.live_grants(realm=UK)))) == 1
    page = words(ada.post(f"{LIST}{configuration.pk}/disconnect/", follow=True))
    assert "is disconnected, and the access is revoked at Intuit" in page
    assert section.simulator.call(lambda world: len(list(world.authority.live_grants(realm=UK)))) == 0
    stored = CompanyConnection.objects.get()
    assert (stored.state, stored.refresh_token, stored.access_token) == ("disconnected", "", "")
    assert "no longer valid" in page


def test_disconnect_works_without_intuit(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    configuration = configured()
    linked(ada, configuration, authorize)
    section.simulator.call(lambda world: world.troubles.add({"kind": "outage"}))
    page = words(ada.post(f"{LIST}{configuration.pk}/disconnect/", follow=True))
    assert "Intuit could not be reached" in page
    assert CompanyConnection.objects.get().state == "disconnected"


def test_a_dead_grant_is_noted_once_and_said_in_words(section: Section, authorize: Back) -> None:
    ada = section.person(group=True)
    configuration = configured()
    linked(ada, configuration, authorize)
    section.simulator.call(
        lambda world: [world.authority.revoke_grant(one.id) for one in list(world.authority.live_grants(realm=UK))]
    )
    CompanyConnection.objects.update(access_expires_at=timezone.now() - dt.timedelta(hours=1))
    page = words(
        ada.post(LIST, {"action": "test_connection", "_selected_action": [str(configuration.pk)]}, follow=True)
    )
    assert "Intuit no longer accepts Kompass's access" in page
    assert "run Authorize with QuickbooksOnline again" in page
    assert CompanyConnection.objects.get().state == "disconnected"
    assert len(section.pipeline.rows("qbo_failure")) == 1
    assert len(section.pipeline.rows("qbo_outbox")) == 1
    ada.post(LIST, {"action": "test_connection", "_selected_action": [str(configuration.pk)]}, follow=True)
    assert len(section.pipeline.rows("qbo_failure")) == 1
    linked(ada, configuration, authorize)
    assert all(row.closed_at for row in section.pipeline.rows("qbo_failure"))
