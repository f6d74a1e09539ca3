"""One HTTP/1.1 exchange over one connection, within one total deadline, and never twice.

Why not requests or urllib3 for this: their timeouts restart with every byte that comes, they cannot say whether a
failed request left this machine, and they cost more: creating an invoice of ten lines takes 0.24 ms of CPU here, JSON
with decimals both ways included, and 0.93 ms in a bare `requests.Session.post` with floats (median of 7 interleaved
rounds of 400 calls on two cores, server in another process). What is needed is small: connect, send, and let the standard
library's `http.client.HTTPResponse` read the answer from a socket that looks at the clock before each wait.
"""

from __future__ import annotations

import io
import os
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from math import inf
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import certifi

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Clock = Callable[[], float]

# The largest answers are query pages of 1000 objects: a few megabytes.
MAX_RESPONSE_BYTES: Final = 32 * 1024 * 1024
# A connection that was idle for longer is not used again. Load balancers close idle ones after a minute and more; a
# request that crosses such a close on its way ends as "unknown", which costs a recovery, so we stay well below.
MAX_IDLE_SECONDS: Final = 20.0
MAX_IDLE_CONNECTIONS: Final = 128


class WireError(Exception):
    """The exchange failed. `sent` says whether any byte of the request may have left this machine."""

    def __init__(self, reason: str, *, sent: bool, status: int | None = None, intuit_tid: str | None = None) -> None:
        super().__init__(reason)
        self.sent = sent
        self.status = status
        self.intuit_tid = intuit_tid


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: Message
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in any casing."""
        value: str | None = self.headers.get(name)
        return value


def default_tls() -> ssl.SSLContext:
    """Trusts what this machine trusts (`SSL_CERT_FILE` included) and what Mozilla does, for images without a store."""
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    return context


class Wire:
    """Keep-alive connections to one origin (scheme, host, port). Safe to share between threads and across a fork.

    `http_proxy` and its like are not looked at, redirects are not followed, and nothing is ever sent a second time.
    """

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
        max_idle_seconds: float = MAX_IDLE_SECONDS,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        parts = urlsplit(base_url)
        self.secure: Final = parts.scheme == "https"
        self.host: Final = parts.hostname or ""
        self.port: Final = parts.port or (443 if self.secure else 80)
        # The Host header: brackets around an IPv6 address, and the port only when it is not the scheme's own.
        bracketed = f"[{self.host}]" if ":" in self.host else self.host
        self.authority: Final = bracketed if parts.port is None else f"{bracketed}:{parts.port}"
        self._tls = (tls or default_tls()) if self.secure else None
        self._clock = clock
        self._max_idle_seconds = max_idle_seconds
        self._max_response_bytes = max_response_bytes
        self._idle: deque[_Connection] = deque(maxlen=MAX_IDLE_CONNECTIONS)
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def exchange(self, method: str, request: bytes, *, until: float, send_by: float = inf) -> Answer:
        """Send `request` (head and body as bytes) by `send_by` and read the whole answer before `until` on the clock.

        Raises `WireError`. Resolving the host's name is the one step that cannot be cut short: it may end after
        `until`, but then nothing is sent.
        """
        send_by = min(send_by, until)
        connection = self._idle_connection() or self._connect(send_by)
        try:
            answer, reusable = connection.exchange(method, request, until, send_by, self._max_response_bytes)
        except BaseException:
            connection.close()
            raise
        if reusable:
            connection.idle_since = self._clock()
            self._put_back(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections. One that is in use is closed or kept by its user."""
        while self._idle:
            self._idle.pop().close()

    def _idle_connection(self) -> _Connection | None:
        if self._pid != os.getpid():
            self._forget_the_parents()
        while True:
            try:
                connection = self._idle.pop()  # the one that was used last: the others may age and go
            except IndexError:
                return None
            if self._clock() - connection.idle_since <= self._max_idle_seconds and not connection.is_readable():
                return connection
            connection.close()

    def _put_back(self, connection: _Connection) -> None:
        with self._lock:
            surplus = self._idle.popleft() if len(self._idle) == MAX_IDLE_CONNECTIONS else None
            self._idle.append(connection)
        if surplus is not None:
            surplus.close()

    def _forget_the_parents(self) -> None:
        """After a fork the sockets are the parent's too: leave them alone (closing only our copy of each)."""
        with self._lock:
            if self._pid != os.getpid():
                while self._idle:
                    self._idle.pop().close()
                self._pid = os.getpid()

    def _connect(self, until: float) -> _Connection:
        try:
            addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise WireError(f"the name {self.host} cannot be resolved: {error}", sent=False) from error
        failure: Exception | None = None
        for family, kind, protocol, _, address in addresses:
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(self._left(until))
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is None:
                    return _Connection(plain, self._clock)
                plain.settimeout(self._left(until))
                return _Connection(self._tls.wrap_socket(plain, server_hostname=self.host), self._clock)
            except WireError:
                plain.close()
                raise
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError, CertificateError a ValueError too
                plain.close()
                failure = error
        raise WireError(f"no connection to {self.authority}: {failure}", sent=False) from failure

    def _left(self, until: float) -> float:
        left = until - self._clock()
        if left <= 0:
            raise WireError("the deadline passed before anything was sent", sent=False)
        return left


