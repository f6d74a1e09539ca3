"""How fast each outage pages: everything is broken once before a real Prometheus and Alertmanager, and the seconds are written down.

``python -m tests.alerts --normal 3600 --write`` (``make alerts``) breaks one part after the other, from processes that have just started;
then it runs an hour of normal work with three rolling restarts, in which no alert may fire, and puts the table into
`docs/operations.md`. It needs Debian's packages prometheus, prometheus-alertmanager and libfaketime, Java and Maven.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException, Producer

from demo.addresses import Addresses
from demo.command import sample_events, sample_file
from demo.embedded.ports import HOST, free_port
from demo.installation import CONSUMERS, Installation
from demo.orgs import DEMO_ORGS
from demo.processes import Part
from demo.rules import OrgRules
from schemas.codec import Codec
from schemas.events import Event, OrgRef, Record, kind_of
from simulator.seeds import IRELAND
from tests.alerts.breaking import Breakage, Surroundings, groups
from tests.alerts.watching import Watchers, until, watching
from tests.builders import client, event, project
from tests.integration.observability.expressions import ROOT
from tests.kafka import TOPICS, Kafka
from tests.kafka_cluster import VERSION, KafkaCluster
from tests.schema_registry import Guard, SchemaRegistry

PAGE: Final = ROOT / "docs" / "operations.md"
LIMIT_S: Final = 300
ENDS_S: Final = 600
ROUNDS: Final = 3
ORGS: Final = (
    OrgRef("org-uk", "Meridian Geomatics Ltd"),
    OrgRef("org-ie", "Liffey Surveys"),
    OrgRef("org-ca", "Rideau Mapping"),
)
_BEGIN: Final = "<!-- made by make alerts -->\n"
_END: Final = "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Measured:
    breakage: Breakage
    fired: float
    ended: float
    notified: frozenset[str]
    """What people were notified of at that time."""


class Load(threading.Thread):
    """Writes newer states of some clients and projects of three Orgs, twice a second, also while a part is broken."""

    def __init__(self, installation: Installation) -> None:
        super().__init__(name="load", daemon=True)
        self._producer = Producer({**installation.settings.kafka, "log_level": "0"})
        self._ended = threading.Event()
        self._sequence = 0

    def run(self) -> None:
        codec = Codec()
        while not self._ended.wait(0.5):
            self._sequence += 1
            for one in self._events():
                kind = kind_of(one.object).value
                try:
                    self._producer.produce(f"kompass.{kind}s", value=codec.encode(one), key=f"{kind}/{one.object.id}")
                except (BufferError, KafkaException):
                    continue
            self._producer.poll(0)

    def _events(self) -> list[Event]:
        org = ORGS[self._sequence % len(ORGS)]
        number = self._sequence % 50
        events: list[Record] = [
            client(f"load{number}", sequence=self._sequence, name=f"Load {number} {self._sequence}", org=org)
        ]
        if self._sequence % 5 == 0:
            events.append(project(f"load{number}", sequence=self._sequence))
        return [replace(event(one), created=datetime.now(UTC)) for one in events]

    def end(self) -> None:
        self._ended.set()
        self.join()


@contextmanager
def surroundings(directory: Path) -> Iterator[tuple[Surroundings, Watchers]]:
    """Run the demo on Apache Kafka and Apicurio's registry, with a second process of clients, and watch all of it."""
    with ExitStack() as stack:
        cluster = stack.enter_context(KafkaCluster())
        kafka = Kafka("Apache Kafka", cluster.bootstrap_servers, cluster=cluster)
        for topic in TOPICS:
            kafka.create_topic(topic)
        registry = stack.enter_context(Guard(stack.enter_context(SchemaRegistry())))
        ports = {name: free_port() for name in (*CONSUMERS, "notify", "admin", "clients-2")}
        addresses = Addresses(
            postgres=free_port(), broker=free_port(), simulator=free_port(), mail=free_port(), admin=free_port(),
            metrics=ports, moved=True,
        )  # fmt: skip
        settings = {"KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers, "SCHEMA_REGISTRY_URL": registry.url}
        installation = stack.enter_context(Installation(addresses, logs=directory / "logs", extra=settings))
        installation.start_surroundings()
        silent = OrgRules(
            org_id=ORGS[1].id,
            realm_id=IRELAND,
            company=ORGS[1].name,
            locale="EU",
            home_currency="GBP",
            default_item="Surveying",
        )
        seen = [replace(event(client("seen", org=org)), created=datetime.now(UTC)) for org in ORGS]
        installation.link([*DEMO_ORGS, silent], [*sample_events(sample_file()), *seen])
        installation.start_admin()
        installation.start_consumers()
        spare = replace(installation.consumer("clients"), name="consume-clients-2")
        spare = replace(spare, environment={"METRICS_PORT": f"{HOST}:{ports['clients-2']}"})
        installation.processes.start(spare)
        load = Load(installation)
        load.start()
        stack.callback(load.end)
        targets = [f"{HOST}:{port}" for port in ports.values()]
        watchers = stack.enter_context(watching(directory / "watchers", targets, mail=addresses.mail))
        until(lambda: watchers.up() == len(targets), "every process is scraped", 120)
        yield Surroundings(installation, cluster, kafka, registry), watchers


def parts_of(installation: Installation) -> list[Part]:
    """Give what a release replaces, one after the other."""
    return [*(installation.consumer(what) for what in CONSUMERS), installation.notifier(), installation.admin()]


def normal(around: Surroundings, watchers: Watchers, seconds: float) -> set[str]:
    """Work on, with three rolling restarts in between; gives the alerts that fired."""
    found: set[str] = set()
    until_then = time.monotonic() + seconds
    restarts = [time.monotonic() + seconds * (number + 0.5) / ROUNDS for number in range(ROUNDS)]
    while time.monotonic() < until_then:
        found |= watchers.firing()
        if restarts and time.monotonic() >= restarts[0]:
            del restarts[0]
            for part in parts_of(around.installation):
                around.installation.processes.stop(part.name)
                around.installation.processes.start(part)
                around.installation.processes.wait_until_ready(part)
                found |= watchers.firing()
        time.sleep(2.0)
    return found


def measure(watchers: Watchers, broken: Sequence[Breakage]) -> list[Measured]:
    """Break these parts, wait for the alert of each, fix them, and wait until each alert has ended."""
    broke: dict[str, float] = {}
    fired: dict[str, float] = {}
    notified: dict[str, frozenset[str]] = {}
    for one in broken:
        broke[one.what] = time.monotonic()
        one.breaks()

    def all_fired() -> bool:
        firing = watchers.firing()
        for one in broken:
            if one.what not in fired and f"KompassQbo{one.alert}" in firing:
                fired[one.what] = time.monotonic() - broke[one.what]
                print(f"{one.what}: {one.alert} after {fired[one.what]:.0f} s", flush=True)
        return len(fired) == len(broken)

    try:
        until(all_fired, f"the alerts of {[one.what for one in broken]}; fired: {fired}", LIMIT_S + 60)
        # Alertmanager hears of an alert with the evaluation in which it fires; its group waits for 30 s more.
        time.sleep(2.0)
        for one in broken:
            notified[one.what] = frozenset(watchers.notified())
    finally:
        for one in broken:
            broke[one.what] = time.monotonic()
            one.repair()
    ended: dict[str, float] = {}

    def all_ended() -> bool:
        firing = watchers.firing()
        for one in broken:
            if one.what not in ended and f"KompassQbo{one.alert}" not in firing:
                ended[one.what] = time.monotonic() - broke[one.what]
        return len(ended) == len(broken) and not firing

    until(all_ended, f"the end of the alerts; ended: {ended}", ENDS_S)
    return [Measured(one, fired[one.what], ended[one.what], notified[one.what]) for one in broken]


def table(measured: Sequence[Measured], *, normal_s: float) -> str:
    """Give the table as `docs/operations.md` has it."""
    lines = [
        f"Measured on {datetime.now(UTC):%d %B %Y} by `make alerts`: Apache Kafka {VERSION}, a scrape and an evaluation every 15 s, as in",
        f"`deploy/prometheus`. In {normal_s:,.0f} seconds of normal work after it, with three rolling restarts, no alert fired.",
        "",
        "| what | how it was broken | alert | fired after | ended after | runbook |",
        "|---|---|---|---|---|---|",
    ]
    for one in measured:
        it = one.breakage
        lines.append(
            f"| {it.what} | {it.how} | `KompassQbo{it.alert}` | {one.fired:.0f} s | {one.ended:.0f} s |"
            f" [{it.runbook}](runbooks/{it.runbook}.md) |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--normal", type=float, default=3600.0, help="seconds of normal work")
    parser.add_argument("--write", action="store_true", help="put the table into docs/operations.md")
    parser.add_argument("--only", type=int, help="break this group alone, counted from 0")
    options = parser.parse_args()
    measured: list[Measured] = []
    unseen: list[str] = []
    with tempfile.TemporaryDirectory(prefix="kqalerts", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with surroundings(Path(name)) as (around, watchers):
            for number, broken in enumerate(groups(around)):
                if options.only not in (None, number):
                    continue
                try:
                    measured += measure(watchers, broken)
                except AssertionError as error:
                    # The other parts are still to be seen.
                    unseen.append(str(error))
                    print(error, file=sys.stderr, flush=True)
            print(table(measured, normal_s=0), flush=True)
            false = normal(around, watchers, options.normal)
            print(
                f"{options.normal:.0f} s of normal work, {ROUNDS} rolling restarts: {sorted(false) or 'no alert'}",
                flush=True,
            )
    text = table(measured, normal_s=options.normal)
    print(text)
    for one in measured:
        print(f"{one.breakage.what}: people were notified of {', '.join(sorted(one.notified))}")
    late = [one.breakage.what for one in measured if one.fired > LIMIT_S]
    if options.write and not unseen and options.only is None:
        page = PAGE.read_text("utf-8")
        PAGE.write_text(re.sub(f"{_BEGIN}.*?{_END}", lambda _: f"{_BEGIN}{text}{_END}", page, flags=re.DOTALL), "utf-8")
    if late or false or unseen:
        print(f"late: {late}; false: {sorted(false)}; not seen: {unseen}", file=sys.stderr)
    return int(bool(late or false or unseen))


if __name__ == "__main__":
    sys.exit(main())
