from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import generate_latest

from schemas.metric_declarations import DECLARATIONS, documentation
from sync.metrics import Metrics

ROOT = Path(__file__).parents[3]


def exposed(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_a_count_carries_its_labels() -> None:
    metrics = Metrics()

    metrics.count("events", 3, kind="invoice", outcome="kept")

    assert 'kompass_qbo_events_total{kind="invoice",outcome="kept",reason=""} 3.0' in exposed(metrics)


def test_the_org_can_be_switched_off() -> None:
    metrics = Metrics(org_label=False)

    metrics.set("links_due", 3, kind="invoice", org="org-1")

    assert "org-1" not in exposed(metrics)


def test_a_cause_is_counted_without_what_it_is_about() -> None:
    metrics = Metrics()

    metrics.set("links", 2, kind="invoice", state="failed", cause="no-tax-code:VAT-21", org="org-1")

    assert 'cause="no-tax-code"' in exposed(metrics)


def test_a_misspelt_label_is_refused() -> None:
    with pytest.raises(ValueError, match="metric events has no label 'kinds'"):
        Metrics().count("events", kinds="invoice")


def test_the_forgotten_are_gone() -> None:
    metrics = Metrics()
    metrics.set("links_due", 2, kind="invoice", org="org-1")
    metrics.set("ingest_lag_events", 2, topic="kompass.clients", partition="1")

    metrics.forget("links_due")
    metrics.remove("ingest_lag_events", topic="kompass.clients", partition="1")

    assert "kompass_qbo_links_due{" not in exposed(metrics)
    assert "kompass_qbo_ingest_lag_events{" not in exposed(metrics)


def test_every_metric_is_named_once_and_says_something() -> None:
    assert len({declaration.name for declaration in DECLARATIONS}) == len(DECLARATIONS)
    for declaration in DECLARATIONS:
        assert declaration.help.endswith("."), declaration.name
        assert not declaration.name.endswith("_total"), declaration.name
        assert bool(declaration.buckets) == (declaration.kind == "histogram"), declaration.name


def test_the_page_is_made_from_the_declarations() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")

    assert page == documentation(), "run: python -m schemas.metric_declarations > docs/metrics.md"
