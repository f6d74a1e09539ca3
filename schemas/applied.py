"""What we sent of one record and QuickBooks accepted; and, apart from that, what we noted beside it for later decisions.

Only ``members`` are ever written to QuickBooks: a note is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Billed:
    """What Kompass billed, as the cent check compares it. Amounts in the document's currency, a credit note's above zero."""

    net: Decimal
    tax: Decimal
    lines: int = 0
    rates: tuple[Decimal, ...] = ()
    """The percents of Kompass's VAT rates, each once, without zero."""
    code_rates: tuple[Decimal, ...] = ()
    """Those of the tax codes that were sent, as they were known then."""
    automated: bool = False
    """The company computes its sales tax itself."""
    low: Decimal | None = None
    high: Decimal | None = None
    """Between these, a tax differs by rounding alone; None where a rate was not known."""


@dataclass(frozen=True, slots=True)
class Notes:
    """Our own notes on what was sent. QuickBooks never sees them."""

    template: str | None = None
    """The template that the name or number came from."""
    second_template: str | None = None
    """The template of a customer's name in a further currency; None where the name has no currency."""
    former: str | None = None
    """The name or number that an object had before the temporary one it has now; None where it has none."""
    suffix: str | None = None
    """What tells a customer's or job's name apart from others; None of a document, and where nothing was sent."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What was left out because QuickBooks would not take it: why, by member."""
    refused: Mapping[str, object] = field(default_factory=dict)
    """Contact details that QuickBooks refused: the value, by member."""
    party: str | None = None
    """The customer or job that a document was sent to, as `mapping.case.party_note` writes it."""
    project_customers: bool = False
    """Whether *Project customers* counted for a document when it was sent."""
    mark: str | None = None
    """The words in a document's PrivateNote by which it can be known for ours."""
    billed: Billed | None = None
    """None of a customer or job."""


@dataclass(frozen=True, slots=True)
class Applied:
    """Every member that we sent and own, with the value last sent, and our notes on it."""

    members: Mapping[str, object] = field(default_factory=dict, repr=False)
    notes: Notes = field(default_factory=Notes, repr=False)


NOTHING_SENT = Applied()
"""Stands for a link's ``applied`` of None, where it is read."""
