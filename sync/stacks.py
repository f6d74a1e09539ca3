"""The stacks of all threads, as text that a log can carry."""

from __future__ import annotations

import sys
import threading
import traceback


def stacks() -> str:
    """Give every thread's stack, each under its thread's name."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return "\n".join(
        f"Thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    )
