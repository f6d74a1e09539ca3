"""The linked company of the pipeline's tests."""

from __future__ import annotations

from tests.database import database_server, migrated_database, template_database
from tests.integration.pipeline.conftest import pipeline, simulator, unlinked

__all__ = ["database_server", "migrated_database", "pipeline", "simulator", "template_database", "unlinked"]
