"""A customer or document that a company had before us, as far as a match with a record of Kompass needs it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Existing:
    """A customer, job, invoice or credit memo that a company had when it was looked through."""

    entity: str
    qbo_id: str
    name: str
    """Its DisplayName or DocNumber."""
    parent_id: str = ""
    """Of a job: its customer."""
    customer_id: str = ""
    date: dt.date | None = None
    total: Decimal | None = None
    currency: str = ""
    kompass_id: str = ""
    """The invoice of Kompass that its private note names."""
