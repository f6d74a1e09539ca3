"""Names and numbers that a record wants and another record of ours has: whether that one gives it up, and who goes out of the way first.

QuickBooks wants every DisplayName once, and in companies that warn of duplicates every number. So a record waits for the one that has its
name, as long as that one is to have another. Where several exchange theirs, each waits for the next: the one with the smallest id gets a
temporary name first, and the others follow. Should one of the others fail, it gets its former name back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from mapping.case import Case
from mapping.conflicts import NAME_HELD, NUMBER_IN_USE, Holder
from mapping.decide import decide_case
from mapping.decisions import Decision, Read, Wait, Write
from mapping.members import DISPLAY_NAME, DOC_NUMBER
from mapping.payloads import name_member
from mapping.texts import folded
from qbo_client.faults import FaultCode, colliding_document, colliding_id
from qbo_client.outcomes import Refused
from schemas.applied import Applied
from schemas.events import Client, Kind, Project, Record, reference_of
from schemas.link_state import LinkState
from store import attempts, links
from store.links import Link, WantedName
from store.searching import links_by_id
from sync.attempt import Attempt
from sync.case_loader import known_parties, read_cases, with_party
from sync.companies import Company

NUMBER_CAUSES: Final = frozenset({NUMBER_IN_USE, "number-taken"})
"""Causes of a document whose number another one has. Only then is it looked for: most companies allow a number twice."""
LONGEST: Final = 200
"""So many records may stand in one line for their names before it counts as one without an end."""
UNREAD: Final = "(unread)"


@dataclass(frozen=True, slots=True)
class Wanting:
    link: Link
    case: Case


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has the wanted name, and what comes of that."""

    holder: Link
    reference: str
    """What the holder is called in Kompass now."""
    gives_way: bool
    """It is to have another name, or is not decided yet."""
    goes_first: bool
    """All wait for each other in a circle, and the one that wants the name goes out of the way first."""
    is_stuck: bool
    """One of those that would have to give way first has failed: nobody knows whether it ever can."""

    @property
    def shown(self) -> Holder:
        return Holder(self.holder.kind.value, self.reference, self.holder.name)


def new_name(link: Link, decision: Decision) -> str:
    """Give the name or number that an object is to have and has not; empty for none."""
    if not isinstance(decision, Write) or decision.operation == "void" or not decision.name:
        return ""
    if not {"DisplayName", "DocNumber"} & decision.body.keys():
        return ""
    return "" if link.qbo_id is not None and folded(decision.name) == folded(link.name) else decision.name


def holders_of(db: Connection, wanted: Mapping[int, tuple[Link, str]]) -> dict[int, Link]:
    """Give the links that have the names in QuickBooks that others are to have, by the id of the one that is to have it.

    A document's number is in the way only where QuickBooks said so.
    """
    names = {
        WantedName(link.realm_id, name, link_id): link_id
        for link_id, (link, name) in wanted.items()
        if link.kind is not Kind.INVOICE and name
    }
    found = {names[name]: holder for name, holder in links.name_holders(db, names).items()} if names else {}
    numbers = {
        link_id: link.depends_on
        for link_id, (link, name) in wanted.items()
        if link.kind is Kind.INVOICE and name and link.cause in NUMBER_CAUSES and link.depends_on is not None
    }
    named = links_by_id(db, set(numbers.values())) if numbers else {}
    for link_id, other in numbers.items():
        holder = named.get(other)
        if holder is not None and holder.qbo_id is not None and folded(holder.name) == folded(wanted[link_id][1]):
            found[link_id] = holder
    return found


def look(
    db: Connection, wanting: Mapping[int, Wanting], holders: Mapping[int, Link], known: Mapping[int, Wanting]
) -> dict[int, Holding]:
    """Find out of each holder what name it is to have itself, and who has that, until the line ends or comes back.

    ``known``: the cases of links that are decided at this moment; those of others are read.
    """
    paths = {link_id: [link_id, holder.id] for link_id, holder in holders.items()}
    met: dict[int, Link] = {holder.id: holder for holder in holders.values()}
    asked_by = {holder.id: wanting[link_id].case for link_id, holder in holders.items()}
    wishes: dict[int, str | None] = {}
    references: dict[int, str] = {}
    following: dict[int, int] = {}
    open_paths = set(paths)
    circles: set[int] = set()
    while open_paths:
        ends = {paths[link_id][-1] for link_id in open_paths} - wishes.keys()
        found = _cases(db, {one: met[one] for one in ends}, asked_by, known)
        for one in ends:
            wishes[one] = _wish(found[one]) if one in found else ""
            references[one] = reference_of(found[one].case.record) if one in found else met[one].reference
        named = {
            WantedName(met[one].realm_id, name, one, met[one].kind is Kind.INVOICE): one
            for one in ends
            if (name := wishes[one])
        }
        for wanted, holder in links.name_holders(db, named).items():
            following[named[wanted]] = holder.id
            met.setdefault(holder.id, holder)
            asked_by.setdefault(holder.id, asked_by[named[wanted]])
        for link_id in list(open_paths):
            path = paths[link_id]
            next_one = following.get(path[-1])
            if next_one == link_id:
                circles.add(link_id)
            if next_one is None or next_one in path or len(path) > LONGEST:
                open_paths.discard(link_id)
            else:
                path.append(next_one)
    return {
        link_id: Holding(
            holder,
            references[holder.id],
            gives_way=wishes[holder.id] != "",
            goes_first=link_id in circles and min(paths[link_id]) == link_id,
            is_stuck=any(_has_failed(met[one]) for one in paths[link_id][1:]),
        )
        for link_id, holder in holders.items()
    }


