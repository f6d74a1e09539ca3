"""A whole installation on one machine: every part as a process of its own, on embedded parts. The demo and the tests run it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Engine

from consumers.cli import GROUP
from consumers.errors import EmbeddedPartFailed
from demo.addresses import Addresses
from demo.books import Books, read_books
from demo.embedded.ports import HOST
from demo.embedded.postgres import EmbeddedPostgres
from demo.linking import authorize, names_by_org, sender, set_up
from demo.orgs import COMPANIES
from demo.processes import Part, Processes, answers, listens
from demo.progress import Progress, Watch
from demo.rules import OrgRules
from qbo_client.oauth import OAuthApp
from qbo_client.transport import Transport
from schemas.counting import counted
from schemas.events import Event
from store.connections import read_tokens
from store.engine import open_engine
from store.secrets import TokenKeys
from sync.settings import settings_from

CONSUMERS: Final = ("clients", "projects", "invoices")
_LOOK_EVERY_S: Final = 0.25


class Installation:
    """Postgres, broker, simulator, mail server, admin, consumers. A context manager; at its end all of them are stopped.

    Parameters
    ----------
    extra
        settings on top of the demo's, such as shortened ``KOMPASS_QBO_*`` timings.
    """

    def __init__(self, addresses: Addresses, *, logs: Path, extra: Mapping[str, str] | None = None) -> None:
        self.addresses = addresses
        self.environment = {**addresses.environment(), **(extra or {})}
        self.settings = settings_from(self.environment)
        self.processes = Processes(self.environment, logs)
        self.engine: Engine = open_engine(self.settings.database_url, application_name="kompass-qbo-demo")
        self.postgres = EmbeddedPostgres(port=addresses.postgres)
        self._keys = TokenKeys(self.settings.token_keys)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._running.enter_context(self.postgres)
        self._running.callback(self.engine.dispose)
        self._running.enter_context(self.processes)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.close()

    @property
    def simulator_url(self) -> str:
        return self.settings.intuit.api_base_url

    def start_surroundings(self) -> None:
        """Start what is not ours (broker, Intuit, mail server) and migrate the database."""
        at = self.addresses
        parts = (
            Part("broker", ("consumers", "broker", "--port", str(at.broker)), listens(at.broker)),
            Part(
                "simulator",
                ("consumers", "simulator", "--port", str(at.simulator), "--companies", str(COMPANIES)),
                answers(f"{self.simulator_url}/_simulator/clock"),
            ),
            Part("mail", ("consumers", "mail", "--port", str(at.mail)), listens(at.mail)),
        )
        for part in parts:
            self.processes.start(part)
        self.processes.run(_once("migrate", "consumers", "migrate"))
        for part in parts:
            self.processes.wait_until_ready(part)

    def link(self, orgs: Iterable[OrgRules], events: Iterable[Event]) -> None:
        """Connect the Orgs to their companies and set them up; the events say what their Services and VAT rates are."""
        names = names_by_org(events)
        app = OAuthApp(self.settings.intuit, self.settings.intuit_client_id, self.settings.intuit_client_secret)
        with Transport(self.settings.intuit) as transport:
            for rules in orgs:
                tokens = authorize(
                    self.simulator_url,
                    app,
                    client_id=self.settings.intuit_client_id,
                    realm_id=rules.realm_id,
                    redirect_uri=f"{self.settings.public_url}/admin/",
                )
                set_up(
                    self.engine,
                    self._keys,
                    rules=rules,
                    names=names[rules.org_id],
                    tokens=tokens,
                    send=sender(transport, rules.realm_id, tokens.access_token),
                    recipients=[f"accounts@{rules.org_id}.example"],
                )
        app.close()

    def start_admin(self) -> None:
        """Start the admin site, with a superuser ``admin`` whose password is ``admin``; does not wait for it."""
        self.processes.start(self.admin())
        self.processes.run(
            _once(
                "superuser",
                *("admin", "createsuperuser", "--noinput", "--username", "admin", "--email", "admin@localhost"),
                environment={"DJANGO_SUPERUSER_PASSWORD": "admin"},
            )
        )

    def admin(self) -> Part:
        """The admin site."""
        at = self.addresses.admin
        return Part(
            "admin",
            ("consumers", "admin", "--bind", f"{HOST}:{at}", "--workers", "1"),
            listens(at),
            {"METRICS_PORT": f"{HOST}:{self.addresses.metrics['admin']}"},
        )

    def consumer(self, what: str) -> Part:
        """The consumer process of ``clients``, ``projects`` or ``invoices``."""
        return self._serving(f"consume-{what}", ("consumers", "consume", what), self.addresses.metrics[what])

    def notifier(self) -> Part:
        """The process that mails people."""
        return self._serving("notify", ("consumers", "notify"), self.addresses.metrics["notify"])

    def start_consumers(self) -> None:
        """Start the three consumers, and the notifier where there is one; waits until they have their partitions."""
        parts = [self.consumer(what) for what in CONSUMERS]
        if "notify" in {entry.name for entry in entry_points(group=GROUP)}:
            parts.append(self.notifier())
        for part in parts:
            self.processes.start(part)
        for part in parts:
            self.processes.wait_until_ready(part)

    def publish(self, path: Path, *, name: str = "publish") -> None:
        """Put the events of a JSON-lines file onto Kafka."""
        self.processes.run(_once(name, "consumers", "publish", str(path)))

    def wait_until_at_rest(self, *, timeout: float, look: Callable[[Progress], None] = lambda _: None) -> Progress:
        """Wait until everything that was published has come to its end; `look` is shown how far it is.

        Raises
        ------
        EmbeddedPartFailed
            a part ended, or it is not at rest in time.
        """
        deadline = time.monotonic() + timeout
        with Watch(self.engine, self.settings.kafka) as watch:
            while True:
                progress = watch.look()
                look(progress)
                if progress.at_rest:
                    return progress
                ended = self.processes.ended()
                if ended is not None:
                    raise EmbeddedPartFailed(f"{ended} ended: {self.processes.last_words(ended)}")
                if time.monotonic() > deadline:
                    raise EmbeddedPartFailed(
                        f"not at rest after {timeout:.0f} s: {progress.ingested} of {counted(progress.published, 'event')} read, "
                        f"{counted(progress.unfinished, 'thing')} still to do"
                    )
                time.sleep(_LOOK_EVERY_S)

    def read_books(self, orgs: Iterable[OrgRules]) -> dict[str, Books]:
        """Realm id → what stands in that company, read through its API."""
        found: dict[str, Books] = {}
        with Transport(self.settings.intuit) as transport:
            for rules in orgs:
                with self.engine.connect() as db:
                    stored = read_tokens(db, self._keys, rules.realm_id)
                if stored is None:
                    raise EmbeddedPartFailed(f"company {rules.realm_id} is not connected any more")
                found[rules.realm_id] = read_books(sender(transport, rules.realm_id, stored[1].access_token))
        return found

    def _serving(self, name: str, arguments: Sequence[str], port: int) -> Part:
        address = f"{HOST}:{port}"
        return Part(name, arguments, answers(f"http://{address}/readyz"), {"METRICS_PORT": address})


def _once(name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Part:
    """A part that ends on its own, so that nobody asks whether it is ready."""
    return Part(name, arguments, lambda: True, environment or {})
