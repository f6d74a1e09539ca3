"""The cent check of a claim or a settle: whose documents differ from Kompass by now, written in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection

from mapping.cents import compare
from schemas.applied import Billed
from store import differences
from store.differences import Found
from store.links import Link


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
