"""The parts of the demo as operating-system processes: started in order, waited for, stopped in reverse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from consumers.errors import EmbeddedPartFailed
from demo.embedded.children import end_with_parent
from demo.embedded.ports import HOST

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """A process: what it is called, its `kompass-qbo` arguments, and how to see that it is ready."""

    name: str
    arguments: Sequence[str]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)


class Processes:
    """Starts parts and stops all of them at the end, the last one first; a context manager.

    What a part prints goes to ``<logs>/<name>.log``.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = {**_inherited(), **environment}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def start(self, part: Part) -> None:
        """Start a part without waiting for it."""
        self._running[part.name] = self._spawn(part)

    def wait_until_ready(self, part: Part, *, timeout: float = START_TIMEOUT_S) -> None:
        """Wait for a part that was started.

        Raises
        ------
        EmbeddedPartFailed
            it ended, or is not ready in time: with the last thing it said.
        """
        process = self._running[part.name]
        deadline = time.monotonic() + timeout
        while not part.ready():
            if process.poll() is not None:
                raise EmbeddedPartFailed(
                    f"{part.name} ended with exit code {process.returncode}: {self.last_words(part.name)}"
                )
            if time.monotonic() > deadline:
                raise EmbeddedPartFailed(f"{part.name} is not ready after {timeout:.0f} s; see {self.log(part.name)}")
            time.sleep(0.05)

    def run(self, part: Part, *, timeout: float = 300.0) -> None:
        """Run a part that ends on its own."""
        process = self._spawn(part)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise EmbeddedPartFailed(
                f"{part.name} has not ended after {timeout:.0f} s; see {self.log(part.name)}"
            ) from None
        if code != 0:
            raise EmbeddedPartFailed(f"{part.name} failed with exit code {code}: {self.last_words(part.name)}")

    def stop(self, name: str, *, how: signal.Signals = signal.SIGTERM) -> int | None:
        """Stop a part; gives its exit code, None when it had to be killed."""
        process = self._running.pop(name)
        with suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def process_id(self, name: str) -> int:
        return self._running[name].pid

    def ended(self) -> str | None:
        """The name of a part that ended though nobody stopped it."""
        return next((name for name, process in self._running.items() if process.poll() is not None), None)

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def last_words(self, name: str) -> str:
        lines = self.log(name).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        with self.log(part.name).open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", *part.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, **part.environment},
                # Ctrl-C at the terminal is for the demo itself, which then stops its parts in order.
                start_new_session=True,
                preexec_fn=end_with_parent(),
            )


def answers(url: str) -> Callable[[], bool]:
    """Whether an address answers with a success."""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own addresses
                return int(response.status) < 400
        except (OSError, urllib.error.URLError):
            return False

    return ask


def listens(port: int) -> Callable[[], bool]:
    """Whether somebody listens on a port of the loopback interface."""

    def ask() -> bool:
        try:
            with socket.create_connection((HOST, port), timeout=2):
                return True
        except OSError:
            return False

    return ask


def _inherited() -> dict[str, str]:
    # The settings of the person who starts the demo are for their own Kafka and Intuit, not for these.
    ours = ("KAFKA_", "INTUIT_", "KOMPASS_QBO_", "METRICS_", "SMTP_", "DJANGO_")
    names = {
        "DATABASE_URL",
        "TOKEN_KEYS",
        "PUBLIC_URL",
        "MAIL_FROM",
        "OPERATOR_MAIL",
        "SCHEMA_REGISTRY_URL",
        "SECRET_KEY",
    }
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and name not in names and name.removesuffix("_FILE") not in names
    } | {"PYTHONUNBUFFERED": "1"}
