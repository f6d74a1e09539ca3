"""The admin's tests on a real database."""

from __future__ import annotations

from tests.database import database_server, migrated_database, module_database, template_database

__all__ = ["database_server", "migrated_database", "module_database", "template_database"]
