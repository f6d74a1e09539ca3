"""The linked company of the pipeline's tests."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner, Result

from consumers.agreement.command import agree
from tests.integration.pipeline.conftest import pipeline, simulator, unlinked
from tests.pipeline import KEYS, Pipeline

__all__ = ["pipeline", "simulator", "unlinked"]


@pytest.fixture
def run(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Any:
    url = pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("INTUIT_ENVIRONMENT", pipeline.simulator.base_url)
    monkeypatch.setattr("consumers.agreement.command.TokenKeys", lambda given: KEYS)

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(agree, ["--org", "org-uk", "--month", "2026-03", *arguments], standalone_mode=False)
        assert result.exception is None, result.exception
        return result

    return invoke
