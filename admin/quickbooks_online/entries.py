"""What a list of a QuickBooks company holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    name: str
    active: bool
    type: str = ""
    called: str = ""
    """Its name in QuickBooks, where ours says more: a tax code's without the rate."""
    rate: Decimal | None = None
    """Of a tax code: its percent on sales today."""

    @property
    def plain(self) -> str:
        return self.called or self.name

    @property
    def usable_item(self) -> bool:
        """Whether an invoice line may name it: categories may not, nor what is inactive."""
        return self.active and self.type in ("Service", "NonInventory")


@dataclass(frozen=True, slots=True)
class CompanyListing:
    """One list as it is known now."""

    entries: tuple[Entry, ...]
    fetched_at: datetime | None
    problem: str = ""

    def name_of(self, identifier: str) -> str | None:
        return next((entry.name for entry in self.entries if entry.id == identifier), None)
