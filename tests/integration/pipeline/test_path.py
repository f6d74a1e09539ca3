"""One new invoice passes no more files than this, nor changes file more often: a layer that only passes on has to earn its place."""

from __future__ import annotations

from tests.benchmarks.path import walk, words
from tests.pipeline import Pipeline

FILES, CHANGES = 62, 281
FILES_OF_A_STEP = 43


def test_path_of_a_new_invoice_stays_within_its_budget(pipeline: Pipeline) -> None:
    # A call that QuickBooks refuses for a while has other files to pass.
    pipeline.simulator.call(lambda world: world.change_settings({"background_trouble": "none"}))
    steps = walk(pipeline)

    said = "\n".join(words(steps, where=True))
    assert len(frozenset[str]().union(*(step.files for step in steps))) <= FILES, said
    assert sum(step.changes for step in steps) <= CHANGES, said
    assert max(len(step.files) for step in steps) <= FILES_OF_A_STEP, said
