"""Whose turn it is: of which companies, and which of their due links, the dispatcher claims next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from schemas.events import Kind
from store.candidates import due_candidates
from store.links import LANES
from sync.attempt import Attempt

Candidate = tuple[str, int]
"""A due link: its company's realm and its id."""

# So many links of a company are claimed in its turn, and so many where workers are left over.
_EACH, _MORE = 2, 16


class Turns:
    """Goes round the companies. Not shared between threads."""

    def __init__(self, *, lane: int, names_at_once: int) -> None:
        """``names_at_once``: so many names QuickBooks takes at a time in a company."""
        self._lane = lane
        self._names_at_once = names_at_once
        self._names_alone = not lane & LANES[Kind.INVOICE]
        """Whether each link of this lane writes a name."""
        self._after_realm = ""

    def find(self, db: Connection, free: int, *, blocked: Collection[str]) -> list[Candidate]:
        """Give due links of companies that are not blocked, from the one whose turn it is on.

        In a lane of names there are more of them than `take` gives: that a company has a second tells that there is a backlog.
        """
        found: list[Candidate] = []
        # Some of each company as we go round; when that does not fill the workers, more of those there are.
        rounds = [(self._after_realm, _EACH)] * bool(self._after_realm) + [("", _EACH), ("", _MORE)]
        limit = free * _EACH if self._names_alone else free
        for after, per_company in rounds:
            if per_company == _MORE and _EACH not in Counter(realm_id for realm_id, _ in found).values():
                # Nobody has more than what there was.
                break
            more = due_candidates(
                db, lane=self._lane, after_realm=after, blocked=blocked, per_company=per_company, limit=limit
            )
            known = set(found)
            found += [one for one in more if one not in known]
            if len(self._at_once(found)) >= free:
                break
        return found

    def take(self, found: Sequence[Candidate], free: int) -> list[Candidate]:
        """Give those of them that are claimed now: for each free worker one, and no name that would only wait for another."""
        taken = self._at_once(found)[:free]
        # Where all have their turn nobody has to be the first of the next.
        self._after_realm = taken[-1][0] if len(taken) >= free else ""
        return taken

    def writing_names(self, in_flight: Iterable[Attempt]) -> frozenset[str]:
        """Give the companies in which, by these calls, no other name can be written now; none in a lane that has documents, too."""
        if not self._names_alone:
            return frozenset()
        calls = {one.request_id: one.link.realm_id for one in in_flight if one.writes_names}
        return frozenset(
            realm_id for realm_id, count in Counter(calls.values()).items() if count >= self._names_at_once
        )

    def _at_once(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Leave out, in a lane of names, what QuickBooks would not take together."""
        if not self._names_alone:
            return list(found)
        taken: list[Candidate] = []
        of_company = Counter[str]()
        for realm_id, link_id in found:
            of_company[realm_id] += 1
            if of_company[realm_id] <= self._names_at_once:
                taken.append((realm_id, link_id))
        return taken
