"""Which hand-typed documents of a sheet are perhaps booked twice: they resemble a document of Kompass that QuickBooks has, or gets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mapping.agreement import Key, ordered
from mapping.booked import Booked
from mapping.case import billing_client, not_synced
from mapping.expected import OPEN, Month
from mapping.matching import Match, Sought, alike_numbers, keys_for, keys_of, loose_name, match
from mapping.sheet import NOTHING, Line, Standing
from schemas.company import Configuration
from schemas.documents import SentDocument
from schemas.events import Invoice, InvoiceType, Step
from schemas.existing import Existing

_REMEDY = "void one of the two, or give this one a number of its own"
_REMEDY_UNSENT = "link it under Already in QuickBooks; if not, give this one a number of its own"


@dataclass(frozen=True, slots=True)
class _Ours:
    document: SentDocument
    sought: Sought


def with_resemblances(
    lines: Sequence[Line], ours: Iterable[SentDocument], theirs: Mapping[Key, Booked], month: Month
) -> tuple[Line, ...]:
    """Say of each hand-typed line which document of Kompass it may be; ``ours`` holds those of the days around the month, too.

    It prevents agreement where it has no number of its own: a number is what a person can give it, if it is another document.
    """
    typed = {one.id: one for one in theirs.values() if one.amounts != NOTHING}
    asked = [line for line in lines if line.standing is Standing.HAND_TYPED and line.qbo_id in typed]
    if not asked:
        return tuple(lines)
    by_key = _by_key(ours, theirs, month)
    said = {line.qbo_id: _said(line, typed[line.qbo_id], by_key) for line in asked}
    return ordered(said.get(line.qbo_id, line) if line.standing is Standing.HAND_TYPED else line for line in lines)


def _by_key(
    ours: Iterable[SentDocument], theirs: Mapping[Key, Booked], month: Month
) -> Mapping[str, Mapping[str, _Ours]]:
    """Give what may be booked twice by the keys of `mapping.matching`, each by its Kompass id."""
    known = [one for one in ours if _is_booked(one, theirs.get((one.entity, one.qbo_id)), month.configuration)]
    names: defaultdict[str, set[str]] = defaultdict(set)
    for booked in theirs.values():
        # Of a sub-customer the whole path is given.
        names[loose_name(booked.customer_name.partition(":")[0])].add(booked.customer_id)
    customers: defaultdict[str, set[str]] = defaultdict(set)
    for one in known:
        customers[billing_client(one.invoice).id] |= {one.customer, one.newest_customer or ""} - {""}
    found: defaultdict[str, dict[str, _Ours]] = defaultdict(dict)
    for one in known:
        sought = _sought(one, theirs.get((one.entity, one.qbo_id)), customers, names)
        for key in keys_for("", sought):
            found[key][one.invoice.id] = _Ours(one, sought)
    return found


def _is_booked(one: SentDocument, found: Booked | None, configuration: Configuration) -> bool:
    """Whether QuickBooks has it, or is to get it."""
    if one.invoice.step is Step.VOIDED or (found is not None and found.amounts == NOTHING):
        return False
    sent = bool(one.qbo_id)
    wanted = not_synced(one.invoice, deleted=one.deleted, configuration=configuration, sent=sent) is None
    return sent or (wanted and one.state in OPEN)


def _sought(
    one: SentDocument, found: Booked | None, customers: Mapping[str, set[str]], names: Mapping[str, set[str]]
) -> Sought:
    invoice, client = one.invoice, billing_client(one.invoice)
    own = customers.get(client.id, set()) | names.get(loose_name(client.name), set())
    numbers = {invoice.reference, found.number if found is not None else ""} - {""}
    return Sought(
        entity=one.entity or _entity(invoice),
        names=tuple(sorted(numbers)),
        currency=invoice.currency,
        kompass_id=invoice.id,
        date=invoice.date,
        total=abs(invoice.amount_gross),
        customer_ids=frozenset(own),
    )


def _entity(invoice: Invoice) -> str:
    return "CreditMemo" if invoice.type is InvoiceType.CREDIT_NOTE else "Invoice"


def _said(line: Line, booked: Booked, by_key: Mapping[str, Mapping[str, _Ours]]) -> Line:
    existing = Existing(
        booked.entity,
        booked.id,
        booked.number,
        customer_id=booked.customer_id,
        date=booked.date,
        total=abs(booked.amounts.gross),
        currency=booked.currency,
    )
    near = {kompass_id: one for key in keys_of("", existing) for kompass_id, one in by_key.get(key, {}).items()}
    matches = [(one, found) for one in near.values() if (found := match(one.sought, existing)) is not None]
    if not matches:
        return line
    ours, best = max(matches, key=lambda pair: (pair[1].score, pair[0].document.invoice.id))
    more = f" and {len(matches) - 1} more" if len(matches) > 1 else ""
    there = f" (Id {ours.document.qbo_id})" if ours.document.qbo_id else ", which is not sent yet"
    but = f": but {'; '.join(best.differs)}" if best.differs else ""
    words = f"{line.remark}; perhaps the same as {ours.document.invoice.reference} of Kompass{there}{more}{but}"
    if _prevents(best, ours, existing):
        remedy = _REMEDY if ours.document.qbo_id else _REMEDY_UNSENT
        return replace(line, standing=Standing.TWICE, remark=f"{words}. If so, {remedy}")
    return replace(line, standing=Standing.RESEMBLES, remark=words)


def _prevents(found: Match, ours: _Ours, existing: Existing) -> bool:
    """Whether it has no number of its own. A number alone, of another customer and total, is a coincidence."""
    if existing.name and not any(alike_numbers(existing.name, one) for one in ours.sought.names):
        return False
    return found.total_agrees or found.customer_agrees
