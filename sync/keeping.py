"""Keep what QuickBooks says: a person looked at both sides of a conflict, and what Kompass says is not sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from mapping.books import TYPE, VOID, edited_since_sent
from mapping.case import Case, is_of_another_type, why_not_synced
from mapping.conflicts import PROTECTED
from mapping.decisions import Fail, Nothing, Write
from mapping.payloads import billed
from schemas.applied import NOTHING_SENT
from schemas.documents import CHOSEN
from schemas.events import Invoice, Kind, Step
from schemas.link_state import Because, LinkState
from schemas.observed import Observed
from store import attempts, failures, history, links
from store.links import Link
from store.searching import has_newer_record
from sync.by_hand import BEING_SENT, UNREAD, CannotLink, is_being_sent, stand_for
from sync.companies import read_company
from sync.decide import Prediction, predict
from sync.differences import Differences
from sync.link import by_hand, make_due, wake_dependents, write
from sync.looking_up import IN_DOUBT

UNSEEN: Final = "What QuickBooks says has not been read yet: press Try again, and look at both sides then."


def offers_sides(cause: str, qbo_id: str | None) -> bool:
    """Whether a person may choose a side of a failure: its remedy names the buttons."""
    return cause.startswith(("conflict:", "not-taken:")) or (cause == "books-closed" and qbo_id is not None)


def kompass_side(db: Connection, link: Link) -> Prediction | None:
    """Decide about a link in conflict as if a person had chosen Kompass's side of what was read last."""
    company = read_company(db, link.org_id)
    if company is None or company.configuration.realm_id != link.realm_id:
        return None
    read = replace(link, state=LinkState.PENDING, cause=links.READ, overwrite=True)
    return next(iter(predict(db, [(read, company)])), None)


def keep_quickbooks(db: Connection, link_id: int, *, by: str) -> None:
    """Let what QuickBooks says stand, and count what Kompass says now as sent.

    The next change in Kompass is compared again, so nothing of the bookkeeper's is overwritten later either.

    Raises
    ------
    CannotLink
    """
    link = links.lock(db, {link_id}).get(link_id)
    if link is None:
        raise CannotLink("This error belongs to no record any more.")
    if link.cause == IN_DOUBT and link.state == LinkState.FAILED and link.observed:
        _take_for_ours(db, link, link.observed, by=by)
        return
    if is_being_sent(db, link):
        raise CannotLink(f"It {BEING_SENT}")
    if link.state in (LinkState.FAILED, LinkState.RETRYING) and not offers_sides(link.cause, link.qbo_id):
        # What was refused without proof may have been done all the same: nobody has seen what QuickBooks says now.
        raise CannotLink(UNSEEN)
    case, left = _what_is_left(db, link)
    whole = _whole(case)
    facts = _as_left(db, link, left) if whole is None else _whole_left(link, *whole)
    words = f"{by} chose what QuickBooks says"
    if attempts.read_open(db, [link_id], lease=0.0):
        # A call of which nobody knows whether it was done: it never goes out again, and what is there is read.
        attempts.retire(db, [link_id])
        write(db, [by_hand(link, LinkState.PENDING, **facts, sync_token=None)])
        make_due(db, [link_id], Because.RESEND, words)
    else:
        write(db, [by_hand(link, LinkState.SYNCED, reason=f"kept as it is in QuickBooks, as {by} chose", **facts)])
        # What waits for the name or number that it was to give up waits for nothing any more.
        wake_dependents(db, [link_id])
    failures.close_for_links(db, [link_id], words)
    history.append(db, [history.about(link, "asked", "keep-quickbooks", words)])


def _what_is_left(db: Connection, link: Link) -> tuple[Case, Write | None]:
    """Give what a person who keeps QuickBooks' side leaves unsent, of which case; None for nothing.

    It is what they were shown: there is an object to keep, and Kompass has said nothing since it was compared.
    """
    if link.qbo_id is None:
        raise CannotLink("QuickBooks has nothing of it that could be kept.")
    if link.observed is not None and Observed(link.observed).deleted:
        raise CannotLink("QuickBooks has it no more. Press Recreate, or make it active there and press Try again.")
    if has_newer_record(db, link.id):
        raise CannotLink("It has changed in Kompass since. Both sides are compared again: look at them in a minute.")
    predicted = kompass_side(db, link)
    if predicted is None:
        raise CannotLink("The QuickBooks company is not linked any more.")
    match predicted.outcome:
        case Write() as left:
            return predicted.case, left
        case Nothing():
            return predicted.case, None
        case Fail(problems) if _whole(predicted.case) is not None and problems[0].cause in PROTECTED:
            # What keeps the document from being voided is no reason against keeping it.
            return predicted.case, None
        case Fail(problems):
            raise CannotLink(f"There is another problem by now: {problems[0].message}. {problems[0].remedy}.")
        case _:
            raise CannotLink(UNSEEN)


def _whole(case: Case) -> tuple[Case, str] | None:
    """Give the case and the choice, where the whole document is kept: taken back in Kompass, or of another type by now."""
    if not isinstance(case.record, Invoice):
        return None
    if why_not_synced(case) is not None:
        return replace(case, record=replace(case.record, step=Step.VOIDED)), VOID
    return (case, TYPE) if is_of_another_type(case) else None


def _whole_left(link: Link, case: Case, choice: str) -> dict[str, Any]:
    """Give the facts of a link whose document stays what it was sent as, although Kompass took it back or changed its type."""
    assert isinstance(case.record, Invoice)
    sent = link.applied or NOTHING_SENT
    notes = replace(sent.notes, billed=billed(case.record, sent.members, case.facts))
    edited = edited_since_sent(sent.members, Observed(link.observed)) if link.observed is not None else ()
    return {"overwrite": False, "applied": replace(sent, notes=notes), "kept": sorted((*edited, choice, CHOSEN))}


def _as_left(db: Connection, link: Link, left: Write | None) -> dict[str, Any]:
    """Give the facts of a link whose object stays as it is, although Kompass would write this."""
    facts: dict[str, Any] = {"overwrite": False}
    applied = link.applied or NOTHING_SENT
    # A name or number that only makes way for another object is nothing that Kompass says of this one.
    if left is not None and not left.temporary:
        facts["applied"] = applied = left.applied
        differences = Differences()
        differences.document(link, applied.notes.billed, link.observed or {}, by_hand=True)
        differences.write(db)
    if link.observed is not None:
        kept_members = edited_since_sent(applied.members, Observed(link.observed))
        void = left is not None and left.voided and not left.temporary
        facts["by_hand"] = tax = [one for one in link.by_hand if one == "TxnTaxDetail"]
        members = (*kept_members, VOID) if void else kept_members
        facts["kept"] = sorted((*members, CHOSEN)) if members or tax else []
    return facts


def _take_for_ours(db: Connection, link: Link, observed: Mapping[str, Any], *, by: str) -> None:
    """Link a record to the customer or document that a call of ours without an answer may have made."""
    entity = (
        "Customer" if link.kind is not Kind.INVOICE else "CreditMemo" if "RemainingCredit" in observed else "Invoice"
    )
    name, qbo_id = Observed(observed).name, str(observed["Id"])
    holder = links.holder_of(db, realm_id=link.realm_id, entity=entity, qbo_id=qbo_id, other_than=link.id)
    if holder is not None:
        raise CannotLink(f"{entity} {name} is linked to {holder.kind.value} {holder.reference} already.")
    words = f"{by} said that it is {entity} {qbo_id} in QuickBooks"
    stand_for(db, link, words, entity=entity, qbo_id=qbo_id, name=name, adopted=True, **UNREAD)
