"""Plays the stories of a module in one world, and makes a test of each."""

from __future__ import annotations

import pytest

from tests.cases import scenes


@pytest.fixture(scope="module")
def ends(module_database: str, request: pytest.FixtureRequest) -> dict[str, BaseException | None]:
    """What went wrong in each of the module's PLOTS; None where it ended right."""
    with scenes.World(module_database) as world:
        return world.tell(request.module.PLOTS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function is scenes.test_it_ends_right:
        metafunc.parametrize("name", metafunc.module.PLOTS)
