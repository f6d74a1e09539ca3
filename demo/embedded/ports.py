"""Ports of the loopback interface."""

from __future__ import annotations

import random
import socket
from typing import Final

HOST: Final = "127.0.0.1"

# Below the ports that systems give to outgoing connections (Linux from 32768, others from 49152): one of those may be taken between
# the choice and the server's start, or while the server is restarted, and a client that tries it meanwhile may connect to itself.
_FIRST: Final = 10_240
_LAST: Final = 32_000

_chance: Final = random.SystemRandom()
_given: Final[set[int]] = set()
_part = range(_FIRST, _LAST)


def keep_to(part: int, *, of: int) -> None:
    """Have `free_port` choose in the `part`th (from 0) of so many equal parts: for processes that choose beside each other."""
    global _part
    size = (_LAST - _FIRST) // of
    _part = range(_FIRST + part * size, _FIRST + (part + 1) * size)


def free_port() -> int:
    """A port that nobody listens on at this moment, and that this process was not given before."""
    while True:
        port = _chance.choice(_part)
        if port not in _given and is_free(port):
            _given.add(port)
            return port


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As servers do it: connections that linger after a server has gone do not make its port taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True
