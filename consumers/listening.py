"""Hears at once what other processes made due, and that a Configuration was saved; where it cannot hear, it has these looked for."""

from __future__ import annotations

import threading
import time
from typing import Final

import psycopg
from sqlalchemy import Engine

from consumers.runner import Reconciler
from consumers.waits import Wait
from store.engine import CONNECT_TIMEOUT_S
from store.links import CHANNEL
from store.prepared import is_direct

_LISTENER_ENDS_S: Final = 2.0


class NewsListener:
    """LISTENs for what ingest and admin NOTIFY, on a connection of its own; polling finds what it misses.

    To look for changed Configurations reads a row of each Org, so it is done when one was saved; every ``poll_seconds`` only while nobody
    would say so: no connection can be had, or it is to a pooler, which passes no notification.
    """

    def __init__(self, engine: Engine, reconciler: Reconciler, *, poll_seconds: float) -> None:
        self._url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._reconciler = reconciler
        self._poll_seconds = poll_seconds
        self._polled = time.monotonic()
        self._stopping = threading.Event()
        self._wait = Wait("listening for notifications")
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Stop listening; True when the thread, which alone uses the connection, has ended."""
        self._stopping.set()
        self._thread.join(_LISTENER_ENDS_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._wait.over()
                    hears = is_direct(connection)
                    # What was said before.
                    self._reconciler.configuration_changed()
                    while not self._stopping.is_set():
                        if not hears:
                            self._poll()
                        for notice in connection.notifies(timeout=0.5, stop_after=1):
                            if notice.payload == "configuration":
                                self._reconciler.configuration_changed()
                            self._reconciler.wake()
            except psycopg.Error as error:
                self._wait.goes_on(str(error).strip())
                if not self._stopping.wait(1.0):
                    self._poll()

    def _poll(self) -> None:
        if time.monotonic() - self._polled >= self._poll_seconds:
            self._polled = time.monotonic()
            self._reconciler.configuration_changed()
