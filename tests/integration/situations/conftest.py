"""The parts that the stories of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.situations.company import Company
from tests.integration.situations.world import World, open_world


@pytest.fixture(scope="module")
def world(module_database: str) -> Iterator[World]:
    with open_world(module_database) as made:
        yield made


@pytest.fixture
def company(world: World) -> Company:
    """A UK company of the story's own."""
    return world.company()


@pytest.fixture
def three(world: World) -> list[Company]:
    """A UK company, a Canadian and a US one."""
    return world.three()
