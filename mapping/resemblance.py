"""Which hand-typed documents of a sheet are perhaps booked twice: they resemble a document of Kompass that QuickBooks has, or gets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from mapping.agreement import VOIDED, Key, ordered
from mapping.booked import Booked
from mapping.case import billing_client, entity_of, not_synced
from mapping.expected import OPEN, Month
from mapping.left import left_by
from mapping.matching import Match, Sought, alike_numbers, keys_for, keys_of, loose_name, match
from mapping.sheet import NOTHING, Line, Standing
from schemas.company import Configuration
from schemas.documents import SentDocument
from schemas.events import Kind, Step
from schemas.existing import Existing

_REMEDY = "void one of the two, or give this one a number of its own"
_REMEDY_UNSENT = "link it under Already in QuickBooks; if not, give this one a number of its own"
_REMEDY_OVER = "void this one, too"

Customers = Mapping[tuple[Kind, str], Collection[str]]
"""The Ids of a client's customers in QuickBooks, in each currency, and of its jobs: by (client | project, the client's Kompass id)."""


@dataclass(frozen=True, slots=True)
class _Ours:
    document: SentDocument
    sought: Sought
    over: str
    """Why Kompass wants it in no books any more; empty where QuickBooks has it or gets it."""


def typed_by_hand(lines: Iterable[Line], theirs: Mapping[Key, Booked]) -> dict[str, Booked]:
    """Give what is booked of a sheet's hand-typed lines, by Id."""
    asked = {line.qbo_id for line in lines if line.standing is Standing.HAND_TYPED}
    return {one.id: one for one in theirs.values() if one.amounts != NOTHING and one.id in asked}


def strangers(typed: Collection[Booked], ours: Iterable[SentDocument], customers: Customers) -> set[str]:
    """Give the customers of hand-typed documents that are ours but for the customer, and of whom no link knows."""
    known = {qbo_id for some in customers.values() for qbo_id in some}
    asked = [one for one in typed if one.customer_id not in known]
    if not asked:
        return set()
    alike: defaultdict[str, dict[str, Sought]] = defaultdict(dict)
    for one in ours:
        # As if the customer agreed: total and day, or the number, decide.
        sought = _sought(one, None, {""}, set())
        for key in keys_for("", sought):
            alike[key][one.invoice.id] = sought
    found = set()
    for booked in asked:
        existing = replace(_existing(booked), customer_id="")
        near = {kompass_id: one for key in keys_of("", existing) for kompass_id, one in alike.get(key, {}).items()}
        if any(match(one, existing) is not None for one in near.values()):
            found.add(booked.customer_id)
    return found


def with_jobs(customers: Customers, above: Mapping[str, str]) -> Customers:
    """Add the jobs that somebody else made: Id → that of the customer above it."""
    made = {key: set(some) for key, some in customers.items()}
    for (_, client), some in customers.items():
        jobs = {job for job, parent in above.items() if parent in some}
        made.setdefault((Kind.PROJECT, client), set()).update(jobs)
    return made


def with_resemblances(
    lines: Sequence[Line],
    ours: Iterable[SentDocument],
    theirs: Mapping[Key, Booked],
    month: Month,
    customers: Customers,
) -> tuple[Line, ...]:
    """Say of each hand-typed line which document of Kompass it may be.

    It prevents agreement where it has no number of its own: a number is what a person can give it, if it is another document.

    :param ours: those of the month, of the days around it, and those of any date that have the number of a hand-typed one.
    """
    typed = typed_by_hand(lines, theirs)
    if not typed:
        return tuple(lines)
    by_key = _by_key(ours, theirs, month, customers)
    said = {line.qbo_id: _said(line, typed[line.qbo_id], by_key) for line in lines if line.qbo_id in typed}
    return ordered(said.get(line.qbo_id, line) if line.standing is Standing.HAND_TYPED else line for line in lines)


def _by_key(
    ours: Iterable[SentDocument], theirs: Mapping[Key, Booked], month: Month, customers: Customers
) -> Mapping[str, Mapping[str, _Ours]]:
    """Give what may be booked twice, or is to be booked no more, by the keys of `mapping.matching`, each by its Kompass id."""
    named = _named_like(theirs.values())
    found: defaultdict[str, dict[str, _Ours]] = defaultdict(dict)
    for one in ours:
        booked = theirs.get((one.entity, one.qbo_id))
        over = "" if _is_booked(one, booked, month.configuration) else _why_over(one, month.configuration)
        if over is None:
            continue
        client = billing_client(one.invoice)
        own = {one.customer, one.newest_customer or "", *customers.get((Kind.CLIENT, client.id), ())} - {""}
        near = named.get(loose_name(client.name), set()) | {*customers.get((Kind.PROJECT, client.id), ())}
        sought = _sought(one, booked, own, near)
        for key in keys_for("", sought):
            found[key][one.invoice.id] = _Ours(one, sought, over)
    return found


