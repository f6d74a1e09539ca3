"""Refusals that may pass open a company's breaker when they hit several of its records, and not when one is refused again and again."""

from __future__ import annotations

from qbo_client.outcomes import Done, Outcome, Refused, Unknown
from sync.gates import SILENT_S, Gates

REFUSED = Refused(400, ())
DONE: Outcome = Done({})
UNKNOWN = Unknown("no answer")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def gates(clock: Clock) -> Gates:
    return Gates(clock=clock, uniform=lambda: 1.0)


def test_one_record_that_is_refused_again_and_again_holds_up_no_other() -> None:
    one = gates(Clock())
    for _ in range(20):
        one.answered("uk", REFUSED, refused={7})
    assert one.open_breakers() == ([], False)


def test_five_records_that_are_refused_without_a_success_between_are_an_outage_of_their_company_alone() -> None:
    one = gates(Clock())
    for link_id in range(5):
        assert one.open_breakers() == ([], False)
        one.answered("uk", REFUSED, refused={link_id})
    assert one.open_breakers() == (["uk"], False)
    assert one.permits().blocked == {"uk"}


def test_a_write_that_is_taken_begins_the_count_again() -> None:
    one = gates(Clock())
    for link_id in range(4):
        one.answered("uk", REFUSED, refused={link_id})
    one.answered("uk", DONE)
    one.answered("uk", REFUSED, refused={9})
    assert one.open_breakers() == ([], False)


def test_a_batch_that_is_refused_opens_it_at_once() -> None:
    one = gates(Clock())
    one.answered("uk", REFUSED, refused=set(range(30)))
    assert one.open_breakers() == (["uk"], False)


def test_a_look_up_that_is_answered_shows_nothing_of_writes_and_the_trial_goes_on() -> None:
    clock = Clock()
    one = gates(clock)
    one.answered("uk", REFUSED, refused=set(range(5)))
    clock.now += 1.0
    assert one.permits().trials == {"uk"}
    one.called("uk")
    one.answered("uk", DONE, wrote=False)
    assert one.permits().trials == {"uk"}
    one.called("uk")
    one.answered("uk", REFUSED, refused={1})
    assert one.permits().blocked == {"uk"}
    clock.now += 2.0
    one.called("uk")
    one.answered("uk", DONE)
    assert one.open_breakers() == ([], False)


def test_questions_of_which_some_are_refused_hold_up_no_company() -> None:
    one = gates(Clock())
    one.answered("uk", REFUSED, refused={100})
    # As many calls to look up as a batch has, without a write between them.
    for link_id in range(0, 90, 3):
        for asked in range(3):
            one.answered("uk", REFUSED, refused={link_id + asked}, wrote=False)
        one.answered("uk", DONE, wrote=False)
    assert one.open_breakers() == ([], False)
    for link_id in range(101, 104):
        one.answered("uk", REFUSED, refused={link_id})
    assert one.open_breakers() == ([], False)
    one.answered("uk", REFUSED, refused={104})
    assert one.open_breakers() == (["uk"], False)


def test_questions_that_are_all_refused_are_an_outage_of_their_company() -> None:
    one = gates(Clock())
    for link_id in range(5):
        one.answered("uk", REFUSED, refused={link_id}, wrote=False)
    assert one.open_breakers() == (["uk"], False)


def test_the_moment_that_is_named_for_the_next_call_is_one_at_which_it_may_go() -> None:
    clock = Clock()
    for seconds in (0.1, 0.7, 1234.567, 81231.1, 3.3e7 + 0.1):
        clock.now = seconds
        one = gates(clock)
        one.answered("uk", REFUSED, refused=set(range(5)))
        clock.now = one._breakers["uk"].retry_at(clock.now)
        one.called("uk")
        clock.now = one._breakers["uk"].retry_at(clock.now)
        assert one._breakers["uk"].attempt(clock.now)[0]


def test_intuit_is_away_when_several_companies_wait_and_nobody_has_an_answer() -> None:
    clock = Clock()
    one = gates(clock)
    for realm in ("uk", "ie"):
        one.called(realm)
    clock.now += SILENT_S - 1
    assert one.intuit_trouble() is None
    clock.now += 1
    assert one.intuit_trouble() is not None
    # One answer shows that it is there, and those that wait on have to wait as long again.
    one.called("ca")
    one.answered("ca", DONE)
    assert one.intuit_trouble() is None
    clock.now += SILENT_S
    assert one.intuit_trouble() is not None
    # A call that is given up is no answer; one that was never sent is none to wait for.
    one.answered("uk", UNKNOWN)
    assert one.intuit_trouble() is not None
    one.not_called("ie")
    assert one.intuit_trouble() is None


def test_one_company_that_does_not_answer_is_its_own_trouble() -> None:
    clock = Clock()
    one = gates(clock)
    for _ in range(3):
        one.called("uk")
    clock.now += SILENT_S * 2
    assert one.intuit_trouble() is None
