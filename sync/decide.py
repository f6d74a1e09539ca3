"""From due links to judgements: reads the records and the links they stand on, and asks the mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from mapping import conflicts
from mapping.cases import Case, Party, needed_party, own_currency
from mapping.decisions import Decision, Reject, Write
from mapping.judgement import judge
from mapping.results import PartyKey
from schemas.company import Standing
from schemas.events import Client, Kind, Project
from schemas.jsonlines import record_from_json
from schemas.link_state import LinkState
from store import links, records
from store.links import Link
from store.records import RecordKey
from sync.companies import Company
from sync.link import add_lane, want_party

VOIDED = "#voided"
"""A note in an intent's ``sent``: once QBO has answered, the document counts as voided."""

RECREATED: Final = frozenset({"deleted-in-qbo"})
"""Causes in which a person may ask for the object to be created again: QuickBooks has it no more."""

PartyLinkKey = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class RecordCase:
    case: Case
    sequence: int


def read_cases(db: Connection, judgeable: Sequence[tuple[Link, Company]]) -> dict[int, RecordCase]:
    """Read the newest record of each link, and for a job of a former billing client that client too."""
    rows = records.read_bodies(db, {(link.org_id, link.kind.value, link.kompass_id) for link, _ in judgeable})
    bodies = {key: record_from_json(Kind(key[1]), row.body) for key, row in rows.items()}
    former = {
        (link.org_id, Kind.CLIENT.value, link.party_id)
        for link, _ in judgeable
        if isinstance(record := bodies.get((link.org_id, link.kind.value, link.kompass_id)), Project)
        and record.billing_client.id != link.party_id
    }
    clients = {key: record_from_json(Kind.CLIENT, row.body) for key, row in records.read_bodies(db, former).items()}
    cases = {}
    for link, company in judgeable:
        key = (link.org_id, link.kind.value, link.kompass_id)
        if key not in bodies or company.facts is None:
            continue
        record = bodies[key]
        billing_client = None
        if isinstance(record, Project):
            found = clients.get((link.org_id, Kind.CLIENT.value, link.party_id))
            billing_client = found if isinstance(found, Client) else record.billing_client
        cases[link.id] = RecordCase(
            case=Case(
                record=record,
                configuration=company.configuration,
                facts=company.facts,
                standing=standing_of(link),
                deleted=rows[key].deleted,
                billing_client=billing_client,
            ),
            sequence=rows[key].sequence,
        )
    return cases


def standing_of(link: Link) -> Standing:
    """What QBO has of a link. After a conflict that was rejected, what was read then is no longer what is there: read again.

    Of what was deleted in QuickBooks, and somebody asked to have made anew, QBO has nothing.
    """
    if link.state == LinkState.FAILED and link.overwrite and link.cause in RECREATED:
        return Standing(currency=link.currency, name_override=link.name_override or None)
    if link.state == LinkState.FAILED and link.qbo_id is not None and rests_on_books(link.cause):
        return replace(link.standing, sync_token=None)
    return link.standing


def rests_on_books(cause: str) -> bool:
    """Whether a link failed over what the object says in QuickBooks: a person may have changed that since."""
    return cause in RECREATED or cause == "books-closed" or cause.startswith(("conflict:", "not-taken:"))


def with_currency(case: RecordCase, link: Link) -> RecordCase:
    """The case once the currency of its link is fixed."""
    return replace(case, case=replace(case.case, standing=standing_of(link)))


def currency_of(case: RecordCase) -> str:
    return own_currency(case.case)


@dataclass(frozen=True, slots=True)
class Parties:
    """The links that others stand on: by the id of the one that stands."""

    found: Mapping[int, Link]
    busy: frozenset[int]
    """Links whose party, or the record it is to be made for, somebody holds at this moment: judge them again in a moment."""


