"""Addresses in settings. Most hold a password, so no message repeats any part of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from store.address import DatabaseAddress
from store.errors import BadDatabaseUrl
from sync.settings.declarations import is_secret
from sync.settings.environment import BadSetting, Environment

_ENCODED: Final = "write @ : / ? # [ ] % and spaces of a user or password as %40 %3A %2F %3F %23 %5B %5D %25 %20"


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where /metrics, /livez and /readyz are served. Port 0 takes a free one, which the first log line names."""

    host: str
    port: int


def read_database(environment: Environment) -> str:
    """Give DATABASE_URL, of which `DatabaseAddress` makes sense. Raises `BadSetting`."""
    value = environment.value("DATABASE_URL")
    try:
        DatabaseAddress.parse(value)
    except BadDatabaseUrl as error:
        problem, _, remedy = str(error).removeprefix("DATABASE_URL ").partition("; ")
        raise BadSetting("DATABASE_URL", problem, remedy) from None
    return value


def read_registry(environment: Environment) -> str | None:
    """Give SCHEMA_REGISTRY_URL, None when it is not set. Raises `BadSetting`."""
    name = "SCHEMA_REGISTRY_URL"
    value = environment.given(name)
    return check_url(name, value, ("http", "https")).rstrip("/") if value else None


def read_mail_server(environment: Environment) -> str:
    """Give SMTP_URL. Raises `BadSetting`."""
    name = "SMTP_URL"
    value = check_url(name, environment.value(name), ("smtp", "smtps", "smtp+starttls"))
    if urlsplit(value).path not in ("", "/"):
        raise BadSetting(name, "has something after host and port", _ENCODED)
    return value


def read_public_url(environment: Environment) -> str:
    """Give PUBLIC_URL, without a slash at its end. Raises `BadSetting`."""
    return check_url("PUBLIC_URL", environment.value("PUBLIC_URL"), ("http", "https")).rstrip("/")


def check_url(name: str, value: str, schemes: tuple[str, ...]) -> str:
    """Give the value back when it is an address of one of these schemes, with a host and at most a path.

    Each character that separates parts occurs where it separates them and nowhere else. So no part of a password is taken
    for a host or a path, which messages show.

    Raises
    ------
    BadSetting
    """
    shown = "" if is_secret(name) or "@" in value else f" ({value!r})"
    begins = f"it should begin with {' or '.join(scheme + '://' for scheme in schemes)}"
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.lower() not in schemes:
        raise BadSetting(name, f"is not an address{shown}", begins)
    netloc = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if rest.count("@") != netloc.count("@") or netloc.count("@") > 1 or re.search(r"[\x00-\x20\x7f\\]", value):
        raise BadSetting(name, f"is not an address{shown}", _ENCODED)
    user = netloc.rpartition("@")[0]
    if user.count(":") > 1 or re.search(r"[\[\]]|%(?![0-9A-Fa-f]{2})", user):
        raise BadSetting(name, f"is not an address{shown}", _ENCODED)
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadSetting(name, f"is not an address{shown}", "check its host and port") from None
    if not host or port == 0:
        raise BadSetting(name, f"is not an address{shown}", f"{begins}, then a host")
    if "?" in rest or "#" in rest:
        raise BadSetting(name, f"has a query or a fragment{shown}", _ENCODED if user else "leave out ? and #")
    return value


def read_metrics_address(environment: Environment) -> MetricsAddress | None:
    """Read METRICS_PORT: a port (every interface), ``host:port``, ``0`` for a free port, ``off`` for none.

    Raises
    ------
    BadSetting
    """
    value = environment.value("METRICS_PORT")
    if value == "off":
        return None
    host, colon, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535 or (colon and not host):
        raise BadSetting("METRICS_PORT", f"is {value!r}", "give a port, host:port, 0 for any free port, or off")
    return MetricsAddress(host=host.strip("[]") or "0.0.0.0", port=int(port))  # noqa: S104 - what a bare port means
