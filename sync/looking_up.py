"""What a look-up says of a call whose answer never came: was it done, and is what was found ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from mapping.difference import comparable, holds, touched_by_others
from mapping.invoice import marked_id
from mapping.results import Problem
from mapping.texts import folded
from qbo_client.calls import Call
from qbo_client.outcomes import Done, Outcome
from qbo_client.queries import PAGE_SIZE
from schemas.applied import NOTHING_SENT
from schemas.observed import reference
from store import attempts, links
from store.sql import loads
from sync.attempt import AS_MADE, CLOCK_SKEW, Attempt
from sync.searching import search

IN_DOUBT = "conflict:in-doubt"
# Members of a customer that tell it from others.
_TELLING = ("CompanyName", "PrimaryEmailAddr", "PrimaryPhone", "WebAddr", "BillAddr", "ShipAddr", "Notes", "ParentRef")


Rows = Sequence[Mapping[str, Any]]
Ask = Callable[[Attempt, Call], Outcome | None]
"""Makes a read for a company; None when it may not be made now."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a lost object may be in the whole company: documents with our mark, or our number and nobody's mark; customers edited since."""

    candidates: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def not_among_its_customers(attempt: Attempt, done: Done) -> bool:
    """Whether the look-up has not found it among its customer's, or under its name, so that the rest of the company is to be asked."""
    if attempt.phase != "lookup" or attempt.operation != "create":
        return False
    rows = done.rows(attempt.entity)
    if attempt.looks_everywhere and len(rows) < PAGE_SIZE:
        return False
    if attempt.entity == "Customer" and not attempt.looks_everywhere:
        return not any(_has_its_name(loads(attempt.body), one) for one in rows)
    return not any(_is_ours(attempt, one) for one in rows)


def _found(attempt: Attempt, done: Done) -> tuple[Rows, Rows]:
    """What a look-up found: of the customer (or of the name) that was asked for, and of others what the lost one may be."""
    rows, body = done.rows(attempt.entity), loads(attempt.body)
    if not attempt.looks_everywhere:
        # A query for a name that is not ASCII finds others too.
        return [one for one in rows if attempt.entity != "Customer" or _has_its_name(body, one)], ()
    if attempt.entity == "Customer":
        own = [one for one in rows if _has_its_name(body, one)]
        return own, [one for one in rows if one not in own and _is_renamed(attempt, one)]
    number, customer = str(body.get("DocNumber") or ""), body["CustomerRef"]["value"]
    own = [one for one in rows if reference(one, "CustomerRef") == customer]
    return own, [one for one in rows if reference(one, "CustomerRef") != customer and _may_be_it(attempt, one, number)]


def look_elsewhere(attempt: Attempt, ask: Ask) -> Elsewhere | None:
    """Look for a lost object among all that the company got meanwhile: a bookkeeper may have moved it, or the first question was refused.

    None when that cannot be asked now. One read, unless the company got more than a page while ours was sent: then one by its number, or
    all pages if it has none.
    """
    body = loads(attempt.body)
    number = str(body.get("DocNumber") or "")

    def page(start: int, at_most: int) -> Call:
        return (
            attempt.by_number(number)
            if number and start > PAGE_SIZE
            else attempt.elsewhere(start=start, at_most=at_most)
        )

    rows = search(partial(ask, attempt), attempt.entity, page)
    if rows is None:
        return None
    if attempt.entity == "Customer":
        return Elsewhere(tuple(one for one in rows if _has_its_name(body, one) or _is_renamed(attempt, one)))
    return Elsewhere(tuple(one for one in rows if _may_be_it(attempt, one, number)))


