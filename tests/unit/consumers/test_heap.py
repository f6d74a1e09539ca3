"""A process takes a large block from the system apart and gives it back, also after it has freed others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEASURED = """
import ctypes, sys
from contextlib import suppress

class Mallinfo(ctypes.Structure):
    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(4)] + [("apart", ctypes.c_size_t)]
    _fields_ += [(f"more_{number}", ctypes.c_size_t) for number in range(5)]

library = ctypes.CDLL(None)
if not hasattr(library, "mallinfo2"):
    sys.exit("no glibc")
library.mallinfo2.restype = Mallinfo
if sys.argv[1] == "ours":
    from consumers.cli import main
    with suppress(SystemExit):
        main(["--version"])
table = bytes(5_000_000)
del table
before = library.mallinfo2().apart
block = bytes(4_000_000)
print("apart:", library.mallinfo2().apart - before)
"""


def taken_apart(whose: str) -> int:
    ran = subprocess.run([sys.executable, "-c", MEASURED, whose], cwd=ROOT, capture_output=True, text=True, check=False)
    if "no glibc" in ran.stderr:
        pytest.skip("the C library is not glibc 2.33 or newer")
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.rpartition("apart:")[2])


def test_a_freed_table_does_not_have_later_blocks_taken_from_a_heap() -> None:
    assert taken_apart("python") == 0, "else there is nothing to be done"
    assert taken_apart("ours") >= 4_000_000
