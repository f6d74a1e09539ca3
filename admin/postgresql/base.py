"""Django finds the backend under this name."""

from __future__ import annotations

from typing import Any, Final

from django.db.backends.postgresql import base

from store.engine import ROLE_SETTINGS

_UNDO: Final = (
    "SELECT set_config(name, wanted, false) FROM (VALUES "
    + ", ".join("(%s, %s)" for _ in ROLE_SETTINGS)
    + ") AS ours (name, wanted) WHERE current_setting(name) <> wanted"
)
"""For the session, as Django sets its time zone. Where nothing differs nothing is set, so a pooler's connection stays as it was."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Undoes the settings of the role and of the database that `store` undoes in each of its transactions."""

    def _configure_connection(self, connection: Any) -> bool:
        commit = bool(super()._configure_connection(connection))  # type: ignore[misc]
        with connection.cursor() as cursor:
            cursor.execute(_UNDO, [part for setting in ROLE_SETTINGS.items() for part in setting])
            return commit or bool(cursor.rowcount)