def _has_its_name(body: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    return folded(str(customer.get("DisplayName", ""))) == folded(str(body["DisplayName"]))


def _is_renamed(attempt: Attempt, customer: Mapping[str, Any]) -> bool:
    """Whether it may be what we sent, under a name that a bookkeeper gave it since: it was edited, and still says a part of ours."""
    sent = _sent(attempt)
    return str(customer.get("SyncToken")) != AS_MADE and any(
        member in sent and holds(customer.get(member), comparable(member, sent[member])) for member in _TELLING
    )


def _may_be_it(attempt: Attempt, document: Mapping[str, Any], number: str) -> bool:
    return _is_ours(attempt, document) or (
        bool(number) and document.get("DocNumber") == number and not _is_anothers(attempt, document)
    )


def what_was_made(
    db: Connection, attempt: Attempt, done: Done, *, elsewhere: Elsewhere | None = None, decided: bool = False
) -> Mapping[str, Any] | Problem | None:
    """Give the object that a create without an answer has made; None when it made nothing, a problem when that is in doubt.

    :param elsewhere: of a document that is not among its customer's.
    :param decided: whether a person has looked and said that what was found is not ours.
    """
    own, others = _found(attempt, done)
    there = elsewhere.candidates if elsewhere is not None else others
    candidates = [*own, *(one for one in there if one not in own)]
    found = [one for one in candidates if _may_be_ours(db, attempt, one)]
    ours = [one for one in found if _is_ours(attempt, one)]
    if ours and not _rivals(db, attempt):
        return ours[0]
    strangers = [one for one in found if not _is_anothers(attempt, one)]
    if not strangers or decided:
        return None
    if attempt.entity == "Customer":
        return _in_doubt(attempt, strangers[0], f"QuickBooks got the customer {strangers[0].get('DisplayName')}")
    whose = "its customer" if strangers[0] in own else "another customer"
    return _in_doubt(
        attempt, strangers[0], f"{whose} got {attempt.entity} {strangers[0].get('DocNumber') or 'without a number'}"
    )


def _in_doubt(attempt: Attempt, stranger: Mapping[str, Any], got: str) -> Problem:
    return in_doubt(
        attempt.entity,
        str(stranger.get("Id", "")),
        f"{attempt.entity} {attempt.link.reference}: while a call of ours went without an answer, {got} "
        f"(Id {stranger.get('Id')}) in QuickBooks, which does not say whose it is: perhaps ours, edited since",
    )


def in_doubt(entity: str, qbo_id: str, message: str) -> Problem:
    """Ask a person whether an object that QuickBooks got is what we made: nothing is made before they have chosen."""
    return Problem(
        cause=IN_DOUBT,
        message=message,
        field="DisplayName" if entity == "Customer" else "PrivateNote",
        value=qbo_id,
        remedy="Open it under Sync errors: keep what QuickBooks says if it is this one; send what Kompass says if it is another",
    )


def arrived(attempt: Attempt, document: dict[str, Any]) -> bool:
    """Tell whether an object says in every member what an update without an answer was to make it say."""
    sent = _sent(attempt)
    members = [name for name in loads(attempt.body) if name not in ("Id", "SyncToken", "sparse")]
    cleared = [name for name in members if name not in sent]
    return not any(document.get(name) for name in cleared) and not touched_by_others(
        document, sent, dict.fromkeys(members)
    )


def _rivals(db: Connection, attempt: Attempt) -> bool:
    """Whether another link's call without an answer may have made the same: nothing in a customer says whose it is."""
    return attempt.entity == "Customer" and attempts.others_creating(
        db, realm_id=attempt.link.realm_id, entity=attempt.entity, name=attempt.name, other_than=attempt.link.id
    )


def _may_be_ours(db: Connection, attempt: Attempt, document: Mapping[str, Any]) -> bool:
    """Made after the attempt was sent, and no other link has it."""
    made = document.get("MetaData", {}).get("CreateTime") if isinstance(document.get("MetaData"), dict) else None
    if not isinstance(made, str) or datetime.fromisoformat(made) < attempt.first_sent_at - CLOCK_SKEW:
        return False
    holder = links.holder_of(
        db,
        realm_id=attempt.link.realm_id,
        entity=attempt.entity,
        qbo_id=str(document.get("Id")),
        other_than=attempt.link.id,
    )
    return holder is None


def _is_ours(attempt: Attempt, document: Mapping[str, Any]) -> bool:
    """Carries our mark: the note that names the Kompass record; for a name, every member that we sent."""
    if attempt.entity == "Customer":
        return all(holds(document.get(name), comparable(name, value)) for name, value in _sent(attempt).items())
    mark = (attempt.applied or NOTHING_SENT).notes.mark
    return bool(mark) and str(mark) in str(document.get("PrivateNote", ""))


def _sent(attempt: Attempt) -> Mapping[str, object]:
    return (attempt.applied or NOTHING_SENT).members


def _is_anothers(attempt: Attempt, document: Mapping[str, Any]) -> bool:
    """Whether it carries the mark of another Kompass record."""
    return marked_id(str(document.get("PrivateNote", ""))) not in (None, attempt.link.kompass_id)
