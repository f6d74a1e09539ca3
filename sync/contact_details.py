"""Contact details that QuickBooks refuses: the record goes without them, because the books do not need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from qbo_client.faults import FaultCode
from qbo_client.outcomes import Refused
from schemas.applied import NOTHING_SENT, Applied
from store.sql import loads
from sync.attempt import Attempt

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    FaultCode.EMAIL_INVALID: ("PrimaryEmailAddr", "BillEmail"),
    FaultCode.WEB_ADDRESS_INVALID: ("WebAddr",),
}


def stands_in_quickbooks(refused: Refused) -> bool:
    """Whether the refusal is about an address alone: of a call that sends none, it is the one that QuickBooks has."""
    return bool(refused.codes) and refused.codes <= _MEMBERS.keys()


def without_details(attempt: Attempt, refused: Refused) -> Applied | None:
    """Give what the link notes as sent, with the addresses that were refused; None when the refusal is about something else too."""
    if not stands_in_quickbooks(refused) or attempt.operation not in ("create", "update"):
        return None
    body, before = loads(attempt.body), attempt.link.applied or NOTHING_SENT
    found = {member: body[member] for code in refused.codes for member in _MEMBERS[code] if member in body}
    refused_ones = {**before.notes.refused, **found}
    return replace(before, notes=replace(before.notes, refused=refused_ones)) if found else None
