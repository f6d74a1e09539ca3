"""A process that counts before its first scrape is heard all the same: each alert on a counter fires on a real Prometheus."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from consumers.health import Health, HealthServer
from sync.metrics import Metrics
from sync.settings import MetricsAddress
from tests.integration.observability.expressions import RULES
from tests.integration.observability.real_prometheus import running

# Alert → the counter, how much is counted before the first scrape, and of what.
COUNTED = {
    "KompassQboUndecodable": ("events", 1, {"kind": "client", "outcome": "undecodable", "reason": "garbage"}),
    "KompassQboFenced": ("fenced", 21, {"kind": "invoice"}),
    "KompassQboThrottled": ("quota_waits", 11, {"limit": "throttled", "org": "org-uk"}),
    "KompassQboRefreshesRefused": ("token_refreshes", 4, {"outcome": "refused"}),
    "KompassQboDeadLetters": ("dead_letters", 51, {"stage": "push"}),
    "KompassQboCallsFailing": ("qbo_calls", 9, {"operation": "create", "status": "503", "org": "org-uk"}),
}
FIRES_S = 60.0


def test_every_alert_on_a_counter_is_in_this_list() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    counting = {
        rule["alert"] for rule in rules if "increase(" in rule["expr"] and "events_total[3m]" not in rule["expr"]
    }
    assert counting == COUNTED.keys()


def test_what_was_counted_before_the_first_scrape_fires(tmp_path: Path) -> None:
    metrics = Metrics()
    for name, amount, labels in COUNTED.values():
        metrics.count(name, amount, **labels)
    with HealthServer(Health(metrics), MetricsAddress("127.0.0.1", 0)) as server:
        target = server.url.removeprefix("http://")
        with running(tmp_path, [target], RULES) as prometheus:
            deadline = time.monotonic() + FIRES_S
            # One of them waits for ten minutes that it stays so: that it is met is what matters here.
            while not COUNTED.keys() <= (met := {one["metric"]["alertname"] for one in prometheus.query("ALERTS")}):
                assert time.monotonic() < deadline, f"not met: {sorted(COUNTED.keys() - met)}"
                time.sleep(0.25)


def test_what_is_below_the_threshold_is_not_counted_twice(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.count("fenced", 15, kind="invoice")
    with HealthServer(Health(metrics), MetricsAddress("127.0.0.1", 0)) as server:
        target = server.url.removeprefix("http://")
        with running(tmp_path, [target], RULES) as prometheus:
            deadline = time.monotonic() + FIRES_S
            while not (found := prometheus.query("count_over_time(kompass_qbo_fenced_total[1m]) >= 5")):
                assert time.monotonic() < deadline, found
                time.sleep(0.25)
            (value,) = prometheus.query(
                "sum((kompass_qbo_fenced_total unless kompass_qbo_fenced_total offset 1h) or increase(kompass_qbo_fenced_total[1h]))"
            )
            assert float(value["value"][1]) == 15
