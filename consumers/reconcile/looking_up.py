"""What a look-up says of a call whose answer never came: was it done, and is what was found ours."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from consumers.reconcile.work import CLOCK_SKEW, Work
from mapping.difference import OWN_NOTE, holds, touched_by_others
from mapping.judgement import MARK
from mapping.results import Problem
from qbo_client.outcomes import Done
from qbo_client.queries import PAGE_SIZE
from store import intents, json, links

# As `mapping.invoice.mark` writes it.
_MARKED = re.compile(r"Kompass invoice (\S+) \(")


def what_was_made(db: Connection, work: Work, done: Done, *, decided: bool = False) -> dict[str, Any] | Problem | None:
    """Give the object that a create without an answer has made; None when it made nothing, a problem when that is in doubt.

    :param decided: whether a person has looked and said that what was found is not ours.
    """
    candidates = done.rows(work.entity)
    found = [one for one in candidates if _may_be_ours(db, work, one)]
    ours = [one for one in found if _is_ours(work, one)]
    if ours and not _rivals(db, work):
        return ours[0]
    if found and work.entity == "Customer":
        return Problem(
            cause="name-in-doubt",
            message=f"Customer {work.link.reference}: QuickBooks got a customer of that name (Id {found[0].get('Id')}) "
            "while a call of ours went without an answer, but it does not say what we sent",
            field="DisplayName",
            value=str(found[0].get("Id", "")),
            remedy="If it is the same customer, link it by hand under Customers; if not, rename one of the two",
        )
    strangers = [one for one in found if not _is_anothers(work, one)]
    if strangers and work.entity != "Customer" and not decided:
        return _in_doubt(work, strangers[0])
    if len(candidates) >= PAGE_SIZE:
        return Problem(
            cause="keeps-failing",
            message=f"{work.entity} {work.link.reference}: a call of ours went without an answer, and so many were made at "
            "that time that it cannot be told whether this one is among them",
            field="",
            value="",
            remedy="Look it up in QuickBooks; if it is missing there, press Try again",
        )
    return None


def _in_doubt(work: Work, stranger: dict[str, Any]) -> Problem:
    number = stranger.get("DocNumber") or "without a number"
    return Problem(
        cause="conflict:in-doubt",
        message=f"{work.entity} {work.link.reference}: while a call of ours went without an answer, its customer got {work.entity} "
        f"{number} (Id {stranger.get('Id')}) in QuickBooks, which does not say whose it is: perhaps ours, edited since",
        field="PrivateNote",
        value=str(stranger.get("Id", "")),
        remedy="Open it under Sync errors: keep what QuickBooks says if it is this document; send what Kompass says if it is another",
    )


def arrived(work: Work, document: dict[str, Any]) -> bool:
    """Tell whether an object says in every member what an update without an answer was to make it say."""
    sent = work.sent or {}
    members = [name for name in json.loads(work.body) if name not in ("Id", "SyncToken", "sparse")]
    cleared = [name for name in members if name not in sent]
    return not any(document.get(name) for name in cleared) and not touched_by_others(
        document, sent, dict.fromkeys(members)
    )


def _rivals(db: Connection, work: Work) -> bool:
    """Whether another link's call without an answer may have made the same: nothing in a customer says whose it is."""
    return work.entity == "Customer" and intents.others_creating(
        db, realm_id=work.link.realm_id, entity=work.entity, name=work.name, other_than=work.link.id
    )


def _may_be_ours(db: Connection, work: Work, document: dict[str, Any]) -> bool:
    """Made after the intent was sent, and standing for no other link."""
    made = document.get("MetaData", {}).get("CreateTime") if isinstance(document.get("MetaData"), dict) else None
    if not isinstance(made, str) or work.first_sent_at is None:
        return False
    if datetime.fromisoformat(made) < work.first_sent_at - CLOCK_SKEW:
        return False
    holder = links.holder_of(
        db, realm_id=work.link.realm_id, entity=work.entity, qbo_id=str(document.get("Id")), other_than=work.link.id
    )
    return holder is None


def _is_ours(work: Work, document: dict[str, Any]) -> bool:
    """Carries our mark: the note that names the Kompass record; for a name, every member that we sent."""
    sent = {name: value for name, value in (work.sent or {}).items() if not name.startswith(OWN_NOTE)}
    if work.entity == "Customer":
        return holds(document, sent)
    return str((work.sent or {})[MARK]) in str(document.get("PrivateNote", ""))


def _is_anothers(work: Work, document: dict[str, Any]) -> bool:
    """Whether it carries the mark of another Kompass record."""
    marked = _MARKED.search(str(document.get("PrivateNote", "")))
    return marked is not None and marked[1] != work.link.kompass_id
