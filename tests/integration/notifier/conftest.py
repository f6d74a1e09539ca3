"""The linked company of the pipeline's tests, a mail server and a notifier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.embedded.mail import EmbeddedMail
from tests.integration.notifier.harness import ADMIN, Post
from tests.integration.pipeline.conftest import pipeline, simulator, unlinked
from tests.pipeline import Pipeline

__all__ = ["pipeline", "simulator", "unlinked"]


@pytest.fixture
def mail() -> Iterator[EmbeddedMail]:
    with EmbeddedMail() as running:
        yield running


@pytest.fixture
def post(pipeline: Pipeline, mail: EmbeddedMail) -> Post:
    made = Post(pipeline, mail)
    made.recipients(ADMIN)
    return made
