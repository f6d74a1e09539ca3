"""The admin's section, the pipeline behind it and a mail server: for what goes wrong for long, and ends."""

from __future__ import annotations

from tests.database import database_server, migrated_database, template_database
from tests.integration.admin.conftest import authorize, database, django_in_tests, section, simulator

__all__ = [
    "authorize",
    "database",
    "database_server",
    "django_in_tests",
    "migrated_database",
    "section",
    "simulator",
    "template_database",
]
