"""How many rounds, from which seed: ``pytest tests/chaos --rounds 2000 --seed 1``."""

from __future__ import annotations

import pytest

from tests.database import database_server, migrated_database, template_database

__all__ = ["database_server", "migrated_database", "template_database"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--rounds", type=int, default=0, help="Kills in the long run; by default the bounded suite runs.")
    group.addoption("--seed", type=int, default=None, help="Repeat the round of this seed alone.")
