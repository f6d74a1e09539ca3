"""A real Prometheus scrapes the demo, all its processes, in fair and in foul weather; every panel and every rule finds what it asks for."""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from demo.addresses import Addresses
from demo.command import sample_events, sample_file
from demo.embedded.ports import HOST, free_port
from demo.installation import CONSUMERS, Installation
from demo.orgs import DEMO_ORGS
from demo.rules import OrgRules
from schemas.codec import Codec
from schemas.events import Event, OrgRef, Record, kind_of
from simulator.seeds import CANADA, IRELAND
from tests.builders import client, event, invoice, line, project
from tests.integration.observability.expressions import RULES, panels, rules
from tests.integration.observability.real_prometheus import Prometheus, running, tool

WELL = OrgRef("org-uk", "Meridian Geomatics Ltd")
ILL = OrgRef("org-ie", "Liffey Surveys")
BUSY = OrgRef("org-ca", "Rideau Mapping")
PROCESSES = (*CONSUMERS, "notify", "admin")
PATIENCE_S = 240.0
WITHOUT_A_REGISTRY = {"KompassQboRegistryAway"}
"""The demo's events carry no schema id, so that no process asks a registry: what asks for it finds nothing, as it should."""
# The fixture runs the whole demo.
pytestmark = pytest.mark.timeout(600)


def demo_orgs() -> list[OrgRules]:
    """The demo's own, of which one also takes the events below, and one whose company does not answer."""
    mapped = [
        replace(rules, tax_codes={**rules.tax_codes, "vat-20": "20.0% S"}) if rules.org_id == WELL.id else rules
        for rules in DEMO_ORGS
    ]
    silent = OrgRules(
        org_id=ILL.id, realm_id=IRELAND, company=ILL.name, locale="EU", home_currency="GBP", default_item="Surveying"
    )
    return [*mapped, silent]


def now(record: Record) -> Event:
    return replace(event(record), created=datetime.now(UTC))


def fair() -> list[Event]:
    """More clients than Intuit takes in a second, a project, an invoice, and one that nobody mapped."""
    clients = [now(client(f"c{number}")) for number in range(25)]
    return [*clients, now(project("p1")), now(invoice("i1")), now(invoice("i2", lines=(line(vat=None),)))]


def foul() -> list[Event]:
    """One company answers nothing but 503, one is throttled."""
    return [now(client(f"d{number}", org=ILL)) for number in range(6)]


def first() -> list[Event]:
    """One client each, for which the companies' facts are read: not in the second in which the others are pushed."""
    return [now(client(f"first-{org.id}", org=org)) for org in (WELL, ILL, BUSY)]


@dataclass(frozen=True, slots=True)
class Scraped:
    prometheus: Prometheus
    installation: Installation


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    tool("prometheus")
    directory = tmp_path_factory.mktemp("observability")
    metrics = {name: free_port() for name in PROCESSES}
    addresses = Addresses(
        postgres=free_port(), broker=free_port(), simulator=free_port(), mail=free_port(), admin=free_port(),
        metrics=metrics, moved=True,
    )  # fmt: skip
    quick = {"KOMPASS_QBO_GAUGES_SECONDS": "1", "KOMPASS_QBO_BACKOFF_FIRST_SECONDS": "0.5"}
    with Installation(addresses, logs=directory / "logs", extra=quick) as installation:
        installation.start_surroundings()
        installation.link(demo_orgs(), [*sample_events(sample_file()), *first(), *fair(), *foul()])
        trouble(installation, {"kind": "http", "status": 503, "realm": IRELAND, "operation": "create"})
        trouble(installation, {"kind": "throttle", "realm": CANADA, "operation": "create", "count": 1})
        installation.start_admin()
        installation.start_consumers()
        targets = [f"{HOST}:{metrics[name]}" for name in PROCESSES]
        with running(directory / "prometheus", targets, RULES) as prometheus:
            # A second look at every counter, so that what the events do is seen as an increase.
            until(lambda: len(prometheus.query("count_over_time(up[1m]) >= 3")) == len(PROCESSES))
            produce(installation, first())
            called = 'sum by (org) (kompass_qbo_qbo_calls_total{operation="create"}) >= 1'
            until(lambda: len(prometheus.query(called)) == len(first()))
            installation.publish(sample_file())
            produce(installation, [*fair(), *foul()], garbage=True)
            yield Scraped(prometheus, installation)


