from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_client.breaker import Breaker, BreakerPolicy, State

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

POLICY = BreakerPolicy(failures_to_open=3, first_interval=1.0, longest_interval=300.0, trial_patience=150.0)


def longest() -> float:
    return 1.0


def shortest() -> float:
    return 0.0


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(3):
        breaker = breaker.failed(now, longest)
    return breaker


def test_it_opens_after_a_run_of_failures_and_a_success_ends_the_run() -> None:
    breaker = Breaker(POLICY).failed(0, longest).failed(0, longest)
    assert breaker.state(0) is State.CLOSED
    assert breaker.succeeded().failed(0, longest).failed(0, longest).state(0) is State.CLOSED
    breaker = breaker.failed(0, longest)
    assert breaker.state(0) is State.OPEN
    assert breaker.attempt(0.99) == (False, breaker)
    assert breaker.retry_at(0.5) == 1.0


def test_half_open_lets_exactly_one_trial_call_through() -> None:
    breaker = opened()
    assert breaker.state(1.0) is State.HALF_OPEN
    first, breaker = breaker.attempt(1.0)
    second, breaker = breaker.attempt(1.0)
    third, breaker = breaker.attempt(100.0)
    assert (first, second, third) == (True, False, False)


def test_a_trial_call_that_succeeds_closes_it() -> None:
    _, breaker = opened().attempt(1.0)
    assert breaker.succeeded() == Breaker(POLICY)


def test_intervals_grow_to_five_minutes_and_stay_there() -> None:
    breaker, now, intervals = opened(), 0.0, []
    for _ in range(2000):
        assert breaker.opens_at is not None
        intervals.append(breaker.opens_at - now)
        now = breaker.opens_at
        allowed, breaker = breaker.attempt(now)
        assert allowed
        breaker = breaker.failed(now, longest)
    assert intervals[:4] == [1.0, 2.0, 4.0, 8.0]
    assert intervals[-1] == 300.0
    assert intervals == sorted(intervals)


def test_intervals_are_drawn_from_their_upper_half() -> None:
    breaker = Breaker(BreakerPolicy(failures_to_open=1, first_interval=10.0)).failed(0, shortest)
    assert breaker.opens_at == 5.0


def test_a_late_failure_of_a_call_that_went_before_changes_nothing() -> None:
    breaker = opened()
    assert breaker.failed(0.5, longest) == breaker


def test_a_trial_call_that_nobody_reports_on_is_given_up() -> None:
    _, breaker = opened().attempt(1.0)
    assert breaker.attempt(150.9)[0] is False
    assert breaker.retry_at(2.0) == 151.0
    again, breaker = breaker.attempt(151.0)
    assert again
    assert breaker.attempt(151.0)[0] is False


def test_a_trial_call_that_was_not_sent_leaves_its_place_to_another() -> None:
    _, breaker = opened().attempt(1.0)
    assert breaker.withdrawn().attempt(1.0)[0]
    assert Breaker(POLICY).withdrawn() == Breaker(POLICY)


@STEADY
@given(st.lists(st.tuples(st.floats(0, 400), st.sampled_from(["attempt", "fail", "withdraw", "succeed"])), max_size=60))
def test_when_it_says_retry_at_it_means_it(steps: list[tuple[float, str]]) -> None:
    breaker, now = Breaker(POLICY), 0.0
    for wait, what in steps:
        now += wait
        match what:
            case "attempt":
                before = breaker.retry_at(now)
                allowed, breaker = breaker.attempt(now)
                assert allowed == (before <= now)
            case "fail":
                breaker = breaker.failed(now, longest)
            case "withdraw":
                breaker = breaker.withdrawn()
            case _:
                breaker = breaker.succeeded()
    assert breaker.attempt(breaker.retry_at(now))[0]
