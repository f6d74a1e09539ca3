"""Django's DATABASES for the address that all processes share, and the way back for the pool of `store`."""

from __future__ import annotations

from typing import Any

from store.address import DatabaseAddress
from store.engine import CONNECT_TIMEOUT_S


def django_database(url: str) -> dict[str, Any]:
    """Give the DATABASES entry for DATABASE_URL.

    Raises
    ------
    BadDatabaseUrl
    """
    place = DatabaseAddress.parse(url).for_django()
    options = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "kompass-qbo-admin",
        **place.pop("OPTIONS"),
        "prepare_threshold": None,
    }
    return {
        "ENGINE": "admin.postgresql",
        **place,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # PgBouncer in transaction mode hands each transaction another server connection.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }


def address_of(settings: dict[str, Any]) -> DatabaseAddress:
    """Give the address of a Django database, so that `store` works on the one that the site works on."""
    # Django's own options are not libpq's.
    ours = ("prepare_threshold", "isolation_level", "assume_role", "pool", "server_side_binding")
    options = settings.get("OPTIONS", {})
    parameters = {
        "host": settings.get("HOST"),
        "port": settings.get("PORT"),
        "user": settings.get("USER"),
        "password": settings.get("PASSWORD"),
        "dbname": settings["NAME"],
        **{name: value for name, value in options.items() if name not in ours and isinstance(value, (str, int))},
    }
    return DatabaseAddress({name: str(value) for name, value in parameters.items() if value not in (None, "")})
