"""What a person decides about one link: which customer or document in QuickBooks it is, and which side of a conflict counts.

Each raises the link's epoch: a call that is under way settles nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from mapping.results import PartyKey
from schemas.events import Kind
from schemas.link_state import Because, LinkState
from schemas.observed import Observed, kept, reference
from store import attempts, links
from store.links import Link
from store.searching import is_billed, was_written_since_linked
from sync.link import Wish, by_hand, make_due, want_party, write

BEING_SENT = "is being sent to QuickBooks right now. Try again in a minute."
_BEATING_S = 60.0
"""Seconds for which a process that sends no heartbeat is taken to be at work, as the sentence says."""
_ALL_LANES = 7


class CannotLink(Exception):
    """A person's decision cannot be carried out; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer that QuickBooks has."""

    id: str
    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A Kompass Client that was seen in events of an Org."""

    org_id: str
    kompass_id: str
    reference: str
    event_created_at: datetime | None


def link_customer(
    db: Connection, client: KnownClient, realm_id: str, customer: Customer, *, by: str, gone: str | None = None
) -> int:
    """Let a Client's link stand for a customer that was there before; gives its id. It is read before it is ever written.

    ``gone``: the Id of the customer it stands for, which was merged or made inactive in QuickBooks: the link may stand for another one.

    Raises
    ------
    CannotLink
    """
    party = PartyKey(Kind.CLIENT, client.kompass_id, "", customer.currency)
    link = _client_link(db, realm_id, party)
    if link is None:
        want_party(db, party, org_id=client.org_id, realm_id=realm_id, lane=_ALL_LANES)
        link = _client_link(db, realm_id, party)
    if link is None or is_being_sent(db, link):
        raise CannotLink(f"{client.reference} {BEING_SENT}")
    if link.qbo_id and link.qbo_id != gone:
        raise CannotLink(
            f"{client.reference} is linked to the QuickBooks customer {link.name or link.qbo_id} already, which is active "
            "there. Open it under Customers to see or remove that link."
        )
    there: dict[str, Any] = {
        "entity": "Customer",
        "qbo_id": customer.id,
        "name": customer.name,
        "currency": customer.currency,
    }
    known: dict[str, Any] = {
        "reference": client.reference,
        "event_created_at": client.event_created_at,
        "lanes": _ALL_LANES,
    }
    words = f"{by} linked it to the QuickBooks customer {customer.name} ({customer.id})"
    stand_for(db, link, words, **there, **known, **UNREAD, adopted=True)
    return link.id


def stand_for(db: Connection, link: Link, words: str, **facts: Any) -> None:
    """Write what a person said that a link stands for, and have it decided again: no earlier call of it counts."""
    attempts.retire(db, [link.id])
    write(db, [by_hand(link, LinkState.PENDING, **facts)])
    make_due(db, [link.id], Because.LINKED_BY_HAND, words)


def take_over(db: Connection, link_id: int, entity: str, document: Mapping[str, Any], *, by: str) -> None:
    """Let a link stand for a customer or document that the company had before us, as it was read just now.

    It keeps what it says there until Kompass changes a member; what differs by then is shown.

    Raises
    ------
    CannotLink
    """
    link = links.lock(db, {link_id}).get(link_id)
    if link is None:
        raise CannotLink("The record is gone.")
    qbo_id, name = str(document["Id"]), Observed(document).name
    if (entity == "Customer") is (link.kind is Kind.INVOICE):
        raise CannotLink(f"{link.reference} is a {link.kind.value}, and {name} is a {entity}.")
    if is_being_sent(db, link):
        raise CannotLink(f"{link.reference} {BEING_SENT}")
    if link.qbo_id:
        raise CannotLink(f"{link.reference} is linked to {link.entity} {link.name or link.qbo_id} already.")
    holder = links.holder_of(db, realm_id=link.realm_id, entity=entity, qbo_id=qbo_id, other_than=link_id)
    if holder is not None:
        raise CannotLink(f"{entity} {name} is linked to {holder.kind.value} {holder.reference} already.")
    there: dict[str, Any] = {"entity": entity, "qbo_id": qbo_id, "name": name, "adopted": True, "overwrite": False}
    if entity == "Customer" and (currency := reference(document, "CurrencyRef")):
        there["currency"] = currency
    read: dict[str, Any] = {"observed": kept(document), "sync_token": str(document["SyncToken"]), "applied": None}
    stand_for(db, link, f"{by} linked it to the {entity} {name} ({qbo_id}) of QuickBooks", **there, **read)


def send_as_another(db: Connection, link_ids: Collection[int], *, by: str) -> int:
    """Have records sent although something in QuickBooks looks like them: a person has said that it is another one.

    Not those that another person has linked meanwhile: they would write over what QuickBooks has.
    """
    unlinked = [one.id for one in links.lock(db, set(link_ids)).values() if one.qbo_id is None]
    return make_due(
        db, unlinked, Because.RESEND, f"{by} said that what QuickBooks has is another one", wishes=(Wish.OVERWRITE,)
    )


UNREAD: Mapping[str, Any] = {"sync_token": None, "applied": None, "observed": None}
"""Nothing is known of what QuickBooks says: it is read before it is written."""


def _client_link(db: Connection, realm_id: str, party: PartyKey) -> Link | None:
    keys = [(realm_id, party.kind.value, party.kompass_id, "", currency) for currency in (party.currency, "")]
    found = links.find_party(db, keys)
    locked = links.lock(db, {link.id for link in found.values()})
    by_currency = {link.currency: link for link in locked.values()}
    return by_currency.get(party.currency) or by_currency.get("")


def unlink(db: Connection, link_id: int, *, by: str) -> None:
    """Take a manual link back: Kompass makes an object of its own, as if none had been there.

    Not once documents went to the customer: the next ones would go to another one. Nor once a document was changed: it would be twice.

    Raises
    ------
    CannotLink
    """
    link = links.lock(db, {link_id}).get(link_id)
    if link is None or not links.is_linked_by_hand(db, link_id):
        raise CannotLink("Only a link that was made by hand can be removed.")
    if is_being_sent(db, link):
        raise CannotLink(f"It {BEING_SENT}")
    if link.kind is not Kind.INVOICE and is_billed(db, link):
        what = "customer" if link.kind is Kind.CLIENT else "sub-customer"
        raise CannotLink(
            f"Documents of {link.reference} were sent to the {what} {link.name} already. Keep the link, or rename the "
            f"{what} in QuickBooks."
        )
    gone = link.observed is not None and Observed(link.observed).gone
    if link.kind is Kind.INVOICE and not gone and was_written_since_linked(db, link):
        raise CannotLink(
            f"Kompass has changed {link.entity} {link.name} since {link.reference} was linked to it: without the link, it would be booked "
            "twice. If it is another document, delete it in QuickBooks, press Try again and then Recreate, and type it again there."
        )
    words = f"{by} removed the link to {link.entity} {link.name}"
    stand_for(db, link, words, qbo_id=None, entity="", name="", adopted=False, **UNREAD)


@dataclass(frozen=True, slots=True)
class Existing:
    """A document, or a sub-customer or project, that QuickBooks has."""

    entity: str
    id: str
    name: str
    """Its number or DisplayName."""
    currency: str


def link_existing(db: Connection, link_id: int, there: Existing, *, by: str) -> None:
    """Let the link of an invoice or project stand for what was there before. It is read before it is ever written.

    A project may be linked to another sub-customer at any time: bookkeepers merge one into a QuickBooks project.

    Raises
    ------
    CannotLink
    """
    link = links.lock(db, {link_id}).get(link_id)
    if link is None or link.kind is Kind.CLIENT:
        raise CannotLink("Link a Client under Customers.")
    what = "sub-customer or project" if link.kind is Kind.PROJECT else "document"
    if (there.entity == "Customer") is not (link.kind is Kind.PROJECT):
        raise CannotLink(f"{link.reference} can be linked to a {what} alone, and {there.name} is a {there.entity}.")
    if is_being_sent(db, link):
        raise CannotLink(f"{link.reference} {BEING_SENT}")
    if link.kind is Kind.INVOICE and link.qbo_id is not None:
        raise CannotLink(f"{link.reference} is {link.entity} {link.name} (Id {link.qbo_id}) in QuickBooks already.")
    if link.currency and link.currency != there.currency:
        raise CannotLink(f"{link.reference} is billed in {link.currency}, and {there.name} is in {there.currency}.")
    holder = links.holder_of(db, realm_id=link.realm_id, entity=there.entity, qbo_id=there.id, other_than=link.id)
    if holder is not None:
        raise CannotLink(f"{there.name} stands for {holder.reference} of Kompass already.")
    known: dict[str, Any] = {"entity": there.entity, "qbo_id": there.id, "name": there.name, "voided": False}
    words = f"{by} linked it to the {what} {there.name} ({there.entity} {there.id})"
    stand_for(db, link, words, **known, **UNREAD, adopted=True)


def override_name(db: Connection, link_id: int, name: str, *, by: str) -> None:
    """Give a customer a DisplayName of its own, or none any more, and have it sent."""
    links.set_name_override(db, link_id, name)
    words = f"{by} set the DisplayName to “{name}”" if name else f"{by} removed the DisplayName override"
    make_due(db, [link_id], Because.RESEND, words, wishes=(Wish.REFRESH_NAMES,))


def is_being_sent(db: Connection, link: Link) -> bool:
    """Whether a call may be under way. One that is over, and of which nobody knows what became, keeps no person from deciding."""
    return any(one.alive for one in attempts.read_open(db, [link.id], lease=_BEATING_S).values())
