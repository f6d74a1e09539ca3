"""`kompass-qbo backfill`: an Org's events read again from an embedded broker, beside what the live groups do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer, TopicPartition

from consumers.backfill import reading
from consumers.backfill.command import backfill, duration
from consumers.backfill.reading import Backfill, Backfilled, group_of
from consumers.errors import ConsumersError
from demo.embedded.broker import PARTITIONS, EmbeddedBroker
from schemas.events import Event, Kind, OrgRef, kind_of
from simulator.seeds import IRELAND
from tests.builders import UK_ORG, client, event, invoice, project
from tests.integration.consumers.conftest import opened, simulator, unlinked
from tests.pipeline import Pipeline

__all__ = ["opened", "simulator", "unlinked"]

OTHER_ORG = OrgRef("org-other", "Fen & Fell Surveys")


@pytest.fixture
def publish(broker: EmbeddedBroker, unlinked: Pipeline) -> Callable[..., None]:
    def produce(*events: Event | bytes, at: dt.datetime | None = None, kind: Kind = Kind.CLIENT) -> None:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
        for number, one in enumerate(events):
            value = one if isinstance(one, bytes) else unlinked.codec.encode(one)
            topic_kind = kind if isinstance(one, bytes) else kind_of(one.object)
            millis = {} if at is None else {"timestamp": int(at.timestamp() * 1000)}
            producer.produce(f"kompass.{topic_kind.value}s", value, key=str(number).encode(), **millis)
        assert producer.flush(60) == 0

    return produce


@pytest.fixture
def read(broker: EmbeddedBroker, unlinked: Pipeline) -> Callable[..., Backfilled]:
    def again(
        *kinds: Kind,
        progress: Callable[[Backfilled], None] = lambda done: None,
        rest: Callable[[float], None] = lambda seconds: None,
        **more: Any,
    ) -> Backfilled:
        one = Backfill(
            unlinked.engine, unlinked.codec, {"bootstrap.servers": broker.bootstrap_servers}, rest=rest,
            **{"org_id": "org-uk", "kinds": kinds or tuple(Kind), **more},
        )  # fmt: skip
        try:
            return one.run(progress=progress)
        finally:
            one.close()

    return again


@pytest.fixture
def run(broker: EmbeddedBroker, migrated_database: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", migrated_database)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.delenv("SCHEMA_REGISTRY_URL", raising=False)
    return lambda *arguments: CliRunner().invoke(backfill, list(arguments), standalone_mode=False)


def of_other_org(id: str) -> Event:
    return event(invoice(id, org=OTHER_ORG, of=project("px", org=OTHER_ORG, of=client("cx", org=OTHER_ORG))))


def kept(pipeline: Pipeline) -> set[tuple[str, str, str]]:
    return {(row.org_id, row.kind, row.kompass_id) for row in pipeline.rows("qbo_record")}


def test_a_configuration_made_late_gets_what_went_by(
    unlinked: Pipeline, publish: Callable[..., None], run: Callable[..., Result]
) -> None:
    events = [event(invoice("i1")), event(invoice("i2")), event(client("c9"))]
    publish(*events, *(of_other_org(f"x{n}") for n in range(3)))
    (clients, invoices) = unlinked.ingest(*events)
    assert clients.unconfigured == 1
    assert invoices.newer == 0

    unlinked.link()
    unlinked.map_vat_rate("vat-20", "20.0% S")
    result = run("--org", "org-uk")

    assert result.exception is None
    assert "6 events read, 3 of org-uk: 5 records were new" in " ".join(result.stdout.split())
    # Two invoices and two clients; the invoices' job is only made where Project customers is on.
    assert "to be pushed: about 1 min at Intuit's 40 batches a minute" in " ".join(result.stdout.split())
    unlinked.drive()
    assert {one["DocNumber"] for one in unlinked.objects("Invoice")} >= {"INV-i1", "INV-i2"}


def test_only_the_org_asked_for_is_ingested(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    unlinked.link("org-other", "Fen & Fell Surveys", realm=IRELAND)
    # Named in passing is not belonging to: the note holds the Org's id, the event is another's.
    publish(event(invoice("i1")), of_other_org("x1"), event(client("cn", org=OTHER_ORG, name="formerly org-uk")))

    done = read()

    assert (done.read, done.of_org, done.newer) == (3, 1, 3)
    assert {org for org, _, _ in kept(unlinked)} == {"org-uk"}


def test_a_client_of_several_orgs_is_one_of_each(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    publish(event(client("shared", orgs=(OTHER_ORG, UK_ORG))))

    assert read().of_org == 1
    assert kept(unlinked) == {("org-uk", "client", "shared")}


def test_stopped_anywhere_it_goes_on_where_it_was(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BATCH", 7)
    unlinked.link()
    publish(*(event(client(f"c{n}")) for n in range(40)))
    before: list[int] = []

    def stop_once_begun(done: Backfilled) -> None:
        before.append(done.read)
        if done.read >= 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(progress=stop_once_begun)
    rest = read()

    assert 14 <= before[-1] < 40
    assert rest.total == rest.read == 40 - before[-1]
    assert rest.known == 0
    assert len(kept(unlinked)) == 40
    assert read().total == 0


def test_what_is_not_durable_is_not_committed(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    publish(*(event(client(f"c{n}")) for n in range(9)))

    class Killed(BaseException):
        pass

    def killed(seconds: float) -> None:
        raise Killed

    with pytest.raises(Killed):
        read(rest=killed)
    again = read()

    # Written, but not committed: read once more, and nothing new.
    assert (again.total, again.of_org) == (9, 9)
    assert len(kept(unlinked)) == 9


def test_the_live_groups_do_not_notice(
    broker: EmbeddedBroker, unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    publish(*(event(client(f"c{n}")) for n in range(10)))
    live = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "kompass-qbo.clients", "enable.auto.commit": False}
    )
    places = [TopicPartition("kompass.clients", number, 1) for number in range(PARTITIONS)]
    live.commit(offsets=places, asynchronous=False)

    read()

    assert [one.offset for one in live.committed(places, timeout=60)] == [1] * PARTITIONS
    live.close()


def test_since_leaves_out_what_was_published_before(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    noon = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
    publish(event(client("early")), at=noon - dt.timedelta(milliseconds=1))
    publish(event(client("late")), at=noon)

    done = read(since=noon)

    assert (done.earlier, done.of_org) == (1, 1)
    assert kept(unlinked) == {("org-uk", "client", "late")}
    # Without it, it is another backfill: it does not go on where that one stopped.
    assert read().newer == 1
    assert group_of("org-uk", None) != group_of("org-uk", noon)


def test_kind_reads_one_topic(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    publish(event(client("c7")), event(invoice("i1")))

    assert read(Kind.CLIENT).total == 1
    assert kept(unlinked) == {("org-uk", "client", "c7")}


def test_what_cannot_be_read_is_counted_and_left_to_the_live_consumers(
    unlinked: Pipeline, publish: Callable[..., None], read: Callable[..., Backfilled]
) -> None:
    unlinked.link()
    publish(b"\x00garbage of org-uk", b"garbage of nobody", event(client("c1")))

    done = read()

    assert (done.unreadable, done.newer) == (1, 1)
    assert unlinked.rows("qbo_failure") == []


def test_an_org_without_configuration_is_refused(run: Callable[..., Result]) -> None:
    result = run("--org", "org-nobody")

    assert isinstance(result.exception, ConsumersError)
    assert "'org-nobody' has no Configuration" in str(result.exception)


@pytest.mark.parametrize(("seconds", "words"), [(1, "1 min"), (240, "4 min"), (7_500, "2 h 05 min")])
def test_estimates_are_said_in_what_a_person_wants_to_know(seconds: float, words: str) -> None:
    assert duration(seconds) == words
