from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from qbo_client.transport import Transport
from tests.integration.qbo_client.scripted_server import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    scripted = ScriptedServer()
    yield scripted
    scripted.stop()


@pytest.fixture
def transport(server: ScriptedServer) -> Iterator[Transport]:
    with Transport(server.environment) as ready:
        yield ready


@pytest.fixture
def make_server() -> Iterator[Callable[[Callable[[socket.socket], socket.socket]], ScriptedServer]]:
    """Makes servers that wrap each connection first, in TLS for example."""
    made: list[ScriptedServer] = []

    def make(wrap: Callable[[socket.socket], socket.socket]) -> ScriptedServer:
        made.append(ScriptedServer(wrap))
        return made[-1]

    yield make
    for scripted in made:
        scripted.stop()
