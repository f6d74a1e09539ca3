"""The thread that listens for changes: what it hears, what it has looked for where it hears nothing, and its end."""

from __future__ import annotations

import socket
import threading
from typing import Any, cast

import pytest

from consumers import listening
from consumers.listening import NewsListener
from consumers.runner import Reconciler
from store.engine import open_engine
from tests.pipeline import Pipeline


class Asked:
    """Counts for which Configurations it is asked to look."""

    def __init__(self) -> None:
        self.looks = threading.Semaphore(0)

    def configuration_changed(self) -> None:
        self.looks.release()

    def wake(self) -> None:
        """Links are looked for, too."""


def _listening(pipeline: Pipeline, asked: Any, *, poll_seconds: float) -> NewsListener:
    listener = NewsListener(pipeline.engine, asked, poll_seconds=poll_seconds)
    listener.start()
    return listener


def test_a_saved_configuration_is_heard_of_and_not_looked_for(pipeline: Pipeline) -> None:
    asked = Asked()
    listener = _listening(pipeline, asked, poll_seconds=0.001)
    assert asked.looks.acquire(timeout=20), "what was saved before it listened"
    assert not asked.looks.acquire(timeout=1.2), "more than two turns of its own"
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET default_class_id = '1'")
    assert asked.looks.acquire(timeout=20)
    assert listener.stop()


def test_behind_a_pooler_changed_configurations_are_looked_for(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "is_direct", lambda connection: False)
    asked = Asked()
    listener = _listening(pipeline, asked, poll_seconds=0.001)
    for _ in range(3):
        assert asked.looks.acquire(timeout=20)
    assert listener.stop()


def test_whoever_waits_for_a_silent_database_is_not_taken_for_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none")
        listener = NewsListener(engine, cast("Reconciler", None), poll_seconds=5.0)
        listener.start()
        connection, _ = silent.accept()
        with connection, monkeypatch.context() as hurry:
            hurry.setattr(listening, "_LISTENER_ENDS_S", 0.05)
            assert not listener.stop()

    monkeypatch.setattr(listening, "_LISTENER_ENDS_S", 60.0)
    assert listener.stop()
