"""Push worlds with the code of the checkout it runs in, and keep the requests: ``python -P drive.py JOB``, with the checkout on PYTHONPATH.

It is run as a file of the newer commit inside either checkout, so it uses only what both have: the tests' pipeline, the demo's set-up of
an Org, and the JSON form of events. JOB is a JSON file: the simulator's address, the worlds, and where the requests go.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from qbo_client.environment import environment_for
from qbo_client.oauth import OAuthApp
from schemas.jsonlines import read_json_lines
from store.engine import open_engine
from tests.database import cloned_database, embedded_server, migrate
from tests.pipeline import KEYS, Pipeline

AT_ONCE = 5
"""Events that come between two turns of the pipeline."""
GENERATED = "org-uk"
TAX_CODES = {"vat-20": "20.0% S", "": "No VAT"}


def demo(module: str) -> Any:
    """Import a module of the demo, which was once part of the consumers."""
    try:
        return importlib.import_module(f"demo.{module}")
    except ModuleNotFoundError:
        return importlib.import_module(f"consumers.demo.{module}")


class Remote:
    """A simulator in another process, as far as the pipeline asks for one."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"{self.base_url}/_simulator/{path}", method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)


class Untroubled(Pipeline):
    """The pipeline of a checkout over a simulator that has no troubles."""

    def days_of_trouble(self) -> int:
        return 0


def push(url: str, simulator: Remote, events: list[Any], client: tuple[str, str]) -> list[str]:
    """Push a world's events from the first to the last; gives what did not come to an end."""
    linking, rules = demo("linking"), demo("orgs").DEMO_ORGS
    names = linking.names_by_org(events)
    if GENERATED in names:
        uk = next(one for one in rules if one.locale == "EU")
        rules = (replace(uk, org_id=GENERATED, tax_codes=TAX_CODES),)
    engine = open_engine(url, pool_size=5)
    pipeline = Untroubled(engine, simulator)  # type: ignore[arg-type]
    app = OAuthApp(environment_for(simulator.base_url), *client)
    trouble = []
    for one in rules:
        tokens = linking.authorize(
            simulator.base_url,
            app,
            client_id=client[0],
            realm_id=one.realm_id,
            redirect_uri="http://localhost/callback",
        )
        linking.set_up(
            engine, KEYS, rules=one, names=names[one.org_id], tokens=tokens,
            send=linking.sender(pipeline.transport, one.realm_id, tokens.access_token), recipients=[],
        )  # fmt: skip
        pipeline.jobs.prepare(one.org_id, one.realm_id)
    simulator.ask("DELETE", "requests")
    for start in range(0, len(events), AT_ONCE):
        pipeline.ingest(*events[start : start + AT_ONCE])
        try:
            pipeline.drive()
        except AssertionError as error:
            trouble.append(str(error)[:200])
    with engine.begin() as db:
        ends = db.execute(
            text("SELECT kind, kompass_id, party_id, currency, state, cause FROM qbo_link ORDER BY 1, 2, 3, 4")
        )
        trouble += ["\t".join(map(str, row)) for row in ends]
    pipeline.close()
    if hasattr(app, "close"):
        app.close()
    engine.dispose()
    return trouble


def main(job: dict[str, Any]) -> None:
    simulator = Remote(job["simulator"])
    found = {}
    with tempfile.TemporaryDirectory(prefix="kqdiff", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        with embedded_server(Path(directory) / "data") as server, migrated(server) as template:
            for name, file in job["worlds"].items():
                simulator.ask("POST", "reset")
                with open(file, encoding="utf-8") as lines:
                    events = [event for _, event in read_json_lines(lines)]
                with cloned_database(server, template) as url:
                    ends = push(url, simulator, events, tuple(job["client"]))
                found[name] = {"requests": simulator.ask("GET", "requests")["requests"], "ends": ends}
                print(f"{name}: {len(found[name]['requests'])} requests", file=sys.stderr, flush=True)
    Path(job["out"]).write_text(json.dumps(found), encoding="utf-8")


@contextmanager
def migrated(server: Any) -> Iterator[Any]:
    """Give a migrated database to copy."""
    with open_engine(server.set(drivername="postgresql").render_as_string(hide_password=False)).connect() as db:
        db.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("CREATE DATABASE template_of_all")
    template = server.set(database="template_of_all")
    migrate(template)
    yield template


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
