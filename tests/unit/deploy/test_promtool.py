"""Prometheus's and Alertmanager's own tools check what is in deploy/."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.observability.expressions import ROOT
from tests.integration.observability.real_prometheus import tool

PROMETHEUS = ROOT / "deploy" / "prometheus"


def check(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_rules() -> None:
    check(tool("promtool"), "check", "rules", str(PROMETHEUS / "alerts.yml"))


def test_the_rules_fire_when_they_should_and_only_then() -> None:
    check(tool("promtool"), "test", "rules", str(PROMETHEUS / "tests" / "alerts_test.yml"))


def test_the_configuration_is_one() -> None:
    # Its rule file is where the container has it.
    check(tool("promtool"), "check", "config", "--syntax-only", str(PROMETHEUS / "prometheus.yml"))


def test_the_routing_is_one() -> None:
    check(tool("amtool"), "check-config", str(ROOT / "deploy" / "alertmanager" / "alertmanager.yml"))


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=page", "alertname=KompassQboBreakerOpen"], "pager"),
        (["severity=ticket", "alertname=KompassQboDisconnected", "org=o"], "support"),
        (["severity=ticket", "alertname=KompassQboTokenExpiring", "org=o"], "support"),
        (["severity=ticket", "alertname=KompassQboIngestLag"], "operators"),
    ],
)
def test_alerts_go_to_those_who_can_act(labels: list[str], receiver: str) -> None:
    config = str(ROOT / "deploy" / "alertmanager" / "alertmanager.yml")
    done = subprocess.run(
        [tool("amtool"), "config", "routes", "test", f"--config.file={config}", *labels],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == [receiver], done.stderr
