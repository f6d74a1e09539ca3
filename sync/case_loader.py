"""The one loader of cases: a record with its Configuration, its facts, what was sent and seen of it, and what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from mapping.case import Case, Party, needed_party, own_currency, primary_party
from mapping.rates import RateKey, needed_rate
from mapping.results import PartyKey
from schemas.company import Standing
from schemas.events import Client, Kind, Project, Record
from schemas.jsonlines import record_from_json
from schemas.link_state import LinkState
from schemas.observed import Observed
from store import exchange_rates, failures, links, records
from store.links import Link
from store.records import RecordKey
from sync.companies import Company
from sync.link import add_lane, replace_by_twin, rested_on, wake_unneeded, want_party

RECREATED: Final = frozenset({"deleted-in-qbo"})
"""Causes in which a person may ask for the object to be created again: QuickBooks has it no more."""

PartyLinkKey = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class RecordCase:
    case: Case
    sequence: int


Decidable = tuple[Link, Company, RecordCase]


@dataclass(frozen=True, slots=True)
class Said:
    """What Kompass says of a record."""

    record: Record
    sequence: int
    deleted: bool


def read_cases(
    db: Connection, decidable: Sequence[tuple[Link, Company]], *, said: Mapping[RecordKey, Said] = MappingProxyType({})
) -> dict[int, RecordCase]:
    """Read the newest record of each link, and for a job of a former billing client that client too.

    What is ``said`` stands before the stored record: an event that nobody has ingested yet.
    """
    wanted = {(link.org_id, link.kind.value, link.kompass_id) for link, _ in decidable}
    rows = records.read_bodies(db, wanted - said.keys())
    bodies = {
        key: Said(record_from_json(Kind(key[1]), row.body), row.sequence, row.deleted) for key, row in rows.items()
    } | {key: said[key] for key in wanted & said.keys()}
    former = {
        (link.org_id, Kind.CLIENT.value, link.party_id)
        for link, _ in decidable
        if (one := bodies.get((link.org_id, link.kind.value, link.kompass_id))) is not None
        and isinstance(one.record, Project)
        and one.record.billing_client.id != link.party_id
    }
    formers = records.read_bodies(db, former) if former else {}
    clients = {key: record_from_json(Kind.CLIENT, row.body) for key, row in formers.items()}
    cases = {}
    for link, company in decidable:
        key = (link.org_id, link.kind.value, link.kompass_id)
        if key not in bodies or company.facts is None:
            continue
        record = bodies[key].record
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
                deleted=bodies[key].deleted,
                billing_client=billing_client,
                inventoried=company.known_at is not None,
            ),
            sequence=bodies[key].sequence,
        )
    return cases


def standing_of(link: Link) -> Standing:
    """What QBO has of a link. After a conflict that made it fail, what was read then is no longer what is there: read again.

    Of what was deleted in QuickBooks, and a person asked to recreate, QBO has nothing.
    """
    if link.overwrite and _is_deleted(link):
        # Also when it waited or failed for another reason since then.
        entity = link.entity or None
        return Standing(entity=entity, currency=link.currency, name_override=link.name_override or None)
    if link.state == LinkState.FAILED and link.qbo_id is not None and rests_on_books(link.cause):
        return replace(link.standing, sync_token=None)
    return link.standing


def _is_deleted(link: Link) -> bool:
    failed = link.state == LinkState.FAILED and link.cause in RECREATED
    return failed or (link.observed is not None and Observed(link.observed).deleted)


def rests_on_books(cause: str) -> bool:
    """Whether a link failed over what the object says in QuickBooks: a person may have changed that since."""
    return cause in RECREATED or cause == "books-closed" or cause.startswith(("conflict:", "not-taken:"))


def with_currency(case: RecordCase, link: Link) -> RecordCase:
    """The case once the currency of its link is fixed."""
    return replace(case, case=replace(case.case, standing=standing_of(link)))


def with_rates(
    db: Connection,
    known_links: Mapping[int, Link],
    cases: Mapping[int, RecordCase],
    *,
    however_old: Callable[[], bool] = lambda: False,
) -> dict[int, RecordCase]:
    """Give the cases with the rates that are known; one that needs another will wait for it (`mapping.rates`).

    ``however_old``: whether those serve that should be read again; asked only where a rate is wanted.
    """
    wanted: dict[str, set[RateKey]] = {}
    for link_id, one in cases.items():
        if (key := needed_rate(one.case)) is not None:
            wanted.setdefault(known_links[link_id].realm_id, set()).add(key)
    old = bool(wanted) and however_old()
    known = {
        realm_id: exchange_rates.read_rates(db, realm_id, keys, however_old=old) for realm_id, keys in wanted.items()
    }
    return {
        link_id: replace(one, case=replace(one.case, rates=known.get(known_links[link_id].realm_id, {})))
        for link_id, one in cases.items()
    }


def fix_currencies(db: Connection, decidable: Sequence[Decidable]) -> list[Decidable]:
    """Fix the currencies that are not fixed yet; a second link for the same thing goes, and is left out of what comes back.

    A customer or job that was never sent, and that no record needs any more, becomes the one that its client or project is to have.
    """
    unfixed = {
        link.id: (link.realm_id, link.kind.value, link.kompass_id, link.party_id, own_currency(case.case))
        for link, _, case in decidable
        if link.kind is not Kind.INVOICE and not link.currency
    }
    unneeded = _unneeded(db, decidable)
    if not unfixed and not unneeded:
        return list(decidable)
    wanted = [_key(*one) for one in unneeded.values()]
    known = links.find_party(db, [*unfixed.values(), *wanted, *(_unfixed(*one) for one in unneeded.values())])
    holders = {key: twin.id for key, twin in known.items()}
    fixed: dict[int, str] = {}
    twins: dict[int, int] = {}
    for link_id, key in unfixed.items():
        if holders.setdefault(key, link_id) == link_id:
            fixed[link_id] = key[-1]
        else:
            twins[link_id] = holders[key]
    for link_id, (link, party) in unneeded.items():
        other = holders.get(_key(link, party)) or holders.get(_unfixed(link, party))
        if other is not None and other not in twins:
            twins[link_id] = other
        elif other is None and link.party_id == party.party_id:
            fixed[link_id] = party.currency
            holders[_key(link, party)] = link_id
    links.set_currencies(db, fixed)
    for link_id, twin_id in twins.items():
        replace_by_twin(db, link_id, twin_id=twin_id)
    failures.close_for_links(db, twins.keys() & unneeded.keys(), "no record needs it any more")
    wake_unneeded(db, {link.depends_on for link, _ in unneeded.values() if link.id in twins and link.depends_on})
    return [_with_currency(one, fixed.get(one[0].id)) for one in decidable if one[0].id not in twins]


def _unneeded(db: Connection, decidable: Sequence[Decidable]) -> _Needed:
    """Give customers and jobs that were never sent and that nothing rests on, each with the one that its record is to have anyway."""
    others = {
        link.id: (link, party)
        for link, _, case in decidable
        if link.qbo_id is None
        and link.currency
        and (party := primary_party(case.case)) is not None
        and (party.party_id, party.currency) != (link.party_id, link.currency)
    }
    needed = rested_on(db, others) if others else set()
    return {link_id: one for link_id, one in others.items() if link_id not in needed}


def _with_currency(one: Decidable, currency: str | None) -> Decidable:
    if currency is None:
        return one
    link, company, case = one
    link = replace(link, currency=currency)
    return link, company, with_currency(case, link)


def with_party(case: Case, party: Link | None) -> Case:
    """The case with what it needs of the link of its customer or job, where there is one."""
    if party is None:
        return case
    key = PartyKey(party.kind, party.kompass_id, party.party_id, party.currency)
    return replace(case, party=Party(key, party.qbo_id, party.state, party.cause, party.reason))


def known_parties(db: Connection, cases: Sequence[tuple[Link, RecordCase]]) -> dict[int, Link]:
    """Find the links of the customers or jobs that these need, for those that have one, by the id of the link that needs it.

    As `find_parties`, without a lock or a write.
    """
    needed = _needed(cases)
    known = links.find_party(db, _keys(needed)) if needed else {}
    return {link_id: found for link_id, one in needed.items() if (found := _chosen(known, one)) is not None}


_Needed = dict[int, tuple[Link, PartyKey]]


def _needed(cases: Sequence[tuple[Link, RecordCase]]) -> _Needed:
    return {link.id: (link, key) for link, case in cases if (key := needed_party(case.case)) is not None}


def _keys(needed: _Needed) -> list[PartyLinkKey]:
    return [key for link, party in needed.values() for key in (_key(link, party), _unfixed(link, party))]


def _chosen(known: Mapping[PartyLinkKey, Link], one: tuple[Link, PartyKey]) -> Link | None:
    return known.get(_key(*one)) or known.get(_unfixed(*one))


@dataclass(frozen=True, slots=True)
class Parties:
    """The links that others depend on, by the id of the one that depends on it."""

    found: Mapping[int, Link]
    busy: frozenset[int]
    """Links whose customer or job, or the record it is to be made for, another transaction has locked: decide them again soon."""


def find_parties(db: Connection, cases: Sequence[tuple[Link, RecordCase]], *, lane: int) -> Parties:
    """Find, make if need be, and lock what these links depend on, so that none of it settles unseen."""
    needed = _needed(cases)
    if not needed:
        return Parties({}, frozenset())
    known = links.find_party(db, _keys(needed))
    missing = {_key(*one): one for one in needed.values() if _chosen(known, one) is None}
    if missing:
        written = records.being_written(db, [_record(link, party) for link, party in missing.values()])
        for link, party in missing.values():
            if _record(link, party) not in written:
                want_party(db, party, org_id=link.org_id, realm_id=link.realm_id, lane=lane)
        known |= links.find_party(db, missing)
    chosen = {link_id: _chosen(known, one) for link_id, one in needed.items()}
    unsettled = {one.id for one in chosen.values() if one is not None and one.qbo_id is None}
    held = links.hold(db, unsettled) if unsettled else {}
    if held:
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
    """A customer or job that was never decided has no currency yet: it may turn out to be the one."""
    return (link.realm_id, party.kind.value, party.kompass_id, party.party_id, "")
