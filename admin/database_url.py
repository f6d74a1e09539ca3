"""DATABASE_URL as Django wants it; the same address that `store.engine` understands."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from store.errors import BadDatabaseUrl


def django_database(url: str) -> dict[str, Any]:
    """Give the DATABASES entry for ``postgresql://user:password@host:5432/name?sslmode=require``.

    A Unix socket is named as libpq names it: ``postgresql:///name?host=/run/postgresql``.

    Raises
    ------
    BadDatabaseUrl
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BadDatabaseUrl(
            "DATABASE_URL is not a database address; it should read postgresql://user:password@host:5432/name"
        ) from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(f"DATABASE_URL names {parsed.get_backend_name()!r}; only postgresql:// is supported")
    if not parsed.database:
        raise BadDatabaseUrl("DATABASE_URL names no database; it should read postgresql://user:password@host:5432/name")
    query = {name: value for name, value in parsed.query.items() if isinstance(value, str)}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parsed.database,
        "USER": parsed.username or "",
        "PASSWORD": parsed.password or "",
        "HOST": parsed.host or query.pop("host", ""),
        "PORT": str(parsed.port or query.pop("port", "")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # PgBouncer in transaction mode hands each transaction another server connection.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            **query,
            "connect_timeout": 5,
            "prepare_threshold": None,
            "application_name": "kompass-qbo-admin",
        },
    }


def sqlalchemy_url(settings: dict[str, Any]) -> str:
    """Give the address of a Django database, so that `store` works on the one that the site works on."""
    options = settings.get("OPTIONS", {})
    query = {
        name: str(value)
        for name, value in options.items()
        if name not in ("connect_timeout", "prepare_threshold", "application_name") and isinstance(value, (str, int))
    }
    host = settings.get("HOST") or None
    if host and host.startswith("/"):
        query["host"] = host
        host = None
    return URL.create(
        "postgresql",
        username=settings.get("USER") or None,
        password=settings.get("PASSWORD") or None,
        host=host,
        port=int(settings["PORT"]) if settings.get("PORT") else None,
        database=settings["NAME"],
        query=query,
    ).render_as_string(hide_password=False)
