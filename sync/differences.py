"""The differences that a claim or a settle finds: what is in QuickBooks otherwise than Kompass says, though the record is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from mapping import cents
from mapping.books import NotTaken, details, not_taken
from schemas.applied import Billed
from schemas.observed import Observed
from store import differences
from store.differences import Figures, Found
from store.links import Link

_LEFT_OUT: Final = "difference:left-out"
_OTHERWISE: Final = "difference:not-taken"
_NUMBER: Final = "difference:number"
_CLASS: Final = "difference:class"
_MEMBERS: Final = frozenset({_LEFT_OUT, _OTHERWISE, _NUMBER, _CLASS})


@dataclass(slots=True)
class Differences:
    """Collects what one transaction finds, and writes it at its end."""

    _ended: dict[int, frozenset[str]] = field(default_factory=dict)
    """Link → the causes of which nothing is said any more, unless it is found again."""
    _found: dict[tuple[int, str], Found] = field(default_factory=dict)

    # --- To the cent

    def document(
        self, link: Link, note: Billed | None, document: Mapping[str, object], *, by_hand: bool = False
    ) -> Found | None:
        """Compare a document of QuickBooks' with what Kompass billed."""
        difference = cents.compare(note, document, by_hand=by_hand)
        self._end(link, cents.CAUSES)
        for cause in cents.CAUSES:
            self._found.pop((link.id, cause), None)
        if difference is None:
            return None
        figures = Figures(difference.kompass_total, difference.kompass_tax, difference.qbo_total, difference.qbo_tax)
        found = self._found[link.id, difference.cause] = Found(link, difference.cause, difference.message, figures)
        return found

    def put_right(self, link: Link, note: Billed | None, document: Mapping[str, object]) -> None:
        """Forget a difference that a bookkeeper has put right, as a read shows. A new one is for the decision that follows."""
        if note is not None and cents.compare(note, document) is None:
            self._end(link, cents.CAUSES)

    def known(self, link: Link, note: Billed) -> Found | None:
        """Compare with what QuickBooks came to at our last write."""
        return self.document(
            link, note, {"TotalAmt": link.qbo_total, "TxnTaxDetail": {"TotalTax": link.qbo_tax or Decimal(0)}}
        )

    # --- By member

    def sent(self, link: Link, left_out: Mapping[str, str], missed: Sequence[NotTaken]) -> None:
        """Note what a write left out, and what its answer says otherwise."""
        self._end(link, _MEMBERS)
        self._left_out(link, left_out)
        for one in missed:
            words = f"QuickBooks has {one.member} {one.answered} instead of {one.asked}, probably because {one.reason}"
            self._add(link, _cause(one), words)

    def seen(self, link: Link, sent: Mapping[str, object], observed: Observed) -> None:
        """Forget what was put right in QuickBooks of the members that were sent, as a read shows."""
        # What was not sent, since the company took it no more, is as it was.
        asked = {_OTHERWISE}
        if "DocNumber" in sent:
            asked.add(_NUMBER)
        if any("ClassRef" in one for one in (sent, *details(sent))):
            asked.add(_CLASS)
        self._end(link, frozenset(asked.difference(_cause(one) for one in not_taken(sent, observed))))

    def decided(self, link: Link, left_out: Mapping[str, str]) -> None:
        """Note what is left out now of a record of which nothing else changed."""
        self._end(link, frozenset({_LEFT_OUT}))
        self._left_out(link, left_out)

    def _left_out(self, link: Link, left_out: Mapping[str, str]) -> None:
        if left_out:
            self._add(link, _LEFT_OUT, "; ".join(left_out.values()))

    # --- Both

    def over(self, link: Link) -> None:
        """Note that nothing that was said before is so any more: there is another object, or none."""
        self._end(link, cents.CAUSES | _MEMBERS)

    def _end(self, link: Link, causes: frozenset[str]) -> None:
        # Before there was an object, nothing was said of it.
        if link.qbo_id is not None and causes:
            self._ended[link.id] = self._ended.get(link.id, frozenset()) | causes

    def _add(self, link: Link, cause: str, message: str) -> None:
        known = self._found.get((link.id, cause))
        self._found[link.id, cause] = Found(link, cause, message if known is None else f"{known.message}; {message}")

    def write(self, db: Connection) -> None:
        if not self._ended and not self._found:
            return
        ended: dict[frozenset[str], list[int]] = {}
        for link_id, causes in self._ended.items():
            # What is found again stands since it was found first.
            over = frozenset(cause for cause in causes if (link_id, cause) not in self._found)
            ended.setdefault(over, []).append(link_id)
        differences.write(db, ended=ended, found=list(self._found.values()))


def _cause(one: NotTaken) -> str:
    return {"not-taken:number": _NUMBER, "not-taken:class": _CLASS}.get(one.cause, _OTHERWISE)
