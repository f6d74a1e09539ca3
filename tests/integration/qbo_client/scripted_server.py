"""A server on a real socket that behaves as badly as a test tells it to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

from qbo_client.environment import IntuitEnvironment, environment_for

Script = Callable[["Peer"], None]


class Peer:
    """The server's end of one connection."""

    def __init__(self, connected: socket.socket, server: ScriptedServer) -> None:
        self.socket = connected
        self._server = server
        self._file = connected.makefile("rb")

    def request(self) -> bytes | None:
        """The next request, head and body; None when the client has closed."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self._file.readline()
            if not line:
                return None
            head += line
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        request = head + self._file.read(length)
        self._server.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def wait_for_hang_up(self) -> None:
        """Block until the client closes, however it does."""
        try:
            while self._file.read(65536):
                pass
        except OSError:
            return

    def reset(self) -> None:
        """End with a TCP reset instead of an orderly close."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class ScriptedServer:
    """Runs `script` on every connection, each in a thread of its own, and remembers the requests."""

    def __init__(self, wrap: Callable[[socket.socket], socket.socket] = lambda connected: connected) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._wrap = wrap
        self._peers: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.script: Script = lambda peer: None
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(connected)
            thread = threading.Thread(target=self._serve, args=(connected,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connected: socket.socket) -> None:
        try:
            connected = self._wrap(connected)
            self._peers.append(connected)
        except OSError:  # the client did not like our certificate
            connected.close()
            return
        peer = Peer(connected, self)
        try:
            self.script(peer)
        except OSError:  # the client went away, which is what some tests are about
            pass
        finally:
            peer.close()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for connected in self._peers:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()

    @property
    def environment(self) -> IntuitEnvironment:
        return environment_for(f"http://127.0.0.1:{self.port}")


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nintuit_tid: 1-5f73-ab\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