def _named_like(booked: Iterable[Booked]) -> Mapping[str, set[str]]:
    """Give the customers of a month's documents by their loose names."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    for one in booked:
        # Of a sub-customer the whole path is given.
        named[loose_name(one.customer_name.partition(":")[0])].add(one.customer_id)
    return named


def _is_booked(one: SentDocument, found: Booked | None, configuration: Configuration) -> bool:
    """Whether QuickBooks has it, or is to get it."""
    if one.invoice.step is Step.VOIDED or (found is not None and found.amounts == NOTHING):
        return False
    if found is None and (left := left_by(one)) is not None and left.observed.gone:
        return False
    sent = bool(one.qbo_id)
    wanted = not_synced(one.invoice, deleted=one.deleted, configuration=configuration, sent=sent) is None
    return sent or (wanted and one.state in OPEN)


def _why_over(one: SentDocument, configuration: Configuration) -> str | None:
    """Say why Kompass wants it in no books any more; None where it does, or never wanted it there."""
    sent = bool(one.qbo_id or one.entity)
    unsynced = not_synced(one.invoice, deleted=one.deleted, configuration=configuration, sent=sent)
    if unsynced is None:
        return VOIDED if one.invoice.step is Step.VOIDED else None
    return unsynced[1] if sent or one.deleted or one.invoice.step is Step.REJECTED else None


def _sought(one: SentDocument, found: Booked | None, own: Set[str], near: Set[str]) -> Sought:
    invoice = one.invoice
    numbers = {invoice.reference, found.number if found is not None else ""} - {""}
    return Sought(
        entity=one.entity or entity_of(invoice),
        names=tuple(sorted(numbers)),
        currency=invoice.currency,
        kompass_id=invoice.id,
        date=invoice.date,
        total=abs(invoice.amount_gross),
        customer_ids=frozenset(own),
        near_customer_ids=frozenset(near - own),
    )


def _existing(booked: Booked) -> Existing:
    return Existing(
        booked.entity,
        booked.id,
        booked.number,
        customer_id=booked.customer_id,
        date=booked.date,
        total=abs(booked.amounts.gross),
        currency=booked.currency,
    )


def _said(line: Line, booked: Booked, by_key: Mapping[str, Mapping[str, _Ours]]) -> Line:
    existing = _existing(booked)
    near = {kompass_id: one for key in keys_of("", existing) for kompass_id, one in by_key.get(key, {}).items()}
    matches = [(one, found) for one in near.values() if (found := match(one.sought, existing)) is not None]
    same = [pair for pair in matches if _has_no_own_number(pair[1], pair[0], existing)]
    if twice := [pair for pair in same if not pair[0].over]:
        ours, words = _closest(line, twice)
        remedy = _REMEDY if ours.document.qbo_id else _REMEDY_UNSENT
        return replace(line, standing=Standing.TWICE, remark=f"{words}. If so, {remedy}")
    # The number of what is over is free: for another customer and total it is another document.
    if same:
        return replace(line, standing=Standing.RESEMBLES, remark=f"{_closest(line, same)[1]}. If so, {_REMEDY_OVER}")
    if alike := [pair for pair in matches if not pair[0].over]:
        return replace(line, standing=Standing.RESEMBLES, remark=_closest(line, alike)[1])
    return line


def _closest(line: Line, matches: Sequence[tuple[_Ours, Match]]) -> tuple[_Ours, str]:
    """Give the one that agrees most, and the words that name it."""
    ours, best = max(matches, key=lambda pair: (pair[1].score, pair[0].document.invoice.id))
    more = f" and {len(matches) - 1} more" if len(matches) > 1 else ""
    there = f" (Id {ours.document.qbo_id})" if ours.document.qbo_id else ", which is not sent yet"
    there = f" ({ours.over})" if ours.over else there
    but = f": but {'; '.join(best.differs)}" if best.differs else ""
    words = f"{line.remark}; perhaps the same as {ours.document.invoice.reference} of Kompass{there}{more}{but}"
    return ours, words


def _has_no_own_number(found: Match, ours: _Ours, existing: Existing) -> bool:
    """Whether it is no other document by its number. A number alone, of another customer and total, is a coincidence."""
    if existing.name and not any(alike_numbers(existing.name, one) for one in ours.sought.names):
        return False
    return found.total_agrees or found.customer_agrees
