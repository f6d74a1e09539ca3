from __future__ import annotations

import sys

from consumers.ingest.findings import Recent


def test_the_newest_half_is_always_there_and_no_more_than_was_allowed() -> None:
    recent: Recent[str, int] = Recent(100)
    for number in range(1_000):
        recent.put(f"k{number}", number)
        assert len(recent) <= 100
        assert all(recent.get(f"k{known}") == known for known in range(max(0, number - 49), number + 1))
    assert recent.get("k0") is None


def test_the_newest_value_of_a_key_is_given() -> None:
    recent: Recent[str, int] = Recent(4)
    recent.put("a", 1)
    recent.put("b", 1)
    recent.put("c", 1)
    recent.put("a", 2)
    assert recent.get("a") == 2


def test_its_tables_do_not_grow_with_what_passes_through() -> None:
    """A dict from which the oldest is taken for each new entry doubles its table twice in this many."""
    recent: Recent[int, int] = Recent(20_000)
    sizes = set()
    for number in range(200_000):
        recent.put(number, number)
        if number > 20_000:
            sizes.add(sys.getsizeof(recent._older))
    assert len(sizes) == 1
