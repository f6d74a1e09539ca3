"""What /metrics says of the database is what stands there."""

from __future__ import annotations

import threading
from datetime import timedelta
from math import isnan

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from consumers.gauges import GaugeKeeper
from schemas.events import Kind, OrgRef
from simulator.seeds import IRELAND
from store import gauges as gauges_of_store
from store import quota, stretches
from store.stretches import Gap
from sync.metrics import Metrics
from tests.builders import client, event, invoice, line
from tests.idle_orgs import idle_orgs
from tests.integration.broker.members import database_away
from tests.pipeline import Pipeline

OTHER = OrgRef("org-ie", "Liffey Surveys")


def keeper(pipeline: Pipeline, metrics: Metrics, **more: object) -> GaugeKeeper:
    return GaugeKeeper(pipeline.engine, metrics, budget=1000, period=60.0, **more)  # type: ignore[arg-type]


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"kompass_qbo_{name}", labels)


def test_links_are_counted_by_state_cause_and_org_and_what_is_gone_is_dropped(pipeline: Pipeline) -> None:
    metrics = Metrics()
    gauges = keeper(pipeline, metrics)
    pipeline.ingest(event(client()), event(client("c2")))
    gauges.fill()
    assert value(metrics.registry, "links_due", kind="client", org="org-uk") == 2
    age = value(metrics.registry, "link_oldest_age_seconds", kind="client", state="due", cause="", org="org-uk")
    assert age is not None
    assert 0 <= age < 60

    pipeline.drive()
    gauges.fill()

    assert value(metrics.registry, "links", kind="client", state="synced", cause="", org="org-uk") == 2
    assert value(metrics.registry, "links_due", kind="client", org="org-uk") is None
    assert value(metrics.registry, "links_due", kind="client", org="") == 0


def test_a_rejected_link_is_as_old_as_its_failure_and_a_waiting_one_as_its_event(pipeline: Pipeline) -> None:
    metrics = Metrics()
    pipeline.ingest(event(invoice(lines=(line(vat_rate=None),))))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_failure SET first_failed_at = now() - interval '1 hour'"))
    keeper(pipeline, metrics).fill()

    labels = {"kind": "invoice", "cause": "no-tax-code", "org": "org-uk"}
    age = value(metrics.registry, "link_oldest_age_seconds", state="failed", **labels)
    assert age is not None
    assert 3600 <= age < 3700
    assert value(metrics.registry, "links", state="failed", **labels) == 1
    assert value(metrics.registry, "failures_open", stage="map", cause="no-tax-code", org="org-uk") == 1
    outbox_age = value(metrics.registry, "outbox_oldest_age_seconds")
    assert outbox_age is not None
    assert outbox_age > 0


def test_without_the_org_label_what_falls_together_is_summed_and_the_worst_is_shown(pipeline: Pipeline) -> None:
    pipeline.link(OTHER.id, OTHER.name, realm=IRELAND)
    pipeline.ingest(event(client()), event(client("c9", org=OTHER)))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_connection SET state = 'disconnected' WHERE realm_id = :realm"), {"realm": IRELAND})
    metrics = Metrics(org_label=False)
    keeper(pipeline, metrics).fill()

    assert value(metrics.registry, "links", kind="client", state="synced", cause="", org="") == 2
    assert value(metrics.registry, "connection_up", org="") == 0


