"""The whole stack for many stories at once: the broker, Postgres, Intuit's simulator and the three consumer processes.

Each story has an Org and a company of its own. It is a generator that yields where it wants everything to come to rest, so that
all stories share the same few rests.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from consumers.dead_letter_tools.commands import dead_letters_command
from consumers.inquiry.why import why
from consumers.publish import publish
from demo.embedded.broker import EmbeddedBroker
from schemas.jsonlines import read_json_lines
from simulator import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Simulator, bookkeeper
from simulator.seeds import SELF_NUMBERED, UK, USA
from simulator.settings import Settings
from store import companies
from store.engine import retrying
from tests import pipeline as pipelines
from tests.chaos.surroundings import GROUP, consume
from tests.pipeline import Pipeline, open_pipeline

CASES: Final = Path(__file__).parent / "kompass"


_ORGS: Final = {UK: "org-uk", USA: "org-us", SELF_NUMBERED: "org-sn"}
"""The Org that the files of a locale name; each story has one of its own in its place."""
_SOON: Final = 30
"""Seconds: what is put off for longer than this is at rest."""
_TIMINGS: Final = {
    "LEASE_SECONDS": "5",
    "HEARTBEAT_SECONDS": "1",
    "CALL_DEADLINE_SECONDS": "5",
    "SERVER_TIMEOUT_SECONDS": "6",
    "POLL_SECONDS": "0.2",
    "SWEEP_SECONDS": "0.2",
    "OUTBOX_SECONDS": "0.1",
    "DRAIN_SECONDS": "3",
    "BACKOFF_FIRST_SECONDS": "0.05",
    "BACKOFF_LONGEST_SECONDS": "0.4",
    "WORKERS": "4",
}


@dataclass
class Story:
    """One Org with its company, as Kompass, a bookkeeper and an admin change it in turns."""

    stack: Stack
    name: str
    like: str
    org: str
    realm: str
    busy: bool = False
    """Intuit is away: it does not come to rest."""
    ingested: list[tuple[str, str]] = field(default_factory=list)
    """(kind, id) of every record that was published."""
    awaited: dict[tuple[str, str], int] = field(default_factory=dict)

    def lines(self, case: str) -> list[list[str]]:
        """Give a file's events, a list for each part between two deeds of the bookkeeper."""
        parts: list[list[str]] = [[]]
        for line in (CASES / f"{case}.jsonl").read_text("utf-8").splitlines():
            if line.startswith("#"):
                parts.append([])
            else:
                parts[-1].append(line.replace(f'"{_ORGS[self.like]}"', f'"{self.org}"'))
        return [part for part in parts if part]

    def publish(self, lines: Sequence[str]) -> None:
        """Have these published with those of the other stories, once all have done what they do before the next rest."""
        self.stack.queued += lines
        for _, event in read_json_lines(line.encode() for line in lines):
            key = (event.resource, event.object.id)
            self.ingested.append(key)
            self.awaited[key] = max(event.object.sequence, self.awaited.get(key, 0))

    def link(self, kind: str, kompass_id: str, **where: Any) -> Any:
        return self.stack.pipeline.one(kind, kompass_id, org_id=self.org, **where)

    def stands(self, kind: str, kompass_id: str) -> tuple[str, str]:
        link = self.link(kind, kompass_id)
        return link.state, link.cause

    def bookkeeper(self, action: str, **more: Any) -> list[dict[str, Any]]:
        wanted = {"action": action, **more}
        made: list[dict[str, Any]] = self.stack.simulator.call(
            lambda world: bookkeeper.edit(world.companies[self.realm], wanted)
        )
        return made

    def objects(self, entity: str) -> list[dict[str, Any]]:
        return self.stack.pipeline.objects(entity, self.realm)

    def document(self, kompass_id: str, kind: str = "invoice") -> dict[str, Any]:
        link = self.link(kind, kompass_id)
        return next(one for one in self.objects(link.entity) if one["Id"] == link.qbo_id)

    def trouble(self, **rule: Any) -> None:
        self.stack.simulator.call(lambda world: world.troubles.add({"realm": self.realm, **rule}))

    def no_more_trouble(self) -> None:
        def remove(world: Any) -> None:
            world.troubles.rules[:] = [one for one in world.troubles.rules if one.realm != self.realm]

        self.stack.simulator.call(remove)

    def configure(self, **columns: Any) -> None:
        """Save the Configuration as the admin does."""
        set_to = ", ".join(f"{name} = :{name}" for name in columns)
        self.execute(f"UPDATE qbo_configuration SET {set_to} WHERE org_id = :org", **columns)

    def execute(self, statement: str, **values: Any) -> None:
        with self.stack.pipeline.engine.begin() as db:
            db.execute(text(statement), {"org": self.org, **values})

    def by_hand(self, deed: Callable[[Connection], Any]) -> Any:
        return retrying(self.stack.pipeline.engine, deed)

    def try_again(self) -> None:
        """Press Try again for everything that failed."""
        result = self.stack.run(dead_letters_command, "replay", "--org", self.org, "--force")
        assert result.exit_code == 0, result.output

    def failures(self, *, ever: bool = False) -> list[Any]:
        rows = [one for one in self.stack.pipeline.rows("qbo_failure") if one.org_id == self.org]
        return [one for one in rows if ever or one.closed_at is None]

    def why(self, kind: str, kompass_id: str) -> str:
        result = self.stack.run(why, kind, kompass_id, "--org", self.org)
        assert result.exit_code == 0, result.output
        return result.output


