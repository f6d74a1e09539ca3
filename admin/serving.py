"""The site behind gunicorn, without a configuration file."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

from sync.stacks import stacks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where Prometheus and the probes ask."""

    host: str
    port: int

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def take_address(host: str, port: int) -> MetricsAddress:
    """See that the address can be listened on; gives the very port where 0 asked for a free one.

    Raises
    ------
    OSError
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return MetricsAddress(host, listener.getsockname()[1])


class _Site(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: dict[str, Any], metrics: MetricsAddress | None) -> None:
        self._settings = settings
        self._metrics = metrics
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Here, in the worker: connections are not to be shared across a fork.
        from admin.wsgi import application

        if self._metrics is None:
            return application
        from admin.probes import with_probes

        return with_probes(application, port=self._metrics.port)


class _Log(Logger):  # type: ignore[misc]
    """What gunicorn says goes to the log of the process, in its format."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _say_where(worker: object) -> None:
    log.error("a worker is stuck and will be replaced; the stacks of its threads", extra={"stacks": stacks()})


@contextmanager
def counting_together() -> Iterator[None]:
    """Have all workers count into files of one directory, for as long as this lasts.

    To be entered before Django is set up: prometheus_client reads the setting when it is imported.
    """
    directory, master = tempfile.mkdtemp(prefix="kompass-qbo-metrics-"), os.getpid()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    try:
        yield
    finally:
        # A worker that ends comes by here too, and the others still count.
        if os.getpid() == master:
            shutil.rmtree(directory, ignore_errors=True)


def serve(*, bind: str, workers: int, threads: int, metrics: MetricsAddress | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    _Site(
        {
            "bind": [bind] if metrics is None else [bind, metrics.bind],
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "timeout": 120,
            "graceful_timeout": 20,
            "proc_name": "kompass-qbo-admin",
            # An access log holds query strings: Intuit's code and state would be in it.
            "accesslog": None,
            "errorlog": "-",
            "logger_class": _Log,
            "loglevel": "warning",
            "control_socket_disable": True,
            # A worker that is stuck says where before it is replaced.
            "worker_abort": _say_where,
        },
        metrics,
    ).run()
