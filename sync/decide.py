"""Decides about links with the database at hand, around `mapping.decide`: for the claim, and for everybody who only asks.

`decide` takes cases that `sync.case_loader` loaded. `predict` loads them without a lock, a write or a call, and decides as a claim would:
the preview, the impact of a change, going live, Sync errors, replays, `explain` and `why` all ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sqlalchemy import Connection

from mapping import conflicts, rates
from mapping.case import Case, Party, own_currency
from mapping.decide import decide_case
from mapping.decisions import DEPENDENCY, Decision, Fail, Read, Wait, Write
from schemas.events import Kind, Project, Record, kind_of, reference_of
from schemas.link_state import LinkState
from store import connections
from store.links import Link
from store.records import RecordKey
from sync import giving_way
from sync.case_loader import RecordCase, Said, known_parties, read_cases, with_currency, with_party, with_rates
from sync.companies import Company, unless_connected
from sync.giving_way import Holding, Wanting, new_name
from sync.inventory import unless_there

_NO_ID = -(2**62)
PLACEHOLDER = "(new)"
"""Stands for the Id of a customer that QuickBooks will give."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions by link, and what they rest on."""

    decisions: Mapping[int, Decision]
    holders: Mapping[int, Link]
    """Who has the name or number that a link is to have, as it was when that was decided, by the id of the latter."""


def decide(db: Connection, cases: Sequence[tuple[Link, RecordCase, Link | None]]) -> Decided:
    """Decide about links, each with the link of what it depends on."""
    return _decide(db, [(link, with_party(case.case, party)) for link, case, party in cases])


def _decide(db: Connection, cases: Sequence[tuple[Link, Case]]) -> Decided:
    """Decide about whole cases. A name that another link of ours has in QuickBooks is found out without a call.

    The names of all are asked for at once: one by one they took more than half of a claim of customers.
    """
    full = {link.id: case for link, case in cases}
    of = {link.id: link for link, _ in cases}
    decided = {link_id: decide_case(one) for link_id, one in full.items()}
    holders = _holders(db, of, decided)
    told_apart = {
        link_id: replace(full[link_id], suffix=_suffix(of[link_id], holder, full[link_id]))
        for link_id, holder in holders.items()
        if _same_record(of[link_id], holder) and not full[link_id].suffix
    }
    if told_apart:
        full |= told_apart
        again = {link_id: decide_case(case) for link_id, case in told_apart.items()}
        decided |= again
        holders = {link_id: one for link_id, one in holders.items() if link_id not in told_apart}
        holders |= _holders(db, of, again)
    if holders:
        known = {link_id: Wanting(of[link_id], case) for link_id, case in full.items()}
        for link_id, holding in giving_way.look(db, known, holders, known).items():
            decided[link_id] = _beside(db, of[link_id], full[link_id].record, decided[link_id], holding)
    decided |= unless_there(db, of, full, decided)
    return Decided(decided, holders)


def _beside(db: Connection, link: Link, record: Record, decision: Decision, holding: Holding) -> Decision:
    """Decide about a record whose name or number another one of ours has."""
    assert isinstance(decision, Write)
    name = new_name(link, decision)
    cause, reason = conflicts.in_use(record, name, holding.shown)
    if holding.is_stuck or not holding.gives_way:
        if (former := giving_way.as_before(db, link, record, decision, cause)) is not None:
            return former
    elif holding.goes_first:
        return giving_way.out_of_the_way(link, record, decision, cause)
    if holding.gives_way:
        return Wait(cause, reason, holder=holding.holder.id)
    if link.kind is Kind.INVOICE or link.refresh_names:
        # A bookkeeper may have given the holder another name or number since, and a company may allow a number twice: QuickBooks says.
        return decision
    return Fail((conflicts.name_held(record, name, holding.shown),), holder=holding.holder.id)


def _holders(db: Connection, of: Mapping[int, Link], decided: Mapping[int, Decision]) -> dict[int, Link]:
    """Give the links that stand under the names that others are to have, by the id of the one that is to have it."""
    wanted = {link_id: (of[link_id], name) for link_id, one in decided.items() if (name := new_name(of[link_id], one))}
    return giving_way.holders_of(db, wanted)


def _same_record(link: Link, holder: Link) -> bool:
    """Whether both are one client in two currencies, or one project under two billing clients or currencies.

    Both stand in QBO: a customer has one currency for ever.
    """
    return link.kind is holder.kind and holder.kompass_id == link.kompass_id


def _suffix(link: Link, holder: Link, case: Case) -> str:
    """Tell the new one apart: by its currency where the client is the same, else by the billing client's name."""
    if link.party_id == holder.party_id:
        return f" ({own_currency(case)})"
    return f" ({case.billing_client.name if case.billing_client else link.party_id})"