def _cases(
    db: Connection, wanted: Mapping[int, Link], asked_by: Mapping[int, Case], known: Mapping[int, Wanting]
) -> dict[int, Wanting]:
    """Read the cases of links, of the same company as those that ask for them; of one that Kompass never spoke of there is none."""
    found = {one: known[one] for one in wanted.keys() & known.keys()}
    unread = [
        (link, Company(asked_by[one].configuration, asked_by[one].facts))
        for one, link in wanted.items()
        if one not in found
    ]
    if not unread:
        return found
    cases = read_cases(db, unread)
    loaded = [(link, cases[link.id]) for link, _ in unread if link.id in cases]
    parties = known_parties(db, loaded)
    for link, one in loaded:
        found[link.id] = Wanting(link, with_party(one.case, parties.get(link.id)))
    return found


def _wish(one: Wanting) -> str | None:
    """The other name that a link is to have; empty when it keeps the one it has, None while that cannot be said."""
    case = one.case
    decision = decide_case(case)
    if isinstance(decision, Read):
        # What is read may be in the way of the rest; of its name Kompass alone decides.
        unread = replace(case.standing, sync_token=UNREAD, observed=None, by_hand=(), kept=())
        decision = decide_case(replace(case, standing=unread))
    if isinstance(decision, Wait | Read):
        return None
    return new_name(one.link, decision)


def _has_failed(link: Link) -> bool:
    """Whether a link has failed over something else than the very name that it waits for."""
    return link.state == LinkState.FAILED and link.cause not in (NAME_HELD, *NUMBER_CAUSES)


def out_of_the_way(link: Link, record: Record, write: Write, cause: str) -> Write:
    """Give an object a name that nobody wants, so that the others in the circle get theirs; it is due again at once."""
    longest = DISPLAY_NAME if isinstance(record, Client | Project) else DOC_NUMBER
    mark = f" ({_base36(link.id)})"
    name = f"{(write.name or '')[: longest - len(mark)].rstrip()}{mark}"
    member = name_member(record)
    notes = replace(write.applied.notes, former=link.name)
    applied = Applied({**write.applied.members, member: name}, notes)
    return replace(write, name=name, body={**write.body, member: name}, applied=applied, temporary=cause)


def as_before(db: Connection, link: Link, record: Record, write: Write, cause: str) -> Write | None:
    """Give an object the name back that it had before its temporary one; None when it has no temporary one, or another took that name."""
    sent = link.applied
    if sent is None or sent.notes.former is None or link.qbo_id is None:
        return None
    if links.name_holders(db, [WantedName(link.realm_id, sent.notes.former, link.id, link.kind is Kind.INVOICE)]):
        return None
    member = name_member(record)
    applied = Applied({**sent.members, member: sent.notes.former}, replace(sent.notes, former=None))
    body = {name: write.body[name] for name in ("Id", "SyncToken", "sparse") if name in write.body}
    body |= {member: sent.notes.former}
    return replace(write, name=sent.notes.former, body=body, applied=applied, temporary=cause)


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    made = ""
    while number:
        number, rest = divmod(number, 36)
        made = digits[rest] + made
    return made or "0"


# --- Refusals


@dataclass(frozen=True, slots=True)
class InTheWay:
    """What of ours a refusal of a name or number is about."""

    holder: Link | None
    """The record that has it, or had it when QuickBooks refused; None while another call for the same name is under way."""
    passes: bool
    """The decision finds it and knows what to do, or it gives way at this moment: it is to be decided again."""
    at_once: bool = True


def in_the_way(db: Connection, attempt: Attempt, refused: Refused, *, stranger: str | None) -> InTheWay | None:
    """Find what of ours has the name or number that QuickBooks refuses; None when it is none of ours.

    :param stranger: the entity, where somebody read whose the name is and it is no customer's.
    """
    number = refused.fault(FaultCode.DUPLICATE_DOCUMENT_NUMBER)
    name = refused.fault(FaultCode.DUPLICATE_NAME)
    link = attempt.link
    holder = None
    if number is not None and (other := colliding_document(number)) is not None:
        holder = links.holder_of(
            db, realm_id=link.realm_id, entity=other.txn_type or attempt.entity, qbo_id=other.txn_id, other_than=link.id
        )
    elif name is not None and stranger is None:
        if (qbo_id := colliding_id(name)) is not None:
            holder = links.holder_of(db, realm_id=link.realm_id, entity="Customer", qbo_id=qbo_id, other_than=link.id)
        if holder is None:
            holder = next(
                iter(links.name_holders(db, [WantedName(link.realm_id, attempt.name, link.id)]).values()), None
            )
    else:
        return None
    writing = attempts.others_writing(
        db, realm_id=link.realm_id, entity=attempt.entity, name=attempt.name, other_than=link.id
    )
    if holder is None:
        return InTheWay(None, passes=True, at_once=False) if writing else None
    if folded(holder.name) == folded(attempt.name):
        return InTheWay(holder, passes=True)
    if links.synced_since_sent(db, link.id, other=holder.id):
        return InTheWay(holder, passes=True)
    busy = bool(attempts.read_open(db, [holder.id], lease=0.0))
    return InTheWay(holder, passes=busy or writing, at_once=False)
