"""The thread that listens for changes, when it is to end."""

from __future__ import annotations

import socket
from typing import cast

import pytest

from consumers import listening
from consumers.listening import NewsListener
from consumers.runner import Reconciler
from store.engine import open_engine


def test_whoever_waits_for_a_silent_database_is_not_taken_for_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = open_engine(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none")
        listener = NewsListener(engine, cast("Reconciler", None))
        listener.start()
        connection, _ = silent.accept()
        with connection, monkeypatch.context() as hurry:
            hurry.setattr(listening, "_LISTENER_ENDS_S", 0.05)
            assert not listener.stop()

    monkeypatch.setattr(listening, "_LISTENER_ENDS_S", 60.0)
    assert listener.stop()
