"""`dead-letters list|show|replay`, on the database and on the topic alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Producer, TopicPartition

from consumers.dead_letter_tools.commands import dead_letters_command
from consumers.dead_letter_tools.replay import Pace, Replayed, replay
from consumers.dead_letters import OutboxPublisher, producer_settings
from demo.embedded.broker import TOPICS, EmbeddedBroker
from schemas.events import Kind, VatRate
from store.dead_letters import Selection
from store.records import SourceEvent
from sync.metrics import Metrics
from tests.builders import client, event, invoice, line
from tests.integration.pipeline.test_bookkeeper import edit
from tests.pipeline import Pipeline

REDUCED = VatRate("vat-5", "Reduced 5 %", Decimal(5))
ZERO = VatRate("vat-0", "Zero", Decimal(0))


@pytest.fixture
def run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(dead_letters_command, list(arguments), standalone_mode=False)
        assert result.exception is None, result.exception
        return result

    return invoke


def reject(pipeline: Pipeline, *ids: str, rate: VatRate = REDUCED) -> None:
    pipeline.ingest(*(event(invoice(one, lines=(line(vat=rate),))) for one in ids))
    pipeline.drive()


def failures(pipeline: Pipeline) -> list[Any]:
    return list(pipeline.rows("qbo_failure"))


def test_failures_are_listed_by_cause_and_one_by_one(pipeline: Pipeline, run: Any) -> None:
    reject(pipeline, "i1", "i2", "i3")
    reject(pipeline, "i4", rate=ZERO)
    listed = json.loads(run("list", "--json").stdout)
    assert listed["total"] == 4
    assert [(one["cause"], one["count"], one["headline"]) for one in listed["causes"]] == [
        ("no-tax-code:vat-5", 3, "Reduced 5 % has no QuickBooks tax code"),
        ("no-tax-code:vat-0", 1, "Zero has no QuickBooks tax code"),
    ]
    text = run("list").stdout
    assert "3  Meridian Geomatics Ltd: Reduced 5 % has no QuickBooks tax code (no-tax-code:vat-5)" in text
    flat = json.loads(run("list", "--flat", "--cause", "no-tax-code:vat-0", "--json").stdout)
    assert [one["reference"] for one in flat["failures"]] == ["INV-i4"]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (("--org", "org-uk"), 4),
        (("--org", "Meridian Geomatics Ltd"), 4),
        (("--org", "org-x"), 0),
        (("--org", ""), 0),
        (("--kind", "client"), 0),
        (("--id", "INV-i2"), 1),
        (("--id", "i2"), 1),
        (("--cause", "no-tax-code"), 4),
        (("--cause", "no-tax"), 0),
        (("--since", "1h"), 4),
        (("--until", "1h"), 0),
        (("--since", "2020-01-01", "--until", "2020-01-02T10:00"), 0),
    ],
)
def test_filters(pipeline: Pipeline, run: Any, filters: tuple[str, ...], count: int) -> None:
    reject(pipeline, "i1", "i2", "i3")
    reject(pipeline, "i4", rate=ZERO)
    result = run("list", "--json", *filters)
    assert json.loads(result.stdout)["total"] == count
    assert result.return_value == (0 if count else 1)


def test_show_gives_the_event_the_payload_tried_the_fault_and_the_history(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    # The same number by hand, so that QuickBooks itself refuses the next one.
    pipeline.ingest(event(invoice("i2", reference="INV-i1")))
    pipeline.drive()
    (failure,) = failures(pipeline)
    shown = json.loads(run("show", str(failure.id), "--json").stdout)
    assert shown["cause"] == "number-taken"
    assert shown["event"]["object"]["id"] == "i2"
    assert shown["payload"]["DocNumber"] == "INV-i1"
    assert shown["intuit_tid"]
    assert [one["what"] for one in shown["history"]][:2] == ["event", "called"]
    text = run("show", str(failure.id)).stdout
    assert "its number is used in QuickBooks already, by Invoice with Id" in text
    missing = CliRunner().invoke(dead_letters_command, ["show", "999999"], standalone_mode=False)
    assert "there is no failure 999999" in str(missing.exception)


def test_a_replay_makes_links_due_and_what_was_fixed_goes_through(pipeline: Pipeline, run: Any) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i2", reference="INV-i1")))
    pipeline.drive()
    edit(pipeline, "Invoice", DocNumber="TYPED-BY-HAND")
    assert pipeline.drive() == []
    done = run("replay", "--cause", "number-taken", "--json")
    assert done.return_value == 0
    assert json.loads(done.stdout)["asked"] == 1
    pipeline.drive()
    assert pipeline.one("invoice", "i2").state == "synced"
    assert [row.closed_because for row in failures(pipeline)] == ["synced"]


def test_what_keeps_failing_ends_in_quarantine_unless_forced(pipeline: Pipeline, run: Any) -> None:
    reject(pipeline, "i1")
    for count in range(1, 6):
        assert json.loads(run("replay", "--json").stdout)["asked"] == 1
        again = json.loads(run("replay", "--json").stdout)
        assert (again["asked"], again["skipped"]) == (0, {"asked for already": 1})
        pipeline.drive()
        assert failures(pipeline)[0].replay_count == count
    left = run("replay", "--json")
    assert left.return_value == 1
    assert json.loads(left.stdout) == {"asked": 0, "ingested": 0, "undecodable": 0, "skipped": {"quarantined": 1}}
    assert json.loads(run("replay", "--force", "--json").stdout)["asked"] == 1


def test_a_dry_run_tells_causes_and_predicted_outcomes_and_does_nothing(pipeline: Pipeline, run: Any) -> None:
    reject(pipeline, "i1", "i2", "i3")
    reject(pipeline, "i4", rate=ZERO)
    pipeline.map_vat_rate("vat-5", "5.0% R")
    calls, before = len(pipeline.requests()), failures(pipeline)
    answer = json.loads(run("replay", "--dry-run", "--json").stdout)
    assert answer["outcomes"] == [
        {"org": "org-uk", "cause": "no-tax-code:vat-5", "outcome": "create", "cause_then": "", "count": 3},
        {
            "org": "org-uk", "cause": "no-tax-code:vat-0", "outcome": "fail", "cause_then": "no-tax-code:vat-0", "count": 1,
        },
    ]  # fmt: skip
    assert failures(pipeline) == before
    assert len(pipeline.requests()) == calls
    assert "3  org-uk  no-tax-code:vat-5 → create" in run("replay", "--dry-run").stdout


def test_a_replay_keeps_to_its_most_and_goes_on_where_it_was(pipeline: Pipeline, run: Any) -> None:
    reject(pipeline, "i1", "i2", "i3")
    assert json.loads(run("replay", "--max", "2", "--json").stdout)["asked"] == 2
    assert len(pipeline.due()) == 2
    rest = json.loads(run("replay", "--json").stdout)
    assert (rest["asked"], rest["skipped"]) == (1, {"asked for already": 2})


def test_a_replay_keeps_to_its_rate(pipeline: Pipeline) -> None:
    reject(pipeline, "i1", "i2", "i3", "i4", "i5")
    now = [0.0]
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    pace = Pace(2.0, clock=lambda: now[0], sleep=sleep)
    counts: list[int] = []
    done = replay(
        pipeline.engine,
        pipeline.codec,
        Selection(),
        by="test",
        pace=pace,
        progress=lambda one: counts.append(one.asked),
    )
    assert done == Replayed(asked=5)
    assert counts == [2, 4, 5]
    assert waited == [1.0, 1.0, 0.5]


def test_bytes_that_could_not_be_read_are_ingested_again(pipeline: Pipeline, run: Any) -> None:
    good = pipeline.source(event(client("c9")))
    bad = SourceEvent(topic="kompass.clients", partition=0, offset=77, key=b"client/c9", value=b"\xc3\x01garbage")
    pipeline.ingests[Kind.CLIENT].write([bad])
    result = run("replay", "--json")
    assert result.return_value == 1
    assert json.loads(result.stdout)["undecodable"] == 1
    (failure,) = failures(pipeline)
    assert (failure.replay_count, failure.attempts, failure.closed_at) == (1, 2, None)
    assert "replayed" not in failure.closed_because
    # As if a newer version could read them now.
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_failure SET event_value = %s", (good.value,))
    assert json.loads(run("replay", "--dry-run", "--json").stdout)["outcomes"][0]["outcome"] == "decodes"
    assert json.loads(run("replay", "--json").stdout)["ingested"] == 1
    pipeline.drive()
    assert pipeline.one("client", "c9").state == "synced"
    assert failures(pipeline)[0].closed_because == "replayed"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(topics=TOPICS) as running:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", running.bootstrap_servers)
        yield running


def publish(pipeline: Pipeline, broker: EmbeddedBroker) -> None:
    producer = Producer(producer_settings({"bootstrap.servers": broker.bootstrap_servers}))
    publisher = OutboxPublisher(pipeline.engine, lambda: producer, metrics=Metrics(), beat=lambda name: None)
    while publisher.publish_some():
        pass


def forget(pipeline: Pipeline) -> None:
    """A database that knows nothing of its invoices and failures, with its Configuration and customers as they were."""
    with pipeline.engine.begin() as db:
        for table in ("qbo_failure", "qbo_history", "qbo_outbox"):
            db.exec_driver_sql(f"DELETE FROM {table}")
        for table in ("qbo_link", "qbo_record"):
            db.exec_driver_sql(f"DELETE FROM {table} WHERE kind = 'invoice'")


def ends(broker: EmbeddedBroker) -> dict[str, int]:
    """How many records Kompass's topics hold."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "looking"})
    try:
        return {
            topic: sum(
                consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=60)[1] for number in range(8)
            )
            for topic in TOPICS
            if topic != "kompass.qbo.dead-letters"
        }
    finally:
        consumer.close()


