"""What keeps two workers of `make test` out of each other's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.embedded import ports
from tests.workers import APART

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", APART)
def test_what_is_to_be_apart_is_there(path: str) -> None:
    """A directory that was renamed would be shared out like the rest, and nobody would notice."""
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() == path.endswith("/"), (
        "a directory is distinguished from a file of the same beginning"
    )


def test_no_port_is_given_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_part", ports._part)
    given: list[set[int]] = []
    for part in range(3):
        ports.keep_to(part, of=3)
        given.append({ports.free_port() for _ in range(200)})
    lowest, middle, highest = given
    assert max(lowest) < min(middle)
    assert max(middle) < min(highest)
