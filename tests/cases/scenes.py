"""The world of many scenes: the pipeline in one thread, Intuit's simulator, a mail server, and time that a story lets pass.

A story is a generator that yields where everything is to come to rest, and may yield the seconds that are to pass meanwhile. All
stories of a module share the same rests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from demo.embedded.mail import EmbeddedMail
from schemas.events import OrgRef
from simulator import Simulator
from simulator.seeds import CANADA, UK, USA
from simulator.settings import Settings
from sync.daily_retry import DailyRetries
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests import pipeline as pipelines
from tests.cases.scene import FAILED, MONEY, SYNCED, Scene
from tests.integration.notifier.harness import Post
from tests.pipeline import Pipeline, open_pipeline

_MOMENTS: Final = {
    "qbo_link": ("due_at", "due_since", "first_failed_at", "last_failed_at", "synced_at"),
    "qbo_attempt": ("heartbeat_at", "resend_after", "first_sent_at"),
    "qbo_failure": ("first_failed_at", "last_failed_at"),
    "qbo_probe": ("probed_at",),
    "qbo_company_facts": ("fetched_at", "refetch_at"),
}
_TURNS: Final = 300
"""More turns of work than any rest needs."""


Plot = Callable[[Scene], Iterator[float | None]]
Plots = dict[str, tuple[str, Plot]]


def story(plots: Plots, *likes: str) -> Callable[[Plot], Plot]:
    """Have a story played by a module's world, in a company of each of these kinds."""

    def keep(plot: Plot) -> Plot:
        name = plot.__name__.strip("_")
        for like in likes or (UK,):
            plots[name if len(likes) < 2 else f"{name}-{MONEY[like][0]}-{like[-2:]}"] = (like, plot)
        return plot

    return keep


THREE: Final = (UK, CANADA, USA)


class World:
    """A context manager: one database, one simulator and one mail server for all stories of a module."""

    def __init__(self, database_url: str, **switches: Any) -> None:
        self._database_url = database_url
        self._switches = switches
        self._open = ExitStack()

    def __enter__(self) -> Self:
        switches = {"quota_enabled": False, "concurrent_refresh": "allow", **self._switches}
        self.simulator = self._open.enter_context(Simulator(settings=Settings.from_environment(**switches)))
        # As patient as a process: what a rest lets pass is time, not tries.
        self.pipeline: Pipeline = open_pipeline(
            self._database_url, self.simulator, patience=Patience(), retries=RetryPolicy()
        )
        self._open.callback(self.pipeline.engine.dispose)
        self._open.callback(self.pipeline.close)
        self.post = Post(self.pipeline, self._open.enter_context(EmbeddedMail()))
        patch = self._open.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("DATABASE_URL", self._database_url)
        patch.setenv("METRICS_PORT", "off")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def run(self, command: Any, *arguments: str) -> Any:
        return CliRunner().invoke(command, list(arguments), standalone_mode=False)

    def tell(self, plots: Plots) -> dict[str, BaseException | None]:
        """Play all stories side by side; gives what went wrong in each."""
        ends: dict[str, BaseException | None] = {}
        running: dict[str, tuple[Scene, Iterator[float | None]]] = {}
        for number, (name, (like, plot)) in enumerate(plots.items(), 1):
            scene = self._scene(name, like, number)
            running[name] = (scene, plot(scene))
        while running:
            seconds = 0.0
            for name, (scene, acts) in list(running.items()):
                try:
                    seconds = max(next(acts) or 0.0, seconds)
                    continue
                except StopIteration:
                    ends[name] = None
                except Exception as error:  # noqa: BLE001 - it is raised by the test of its story
                    ends[name] = error
                    scene.configure(enabled=False)
                scene.no_more_trouble()
                del running[name]
            if running:
                self.rest(seconds)
        return ends

    def _scene(self, name: str, like: str, number: int) -> Scene:
        realm = f"91303470000000004{number:02d}"
        _, vat, code = MONEY[like]
        pipelines.LOCALES[realm] = pipelines.LOCALES.get(like, "USA")
        scene = Scene(self, name, like, OrgRef(f"org-{number}", name), realm)
        self.simulator.call(lambda world: world.add_company(realm=realm, name=name, like=like, changes={}))
        self.pipeline.link(
            scene.org.id, name, realm=realm, item=self.pipeline.object_id(realm, "Item", "Surveying")
        )  # fmt: skip
        if vat is not None:
            self.pipeline.map_vat_rate(vat.id, code, org_id=scene.org.id, realm=realm)
        self.post.recipients(scene.address, org_id=scene.org.id)
        return scene

    # Time

    def rest(self, seconds: float = 0.0) -> None:
        """Work what is due, and what becomes due while these seconds and one minute pass."""
        left = seconds + 60.0
        for _ in range(_TURNS):
            if self._turn():
                continue
            DailyRetries(self.pipeline.engine, self.pipeline.metrics).turn()
            wait = self._next_due()
            if wait is None or wait > left:
                self._pass(left if seconds else 0.0)
                return
            self._pass(max(wait, 0.1))
            left -= max(wait, 0.1)
        due = [
            (one.org_id, one.kind, one.kompass_id, one.state, one.cause)
            for one in self.pipeline.links()
            if one.due_at is not None
        ]
        raise AssertionError(f"not at rest after {_TURNS} turns: {due}")

    def _turn(self) -> bool:
        pipeline = self.pipeline
        pipeline.sweep()
        ids = pipeline.due()
        if not ids:
            return False
        claimed = pipeline.claim(ids)
        for realm, org in claimed.unready.items():
            pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
        answers = pipeline.answers(claimed.attempts)
        if answers:
            pipeline.settle(*answers)
        return True

    def _next_due(self) -> float | None:
        with self.pipeline.engine.begin() as db:
            found = db.execute(text("SELECT extract(epoch FROM min(due_at) - now()) FROM qbo_link")).scalar_one()
        return None if found is None else float(found)

    def _pass(self, seconds: float) -> None:
        if not seconds:
            return
        with self.pipeline.engine.begin() as db:
            for table, columns in _MOMENTS.items():
                changes = ", ".join(f"{one} = {one} - :by * interval '1 second'" for one in columns)
                db.execute(text(f"UPDATE {table} SET {changes}"), {"by": seconds})


def test_it_ends_right(ends: dict[str, BaseException | None], name: str) -> None:
    """A module of stories imports this: it runs once for each of the module's PLOTS (`tests/cases/conftest.py`)."""
    if (wrong := ends[name]) is not None:
        raise wrong


__all__ = ["FAILED", "SYNCED", "THREE", "Plots", "Scene", "World", "story", "test_it_ends_right"]
