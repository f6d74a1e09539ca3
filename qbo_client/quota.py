"""Intuit's quota of one company as a value: which calls may be made now, and when the next one may.

Source: Intuit's page on limits and throttles. Sliding windows, not buckets: never more than 10 calls in *any* second
nor 500 in *any* minute. No clock here: times come in as epoch seconds, so that a shared clock (the database's) can rule
several processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What Intuit allows our app for one company."""

    per_second: int = 10
    in_flight: int = 10
    per_minute: int = 500
    batches_per_minute: int = 40
    names_in_flight: int = 1
    """Writes of customers; a batch of them is one. While one is under way, another is refused: "You can only add or edit one name at a
    time. Please try again." (6000; qbo_api PR 88 quotes Intuit: call sequentially)."""


INTUIT: Final = Limits()

# A call reaches Intuit some time after it was permitted, and that time varies. A window that is longer by what it
# may vary keeps two bursts from drawing together on the way. 0.2 s a second still allows 10 / 1.2 x 60 = 500 a minute,
# as many as the minute's limit, so only that one costs throughput: 60 / 60.5, less than one percent.
SECOND: Final = 1.2
PERMIT_VALID: Final = 0.15
"""Seconds within which a permitted call must be sent; after that another permit is needed."""
MINUTE: Final = 60.5
# Calls of the minute are kept in runs that span at most this long and count as if all were as late as the last: at most
# 62 pairs instead of 500 times, and never too many calls.
_RUN: Final = 1.0

# (first, last, how many), oldest first.
Runs = tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What was permitted lately. Small (about 1 kB as JSON) and immutable; `Window()` is a company not called yet.

    `second` holds the times of the last calls, oldest first; `minute` and `batches` hold runs of calls as
    (first, last, how many).
    """

    second: tuple[float, ...] = ()
    minute: Runs = ()
    batches: Runs = ()

    def to_json(self) -> dict[str, object]:
        """Lists and numbers alone."""
        return {
            "second": list(self.second),
            "minute": [list(run) for run in self.minute],
            "batches": [list(run) for run in self.batches],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Window:
        """The reverse of `to_json`; an empty mapping is an empty window. Raises `ValueError` for anything else."""
        try:
            return cls(
                second=tuple(float(time) for time in _list(data, "second")),
                minute=tuple((float(first), float(last), int(n)) for first, last, n in _list(data, "minute")),
                batches=tuple((float(first), float(last), int(n)) for first, last, n in _list(data, "batches")),
            )
        except TypeError as error:
            raise ValueError(f"not a quota window: {error}") from error


def permit(
    window: Window, now: float, wanted: int, *, in_flight: int, limits: Limits = INTUIT, batch: bool = False
) -> tuple[int, Window, float]:
    """How many of `wanted` calls may be made at `now`, the window with them in it, and when the rates allow the next.

    `in_flight` counts the company's calls that were permitted and have not ended. `batch`: the calls are batch requests,
    which have a limit of their own besides. The third is `now` when the rates would allow more at once; when only the
    calls in flight stand in the way it is `now` too: try again when one of them ends.

    A clock that goes back makes us wait a minute at most: what was permitted "later" counts as permitted now.
    """
    current = _at(window, now)
    free = min(
        limits.per_second - len(current.second),
        limits.per_minute - _total(current.minute),
        limits.batches_per_minute - _total(current.batches) if batch else wanted,
        limits.in_flight - in_flight,
        wanted,
    )
    permitted = max(free, 0)
    if permitted:
        current = Window(
            second=current.second + (now,) * permitted,
            minute=_with(current.minute, now, permitted),
            batches=_with(current.batches, now, permitted) if batch else current.batches,
        )
    return permitted, current, _next_free(current, now, limits, batch)


def _at(window: Window, now: float) -> Window:
    """What of the window still counts at `now`."""
    second = [time for time in window.second if time + SECOND > now]
    if second and second[-1] > now:
        second = [min(time, now) for time in second]
    return Window(
        second=tuple(second),
        minute=_still(window.minute, now),
        batches=_still(window.batches, now),
    )


def _still(runs: Runs, now: float) -> Runs:
    still = [run for run in runs if run[1] + MINUTE > now]
    # The last is the latest: where that one is not after `now`, none is.
    if still and still[-1][1] > now:
        still = [(min(first, now), min(last, now), n) for first, last, n in still]
    return tuple(still)


def _with(runs: Runs, now: float, n: int) -> Runs:
    if runs and now - runs[-1][0] < _RUN:
        return (*runs[:-1], (runs[-1][0], now, runs[-1][2] + n))
    return (*runs, (now, now, n))


def _total(runs: Runs) -> int:
    return sum([n for _, _, n in runs])


def _next_free(window: Window, now: float, limits: Limits, batch: bool) -> float:
    free = now
    if limits.per_second > 0 and len(window.second) >= limits.per_second:
        free = max(free, window.second[-limits.per_second] + SECOND)
    free = max(free, _when_below(window.minute, limits.per_minute, now))
    if batch:
        free = max(free, _when_below(window.batches, limits.batches_per_minute, now))
    return free


def _when_below(runs: Runs, limit: int, now: float) -> float:
    """When so many runs have left the minute that fewer than `limit` calls remain."""
    remaining = _total(runs)
    when = now
    for _, last, n in runs:
        if remaining < limit:
            break
        when = last + MINUTE
        remaining -= n
    return when


def _list(data: Mapping[str, object], key: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"not a quota window: {key} is {value!r}")
    return value
