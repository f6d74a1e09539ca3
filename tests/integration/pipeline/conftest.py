"""A linked UK company, ready to be pushed to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import Simulator
from simulator.settings import Settings
from tests.pipeline import Pipeline, open_pipeline


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    # The harness waits for nothing, so Intuit's quota is tried elsewhere, where somebody keeps to it.
    # The tests move the pipeline's moments and not Intuit's clock: nothing but a call under way is at once with another.
    settings = Settings.from_environment(quota_enabled=False, concurrent_refresh_seconds=0)
    with Simulator(settings=settings) as intuit:
        yield intuit


@pytest.fixture
def unlinked(migrated_database: str, simulator: Simulator) -> Iterator[Pipeline]:
    pipeline = open_pipeline(migrated_database, simulator)
    yield pipeline
    pipeline.close()
    pipeline.engine.dispose()


@pytest.fixture
def pipeline(unlinked: Pipeline) -> Pipeline:
    """Linked, enabled, Standard 20 % mapped."""
    unlinked.link()
    unlinked.map_vat_rate("vat-20", "20.0% S")
    return unlinked