def trouble(installation: Installation, rule: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"{installation.simulator_url}/_simulator/faults", data=json.dumps(rule).encode(), method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200


def produce(installation: Installation, events: list[Event], *, garbage: bool = False) -> None:
    codec = Codec()
    producer = Producer(dict(installation.settings.kafka))
    for one in events:
        kind = kind_of(one.object).value
        producer.produce(f"kompass.{kind}s", value=codec.encode(one), key=f"{kind}/{one.object.id}")
    if garbage:
        producer.produce("kompass.clients", value=b"this is no event", key=b"client/garbage")
    assert producer.flush(60) == 0


def until(reached: object) -> None:
    assert callable(reached)
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.25)


def test_every_panel_and_every_rule_finds_what_it_asks_for(scraped: Scraped) -> None:
    missing = [one for one in (*panels(), *rules()) if one.where not in WITHOUT_A_REGISTRY]
    assert len(missing) > 80
    deadline = time.monotonic() + PATIENCE_S
    while missing and time.monotonic() < deadline:
        missing = [one for one in missing if not scraped.prometheus.query(one.asked(org=WELL.id))]
        if missing:
            time.sleep(1.0)
    assert not missing, "\n".join(f"{one.where}: {one.asked(org=WELL.id)}" for one in missing)


def test_prometheus_takes_every_rule(scraped: Scraped) -> None:
    until(lambda: all(rule["health"] == "ok" for rule in scraped.prometheus.rules()))
    assert len(scraped.prometheus.rules()) == len(list(rules()))


def test_the_weather_shows(scraped: Scraped) -> None:
    """That an answer came is not enough: the numbers are those of this run."""
    prometheus = scraped.prometheus

    def number(expression: str) -> float:
        """Give a figure; NaN, which equals nothing, before the first scrape that has it."""
        found = prometheus.query(expression)
        return float(found[0]["value"][1]) if found else math.nan

    def in_database(query: str) -> float:
        with scraped.installation.engine.connect() as db:
            return float(db.exec_driver_sql(query).scalar_one())

    due = 'sum(max by (kind, org) (kompass_qbo_links_due{org!="org-ie"})) + sum(kompass_qbo_ingest_lag_events)'
    until(lambda: number(due) == 0 and number("min by () (up)") == 1)
    settled = 'sum(max by (kind, org) (kompass_qbo_links{state="synced", org="org-uk"}))'
    of_links = "SELECT count(*) FROM qbo_link WHERE org_id = 'org-uk' AND state = 'synced'"
    until(lambda: number(settled) == in_database(of_links) > 28)
    open_failures = (
        "SELECT count(*) FROM qbo_failure WHERE closed_at IS NULL AND org_id = 'org-uk' AND cause LIKE 'no-tax-code%%'"
    )
    shown_open = 'max(kompass_qbo_failures_open{cause="no-tax-code", org="org-uk"})'
    until(lambda: number(shown_open) == in_database(open_failures) >= 1)
    undecodable = in_database("SELECT count(*) FROM qbo_failure WHERE stage = 'decode'")
    assert number('sum(kompass_qbo_events_total{outcome="undecodable"})') == undecodable
    assert number('sum(kompass_qbo_dead_letters_total{stage="decode"})') == undecodable
    assert number('max(kompass_qbo_breaker_state{scope="company", org="org-ie"})') == 2
    assert number('max(kompass_qbo_breaker_state{scope="intuit"})') == 0
    assert number('sum(kompass_qbo_quota_waits_total{limit="throttled", org="org-ca"})') == 1
    metered = 'sum(kompass_qbo_qbo_calls_total{metering="coreplus", status="200"})'
    assert number(metered) > 0
    # A trial call of the silent company may be between the one and the other.
    spent = "max(kompass_qbo_budget_limit_calls) - max(kompass_qbo_budget_remaining_calls)"
    until(lambda: number(f"({spent}) - {metered}") == 0)


def test_promtool_finds_no_fault_with_our_metrics(scraped: Scraped) -> None:
    port = scraped.installation.addresses.metrics["invoices"]
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=60) as answer:
        page = answer.read()
    checked = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, check=False)
    assert checked.returncode == 0, (checked.stdout + checked.stderr).decode()
