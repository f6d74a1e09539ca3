"""The parts of a dashboard, and how Grafana wants them written.

Gauges that are read from the database are the same in every process, so an expression reduces each with ``max by`` (or ``min by``) before
it sums them; counters, and what a process says of itself, are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
K: Final = "kompass_qbo_"
"""What every metric of ours begins with."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: what it shows, in which unit, and its expressions with their legends."""

    title: str
    says: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 7
    steps: Sequence[tuple[str, float | None]] = ()
    """Colour from which value on; the first one has no value."""
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    says: str
    rows: Sequence[Row]
    by_org: bool = False


def stat(
    title: str, says: str, query: str, *, unit: str = "short", red_from: float | None = None, width: int = 4
) -> Panel:
    """A number; red from that value on."""
    steps: list[tuple[str, float | None]] = [("green", None)]
    if red_from is not None:
        steps.append(("red", red_from))
    return Panel(title, says, [(query, "")], unit, "stat", width, 4, steps)


def stat_below(title: str, says: str, query: str, *, unit: str, red_below: float, width: int = 4) -> Panel:
    """A number; red below that value."""
    return Panel(title, says, [(query, "")], unit, "stat", width, 4, [("red", None), ("green", red_below)])


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    if panel.steps:
        defaults["thresholds"] = {
            "mode": "absolute",
            "steps": [{"color": colour, "value": value} for colour, value in panel.steps],
        }
    made: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expression,
                "legendFormat": legend or "__auto",
                "range": panel.kind == "timeseries",
                "instant": panel.kind != "timeseries",
            }
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 20 if panel.stacked else 0,
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "showPoints": "never",
        }
        made["options"] = {
            "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        made["options"] = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
        }
    return made


def render(dashboard: Dashboard) -> dict[str, Any]:
    """Lay the panels out, row by row."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in dashboard.rows:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "panels": [],
                "gridPos": {"h": 1, "w": WIDTH, "x": 0, "y": y},
            }
        )
        y, x, tallest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                y, x, tallest = y + tallest, 0, 0
            panels.append(_panel(panel, len(panels) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    variables: list[dict[str, Any]] = [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}
    ]
    if dashboard.by_org:
        query = "label_values(kompass_qbo_connection_up, org)"
        variables.append(
            {
                "name": "org",
                "label": "Org",
                "type": "query",
                "datasource": SOURCE,
                "definition": query,
                "query": {"query": query, "refId": "org"},
                "refresh": 2,
                "sort": 1,
                "current": {},
            }
        )
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.says,
        "tags": ["kompass-qbo"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables},
        "links": [
            {
                "title": "kompass-qbo",
                "type": "dashboards",
                "tags": ["kompass-qbo"],
                "asDropdown": True,
                "includeVars": True,
            }
        ],
        "annotations": {"list": []},
        "panels": panels,
    }
