"""Dashboards and rules ask for metrics and labels that are declared, and say where to look."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from schemas.link_state import LinkState
from schemas.metric_declarations import DECLARATIONS
from tests.integration.observability.expressions import DASHBOARDS, ROOT, RULES, Expression, panels, rules

RUNBOOKS = ROOT / "docs" / "runbooks"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
LABELS = {declaration.exposed: {name for name, _ in declaration.labels} for declaration in DECLARATIONS}
_SERIES = re.compile(r"(kompass_qbo_\w+)(?:\{([^}]*)\})?")
_STATES = re.compile(r'\bstate\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


def scalers() -> list[Expression]:
    """What KEDA's example asks Prometheus."""
    path = ROOT / "deploy" / "kubernetes" / "example" / "keda.yaml"
    (scaled,) = yaml.safe_load_all(path.read_text("utf-8"))
    return [
        Expression(f"keda {number}", one["metadata"]["query"]) for number, one in enumerate(scaled["spec"]["triggers"])
    ]


@pytest.mark.parametrize("expression", [*panels(), *rules(), *scalers()], ids=lambda one: one.where)
def test_every_metric_and_label_is_declared(expression: Expression) -> None:
    for name, matchers in _SERIES.findall(expression.text):
        declared = LABELS.get(re.sub(r"_(bucket|sum|count)$", "", name)) if name not in LABELS else LABELS[name]
        assert declared is not None, f"{name} is not declared"
        assert set(_MATCHER.findall(matchers)) <= declared, f"{name} has the labels {sorted(declared)}"
        if name.startswith("kompass_qbo_link"):
            asked = {state for value in _STATES.findall(matchers) for state in value.split("|")}
            assert asked <= {"due", *LinkState}, f"{name} never has one of the states {sorted(asked)}"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_and_where_to_look(rule: dict[str, object]) -> None:
    annotations = rule["annotations"]
    assert isinstance(annotations, dict)
    runbook = ROOT / annotations["runbook_url"]
    assert runbook.is_file(), annotations["runbook_url"]
    assert str(rule["alert"]) in runbook.read_text("utf-8")
    assert annotations["summary"]
    assert annotations["description"]
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})


def test_every_runbook_is_some_alerts() -> None:
    wanted = {Path(rule["annotations"]["runbook_url"]).name for rule in ALERTS}
    assert {path.name for path in RUNBOOKS.glob("*.md")} == wanted | {"README.md"}


def test_the_list_of_runbooks_has_every_alert_with_its_page_and_severity() -> None:
    listed = (RUNBOOKS / "README.md").read_text("utf-8")
    for rule in ALERTS:
        row = next((line for line in listed.splitlines() if line.startswith(f"| `{rule['alert']}` |")), "")
        assert f"| {rule['labels']['severity']} |" in row, rule["alert"]
        assert f"({Path(rule['annotations']['runbook_url']).name})" in row, rule["alert"]


def test_every_alert_has_a_test_of_its_own() -> None:
    tests = (ROOT / "deploy" / "prometheus" / "tests" / "alerts_test.yml").read_text("utf-8")
    for rule in ALERTS:
        assert f'alertname="{rule["alert"]}"' in tests, rule["alert"]


def test_the_dashboards_are_those_that_are_written(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "deploy" / "grafana" / "build.py", tmp_path], check=True, timeout=60)
    made = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.json")}
    kept = {path.name: path.read_text("utf-8") for path in DASHBOARDS}
    assert made == kept, "run: python deploy/grafana/build.py"


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_panels_do_not_overlap_and_have_ids_of_their_own(path: Path) -> None:
    shown = json.loads(path.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown)
    taken: set[tuple[int, int]] = set()
    for panel in shown:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_a_metric_that_nobody_looks_at_is_a_metric_too_many() -> None:
    asked = " ".join(one.text for one in [*panels(), *rules()])
    unseen = {name for name in LABELS if name not in asked}
    assert not unseen
