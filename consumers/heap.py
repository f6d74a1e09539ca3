"""How the C library's heap gives memory back to the system.

What a batch needs (the broker's answer, its rows as JSON, their values) comes in blocks of hundreds of kilobytes, which one thread takes
and another frees. glibc has a heap for each thread, up to eight a core. It takes a large block from the system apart, and gives it back
when it is freed; but a freed one teaches it to take the next of that size from a heap. The first table of a full cache that is replaced
has 5 MB, so from then on all of a batch comes from the heaps, where small blocks that live on keep what is free from being given back.
After a million events a process so had 73 MB that nobody used, and they came in steps of some megabytes.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
APART: Final = 128 * 1024
"""Bytes of a block from which on it is taken apart. glibc begins with this number, and keeps to it once it was set."""
HEAPS: Final = 2


def give_back_what_is_free() -> None:
    """Have this process give back what it frees; does nothing where the C library is another one."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, HEAPS)
        mallopt(_M_MMAP_THRESHOLD, APART)
