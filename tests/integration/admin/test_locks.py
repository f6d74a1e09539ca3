"""The admin and the pipeline on the same rows at the same moment: neither ends in a deadlock that a person sees."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections as django_connections
from django.test import Client
from sqlalchemy import text

from admin.quickbooks_online.models import CompanyConnection, ItemService
from simulator import UK
from store import companies, connections
from sync.sweep import sweep
from tests.admin_story_light import full_house
from tests.builders import event, invoice
from tests.integration.admin.conftest import Section
from tests.integration.admin.test_authorization import CALLBACK, Back, begin, configured, linked, until_waiting

ROOT = "/admin/quickbooks_online/"


def in_a_thread(ask: Callable[[], int]) -> Callable[[], int]:
    def asked() -> int:
        try:
            return ask()
        finally:
            django_connections.close_all()

    return asked


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


def test_a_save_that_loses_a_deadlock_is_done_again(section: Section, ada: Client) -> None:
    full_house(section.pipeline)
    row = ItemService.objects.get()
    save = in_a_thread(
        lambda: ada.post(f"{ROOT}itemservice/{row.pk}/change/", {"item_id": "3", "class_id": ""}).status_code
    )
    with ThreadPoolExecutor(1) as pool:
        with section.pipeline.engine.begin() as db:
            # The other one is patient, so that it is the page that Postgres gives up.
            db.execute(text("SET LOCAL deadlock_timeout = '60s'"))
            db.execute(text("SELECT 1 FROM qbo_configuration FOR UPDATE"))
            answer = pool.submit(save)
            until_waiting(section, 1)
            db.execute(text("SELECT 1 FROM qbo_item_service FOR UPDATE"))
        assert answer.result(60) == 302
    assert ItemService.objects.get().item_id == "3"


def test_linking_and_losing_a_connection_lock_in_the_same_order(section: Section, ada: Client, authorize: Back) -> None:
    configuration = configured()
    linked(ada, configuration, authorize)
    back = authorize(begin(ada, configuration), UK)
    version = CompanyConnection.objects.get().version
    with ThreadPoolExecutor(1) as pool:
        with section.pipeline.engine.begin() as db:
            db.execute(text("SELECT 1 FROM qbo_connection FOR UPDATE"))
            answer = pool.submit(in_a_thread(lambda: ada.get(CALLBACK, back).status_code))
            until_waiting(section, 1)
            # Its trigger raises the version of the configuration.
            assert connections.disconnect(db, realm_id=UK, version=version, cause="x", message="x")
        assert answer.result(60) == 302
    assert CompanyConnection.objects.get().state == "connected"


def test_a_company_of_many_links_is_linked_though_it_takes_longer_than_a_statement_may(section: Section) -> None:
    pipeline = section.pipeline
    pipeline.link()
    pipeline.ingest(event(invoice("i1")))
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO qbo_record (org_id, kind, kompass_id, sequence, reference, body)"
            " SELECT org_id, kind, kompass_id || n, 1, reference, body FROM qbo_record, generate_series(1, 5000) n"
            " WHERE kind = 'invoice'"
        )
        db.exec_driver_sql("UPDATE qbo_sweep SET realm_id = 'another', version = 0")
        (changed,) = companies.changed(db)
    with pipeline.engine.begin() as db:
        db.execute(text("SET LOCAL statement_timeout = '20ms'"))
        assert sweep(db, changed) > 5_000
