"""A linked UK company, as for the main job, and a second process on the same database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulator import Simulator
from simulator.settings import Settings
from tests.pipeline import Pipeline, open_pipeline


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("histories")
    group.addoption(
        "--histories", type=int, default=0, help="Random histories of names in the long run; by default a handful."
    )
    group.addoption("--first-history", type=int, default=1, help="The seed of the first history; the others follow.")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Without quotas: the tests of those switch them on."""
    # The tests move the pipeline's moments and not Intuit's clock: nothing but a call under way is at once with another.
    settings = Settings.from_environment(quota_enabled=False, concurrent_refresh_seconds=0)
    with Simulator(settings=settings) as intuit:
        yield intuit


@pytest.fixture
def opened(migrated_database: str, simulator: Simulator) -> Iterator[Callable[..., Pipeline]]:
    """Open a pipeline: another process, as far as the database and Intuit can tell."""
    made: list[Pipeline] = []

    def another(**more: Any) -> Pipeline:
        more.setdefault("owner", f"test-{len(made) + 1}")
        made.append(open_pipeline(migrated_database, simulator, **more))
        return made[-1]

    yield another
    for one in made:
        one.close()
        one.engine.dispose()


@pytest.fixture
def unlinked(opened: Callable[..., Pipeline]) -> Pipeline:
    return opened()


@pytest.fixture
def pipeline(unlinked: Pipeline) -> Pipeline:
    """Linked, enabled, Standard 20 % mapped."""
    unlinked.link()
    unlinked.map_vat_rate("vat-20", "20.0% S")
    return unlinked
