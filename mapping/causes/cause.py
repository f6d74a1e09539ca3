"""A cause as a type: the headline, what happened, the remedy, and who can apply it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Who(StrEnum):
    """Who can fix it, as a mail says it."""

    ADMIN = "a Kompass admin"
    BOOKKEEPER = "a bookkeeper, in QuickBooks"
    OPERATOR = "the operator of the sync"
    NOBODY = "nobody: it ends without action"


@dataclass(frozen=True, slots=True)
class Words:
    cause: str
    """The stable cause, or its part before the colon: what follows that is the VAT rate, the member, the fault code."""
    headline: str
    """Completes "3 invoices need attention: …"; ``{value}``, ``{field}`` and ``{detail}`` (what follows the colon) stand for those
    of the failure."""
    what: str
    """What happened, for a reader of the table."""
    remedy: str
    who: Who
    shared: bool = False
    """One remedy fixes every record of this cause; else each record has a problem of its own."""
    without: str = ""
    """The headline when the failure has no value."""
    codes: tuple[str, ...] = ()
    """Intuit's fault codes that come to this."""
    refused: str = ""
    """Completes "<record>: …" where QuickBooks refuses; ``what`` when empty."""

    def headline_for(self, *, cause: str, field: str = "", value: str = "") -> str:
        """The headline for one failure."""
        detail = cause.partition(":")[2]
        headline = self.without if self.without and not value else self.headline
        return headline.format(value=value or detail or "it", field=field or detail, detail=detail or value)


UNFORESEEN = Words(
    cause="(any other)",
    headline="of a cause that is not in our table ({detail})",
    without="of a cause that is not in our table",
    what="A cause that this version does not know. The message of the failure says what is known.",
    remedy="Read the message and what QuickBooks says in it; fix that in Kompass or in QuickBooks and press Try again. If it "
    "stays, give the message and the intuit_tid to the operator of the sync.",
    who=Who.ADMIN,
)
