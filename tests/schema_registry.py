"""Apicurio's schema registry as a process of this machine, in memory, speaking Confluent's protocol; and a guard before it.

The guard is a small proxy that terminates TLS, asks for basic authentication and can be taken away, as the reverse proxies do
that registries stand behind. What it lets through goes to the real registry.
"""

from __future__ import annotations

import base64
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from demo.embedded.children import end_with_parent
from demo.embedded.ports import HOST, free_port
from tests.artifacts import JVM, POMS, NotHere, java, libraries, version_in
from tests.kafka import cannot
from tests.summary import ran_on

POM: Final = POMS / "registry" / "pom.xml"
VERSION: Final = version_in(POM, "apicurio.version")
_PATH: Final = "/apis/ccompat/v7"
_START_S: Final = 90.0


class SchemaRegistry:
    """A registry with nothing in it; a context manager. Raises `tests.artifacts.NotHere` where it cannot run."""

    def __init__(self) -> None:
        self._java = java()
        (self._jar,) = libraries(POM, "registry", goal="copy").glob("*-runner.jar")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{_PATH}"

    def __enter__(self) -> Self:
        self._holder = tempfile.TemporaryDirectory(prefix="kqregistry", ignore_cleanup_errors=True)
        log = Path(self._holder.name) / "registry.log"
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [
                    self._java, *JVM, f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={self.port}",
                    "-jar", str(self._jar),
                ],
                stdout=out, stderr=subprocess.STDOUT, preexec_fn=end_with_parent(signal.SIGKILL),
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._answers():
            assert self._process.poll() is None, f"the registry ended: {log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"the registry is not up after {_START_S:.0f} s"
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._holder.cleanup()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=60) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Guard:
    """A proxy before a registry: `away` closes it, `credentials` (``user:password``) are asked for, `certificate` means TLS."""

    def __init__(
        self, registry: SchemaRegistry, *, credentials: str | None = None, certificate: Path | None = None
    ) -> None:
        self._registry = registry
        self._credentials = credentials
        self._certificate = certificate
        self.port = free_port()
        self.asked = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        scheme = "http" if self._certificate is None else "https"
        before = "" if self._credentials is None else f"{self._credentials}@"
        return f"{scheme}://{before}{HOST}:{self.port}{_PATH}"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def open(self) -> None:
        server = ThreadingHTTPServer((HOST, self.port), self._handler())
        server.daemon_threads = True
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), name="guard", daemon=True).start()

    def close(self) -> None:
        """Go away: connections are refused until `open`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        guard = self
        wanted = None
        if self._credentials is not None:
            wanted = "Basic " + base64.b64encode(self._credentials.encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._pass()

            def do_POST(self) -> None:
                self._pass()

            def do_DELETE(self) -> None:
                self._pass()

            def _pass(self) -> None:
                guard.asked += 1
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
                if wanted is not None and self.headers.get("Authorization") != wanted:
                    self._answer(401, b'{"error_code": 401, "message": "Unauthorized"}')
                    return
                asked = urllib.request.Request(
                    f"http://{HOST}:{guard._registry.port}{self.path}",
                    data=body,
                    method=self.command,
                    headers={name: value for name in ("Content-Type", "Accept") if (value := self.headers.get(name))},
                )
                try:
                    with urllib.request.urlopen(asked, timeout=60) as answer:
                        self._answer(answer.status, answer.read())
                except urllib.error.HTTPError as refused:
                    with refused:
                        self._answer(refused.code, refused.read())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:
                """Not on the test's stderr."""

        return Handler


@pytest.fixture(scope="module")
def schema_registry(request: pytest.FixtureRequest) -> Iterator[SchemaRegistry]:
    """A real schema registry for all tests of a module."""
    try:
        registry = SchemaRegistry()
    except NotHere as why:
        cannot(f"Apicurio Registry {VERSION}", str(why))
    ran_on(request.config, "registry", f"Apicurio Registry {VERSION}, in memory, on this machine's Java")
    with registry:
        yield registry
