"""A Configuration that is added in the admin has a consumer read Kompass's earlier events of its Org again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from django.test import Client
from sqlalchemy import Connection

from admin.quickbooks_online.models import Backfill, Configuration, Record
from consumers.backfill import asked, reading
from consumers.backfill.asked import AskedBackfills
from demo.embedded.broker import EmbeddedBroker
from schemas.events import Event, OrgRef, kind_of
from store.backfills import AskedBackfill, Progress
from tests.builders import client, event, invoice, project
from tests.integration.admin.conftest import Section, words

ROOT = "/admin/quickbooks_online/"
NORTH, WEST = OrgRef("org-ca", "Northern Survey Inc"), OrgRef("org-us", "Mesa Land Surveying LLC")
MARCH, APRIL = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 4, 9, 12, tzinfo=UTC)
FORM = {
    "locale": "Canada",
    "project_customers": "on",
    "doc_number_template": "{{ invoice.reference }}",
    "project_name_template": "{{ project.name }}",
    "client_name_template": "{{ client.name }}",
    "currency_name_template": "{{ name }} ({{ currency }})",
    "notification_recipients": "ada@example.com",
    "billed_tax": "refuse",
    "tax_amounts": "quickbooks",
    "exchange_rates": "quickbooks",
}


def bill(id: str, org: OrgRef) -> Event:
    return event(invoice(id, org=org, of=project(f"p-{id}", org=org, of=client(f"c-{id}", org=org))))


@pytest.fixture
def ada(section: Section) -> Client:
    return section.person(group=True)


@pytest.fixture
def published(section: Section, broker: EmbeddedBroker) -> None:
    """Events of three Orgs went by while none of them had a Configuration."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for at, one in (
        (MARCH, bill("w0", WEST)),
        (APRIL, bill("n1", NORTH)),
        (APRIL, bill("n2", NORTH)),
        (APRIL, event(invoice("i1"))),
    ):
        producer.produce(
            f"kompass.{kind_of(one.object).value}s",
            section.pipeline.codec.encode(one),
            timestamp=int(at.timestamp() * 1000),
        )
        section.pipeline.ingest(one)
    assert producer.flush(60) == 0
    assert not Record.objects.exists()


def consumer(section: Section, broker: EmbeddedBroker, owner: str = "one") -> AskedBackfills:
    kafka = {"bootstrap.servers": broker.bootstrap_servers}
    return AskedBackfills(section.pipeline.engine, section.pipeline.codec, kafka, owner=owner)


def add(ada: Client, org: OrgRef) -> Configuration:
    answer = ada.post(f"{ROOT}configuration/add/", {**FORM, "org": org.id})
    assert answer.status_code == 302, words(answer)
    return Configuration.objects.get(org_id=org.id)


def overview(ada: Client, configuration: Configuration) -> str:
    return words(ada.get(f"{ROOT}configuration/{configuration.pk}/overview/"))


def test_earlier_events_come_with_the_configuration(
    section: Section, ada: Client, broker: EmbeddedBroker, published: None
) -> None:
    added = add(ada, NORTH)
    said = words(ada.get(f"{ROOT}configuration/"))
    assert "Earlier events of Kompass are read again now" in said
    assert "read again as soon as a consumer is free" in overview(ada, added)
    page = ada.get(f"{ROOT}configuration/{added.pk}/overview/").content.decode()
    assert "data-qbo-live" in page, "the page refreshes itself"
    assert "still being read" in words(ada.get(f"{ROOT}configuration/{added.pk}/going-live/"))

    assert consumer(section, broker).turn(threading.Event())

    assert {row.org_id for row in Record.objects.all()} == {NORTH.id}
    assert set(Record.objects.filter(kind="invoice").values_list("kompass_id", flat=True)) == {"n1", "n2"}
    said = overview(ada, added)
    assert "Kompass’s events of this Org are here from 9 Apr 2026." in said
    assert "Kompass keeps events since 2 Mar 2026: ask Kompass support to send older records again." in said
    assert "still being read" not in words(ada.get(f"{ROOT}configuration/{added.pk}/going-live/"))
    assert not consumer(section, broker).turn(threading.Event()), "once"

    # Another Org's is asked for on its own; a Configuration that is added again reads from the oldest event.
    add(ada, WEST)
    assert consumer(section, broker).turn(threading.Event())
    assert Record.objects.filter(org_id=WEST.id, kind="invoice").count() == 1
    Configuration.objects.filter(pk=added.pk).delete()
    Record.objects.filter(org_id=NORTH.id).delete()
    add(ada, NORTH)
    assert consumer(section, broker).turn(threading.Event())
    assert Record.objects.filter(org_id=NORTH.id, kind="invoice").count() == 2


def test_another_consumer_goes_on_where_one_stopped(
    section: Section, ada: Client, broker: EmbeddedBroker, published: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 1)
    added = add(ada, NORTH)
    stopping = threading.Event()
    note = asked.backfills.note_progress

    def stop_after_two(db: Connection, of: AskedBackfill, owner: str, progress: Progress) -> bool:
        if progress.read == 2:
            stopping.set()
        return note(db, of, owner, progress)

    monkeypatch.setattr(asked.backfills, "note_progress", stop_after_two)
    assert consumer(section, broker).turn(stopping)
    stopped = Backfill.objects.get()
    assert (stopped.read, stopped.total, stopped.finished_at) == (2, 4, None)

    # While another reads, nobody else does; and its progress is on the page.
    Backfill.objects.update(beat_at=datetime.now(UTC))
    assert "2 of 4 read" in overview(ada, added)
    assert not consumer(section, broker, "two").turn(threading.Event())
    Backfill.objects.update(beat_at=MARCH)
    assert consumer(section, broker, "two").turn(threading.Event())
    done = Backfill.objects.get()
    assert (done.read, done.total, done.of_org) == (4, 4, 2)
    assert Record.objects.filter(kind="invoice").count() == 2


def test_a_broker_that_is_away_is_said_on_the_page(
    section: Section, ada: Client, monkeypatch: pytest.MonkeyPatch, published: None
) -> None:
    monkeypatch.setattr(reading, "_TIMEOUT_S", 0.2)
    added = add(ada, NORTH)
    away = AskedBackfills(
        section.pipeline.engine, section.pipeline.codec, {"bootstrap.servers": "127.0.0.1:1"}, owner="one"
    )
    assert away.turn(threading.Event())
    assert "Kompass’s earlier events cannot be read at the moment: the topics cannot be read" in overview(ada, added)
    assert Backfill.objects.get().finished_at is None
