"""Two workers side by side (pytest-xdist): which tests each of them runs, and on which ports.

`make test` starts them; ``pytest PATH`` runs in its own process, and so does ``make test WORKERS=0``. Each worker has a PostgreSQL,
brokers and a browser of its own. The tests of a file stay together and in their order: they share what their module starts.
"""

from __future__ import annotations

from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler.loadscope import LoadScopeScheduling

from demo.embedded import ports

# Processes killed and brokers restarted: one worker runs them all, one after the other, so that none of them shares the machine with
# another. They wait more than they compute, and are the longest of all: they begin first, beside what the other worker has.
APART: Final = (
    "tests/chaos/",
    "tests/integration/broker/",
    "tests/integration/observability/test_real_prometheus.py",
    "tests/integration/postgres/",
)


class FileByFile(LoadScopeScheduling):
    """Hands a worker that is nearly done the tests of the next file; those that are to be apart count as one file."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        # In the order of collection, not of the number of tests.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return "apart" if nodeid.startswith(APART) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile:
    return FileByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        # From the choice of a port to its server's start, and while a server is away, the other worker must not choose it too.
        workers = worker["workercount"]
        ports.keep_to(int(worker["workerid"].removeprefix("gw")) % workers, of=workers)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(APART))
