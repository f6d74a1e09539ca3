"""What a link keeps of a decision that QuickBooks agrees, or needs no call: what counts as sent from now on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mapping.books import edited_since_sent
from mapping.decisions import Nothing
from schemas.applied import NOTHING_SENT
from schemas.documents import CHOSEN
from schemas.observed import Observed, figures
from store.links import Link
from sync.differences import Differences


def agreed(link: Link, decision: Nothing, differences: Differences) -> dict[str, Any]:
    """Give the columns that change, and note what differs or is left out all the same."""
    changes: dict[str, Any] = {}
    applied = decision.adopt or link.applied or NOTHING_SENT
    members, notes = applied.members, applied.notes
    if decision.billed is not None:
        notes = replace(notes, billed=decision.billed)
        differences.known(link, decision.billed)
    if decision.left_out is not None:
        notes = replace(notes, left_out=decision.left_out)
    if decision.left_out is not None or decision.adopt is not None:
        differences.decided(link, notes.left_out)
    if notes is not applied.notes:
        changes["applied"] = replace(applied, notes=notes)
    stands = None if link.observed is None else Observed(link.observed)
    if stands is not None and not stands.deleted and (decision.adopt is not None or decision.voided):
        # What was read just now is what stands there.
        changes = figures(stands.document)
        if decision.adopt is not None:
            if notes.billed is not None:
                differences.document(link, notes.billed, stands.document)
            differences.seen(link, members, stands)
    if decision.adopt is not None:
        changes["applied"] = decision.adopt
        changes |= _left_by_hand(link, members)
        name = members.get("DisplayName", members.get("DocNumber"))
        if link.observed is not None:
            name = link.observed.get("DisplayName", link.observed.get("DocNumber", name))
        changes["name"] = str(name or link.name)
    if decision.voided:
        changes["voided"] = True
        differences.over(link)
    return changes


def _left_by_hand(link: Link, adopted: Mapping[str, object]) -> dict[str, list[str]]:
    """Give what of an object that counts as sent from now on is still what a person in QuickBooks made of it."""
    if link.observed is None:
        return {"by_hand": [], "kept": []}
    observed = Observed(link.observed)
    differing = set(edited_since_sent(adopted, observed))
    if link.applied is None:
        # Linked by hand: it keeps what it says until Kompass changes a member.
        return {"by_hand": [], "kept": sorted(differing)}
    return {
        "by_hand": [one for one in link.by_hand if one in differing or one == "TxnTaxDetail"],
        "kept": [one for one in link.kept if one in differing or (one == CHOSEN and differing.intersection(link.kept))],
    }
