"""/metrics, /livez and /readyz of the admin, at METRICS_PORT and nowhere else: what people reach shows none of it.

They ask for no login and hold no secret; the site itself is not served at that port.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from admin.quickbooks_online.metrics import exposition
from admin.quickbooks_online.runtime import engine

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_probes(site: Application, *, port: int) -> Application:
    """Answer what comes in at ``port`` here, and leave the rest to the site."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # The listener's port, as gunicorn says it; a Host header has no part in this.
        if environ["SERVER_PORT"] != str(port):
            return site(environ, start_response)
        status, content_type, body = _answer(environ.get("PATH_INFO", ""))
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    return answer


def _answer(path: str) -> tuple[str, str, bytes]:
    if path == "/metrics":
        return "200 OK", CONTENT_TYPE_LATEST, exposition()
    if path == "/livez":
        # That a worker answers is what it says.
        return _say({})
    if path == "/readyz":
        return _say(_unready())
    return "404 Not Found", "text/plain", b"/metrics, /livez or /readyz\n"


def _unready() -> dict[str, str]:
    try:
        with engine().begin() as db:
            db.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        # The driver's own words may hold the address it was given.
        return {"database": type(error).__name__}
    return {}


def _say(problems: Mapping[str, str]) -> tuple[str, str, bytes]:
    body = json.dumps({"ok": not problems, "problems": problems}).encode() + b"\n"
    return "503 Service Unavailable" if problems else "200 OK", "application/json", body
