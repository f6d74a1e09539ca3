"""The sample records that must not get through, each for a cause of its own: what the demo's proof looks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.events import Kind


@dataclass(frozen=True, slots=True)
class SampleRejection:
    org_id: str
    kind: Kind
    name: str
    """The reference of a project or invoice, the name of a client."""
    cause: str
    """Why, in a few words."""
    behind: str | None = None
    """The name of the failed record that this one waits for; it has no cause of its own."""


_COLON = "Thames Gateway: Phase 2 JV"

REJECTED: Final[tuple[SampleRejection, ...]] = (
    SampleRejection("org-uk", Kind.INVOICE, "UK-VAT21-01", "no tax code is chosen for VAT rate VAT 21 %"),
    SampleRejection("org-uk", Kind.INVOICE, "UK-FINE-01", "an amount has three decimals"),
    SampleRejection("org-uk", Kind.CLIENT, _COLON, "the name contains a colon"),
    SampleRejection("org-uk", Kind.PROJECT, "24-0390", "its client fails", behind=_COLON),
    SampleRejection("org-uk", Kind.INVOICE, "24-0390-01", "its client fails", behind=_COLON),
    SampleRejection("org-uk", Kind.CLIENT, "Tall Crane Hire", "a vendor in QuickBooks has that name"),
    SampleRejection("org-us", Kind.INVOICE, "US-SUM-01", "the lines do not add up to the header"),
    SampleRejection("org-us", Kind.INVOICE, "US-TAX-01", "tax is billed that the company would not book"),
    SampleRejection("org-us", Kind.INVOICE, "US-TEXT-01", "the text of a line is longer than 4000 characters"),
    SampleRejection("org-ca", Kind.INVOICE, "24-2101-FINAL-ACCOUNT-01", "the number is longer than 21 characters"),
    SampleRejection("org-ca", Kind.INVOICE, "CA-SIGN-01", "a credit note with a positive amount"),
    SampleRejection("org-ca", Kind.INVOICE, "CA-EMPTY-01", "there are no lines"),
)
"""By Org. What depends on a failed record waits and needs no fix of its own."""
