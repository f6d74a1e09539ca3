"""What a claim or a settle finds to differ between Kompass and QuickBooks, written in the same transaction.

A difference is one of the total. A remark says what else is not in QuickBooks as Kompass says, although the record is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from mapping.books import NotTaken, details, not_taken
from mapping.cents import compare
from schemas.applied import Billed
from schemas.observed import Observed
from store import differences, remarks
from store.differences import Found
from store.links import Link
from store.remarks import Remark

LEFT_OUT_CAUSE: Final = "difference:left-out"
_NOT_TAKEN: Final = {"not-taken:number": "difference:number", "not-taken:class": "difference:class"}
_OTHERWISE: Final = "difference:not-taken"


@dataclass(slots=True)
class CentCheck:
    """Collects what one transaction finds, and writes it at its end."""

    found: list[Found] = field(default_factory=list)
    _agreeing: set[int] = field(default_factory=set)

    def document(
        self, link: Link, note: Billed | None, document: Mapping[str, object], *, by_hand: bool = False
    ) -> Found | None:
        """Compare a document of QuickBooks' with what Kompass billed."""
        difference = compare(note, document, by_hand=by_hand)
        if difference is None:
            if link.qbo_id is not None:
                # Nothing was compared before there was a document.
                self._agreeing.add(link.id)
            return None
        one = Found(
            link=link,
            cause=difference.cause,
            kompass_total=difference.kompass_total,
            kompass_tax=difference.kompass_tax,
            qbo_total=difference.qbo_total,
            qbo_tax=difference.qbo_tax,
            message=difference.message,
        )
        self.found.append(one)
        return one

    def agrees(self, link: Link, note: Billed | None, document: Mapping[str, object]) -> None:
        """Forget a difference that a bookkeeper has put right, as a read shows. A new one is for the decision that follows."""
        if link.qbo_id is not None and note is not None and compare(note, document) is None:
            self._agreeing.add(link.id)

    def known(self, link: Link, note: Billed) -> Found | None:
        """Compare with what QuickBooks came to at our last write."""
        return self.document(
            link, note, {"TotalAmt": link.qbo_total, "TxnTaxDetail": {"TotalTax": link.qbo_tax or Decimal(0)}}
        )

    def over(self, link: Link) -> None:
        """Nothing is billed any more, and QuickBooks has nothing: the document is void in both."""
        self._agreeing.add(link.id)

    def write(self, db: Connection) -> None:
        if self.found or self._agreeing:
            differences.write(db, agreeing=self._agreeing, found=self.found)


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


@dataclass(slots=True)
class Differences:
    """Both kinds."""

    cents: CentCheck = field(default_factory=CentCheck)
    remarks: Remarks = field(default_factory=Remarks)

    def write(self, db: Connection) -> None:
        self.cents.write(db)
        self.remarks.write(db)


def _cause(one: NotTaken) -> str:
    return _NOT_TAKEN.get(one.cause, _OTHERWISE)
