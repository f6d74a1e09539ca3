"""/metrics, /livez and /readyz of one process, and the stack dump of one that is stuck.

A loop says `Health.beat(name)` at every turn. One that has not turned for `stuck_seconds` makes /livez answer 503, so
that the process is restarted, and has every thread's stack written to standard error once, so that somebody can see why.
SIGUSR1 writes the stacks at any time. /readyz asks the checks: assigned, database, broker.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from consumers.errors import ConsumersError, ExitCode
from consumers.logs import in_json
from sync.metrics import Metrics
from sync.settings import MetricsAddress
from sync.stacks import stacks

log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""Gives None when all is well, else what is wrong, in a few words."""

_CHECK_AGE_S: Final = 1.0
_STDERR: Final = 2


class AddressTaken(ConsumersError):
    """METRICS_PORT cannot be listened on."""

    exit_code = ExitCode.BAD_SETTING


class Health:
    """What is known of this process; threads report to it, the HTTP server asks it."""

    def __init__(
        self, metrics: Metrics, *, stuck_seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.metrics = metrics
        self._stuck_seconds = stuck_seconds
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}
        self._checks: dict[str, Check] = {}
        self._liveness: dict[str, Check] = {}
        self._results: dict[str, tuple[float, str | None]] = {}
        self._stopping = False
        self._dumped: set[str] = set()
        self._lock = threading.Lock()

    def beat(self, name: str, *, within: float | None = None) -> None:
        """Note that a loop has turned; the next turn is expected within `within` seconds (`stuck_seconds`)."""
        with self._lock:
            self._beats[name] = (self._clock(), within or self._stuck_seconds)
            self._dumped.discard(name)
        self.metrics.set("loop_last_turn_timestamp_seconds", time.time(), loop=name)

    def retire(self, name: str) -> None:
        """Note that a loop has ended as it should."""
        with self._lock:
            self._beats.pop(name, None)

    def add_check(self, name: str, check: Check) -> None:
        """Have /readyz ask this too; it may take as long as a query, and is asked once a second at most."""
        self._checks[name] = check

    def add_liveness(self, name: str, check: Check) -> None:
        """Have /livez ask this too; it must answer at once, from what is known."""
        self._liveness[name] = check

    def dead(self) -> dict[str, str]:
        """Each reason for which only a new process helps."""
        stuck = {name: f"no turn for {seconds:.0f} s" for name, seconds in self.stuck().items()}
        return stuck | {name: reason for name, check in self._liveness.items() if (reason := check()) is not None}

    def stop(self) -> None:
        """Be alive but not ready from now on: no new work comes to a process that drains."""
        self._stopping = True

    def stuck(self) -> dict[str, float]:
        """Each loop that has not turned in time, with the seconds since; the first sight of one dumps every stack."""
        now = self._clock()
        with self._lock:
            found = {name: now - at for name, (at, within) in self._beats.items() if now - at > within}
            new = found.keys() - self._dumped
            self._dumped |= new
        if new:
            dump_stacks(f"stuck: no turn of {', '.join(sorted(new))}")
        return found

    def unready(self) -> dict[str, str]:
        """Each check that is not content, with its reason."""
        if self._stopping:
            return {"process": "stopping"}
        return {name: reason for name in list(self._checks) if (reason := self._ask(name)) is not None}

    def _ask(self, name: str) -> str | None:
        with self._lock:
            at, reason = self._results.get(name, (float("-inf"), None))
        now = self._clock()
        if now - at < _CHECK_AGE_S:
            return reason
        try:
            reason = self._checks[name]()
        except Exception as error:  # noqa: BLE001 - any error of a check is the answer
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        with self._lock:
            self._results[name] = (now, reason)
        return reason


def dump_stacks(why: str) -> None:
    """Write every thread's stack to standard error: in the log where that is JSON, which no plain line may interrupt."""
    if in_json():
        log.error("%s; the stacks of all threads", why, extra={"stacks": stacks()})
        return
    log.error("%s; the stacks of all threads follow", why)
    faulthandler.dump_traceback(file=_STDERR, all_threads=True)


def dump_stacks_on_signal() -> None:
    """Write them on SIGUSR1, and when a C library crashes (not in a thread of librdkafka's, which block the signals of a crash).

    A crashing interpreter can only write plain lines. On SIGUSR1 a log of JSON needs the main thread, which is never long in a library.
    """
    faulthandler.enable(file=_STDERR)
    if not hasattr(signal, "SIGUSR1"):
        return
    if in_json():
        signal.signal(signal.SIGUSR1, lambda number, frame: dump_stacks("SIGUSR1"))
    else:
        faulthandler.register(signal.SIGUSR1, file=_STDERR, all_threads=True)


class HealthServer:
    """Serves one process's health over HTTP, on threads of its own; a context manager."""

    def __init__(self, health: Health, address: MetricsAddress) -> None:
        self._health = health
        try:
            self._server = _Server(address, health)
        except OSError as error:
            raise AddressTaken(
                f"METRICS_PORT: cannot listen on {address.host}:{address.port} ({error.strerror}); "
                "give a free port, 0 for any, or off"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True)
        self._watch = threading.Thread(target=self._watch_loops, name="health-watch", daemon=True)
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"http://{'127.0.0.1' if name == '0.0.0.0' else name}:{port}"  # noqa: S104 - compared, not bound

    def __enter__(self) -> Self:
        self._thread.start()
        self._watch.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._watch.join()

    def _watch_loops(self) -> None:
        # A stuck process writes its stacks though nobody probes it.
        while not self._ended.wait(1.0):
            self._health.stuck()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: MetricsAddress, health: Health) -> None:
        self.health = health
        if ":" in address.host:
            self.address_family = socket.AF_INET6
        super().__init__((address.host, address.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        health = self.server.health
        path = urlsplit(self.path).path
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest(health.metrics.registry))
        elif path == "/livez":
            dead = health.dead()
            self._say(not dead, dead)
        elif path == "/readyz":
            unready = health.unready()
            self._say(not unready, unready)
        else:
            self._answer(404, "text/plain", b"/metrics, /livez or /readyz\n")

    def _say(self, well: bool, problems: Mapping[str, str]) -> None:
        body = orjson.dumps({"ok": well, "problems": problems}, option=orjson.OPT_APPEND_NEWLINE)
        self._answer(200 if well else 503, "application/json", body)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Log nothing of probes every few seconds."""
