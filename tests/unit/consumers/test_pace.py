"""How many calls are claimed ahead follows the rate at which calls end."""

from __future__ import annotations

import pytest

from qbo_client.quota import PERMIT_VALID
from sync.pace import AHEAD_S, RATE_OVER_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def paced(workers: int, *, a_second: float) -> tuple[Pace, Clock]:
    """Give a pace at which so many calls a second have ended for a while."""
    clock = Clock()
    pace = Pace(workers, clock)
    for _ in range(int(2 * RATE_OVER_S * a_second)):
        clock.now += 1 / a_second
        pace.ended()
    return pace, clock


def test_before_any_call_has_ended_there_is_one_for_each_free_worker() -> None:
    pace = Pace(64, Clock())
    assert [pace.claimable(calling) for calling in (0, 10, 64)] == [64, 54, 0]


@pytest.mark.parametrize(("workers", "latency"), [(64, 0.1), (16, 0.1), (64, 1.0), (64, 10.0)])
def test_what_is_claimed_ahead_is_sent_while_its_grant_is_good(workers: int, latency: float) -> None:
    """64 workers and 100 ms: 51 ahead, which last 80 ms; calls of 10 s: none."""
    pace, _ = paced(workers, a_second=workers / latency)
    ahead = pace.claimable(workers)
    assert ahead <= workers * AHEAD_S / latency
    assert ahead >= int(workers * AHEAD_S / latency) - 1
    assert ahead * latency / workers < PERMIT_VALID


def test_next_to_no_latency_claims_no_more_ahead_than_there_are_workers() -> None:
    pace, _ = paced(16, a_second=5_000)
    assert pace.claimable(16) == 16


def test_nothing_is_claimed_before_half_of_what_waits_has_gone() -> None:
    pace, _ = paced(64, a_second=640)
    ahead = pace.claimable(64)
    assert pace.claimable(64 + ahead // 2 + 1) == 0
    assert pace.claimable(64 + ahead // 2) == ahead - ahead // 2
    assert pace.claimable(64 + ahead + 5) < 0


def test_a_rate_is_forgotten_when_no_call_ends() -> None:
    pace, clock = paced(64, a_second=640)
    clock.now += RATE_OVER_S + 0.01
    assert pace.claimable(64) == 0
    assert pace.claimable(60) == 4
