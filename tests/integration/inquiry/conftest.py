"""The linked company of the pipeline's tests."""

from __future__ import annotations

from tests.integration.pipeline.conftest import pipeline, simulator, unlinked

__all__ = ["pipeline", "simulator", "unlinked"]
