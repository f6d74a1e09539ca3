"""What the admin site takes from the environment, each with the default that the embedded demo uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

# The same as those of the other processes; a test holds the two together.
EMBEDDED: Final[Mapping[str, str]] = {
    "DATABASE_URL": "postgresql://kompass@127.0.0.1:15432/kompass_qbo",
    "INTUIT_ENVIRONMENT": "http://127.0.0.1:18080",
    "INTUIT_CLIENT_ID": "kompass-qbo-demo",
    "INTUIT_CLIENT_SECRET": "not-a-secret-the-simulator-takes-any",
    "TOKEN_KEYS": "a29tcGFzcy1xYm8tZGVtby1rZXktbm90LXNlY3JldCE=",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    # The site's alone. Known to everybody, so it guards nothing: refused as soon as Intuit is a real one.
    "SECRET_KEY": "embedded-demo-key-not-for-a-site-that-others-can-reach-0001",
}
SECRETS: Final = ("DATABASE_URL", "INTUIT_CLIENT_SECRET", "TOKEN_KEYS", "SECRET_KEY")
"""Also read from the file that ``<name>_FILE`` names."""


class BadEnvironment(Exception):
    """A setting from the environment is malformed; the message names it in one line."""


@dataclass(frozen=True, slots=True)
class Environment:
    database_url: str = field(repr=False)
    public_url: str
    secret_key: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    intuit_environment: str
    intuit_client_id: str
    intuit_client_secret: str = field(repr=False)
    token_keys: str = field(repr=False)
    time_zone: str
    metrics: tuple[str, int] | None
    """Host and port of /metrics, /livez and /readyz; 0 for any free port. None: ``METRICS_PORT=off``."""
    metrics_org_label: str
    debug: bool
    unsafe_defaults: tuple[str, ...]
    """What was left at the demo's default although Intuit is the real one; nothing may be served with those."""


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Read and check what the site needs.

    Raises
    ------
    BadEnvironment
        PUBLIC_URL is not an http(s) address, METRICS_PORT not one of a port.
    """
    given = _with_files(os.environ if environ is None else environ)

    def value(name: str, default: str | None = None) -> str:
        return given.get(name, "").strip() or (EMBEDDED[name] if default is None else default)

    public_url = value("PUBLIC_URL").rstrip("/")
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadEnvironment(
            f"PUBLIC_URL is {public_url!r}; it should be the address people use, such as https://kompass.example.com"
        )
    hosts = tuple(host.strip() for host in given.get("ALLOWED_HOSTS", "").split(",") if host.strip())
    intuit = value("INTUIT_ENVIRONMENT")
    return Environment(
        database_url=value("DATABASE_URL"),
        public_url=public_url,
        secret_key=value("SECRET_KEY"),
        allowed_hosts=hosts or (parts.hostname, "localhost", "127.0.0.1", "[::1]"),
        intuit_environment=intuit,
        intuit_client_id=value("INTUIT_CLIENT_ID"),
        intuit_client_secret=value("INTUIT_CLIENT_SECRET"),
        token_keys=value("TOKEN_KEYS"),
        time_zone=value("TIME_ZONE", "UTC"),
        metrics=_metrics(value("METRICS_PORT", "127.0.0.1:0")),
        metrics_org_label=value("METRICS_ORG_LABEL", "on"),
        debug=value("DEBUG", "0") == "1",
        unsafe_defaults=tuple(name for name in EMBEDDED if value(name) == EMBEDDED[name])
        if intuit in ("production", "sandbox")
        else (),
    )


def _metrics(value: str) -> tuple[str, int] | None:
    if value == "off":
        return None
    host, colon, port = value.rpartition(":")
    if not port.isdigit() or int(port) > 65535 or (colon and not host):
        raise BadEnvironment(f"METRICS_PORT is {value!r}; give a port, host:port, 0 for any free port, or off")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - what a bare port means


def _with_files(environ: Mapping[str, str]) -> dict[str, str]:
    values = dict(environ)
    for name in SECRETS:
        path = values.get(f"{name}_FILE", "")
        if not path or values.get(name):
            continue
        try:
            values[name] = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise BadEnvironment(f"{name}_FILE is {path!r}, which cannot be read; check path and rights") from None
    return values
