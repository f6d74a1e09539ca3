"""From the order in which things happened to the order in which a consumer may hear of them."""

from __future__ import annotations

from schemas.events import Event

_EVERY_DELAYED = 17
_DELAY = 60
_EVERY_REPEATED = 19
_REPEAT_AFTER = 25


def delivered(events: list[Event]) -> list[Event]:
    """`events` with some that come late (after newer ones of the same record), some that come twice, and old ones at the end.

    A late or repeated event is the very same one, so in any order the newest state of every record is the same.
    """
    slots: list[tuple[float, Event]] = []
    for place, event in enumerate(events):
        slots.append((place + (_DELAY + 0.5 if place % _EVERY_DELAYED == 11 else 0), event))
        if place % _EVERY_REPEATED == 7:
            slots.append((place + _REPEAT_AFTER + 0.25, event))
    order = [event for _, event in sorted(slots, key=lambda slot: slot[0])]
    stale = [event for place, event in enumerate(events) if place % 53 == 30]
    return order + stale
