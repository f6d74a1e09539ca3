"""Children that do not outlive their parent, even when it is killed."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(how: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """Give a `preexec_fn` that has the kernel signal the child when this process dies; None where there is no such thing.

    Linux ties it to the *thread* that started the child, so only the main thread's children get it.
    """
    libc = _libc
    if libc is None or threading.current_thread() is not threading.main_thread():
        return None

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(how))

    return ask_the_kernel