# --- Without a lock, a write or a call


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a claim would decide about a link now."""

    link: Link
    case: Case
    decision: Decision
    assumed: tuple[str, ...] = ()
    """In words, what has to happen before anything is sent: the Configuration enabled, the customer sent."""
    then: Decision | None = None
    """What would be decided once that has happened; None where nothing was assumed."""

    @property
    def outcome(self) -> Decision:
        """What becomes of the record in the end, as far as it is known."""
        return self.decision if self.then is None else self.then


def predict(
    db: Connection,
    wanted: Sequence[tuple[Link, Company]],
    *,
    assume: bool = True,
    said: Mapping[RecordKey, Said] = MappingProxyType({}),
) -> list[Prediction]:
    """Decide about these links as a claim would now; those of which Kompass or the company has said nothing are left out.

    ``assume``: where a record waits for nothing but its customer to be sent, the Configuration to be enabled or the company to be
    authorised again, say what comes then. A link that does not exist yet has the id 0. ``said`` as in `read_cases`.
    """
    # Those that do not exist yet are distinguished while they are decided.
    asked = [(replace(link, id=link.id or _NO_ID - place), company) for place, (link, company) in enumerate(wanted)]
    loaded = with_rates(db, {link.id: link for link, _ in asked}, read_cases(db, asked, said=said))
    known: list[tuple[Link, RecordCase]] = []
    for link, _ in asked:
        if (found := loaded.get(link.id)) is not None:
            fixed = (
                link if link.kind is Kind.INVOICE or link.currency else replace(link, currency=own_currency(found.case))
            )
            known.append((fixed, with_currency(found, fixed)))
    parties = known_parties(db, known)
    cases = [(link, with_party(one.case, parties.get(link.id))) for link, one in known]
    decided = _decide(db, cases).decisions
    connected = connections.read_connections(db, {link.realm_id for link, _ in known})
    predicted = []
    then = _assuming(cases, decided, parties, lambda changed: _decide(db, changed).decisions) if assume else {}
    for link, case in cases:
        later, words = then.get(link.id, (decided[link.id], ()))
        wait = unless_connected(connected.get(link.realm_id))
        decision = wait if wait is not None and _calls(decided[link.id]) else decided[link.id]
        if assume and wait is not None and _calls(later):
            words = (*words, "the company has to be authorised again first")
        existing = link if link.id > _NO_ID else replace(link, id=0)
        predicted.append(Prediction(existing, case, decision, words, later if words else None))
    return predicted


def predict_alone(case: Case) -> Prediction:
    """Decide about a case that no database knows of."""
    link = link_to_be(case.record, org_id=case.configuration.org_id, realm_id=case.configuration.realm_id or "")
    decided = {link.id: decide_case(case)}
    later, words = _assuming(
        [(link, case)], decided, {}, lambda changed: {one.id: decide_case(case) for one, case in changed}
    ).get(link.id, (None, ()))
    return Prediction(link, case, decided[link.id], words, later)


_Then = dict[int, tuple[Decision, tuple[str, ...]]]


def _assuming(
    cases: Sequence[tuple[Link, Case]],
    decided: Mapping[int, Decision],
    parties: Mapping[int, Link],
    decide_again: Callable[[Sequence[tuple[Link, Case]]], Mapping[int, Decision]],
) -> _Then:
    """Take what the records wait for as done: what is decided then, and in words what was taken for granted, by link."""
    then: _Then = {}
    current = {link.id: (link, case, decided[link.id]) for link, case in cases}
    for grant in (_enabled, _sent_first, _rate_read):
        granted = {
            link_id: (link, *found)
            for link_id, (link, case, decision) in current.items()
            if isinstance(decision, Wait) and (found := grant(case, decision, parties.get(link_id))) is not None
        }
        again = decide_again([(link, case) for link, case, _ in granted.values()]) if granted else {}
        for link_id, (link, case, words) in granted.items():
            current[link_id] = (link, case, again[link_id])
            then[link_id] = (again[link_id], (*then.get(link_id, (None, ()))[1], words))
    return then


def _enabled(case: Case, decision: Wait, _: Link | None) -> tuple[Case, str] | None:
    if decision.cause != "not-enabled":
        return None
    words = "the Configuration is not enabled yet: nothing is sent before it is"
    return replace(case, configuration=replace(case.configuration, enabled=True)), words


def _sent_first(case: Case, decision: Wait, party: Link | None) -> tuple[Case, str] | None:
    """Take the customer or job as sent, unless somebody has to fix something before it can be."""
    key = decision.on
    if key is None or decision.cause != "dependency" or (party is not None and _is_stuck(party)):
        return None
    what = "customer" if key.kind is Kind.CLIENT else "sub-customer"
    label = (party.name or party.reference) if party is not None else ""
    words = (
        f"the {what} {label or key.kompass_id} ({key.currency}) is not in QuickBooks yet: it is sent first, and"
        f" {PLACEHOLDER} stands for its Id"
    )
    return replace(case, party=Party(key, qbo_id=PLACEHOLDER, state=LinkState.SYNCED)), words


def _rate_read(case: Case, decision: Wait, _: Link | None) -> tuple[Case, str] | None:
    if decision.cause != rates.WAITING:
        return None
    return replace(case, rates=None), "the exchange rate of its date is read from QuickBooks first"


def _is_stuck(party: Link) -> bool:
    return party.state == LinkState.WAITING and party.cause.startswith(DEPENDENCY)


def _calls(decision: Decision) -> bool:
    return isinstance(decision, Read | Write)


def link_to_be(record: Record, *, org_id: str, realm_id: str) -> Link:
    """Give the link that the first event of a record would make."""
    return Link(
        id=0,
        org_id=org_id,
        realm_id=realm_id,
        kind=kind_of(record),
        kompass_id=record.id,
        party_id=record.billing_client.id if isinstance(record, Project) else "",
        reference=reference_of(record),
    )
