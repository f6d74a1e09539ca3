"""The remarks of a claim or a settle: what of a record is not in QuickBooks as Kompass says, though the record is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from mapping.books import NotTaken, details, not_taken
from schemas.observed import Observed
from store import remarks
from store.links import Link
from store.remarks import Remark

LEFT_OUT_CAUSE: Final = "difference:left-out"
_NOT_TAKEN: Final = {"not-taken:number": "difference:number", "not-taken:class": "difference:class"}
_OTHERWISE: Final = "difference:not-taken"


@dataclass(slots=True)
class Remarks:
    """Collects what one transaction finds, and writes it at its end."""

    _written: set[int] = field(default_factory=set)
    """Links that were sent: what was said of them before is over."""
    _decided: set[int] = field(default_factory=set)
    """Links of which only what is left out is another now."""
    _agreeing: dict[frozenset[str], set[int]] = field(default_factory=dict)
    """Links of which nothing is said any more for these causes."""
    _found: dict[tuple[int, str], Remark] = field(default_factory=dict)

    def sent(self, link: Link, left_out: Mapping[str, str], missed: Sequence[NotTaken]) -> None:
        """Note what a write left out, and what its answer says otherwise."""
        if link.qbo_id is not None:
            # Before there was an object, nothing was said of it.
            self.over(link)
        self._left_out(link, left_out)
        for one in missed:
            words = f"QuickBooks has {one.member} {one.answered} instead of {one.asked}, probably because {one.reason}"
            self._add(Remark(link, _cause(one), words))

    def over(self, link: Link) -> None:
        """Note that nothing that was said before is so any more."""
        self._written.add(link.id)

    def seen(self, link: Link, sent: Mapping[str, object], observed: Observed) -> None:
        """Forget what was put right in QuickBooks of the members that were sent, as a read shows."""
        missed = {_cause(one) for one in not_taken(sent, observed)}
        # What was not sent, since the company took it no more, is as it was.
        asked = {_OTHERWISE}
        if "DocNumber" in sent:
            asked.add(_NOT_TAKEN["not-taken:number"])
        if any("ClassRef" in one for one in (sent, *details(sent))):
            asked.add(_NOT_TAKEN["not-taken:class"])
        self._agreeing.setdefault(frozenset(asked - missed), set()).add(link.id)

    def decided(self, link: Link, left_out: Mapping[str, str]) -> None:
        """Note what is left out now of a record of which nothing else changed."""
        self._decided.add(link.id)
        self._left_out(link, left_out)

    def _left_out(self, link: Link, left_out: Mapping[str, str]) -> None:
        if left_out:
            self._add(Remark(link, LEFT_OUT_CAUSE, "; ".join(left_out.values())))

    def _add(self, one: Remark) -> None:
        known = self._found.get((one.link.id, one.cause))
        message = one.message if known is None else f"{known.message}; {one.message}"
        self._found[one.link.id, one.cause] = Remark(one.link, one.cause, message)

    def write(self, db: Connection) -> None:
        for causes, link_ids in self._agreeing.items():
            remarks.write(db, about=link_ids, only=causes, found=[])
        if self._decided:
            remarks.write(db, about=self._decided - self._written, only=(LEFT_OUT_CAUSE,), found=[])
        if self._written or self._found:
            remarks.write(db, about=self._written, found=list(self._found.values()))


def _cause(one: NotTaken) -> str:
    return _NOT_TAKEN.get(one.cause, _OTHERWISE)
