"""The expressions of deploy/'s dashboards and rules, in a form that Prometheus can be asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"

_THRESHOLD = re.compile(r"^(?P<value>.+) (?P<comparison>>=|<=|==|!=|>|<) (?P<threshold>[0-9.]+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expression:
    where: str
    text: str

    def asked(self, *, org: str) -> str:
        """Give it with Grafana's variables filled in."""
        return self.text.replace("$__rate_interval", "1m").replace("$org", org)


def panels() -> Iterator[Expression]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                yield Expression(f"{path.stem}: {panel['title']} {target['refId']}", target["expr"])


def rules() -> Iterator[Expression]:
    """Give what each rule compares with its threshold: that must be there whether it is beyond it or not."""
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            found = _THRESHOLD.match(rule["expr"])
            assert found is not None, f"{rule['alert']} does not end in a threshold"
            yield Expression(rule["alert"], found["value"])
