"""A process that is asked to end ends, however short a time it has been there."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from demo.embedded.postgres import EmbeddedPostgres
from tests.chaos.surroundings import Surroundings


@pytest.mark.timeout(280)
def test_sigterm_at_any_moment_of_the_start_ends_it(
    postgres: EmbeddedPostgres, restartable_database: str, tmp_path: Path
) -> None:
    with Surroundings(postgres, restartable_database, tmp_path) as surroundings:
        # It takes a tenth of a second to three until the loop reads.
        for tenths in (0, 1, 2, 3, 4, 6, 9, 14, 22):
            process = surroundings.start("invoice")
            time.sleep(tenths / 10)
            code = surroundings.stop(process, timeout=30.0)
            assert code in (0, -signal.SIGTERM), (tenths, code, surroundings.log("invoice"))