Plot = Callable[[Story], Iterator[None]]


class Stack:
    """A context manager; it ends every process that it started."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._open = ExitStack()
        self.queued: list[str] = []
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["consumers.process", "tests.chaos.surroundings"])

    def __enter__(self) -> Self:
        self._directory = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        topics = dict.fromkeys(
            ("kompass.clients", "kompass.projects", "kompass.invoices", "kompass.qbo.dead-letters"), 2
        )
        self._broker = self._open.enter_context(EmbeddedBroker(topics=topics, listen_port=0))
        settings = Settings.from_environment(quota_enabled=False, concurrent_refresh="allow")
        self.simulator = self._open.enter_context(Simulator(settings=settings))
        self.pipeline: Pipeline = open_pipeline(self._database_url, self.simulator)
        self._open.callback(self.pipeline.engine.dispose)
        self._open.callback(self.pipeline.close)
        patch = self._open.enter_context(pytest.MonkeyPatch.context())
        for name, value in self._environment().items():
            patch.setenv(name, value)
        for kind in ("client", "project", "invoice"):
            self._start(kind)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self._database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            **GROUP,
            "INTUIT_ENVIRONMENT": self.simulator.base_url,
            "INTUIT_CLIENT_ID": DEFAULT_CLIENT_ID,
            "INTUIT_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TOKEN_KEYS": pipelines.KEY,
            "METRICS_PORT": "off",
            **{f"KOMPASS_QBO_{name}": value for name, value in _TIMINGS.items()},
        }

    def _start(self, kind: str) -> None:
        log = str(self._directory / f"{kind}.log")
        process = self._context.Process(target=consume, args=(self._environment(), kind, log), name=kind, daemon=True)
        process.start()

        def end() -> None:
            process.kill()
            process.join()

        self._open.callback(end)

    def log(self) -> str:
        """Give the ends of the logs, without what is well."""
        lines = [line for path in self._directory.glob("*.log") for line in path.read_text().splitlines()]
        return "\n".join([line for line in lines if " INFO " not in line and "CONFWARN" not in line][-40:])

    def run(self, command: click.Command, *arguments: str) -> Any:
        return CliRunner().invoke(command, list(arguments), standalone_mode=False)

    def _publish(self) -> None:
        """One call for all: to reach a broker takes a second."""
        if not self.queued:
            return
        path = self._directory / "events.jsonl"
        path.write_text("\n".join(self.queued) + "\n", "utf-8")
        self.queued.clear()
        result = self.run(publish, str(path))
        assert result.exit_code == 0, (result.output, result.exception)

    # Stories

    def tell(self, plots: dict[str, tuple[str, Plot]]) -> dict[str, BaseException | None]:
        """Play all stories side by side; gives what went wrong in each."""
        ends: dict[str, BaseException | None] = {}
        running: dict[str, tuple[Story, Iterator[None]]] = {}
        for number, (name, (like, plot)) in enumerate(plots.items(), 1):
            story = self._story(name, like, number)
            running[name] = (story, plot(story))
        while running:
            for name, (story, acts) in list(running.items()):
                try:
                    next(acts)
                except StopIteration:
                    ends[name] = self._end(story)
                    del running[name]
                except Exception as error:  # noqa: BLE001 - it is raised by the test of its story
                    ends[name] = error
                    story.busy = True
                    story.no_more_trouble()
                    del running[name]
            self._publish()
            self._rest([story for story, _ in running.values()])
        return ends

    def _story(self, name: str, like: str, number: int) -> Story:
        realm = f"91303470000000003{number:02d}"
        pipelines.LOCALES[realm] = pipelines.LOCALES.get(like, "USA")
        story = Story(self, name, like, f"org-{number}", realm)
        self.simulator.call(lambda world: world.add_company(realm=realm, name=name, like=like, changes={}))
        item = "Surveying" if like == UK else self.pipeline.objects("Item", realm)[0]["Name"]
        self.pipeline.link(story.org, name, realm=realm, item=self.pipeline.object_id(realm, "Item", item))
        if like == UK:
            for rate in ("vat-20", "vat-uk-20"):
                self.pipeline.map_vat_rate(rate, "20.0% S", org_id=story.org, realm=realm)
        return story

    def _end(self, story: Story) -> BaseException | None:
        """`why` tells of every record, and says of each where it stands."""
        try:
            for kind, kompass_id in dict.fromkeys(story.ingested):
                answer = story.why(kind, kompass_id)
                for link in story.stack.pipeline.links(org_id=story.org, kind=kind, kompass_id=kompass_id):
                    assert f"company {link.realm_id}: {link.state}" in answer, answer
        except Exception as error:  # noqa: BLE001 - it is raised by the test of its story
            return error
        return None

    def _rest(self, stories: Sequence[Story]) -> None:
        """Wait until everything that was published is read and nothing is left to do soon."""
        if not stories:
            return
        until, quiet = time.monotonic() + 60, 0
        while quiet < 2:
            left = self._left(stories)
            quiet = 0 if left else quiet + 1
            if time.monotonic() > until:
                raise AssertionError(f"not at rest: {left}\n{self.log()}")
            time.sleep(0.05)

    def _left(self, stories: Sequence[Story]) -> list[str]:
        known = {(row.org_id, row.kind, row.kompass_id): row.sequence for row in self.pipeline.rows("qbo_record")}
        unread = [
            f"{story.name}: {kind} {one} {sequence}"
            for story in stories
            for (kind, one), sequence in story.awaited.items()
            if known.get((story.org, kind, one), 0) < sequence
        ]
        calm = [story.realm for story in stories if not story.busy]
        with self.pipeline.engine.begin() as db:
            due = db.execute(
                text(
                    "SELECT org_id, kind, kompass_id, state, cause FROM qbo_link WHERE realm_id = ANY(:realms)"
                    f" AND (due_at < now() + interval '{_SOON} s'"
                    "  OR id IN (SELECT link_id FROM qbo_attempt WHERE phase = 'send'))"
                ),
                {"realms": calm},
            ).all()
        changed = retrying(self.pipeline.engine, partial(companies.changed))
        return unread + [str(tuple(row)) for row in due] + [f"configuration {one}" for one in changed]


def shown(value: object) -> str:
    return json.dumps(value, default=str, indent=1)
