"""One database, one Intuit, one notifier, and as many Orgs with companies of their own as stories ask for.

Orgs do not disturb each other, so the stories of a file share these parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import text

from demo.embedded.mail import EmbeddedMail
from simulator import Simulator
from simulator.settings import Settings
from sync.patience import Patience
from sync.settings import RetryPolicy
from tests import pipeline as pipelines
from tests.integration.notifier.harness import Post
from tests.integration.situations.company import THREE, UK_PLACE, Company, Place
from tests.pipeline import Pipeline, open_pipeline

BUSY: Final = "3 seconds"
"""What is put off for no longer waits for another call of the same moment."""


class World:
    """What the stories of a file share."""

    numbers = itertools.count(1)

    def __init__(self, pipeline: Pipeline, mail: EmbeddedMail) -> None:
        self.pipeline = pipeline
        self.post = Post(pipeline, mail)
        # Chance in a pause would make a story another one each time.
        pipeline.settle_with(patience=Patience(), retries=RetryPolicy())

    def company(self, place: Place = UK_PLACE, **configuration: Any) -> Company:
        return Company(self, place, next(self.numbers), configuration)

    def three(self) -> list[Company]:
        return [self.company(place) for place in THREE]

    def go(self, *companies: Company, rounds: int = 80, together: int = 1) -> None:
        """Sweep, claim, call and settle until nothing of these companies is due."""
        pipeline, realms = self.pipeline, [one.realm for one in companies]
        for _ in range(rounds):
            pipeline.sweep()
            ids = self.due(realms)
            if not ids:
                return
            claimed = pipeline.claim(ids, together=together)
            for realm, org in claimed.unready.items():
                pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
            answers = pipeline.answers(claimed.attempts)
            if answers:
                pipeline.settle(*answers)
            else:
                self.execute(
                    "UPDATE qbo_link SET due_at = now() WHERE realm_id = ANY(:realms)"
                    f" AND due_at BETWEEN now() AND now() + interval '{BUSY}'",
                    realms=realms,
                )
        stuck = [(row.reference, row.state, row.cause) for row in pipeline.links() if row.id in ids]
        raise AssertionError(f"still due after {rounds} rounds: {stuck}")

    def due(self, realms: Sequence[str]) -> list[int]:
        with self.pipeline.engine.begin() as db:
            statement = "SELECT id FROM qbo_link WHERE realm_id = ANY(:realms) AND due_at <= now() ORDER BY id"
            return [row.id for row in db.execute(text(statement), {"realms": list(realms)})]

    def execute(self, statement: str, **values: Any) -> None:
        with self.pipeline.engine.begin() as db:
            db.execute(text(statement), values)


@contextmanager
def open_world(url: str) -> Iterator[World]:
    # Each story names the trouble that it is about, and moves the pipeline's moments but not Intuit's clock.
    settings = Settings.from_environment(quota_enabled=False, concurrent_refresh_seconds=0, background_trouble="none")
    with ExitStack() as opened:
        simulator = opened.enter_context(Simulator(settings=settings))
        mail = opened.enter_context(EmbeddedMail())
        environment = opened.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("DATABASE_URL", url)
        environment.setenv("TOKEN_KEYS", pipelines.KEY)
        pipeline = open_pipeline(url, simulator)
        opened.callback(pipeline.engine.dispose)
        opened.callback(pipeline.close)
        yield World(pipeline, mail)
