"""A real Prometheus and a real Alertmanager, with the rules and the routing of `deploy/`, scraping as in production."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from demo.embedded.ports import HOST, free_port
from tests.integration.observability.expressions import ROOT, RULES
from tests.integration.observability.real_prometheus import tool

ROUTING: Final = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
TEMPLATE: Final = ROOT / "deploy" / "alertmanager" / "kompass-qbo.tmpl"
SCRAPE: Final = "15s"
"""As `deploy/prometheus/prometheus.yml` has it."""


@dataclass(frozen=True, slots=True)
class Watchers:
    prometheus: str
    alertmanager: str

    def firing(self) -> set[str]:
        """The alerts that fire, by name."""
        found = _get(f"{self.prometheus}/api/v1/alerts")["data"]["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def notified(self) -> set[str]:
        """The alerts of which people hear: those that Alertmanager has, and no other one inhibits."""
        asked = f"{self.alertmanager}/api/v2/alerts?active=true&inhibited=false&silenced=false&unprocessed=false"
        return {one["labels"]["alertname"] for one in _get(asked)}

    def up(self) -> int:
        found = _get(f"{self.prometheus}/api/v1/query?query=sum(up)")["data"]["result"]
        return int(found[0]["value"][1]) if found else 0


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


@contextmanager
def watching(directory: Path, targets: Sequence[str], *, mail: int) -> Iterator[Watchers]:
    """Run both; mails go to the server at that port."""
    directory.mkdir(parents=True, exist_ok=True)
    prometheus, alertmanager = (f"{HOST}:{free_port()}" for _ in range(2))
    routing = ROUTING.read_text("utf-8").replace("mail:1025", f"{HOST}:{mail}")
    routing = routing.replace("/etc/alertmanager/*.tmpl", str(TEMPLATE))
    (directory / "alertmanager.yml").write_text(routing, "utf-8")
    configuration = {
        "global": {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": [str(RULES)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [{"job_name": "kompass-qbo", "static_configs": [{"targets": list(targets)}]}],
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")
    commands = (
        [
            tool("prometheus-alertmanager"), f"--config.file={directory / 'alertmanager.yml'}",
            f"--storage.path={directory / 'alerts'}", f"--web.listen-address={alertmanager}", "--cluster.listen-address=",
        ],
        [
            tool("prometheus"), f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={prometheus}",
        ],
    )  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (directory / f"watcher-{number}.log").open("wb") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log))
        for address in (alertmanager, prometheus):
            until(lambda address=address: _ready(f"http://{address}/-/ready"), f"{address} is ready", 60)  # type: ignore[misc]
        yield Watchers(f"http://{prometheus}", f"http://{alertmanager}")
    finally:
        for process in running:
            process.terminate()
            process.wait(60)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def until(reached: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait for a condition; gives the seconds that it took."""
    started = time.monotonic()
    while not reached():
        assert time.monotonic() - started < seconds, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)
    return time.monotonic() - started