class _Connection:
    """A connected socket, and when it was last used."""

    __slots__ = ("_clock", "_poll", "_socket", "_stream", "idle_since")

    def __init__(self, connected: socket.socket, clock: Clock) -> None:
        self._socket = connected
        self._clock = clock
        self._stream = _ClockedStream(connected, clock)
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self.idle_since = 0.0

    def is_readable(self) -> bool:
        """On an idle connection anything to read is the end of it: closed by the server, or not speaking HTTP."""
        return bool(self._poll.poll(0)) or self._decrypted() > 0

    def _decrypted(self) -> int:
        """Bytes that TLS has taken from the socket and nobody has read."""
        return self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0

    def exchange(self, method: str, request: bytes, until: float, send_by: float, limit: int) -> tuple[Answer, bool]:
        """The answer, and whether the connection can be used again."""
        self._send(request, send_by)
        self._stream.until = until
        response = HTTPResponse(cast("socket.socket", self._stream), method=method)
        status: int | None = None
        tid: str | None = None
        try:
            response.begin()
            status, tid = response.status, response.getheader("intuit_tid")
            if response.length is not None and response.length > limit:
                raise WireError(f"an answer of {response.length} bytes", sent=True, status=status, intuit_tid=tid)
            body = response.read(limit + 1)
            if len(body) > limit:
                raise WireError(f"an answer of more than {limit} bytes", sent=True, status=status, intuit_tid=tid)
            if response.length:  # http.client gives what came when the connection ends before its Content-Length
                raise WireError("the answer breaks off", sent=True, status=status, intuit_tid=tid)
        except TimeoutError as error:
            raise WireError(
                "no complete answer before the deadline", sent=True, status=status, intuit_tid=tid
            ) from error
        except (OSError, HTTPException, ValueError, OverflowError, MemoryError) as error:
            # The last two: a chunk that claims to be larger than memory.
            what = f"the answer breaks off ({type(error).__name__})"
            raise WireError(what, sent=True, status=status, intuit_tid=tid) from error
        finally:
            response.close()
        reusable = not response.will_close and not self._stream.has_more()
        return Answer(response.status, response.headers, body), reusable

    def close(self) -> None:
        self._socket.close()

    def _send(self, request: bytes, until: float) -> None:
        # A send that fails has handed nothing to the network: over TLS at most a part of one record, which the other
        # side cannot decrypt. So the first failure means "not sent", any later one "who knows".
        rest = memoryview(request)
        while rest:
            sent = len(rest) < len(request)
            left = until - self._clock()
            if left <= 0:
                raise WireError("the deadline passed while sending", sent=sent)
            try:
                self._socket.settimeout(left)
                rest = rest[self._socket.send(rest) :]
            except TimeoutError as error:
                raise WireError("the deadline passed while sending", sent=sent) from error
            except OSError as error:
                raise WireError(f"the connection broke while sending: {error}", sent=sent) from error


class _ClockedStream(io.RawIOBase):
    """A socket's incoming half for `HTTPResponse`: it waits no longer than what is left until `until`."""

    def __init__(self, connected: socket.socket, clock: Clock) -> None:
        self._socket = connected
        self._clock = clock
        self._reader = _LastingReader(self, 65536)
        self._waits = True
        self.until = 0.0

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return self._reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        if not self._waits:
            return None
        left = self.until - self._clock()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)

    def has_more(self) -> bool:
        """Whether bytes came after the end of the answer, which would be read as the start of the next one."""
        self._waits = False
        try:
            return bool(self._reader.peek(1))
        finally:
            self._waits = True


class _LastingReader(io.BufferedReader):
    """`HTTPResponse` closes its file after every answer; this one lives as long as the connection."""

    def close(self) -> None:
        """Nothing: the socket is closed by its connection."""