def find_parties(db: Connection, cases: Sequence[tuple[Link, RecordCase]], *, lane: int) -> Parties:
    """Find, make if need be, and hold still what these links stand on, so that none of it settles unseen."""
    needed: dict[int, tuple[Link, PartyKey]] = {
        link.id: (link, key) for link, case in cases if (key := needed_party(case.case)) is not None
    }
    if not needed:
        return Parties({}, frozenset())
    known = links.find_party(
        db, [key for link, party in needed.values() for key in (_key(link, party), _unfixed(link, party))]
    )
    missing = {
        _key(link, party): (link, party)
        for link, party in needed.values()
        if _key(link, party) not in known and _unfixed(link, party) not in known
    }
    written = records.being_written(db, [_record(link, party) for link, party in missing.values()])
    for link, party in missing.values():
        if _record(link, party) in written:
            continue
        want_party(db, link, party, lane=lane)
    if missing:
        known |= links.find_party(db, missing)
    chosen = {
        link_id: known.get(_key(link, party)) or known.get(_unfixed(link, party))
        for link_id, (link, party) in needed.items()
    }
    unsettled = {one.id for one in chosen.values() if one is not None and one.qbo_id is None}
    held = links.hold(db, unsettled)
    add_lane(db, held, lane)
    found: dict[int, Link] = {}
    busy = set()
    for link_id, one in chosen.items():
        current = one if one is None or one.qbo_id is not None else held.get(one.id)
        if current is None:
            busy.add(link_id)
        else:
            found[link_id] = current
    return Parties(found, frozenset(busy))


def _key(link: Link, party: PartyKey) -> PartyLinkKey:
    return (link.realm_id, party.kind.value, party.kompass_id, party.party_id, party.currency)


def _record(link: Link, party: PartyKey) -> RecordKey:
    return (link.org_id, party.kind.value, party.kompass_id)


def _unfixed(link: Link, party: PartyKey) -> PartyLinkKey:
    """A customer or job that was never judged has no currency yet: it may turn out to be the one."""
    return (link.realm_id, party.kind.value, party.kompass_id, party.party_id, "")


def decide(db: Connection, cases: Sequence[tuple[Link, RecordCase, Link | None]]) -> dict[int, Decision]:
    """Judge links, each with what it stands on. A name that another link of ours stands under in QBO is found out without a call.

    The names of all are asked for at once: one by one they took more than half of a claim of customers.
    """
    full = {
        link.id: case.case if party is None else replace(case.case, party=_party(party)) for link, case, party in cases
    }
    judged = {link.id: link for link, _, _ in cases}
    decided = {link_id: judge(one) for link_id, one in full.items()}
    holders = _holders(db, judged, decided)
    told_apart = {
        link_id: judge(replace(full[link_id], suffix=_suffix(judged[link_id], full[link_id])))
        for link_id, holder in holders.items()
        if _same_project(judged[link_id], holder) and not full[link_id].suffix
    }
    if told_apart:
        decided |= told_apart
        holders = {link_id: one for link_id, one in holders.items() if link_id not in told_apart}
        holders |= _holders(db, judged, told_apart)
    for link_id, holder in holders.items():
        name = _new_name(judged[link_id], decided[link_id])
        decided[link_id] = Reject(
            (conflicts.name_held(full[link_id].record, name, holder.kind.value, holder.reference),)
        )
    return decided


def _holders(db: Connection, judged: Mapping[int, Link], decided: Mapping[int, Decision]) -> dict[int, Link]:
    """Give the links that stand under the names that others are to have, by the id of the one that is to have it."""
    wanted = {link_id: name for link_id, one in decided.items() if (name := _new_name(judged[link_id], one))}
    found = links.name_holders(db, [(judged[link_id].realm_id, name, link_id) for link_id, name in wanted.items()])
    return {
        link_id: found[key]
        for link_id, name in wanted.items()
        if (key := (judged[link_id].realm_id, name, link_id)) in found
    }


def _new_name(link: Link, decision: Decision) -> str:
    """Give the name that a customer or job is to have and has not; empty for none."""
    if link.kind is Kind.INVOICE or not isinstance(decision, Write) or "DisplayName" not in decision.body:
        return ""
    return decision.name if decision.name and decision.name != link.name else ""


def _same_project(link: Link, holder: Link) -> bool:
    """Whether both are one project under two billing clients or currencies: both stand in QBO, told apart by the client's name."""
    return link.kind is Kind.PROJECT and holder.kompass_id == link.kompass_id


def _suffix(link: Link, case: Case) -> str:
    return f" ({case.billing_client.name if case.billing_client else link.party_id})"


def _party(party: Link) -> Party:
    return Party(
        key=PartyKey(party.kind, party.kompass_id, party.party_id, party.currency),
        qbo_id=party.qbo_id,
        state=party.state,
        cause=party.cause,
        reason=party.reason,
    )