def test_connections_tell_how_long_their_tokens_live(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        db.execute(
            text(
                "UPDATE qbo_connection SET refreshed_at = now() - interval '90 days', refresh_expires_at = NULL,"
                " refresh_hard_expires_at = now() + interval '3 days'"
            )
        )
    metrics = Metrics()
    gauges = keeper(pipeline, metrics)
    gauges.fill()
    day = 86_400.0
    assert value(metrics.registry, "connection_up", org="org-uk") == 1
    assert round((value(metrics.registry, "token_age_seconds", org="org-uk") or 0) / day) == 90
    assert round((value(metrics.registry, "token_expires_in_seconds", org="org-uk") or 0) / day) == 3

    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_connection SET refresh_hard_expires_at = NULL"))
    gauges.fill()
    assert round((value(metrics.registry, "token_expires_in_seconds", org="org-uk") or 0) / day) == 10


def test_an_open_breaker_is_shown_with_its_org_and_a_closed_one_is_not(pipeline: Pipeline) -> None:
    metrics = Metrics()
    (connection,) = pipeline.rows("qbo_connection")
    opened = ([connection.realm_id], True)
    gauges = keeper(pipeline, metrics, open_breakers=lambda: opened)
    gauges.fill()
    assert value(metrics.registry, "breaker_state", scope="company", org="org-uk") == 2
    assert value(metrics.registry, "breaker_state", scope="intuit", org="") == 2

    opened = ([], False)
    gauges.fill()
    assert value(metrics.registry, "breaker_state", scope="company", org="org-uk") is None
    assert value(metrics.registry, "breaker_state", scope="intuit", org="") == 0


def test_metered_calls_of_every_process_add_up_to_the_months(pipeline: Pipeline) -> None:
    one, two = Metrics(), Metrics()
    first, second = keeper(pipeline, one), keeper(pipeline, two)
    for metrics, calls in ((one, 3), (two, 4)):
        metrics.count("qbo_calls", calls, operation="query", status="200", metering="coreplus", org="org-uk")
        metrics.count("qbo_calls", 9, operation="query", status="503", metering="coreplus", org="org-uk")
        metrics.count("qbo_calls", 9, operation="create", status="200", metering="core", org="org-uk")
    first.fill()
    second.fill()
    second.fill()
    assert value(two.registry, "budget_limit_calls") == 1000
    assert value(two.registry, "budget_remaining_calls") == 1000 - 7


def test_a_new_month_begins_with_a_whole_budget(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        quota.count_metered(db, 500)
        db.execute(
            text(
                'UPDATE qbo_quota_lease SET "window" = jsonb_set("window", \'{month}\', \'"2020-01"\')'
                " WHERE realm_id = ''"
            )
        )
        assert quota.metered_this_month(db) == 0
        assert quota.count_metered(db, 2) == 2
        assert quota.metered_this_month(db) == 2


def test_the_last_turn_carries_the_calls_made_since_the_one_before(pipeline: Pipeline) -> None:
    metrics = Metrics()
    stopping = threading.Event()
    gauges = keeper(pipeline, metrics)
    thread = threading.Thread(target=gauges.run, args=(stopping,))
    thread.start()
    metrics.count("qbo_calls", 2, operation="query", status="200", metering="coreplus", org="org-uk")
    stopping.set()
    thread.join(60)
    with pipeline.engine.begin() as db:
        assert quota.metered_this_month(db) == 2


def test_what_may_be_counted_is_shown_before_it_is(pipeline: Pipeline) -> None:
    metrics = Metrics()
    keeper(pipeline, metrics).start_from_zero(Kind.INVOICE)
    for reason in ("garbage", "truncated", "unknown-schema", "unstorable"):
        assert value(metrics.registry, "events_total", kind="invoice", outcome="undecodable", reason=reason) == 0
    assert value(metrics.registry, "recoveries_total", how="found") == 0
    assert value(metrics.registry, "budget_limit_calls") == 1000


def test_a_gap_is_shown_once_whichever_processes_meet_it(pipeline: Pipeline) -> None:
    first, second = Metrics(), Metrics()
    for metrics in (first, second):
        keeper(pipeline, metrics).fill()
        assert value(metrics.registry, "ingest_gap_events", topic="kompass.invoices") == 0
    for last in (149, 159):
        with pipeline.engine.begin() as db:
            stretches.note_gap(db, Gap("kompass.invoices", 3, 100, last))
    for metrics in (first, second):
        keeper(pipeline, metrics).fill()
        assert value(metrics.registry, "ingest_gap_events", topic="kompass.invoices") == 60
        assert value(metrics.registry, "ingest_gap_events", topic="kompass.clients") == 0
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_stretch SET at = at - interval '2 hours'"))
    keeper(pipeline, first).fill()
    assert value(first.registry, "ingest_gap_events", topic="kompass.invoices") == 0


def test_what_nobody_can_measure_is_not_shown(pipeline: Pipeline) -> None:
    metrics = Metrics()
    gauges = keeper(pipeline, metrics)
    gauges.start_from_zero(Kind.INVOICE)
    assert isnan(value(metrics.registry, "budget_remaining_calls") or 0), "not known yet, and no empty budget"
    gauges.fill()
    assert value(metrics.registry, "links_due", kind="invoice", org="") == 0
    assert value(metrics.registry, "outbox_oldest_age_seconds") == 0
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    stopping = threading.Event()
    stopping.set()
    with database_away(url):
        gauges.run(stopping)
    assert value(metrics.registry, "links_due", kind="invoice", org="") is None
    assert isnan(value(metrics.registry, "outbox_oldest_age_seconds") or 0)
    gauges.fill()
    assert value(metrics.registry, "links_due", kind="invoice", org="") == 0


def test_orgs_at_rest_are_counted_together(pipeline: Pipeline) -> None:
    """A series for each Org is for those that have something to say: of many most are idle."""
    pipeline.link(OTHER.id, OTHER.name, realm=IRELAND)
    pipeline.ingest(event(client()), event(client("c9", org=OTHER)))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        db.execute(
            text("UPDATE qbo_link SET synced_at = now() - interval '2 days' WHERE org_id = :org"), {"org": OTHER.id}
        )
        db.execute(
            text(
                "UPDATE qbo_connection SET refreshed_at = now() - interval '2 days',"
                " refresh_expires_at = now() + interval '98 days' WHERE realm_id = :realm"
            ),
            {"realm": IRELAND},
        )
        idle_orgs(db, 2000)
    metrics = Metrics()
    gauges = keeper(pipeline, metrics)
    gauges.fill()

    synced = {"kind": "client", "state": "synced", "cause": ""}
    assert value(metrics.registry, "links", **synced, org="org-uk") == 1
    assert value(metrics.registry, "links", **synced, org="") == 2001
    assert value(metrics.registry, "links", **synced, org=OTHER.id) is None
    assert value(metrics.registry, "connection_up", org="") == 1
    assert value(metrics.registry, "connection_up", org=OTHER.id) is None
    left = value(metrics.registry, "token_expires_in_seconds", org="")
    assert left is not None
    assert 49 * 86_400 < left < 51 * 86_400, "the one that ends first"
    assert len(generate_latest(metrics.registry)) < 40_000

    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET state = 'failed' WHERE org_id = :org"), {"org": OTHER.id})
        db.execute(text("UPDATE qbo_connection SET state = 'disconnected' WHERE realm_id = :realm"), {"realm": IRELAND})
    gauges.fill()
    assert value(metrics.registry, "links", kind="client", state="failed", cause="", org=OTHER.id) == 1
    assert value(metrics.registry, "connection_up", org=OTHER.id) == 0


def test_one_process_counts_for_all_and_another_takes_over(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    counts = [Metrics(), Metrics()]
    first, second = (keeper(pipeline, metrics, owner=f"process-{number}") for number, metrics in enumerate(counts))

    def shown() -> list[float | None]:
        return [value(one.registry, "links_due", kind="client", org="org-uk") for one in counts]

    with pipeline.engine.begin() as db:
        assert gauges_of_store.keep(db, "process-0", seconds=60)
        assert not gauges_of_store.keep(db, "process-1", seconds=60)
    # A process that is stopping takes one turn.
    stopping = threading.Event()
    stopping.set()
    second.run(stopping)
    assert shown() == [None, None]
    first.run(stopping)
    assert shown() == [1, None]

    # The first has stopped, and left.
    second.run(stopping)
    assert shown() == [1, 1]
    with pipeline.engine.begin() as db:
        assert gauges_of_store.keep(db, "process-0", seconds=60), "the second has left, too"
        db.execute(text("UPDATE qbo_gauge_keeper SET until = now() - interval '1 second'"))
    with pipeline.engine.begin() as db:
        assert gauges_of_store.keep(db, "process-1", seconds=60), "the first has not asked for too long"
    first.run(stopping)
    assert shown() == [None, 1], "what it showed is another's to show"


def test_history_beyond_its_time_is_how_late_tidy_is(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client()))
    pipeline.drive()
    metrics = Metrics()
    gauges = keeper(pipeline, metrics, retention=timedelta(days=400))
    gauges.fill()
    assert value(metrics.registry, "tidy_overdue_seconds") == 0

    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_history SET at = now() - interval '404 days'"))
    gauges.fill()
    assert value(metrics.registry, "tidy_overdue_seconds") == pytest.approx(4 * 86_400, abs=60)
