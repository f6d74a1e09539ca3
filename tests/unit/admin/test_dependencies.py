"""A database that hangs holds up no scrape, and is asked one question at a time."""

from __future__ import annotations

import threading

from admin.dependencies import DatabaseWatch
from store.presence import Presence


def test_a_database_that_hangs_is_down_and_is_not_asked_again_until_it_answers() -> None:
    answers, asked = threading.Event(), []

    def ask() -> Presence:
        asked.append(threading.current_thread().name)
        assert answers.wait(30)
        return Presence(read_only=False, clock_ahead=0.5)

    def shown(watch: DatabaseWatch) -> dict[str, float]:
        return {sample.name: sample.value for metric in watch.collect() for sample in metric.samples}

    watch = DatabaseWatch(ask, answer_s=0.05)
    assert shown(watch) == {"kompass_qbo_dependency_up": 0.0}
    assert shown(watch) == {"kompass_qbo_dependency_up": 0.0}
    assert len(asked) == 1
    answers.set()
    patient = DatabaseWatch(ask)
    assert shown(patient) == {"kompass_qbo_dependency_up": 1.0, "kompass_qbo_clock_offset_seconds": 0.5}


def test_one_that_takes_no_writes_is_down() -> None:
    watch = DatabaseWatch(lambda: Presence(read_only=True, clock_ahead=0.0))
    (up,) = [metric for metric in watch.collect() if metric.name == "kompass_qbo_dependency_up"]
    assert [sample.value for sample in up.samples] == [0.0]
