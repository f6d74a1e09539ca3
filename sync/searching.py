"""Searches a company around questions that QuickBooks refuses.

One document with an address that was typed wrongly by hand breaks every query that returns it (4002). A page that is refused is asked
for in halves, down to the broken document, which is then read by its Id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qbo_client import calls
from qbo_client.calls import Call
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Done, Outcome, Refused
from qbo_client.queries import PAGE_SIZE

Ask = Callable[[Call], Outcome | None]
"""Makes a read; None when it may not be made now."""
Page = Callable[[int, int], Call]
"""Makes the query for so many objects (second) from a place on (first, counted from 1), in the order of their making."""
_Answer = TypeVar("_Answer", Outcome, Outcome | None)

MOST_QUESTIONS = 60
"""Ten halvings find one broken document among a thousand; six of them may be there before the search is given up."""
MOST_IDS = 20
"""Ids that are tried for a broken document: those between its neighbours' in the order in which they were made."""


@dataclass(slots=True)
class _Search:
    ask: Ask
    entity: str
    left: int = MOST_QUESTIONS
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    """Where in ``rows`` a broken document belongs."""

    def question(self, call: Call) -> Outcome | None:
        self.left -= 1
        return self.ask(call) if self.left >= 0 else None


def search(
    ask: Ask,
    entity: str,
    page: Page,
    *,
    questions: int = MOST_QUESTIONS,
    newest_before: Callable[[], int | None] = lambda: None,
) -> Sequence[Mapping[str, Any]] | None:
    """Give all objects that a query finds, the broken ones too; None when one of them cannot be asked for now.

    :param questions: after so many it is given up.
    :param newest_before: gives the Id of the last object before those that the query finds, 0 for none, None when it is not known;
        asked where all that it finds are broken, so that none of them has a neighbour.
    """
    found = _around(ask, entity, page, questions)
    if found is None:
        return None
    known = [int(row["Id"]) for row in found.rows]
    if found.broken and not known:
        before = newest_before()
        return found.rows if before is not None and _all_read(found, before) else None
    if not all(_read_broken(found, known, place) for place in found.broken):
        return None
    return found.rows


def readable(ask: Ask, entity: str, page: Page) -> tuple[Sequence[Mapping[str, Any]], int] | None:
    """Give the objects that a query finds and that are not broken, and how many are; None when they cannot be asked for now."""
    found = _around(ask, entity, page, MOST_QUESTIONS)
    return None if found is None else (found.rows, len(found.broken))


def _around(ask: Ask, entity: str, page: Page, questions: int) -> _Search | None:
    found, start = _Search(ask, entity, questions), 1
    while True:
        for outcome, size in parts(found.question, page, start):
            if isinstance(outcome, Done):
                rows = outcome.rows(entity)
                found.rows += rows
                if len(rows) < size:
                    return found
            elif is_broken(outcome):
                found.broken.append(len(found.rows))
            else:
                return None
        start += PAGE_SIZE


def parts(ask: Callable[[Call], _Answer], page: Page, start: int) -> Iterator[tuple[_Answer, int]]:
    """Give the answers to a page, each with for how many it was asked: one for all, or, where it is refused, for its halves.

    One object that is broken is refused all the same.
    """
    left = [(start, PAGE_SIZE)]
    while left:
        at, size = left.pop()
        outcome = ask(page(at, size))
        if size > 1 and is_broken(outcome):
            half = size // 2
            left += [(at + half, size - half), (at, half)]
        else:
            yield outcome, size


def is_broken(outcome: Outcome | None) -> bool:
    """Whether a query was refused because of an object that it finds."""
    return isinstance(outcome, Refused) and FaultCode.QUERY_BROKEN in outcome.codes


def _all_read(found: _Search, before: int) -> bool:
    """Read broken documents, among which no query returns another one, after the one with this Id."""
    for number in range(before + 1, before + 1 + MOST_IDS):
        outcome = found.question(calls.read(found.entity, str(number)))
        if isinstance(outcome, Done):
            found.rows.append(outcome.entity(found.entity))
        if len(found.rows) == len(found.broken):
            return True
    return False


def _read_broken(found: _Search, known: Sequence[int], place: int) -> bool:
    """Read a document by its Id that no query returns: Ids grow, so it is between those of its neighbours."""
    before = known[place - 1] if place > 0 else None
    after = known[place] if place < len(known) else None
    if before is not None:
        ids = range(before + 1, min(before + 1 + MOST_IDS, after if after is not None else before + 1 + MOST_IDS))
    elif after is not None:
        ids = range(after - 1, max(after - 1 - MOST_IDS, 0), -1)
    else:
        return False
    there = {str(row["Id"]) for row in found.rows}
    for one in ids:
        outcome = found.question(calls.read(found.entity, str(one))) if str(one) not in there else None
        if isinstance(outcome, Done):
            found.rows.append(outcome.entity(found.entity))
            return True
    return False