def test_from_the_topic_alone_everything_comes_back(pipeline: Pipeline, run: Any, broker: EmbeddedBroker) -> None:
    reject(pipeline, "i1", "i2")
    reject(pipeline, "i3", rate=ZERO)
    publish(pipeline, broker)
    forget(pipeline)
    answer = json.loads(run("replay", "--from-topic", "--dry-run", "--json").stdout)
    assert {(one["cause"], one["outcome"]): one["count"] for one in answer["outcomes"]} == {
        ("no-tax-code:vat-5", "fail"): 2,
        ("no-tax-code:vat-0", "fail"): 1,
    }
    pipeline.map_vat_rate("vat-5", "5.0% R")
    first = json.loads(run("replay", "--from-topic", "--cause", "no-tax-code:vat-5", "--max", "1", "--json").stdout)
    assert first["read"] == 1
    done = json.loads(run("replay", "--from-topic", "--json").stdout)
    assert first["read"] + done["read"] + first["skipped"].get("does not fit", 0) == 3
    pipeline.ingests = {
        kind: type(one)(pipeline.engine, pipeline.codec, kind) for kind, one in pipeline.ingests.items()
    }
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    assert ends(broker) == {"kompass.clients": 0, "kompass.projects": 0, "kompass.invoices": 0}
    nothing = json.loads(run("replay", "--from-topic", "--json").stdout)
    assert nothing["read"] == 0


def test_from_the_topic_what_is_older_than_known_changes_nothing(
    pipeline: Pipeline, run: Any, broker: EmbeddedBroker
) -> None:
    reject(pipeline, "i1")
    publish(pipeline, broker)
    pipeline.ingest(event(invoice("i1", sequence=2)))
    pipeline.drive()
    assert pipeline.one("invoice", "i1").state == "synced"
    calls = len(pipeline.requests())
    done = json.loads(run("replay", "--from-topic", "--json").stdout)
    assert (done["read"], done["newer"]) == (1, 0)
    assert done["known"] >= 1
    assert pipeline.drive() == []
    assert len(pipeline.requests()) == calls
