"""Crash points: nothing in production, the end of the process in a test, and each of them stands somewhere in the code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sync import crash_points

ROOMS = [Path(crash_points.__file__).parents[1] / room for room in ("consumers", "sync")]


def run(wanted: str, *points: str) -> int:
    program = "import sys; from sync.crash_points import reached; [reached(point) for point in sys.argv[1:]]"
    environment = {**os.environ, crash_points.VARIABLE: wanted}
    return subprocess.run([sys.executable, "-c", program, *points], env=environment, check=False, timeout=60).returncode


def test_a_point_that_is_not_named_is_passed() -> None:
    assert run("", "settled", "claimed") == 0
    assert run("settled:2", "settled", "claimed") == 0


def test_the_named_point_kills_when_its_time_has_come() -> None:
    assert run("settled:2", "settled", "claimed", "settled") == -signal.SIGKILL


def test_a_name_that_stands_nowhere_is_an_error() -> None:
    with pytest.raises(ValueError, match="setled"):
        crash_points.arm("setled")


def test_every_point_stands_in_the_code_once() -> None:
    found = [
        name
        for room in ROOMS
        for path in sorted(room.rglob("*.py"))
        for name in re.findall(r"""\breached\("([a-z-]+)"\)""", path.read_text())
    ]
    assert sorted(found) == sorted(crash_points.POINTS)
