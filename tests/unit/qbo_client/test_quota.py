from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_client.quota import INTUIT, Limits, Window, permit

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# A moment with a fraction that no float holds exactly.
START = 1_790_000_000.1

STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 3), st.floats(0, 90)), st.integers(1, 40), st.booleans()
    ),
    max_size=150,
)
SMALL = Limits(per_second=4, in_flight=100, per_minute=23, batches_per_minute=7)


def most_within(times: list[float], span: float) -> int:
    """The largest number of `times` within any closed interval of that length."""
    most, first = 0, 0
    for last, time in enumerate(times):
        while time - times[first] > span:
            first += 1
        most = max(most, last - first + 1)
    return most


@STEADY
@given(STEPS, st.sampled_from([INTUIT, SMALL]))
def test_no_second_and_no_minute_ever_holds_too_many(steps: list[tuple[float, int, bool]], limits: Limits) -> None:
    window, now = Window(), START
    times: list[float] = []
    batches: list[float] = []
    for wait, wanted, batch in steps:
        now += wait
        permitted, window, next_free = permit(window, now, wanted, in_flight=0, limits=limits, batch=batch)
        assert 0 <= permitted <= wanted
        assert next_free >= now
        window = Window.from_json(json.loads(json.dumps(window.to_json())))
        times += [now] * permitted
        batches += [now] * permitted if batch else []
    assert most_within(times, 1.0) <= limits.per_second
    assert most_within(times, 60.0) <= limits.per_minute
    assert most_within(batches, 60.0) <= limits.batches_per_minute


@STEADY
@given(STEPS, st.sampled_from([INTUIT, SMALL]), st.booleans())
def test_the_next_free_moment_is_true_and_is_never_early(
    steps: list[tuple[float, int, bool]], limits: Limits, batch: bool
) -> None:
    window, now = Window(), START
    for wait, wanted, as_batch in steps:
        now += wait
        _, window, _ = permit(window, now, wanted, in_flight=0, limits=limits, batch=as_batch)
    _, _, free = permit(window, now, 0, in_flight=0, limits=limits, batch=batch)
    assert permit(window, free, 1, in_flight=0, limits=limits, batch=batch)[0] == 1
    if free > now:
        assert permit(window, free - 0.01, 1, in_flight=0, limits=limits, batch=batch)[0] == 0


def greedy(seconds: float, limits: Limits, *, wanted: int = 100, batch: bool = False, late: float = 0.0) -> list[float]:
    """The times of the calls of a company that always wants more and asks `late` after each moment it is given."""
    window, now = Window(), START
    times: list[float] = []
    while now < START + seconds:
        permitted, window, free = permit(window, now, wanted, in_flight=0, limits=limits, batch=batch)
        times += [now] * permitted
        assert permitted or free > now
        now = max(free, now) + late
    return times


def test_the_quota_is_used_to_the_full() -> None:
    assert len(greedy(600, INTUIT)) >= 0.97 * 5000
    assert len(greedy(600, INTUIT, batch=True)) >= 0.97 * 400


@STEADY
@given(st.integers(1, 12), st.floats(0, 0.3), st.booleans(), st.sampled_from([INTUIT, SMALL]))
def test_the_greediest_company_stays_within_every_second_and_minute(
    wanted: int, late: float, batch: bool, limits: Limits
) -> None:
    times = greedy(150, limits, wanted=wanted, batch=batch, late=late)
    assert most_within(times, 1.0) <= limits.per_second
    assert most_within(times, 60.0) <= (limits.batches_per_minute if batch else limits.per_minute)


def test_calls_that_are_kept_together_leave_the_minute_with_the_last_of_them() -> None:
    limits = Limits(per_second=100, in_flight=100, per_minute=20)
    _, window, _ = permit(Window(), START, 1, in_flight=0, limits=limits)
    _, window, _ = permit(window, START + 0.95, 19, in_flight=0, limits=limits)
    permitted, _, free = permit(window, START + 60.55, 20, in_flight=0, limits=limits)
    assert permitted == 0
    assert free == pytest.approx(START + 61.45)


def test_the_state_stays_small_under_any_load() -> None:
    window, now = Window(), START
    for _ in range(3000):
        _, window, _ = permit(window, now, 1, in_flight=0)
        now += 0.07
    assert len(json.dumps(window.to_json())) < 5000
    assert len(window.minute) <= 62
    assert len(window.second) <= 10


def test_calls_in_flight_count() -> None:
    assert permit(Window(), START, 10, in_flight=7)[0] == 3
    assert permit(Window(), START, 10, in_flight=10) == (0, Window(), START)
    assert permit(Window(), START, 10, in_flight=12)[0] == 0


def test_a_clock_that_goes_back_costs_a_minute_at_most() -> None:
    window, now = Window(), START
    for _ in range(70):
        _, window, free = permit(window, now, 100, in_flight=0)
        now = max(now + 1, free)
    back = START - 3600
    permitted, window, free = permit(window, back, 1, in_flight=0)
    assert permitted == 0
    assert back < free <= back + 61
    assert permit(window, free, 1, in_flight=0)[0] == 1


@pytest.mark.parametrize("data", [{"second": 5}, {"minute": [[1]]}, {"second": ["x"]}, {"minute": [5]}])
def test_what_is_no_window_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not a quota window|could not convert|unpack"):
        Window.from_json(data)


def test_an_empty_mapping_is_a_company_that_was_not_called_yet() -> None:
    assert Window.from_json({}) == Window()
