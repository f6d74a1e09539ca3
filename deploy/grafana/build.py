"""Writes the dashboards: ``python deploy/grafana/build.py``, after a change in one of them. A test holds the JSON to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dashboard_operations import OPERATIONS
from dashboard_org import ORG
from dashboard_quota import QUOTA
from panels import render

ALL = {"operations.json": OPERATIONS, "org.json": ORG, "quota.json": QUOTA}

if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, dashboard in ALL.items():
        (directory / name).write_text(json.dumps(render(dashboard), indent=2) + "\n", "utf-8")
