"""The path of one new invoice: which files and functions of ours it passes, and how often control goes from file to file.

``python -m tests.benchmarks.path [--where]``, or ``make path``; some seconds. ``--where`` lists the files of each step with their visits.
A customer and a job are in QuickBooks already, and an invoice was sent before: what is measured is the steady state.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from schemas.events import Kind
from simulator import Simulator
from simulator.settings import Settings
from tests.builders import client, event, invoice, project
from tests.database import embedded_server, migrate
from tests.pipeline import Pipeline, open_pipeline

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("consumers", "mapping", "qbo_client", "schemas", "store", "sync")


@dataclass(frozen=True, slots=True)
class Step:
    """The calls of one step in their order, each as (file, function)."""

    name: str
    calls: tuple[tuple[str, str], ...]

    @property
    def files(self) -> frozenset[str]:
        return frozenset(file for file, _ in self.calls)

    @property
    def functions(self) -> frozenset[tuple[str, str]]:
        return frozenset(self.calls)

    @property
    def changes(self) -> int:
        """How often a function of another file is called than the one before."""
        return sum(before[0] != after[0] for before, after in zip(self.calls, self.calls[1:], strict=False))

    @property
    def visits(self) -> Counter[str]:
        first = Counter({self.calls[0][0]: 1}) if self.calls else Counter[str]()
        return first + Counter(
            after[0] for before, after in zip(self.calls, self.calls[1:], strict=False) if before[0] != after[0]
        )


def walk(pipeline: Pipeline) -> list[Step]:
    """Take one new invoice through a pipeline that is linked, step by step, and give each step's calls."""
    pipeline.ingest(event(client()), event(project()))
    pipeline.drive()
    pipeline.ingest(event(invoice("i0")))
    pipeline.drive()
    source = pipeline.source(event(invoice("i1")))
    found: dict[str, Any] = {}
    due: list[int] = []

    def ingest() -> None:
        pipeline.ingests[Kind.INVOICE].write([source])

    def claim() -> None:
        found["work"] = pipeline.claim(due).attempts

    def call() -> None:
        found["answers"] = pipeline.answers(found["work"])

    def settle() -> None:
        pipeline.settle(*found["answers"])

    steps = []
    for work in (ingest, claim, call, settle):
        steps.append(_traced(work))
        # Which links are due is asked by the runner, for many at once.
        due = pipeline.due() if work is ingest else due
    state = pipeline.one("invoice", "i1").state
    if state != "synced":
        raise AssertionError(f"the invoice is {state}, not in QuickBooks")
    return steps


def _traced(work: Callable[[], None]) -> Step:
    calls: list[tuple[str, str]] = []
    root = f"{ROOT}{os.sep}"

    def profile(frame: FrameType, what: str, _: object) -> None:
        file = frame.f_code.co_filename
        if what == "call" and file.startswith(root):
            file = file[len(root) :]
            if file.partition(os.sep)[0] in ROOMS:
                calls.append((file, frame.f_code.co_qualname))

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return Step(work.__name__, tuple(calls))


def words(steps: list[Step], *, where: bool = False) -> Iterator[str]:
    for step in steps:
        yield f"{step.name}: {len(step.files)} files, {len(step.functions)} functions, {step.changes} changes of file"
        if where:
            functions = Counter(file for file, _ in step.functions)
            yield from (f"  {file}: {n} visits, {functions[file]} functions" for file, n in step.visits.most_common())
    files = frozenset[str]().union(*(step.files for step in steps))
    functions = frozenset[tuple[str, str]]().union(*(step.functions for step in steps))
    changes = sum(step.changes for step in steps)
    yield f"path: {len(files)} files, {len(functions)} functions, {changes} changes of file"


@contextmanager
def _pipeline() -> Iterator[Pipeline]:
    with tempfile.TemporaryDirectory(prefix="kqpath", ignore_cleanup_errors=True) as directory:
        os.chmod(directory, 0o755)
        with (
            embedded_server(Path(directory) / "data") as url,
            Simulator(
                settings=Settings.from_environment(quota_enabled=False, concurrent_refresh_seconds=0)
            ) as simulator,
        ):
            migrate(url)
            pipeline = open_pipeline(url.set(drivername="postgresql").render_as_string(hide_password=False), simulator)
            try:
                pipeline.link()
                pipeline.map_vat_rate("vat-20", "20.0% S")
                yield pipeline
            finally:
                pipeline.close()
                pipeline.engine.dispose()


if __name__ == "__main__":
    with _pipeline() as pipeline:
        print("\n".join(words(walk(pipeline), where="--where" in sys.argv[1:])))
