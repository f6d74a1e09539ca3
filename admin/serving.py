"""The site behind gunicorn, without a configuration file."""

from __future__ import annotations

from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]


class _Site(BaseApplication):  # type: ignore[misc]
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Here, in the worker: connections are not to be shared across a fork.
        from admin.wsgi import application

        return application


def serve(*, bind: str, workers: int, threads: int) -> None:
    """Serve until told to stop (SIGTERM, SIGINT)."""
    _Site(
        {
            "bind": bind,
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "timeout": 120,
            "graceful_timeout": 20,
            "proc_name": "kompass-qbo-admin",
            # An access log holds query strings: Intuit's code and state would be in it.
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,
        }
    ).run()
