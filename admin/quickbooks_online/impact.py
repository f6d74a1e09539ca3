"""What a saved mapping or template changes: which unsent documents go out, and which sent documents would now differ."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import models
from django.db.models import Q, QuerySet
from sqlalchemy import Connection

from admin.quickbooks_online.models import (
    Configuration,
    DepartmentClass,
    ItemService,
    Link,
    Record,
    TaxCodeVatRate,
)
from admin.quickbooks_online.naming import Names
from admin.quickbooks_online.preview import Difference, differences
from admin.quickbooks_online.runtime import engine
from mapping.decisions import Fail, Write
from schemas.applied import NOTHING_SENT
from schemas.counting import counted, form_of
from schemas.link_state import Because, LinkState
from store.engine import retrying
from store.links import READ
from store.links import Link as LinkRow
from store.searching import links_by_id
from sync.companies import Company, read_company, refetch_facts_for
from sync.decide import Prediction, predict
from sync.link import Wish, make_due

SHOWN = 200
"""Differences that are listed; all are counted."""
AT_ONCE = 500
"""Links that are in memory at a time."""
UNSENT = (LinkState.PENDING, LinkState.RETRYING, LinkState.WAITING, LinkState.FAILED, LinkState.SKIPPED)
"""The states of what QuickBooks does not have, or not in its newest form: a change of the configuration may let it go."""
PATIENCE_S = 10.0
"""After this it is said how far the comparison got. Comparing takes about a millisecond a document."""


@dataclass(frozen=True, slots=True)
class Changed:
    link_id: int
    reference: str
    name: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    going_out: int = 0
    """Documents that were not sent yet, and can go now."""
    differing: int = 0
    """Sent documents that would now differ."""
    closed: int = 0
    """Sent documents that would differ but lie in a closed period: never resent from here."""
    settled: int = 0
    """Sent documents that would differ but are paid or applied: a person corrects those."""
    compared: int = 0
    whole: bool = True
    """All were compared; else the numbers are what was found until patience ran out, the newest first."""
    shown: tuple[Changed, ...] = ()
    """The newest of those that differ."""
    link_ids: tuple[int, ...] = field(default=(), repr=False)
    """All of those that differ."""

    @property
    def sentence(self) -> str:
        """``37 unsent documents will go out; 214 sent documents would now differ``."""
        parts = []
        if self.going_out:
            parts.append(f"{self._count(self.going_out, 'unsent document')} will go out")
        if self.differing:
            parts.append(f"{self._count(self.differing, 'sent document')} would now differ")
        if self.closed:
            stay = form_of(self.closed, "stays as it is", "stay as they are")
            parts.append(f"{self._count(self.closed, 'document')} of a closed period {stay}")
        if self.settled:
            stay = form_of(self.settled, "stays as it is", "stay as they are")
            parts.append(f"{self._count(self.settled, 'paid document')} {stay}")
        if parts:
            return "; ".join(parts)
        return (
            "No document changes by this"
            if self.whole
            else f"Compared {counted(self.compared, 'document')}, the newest first: none changes by this"
        )

    def _count(self, number: int, what: str) -> str:
        return f"{'' if self.whole else 'at least '}{counted(number, what)}"


def part_of(rows: Sequence[models.Model]) -> Q | None:
    """Give the records that these rows of mapping tables can change; None when it may be any."""
    part = Q()
    for row in rows:
        line = _line_of(row)
        if line is None:
            return None
        part |= Q(body__contains={"lines": [line]})
    return part or None


def _line_of(row: models.Model) -> dict[str, object] | None:
    """What a line of an invoice holds that is mapped by this row; None when that cannot be said."""
    if isinstance(row, ItemService):
        return {"service": {"id": row.service.kompass_id}}
    if isinstance(row, DepartmentClass):
        return {"service": {"department": {"id": row.department.kompass_id}}}
    if isinstance(row, TaxCodeVatRate) and row.vat_rate.kompass_id:
        return {"vat_rate": {"id": row.vat_rate.kompass_id}}
    return None


def unsent(configuration: Configuration) -> frozenset[int]:
    """Give the links of the company that are not sent at this moment.

    A page that saves asks in the transaction that saves: once it commits, the pipeline sends what waited for it, and what was sent cannot
    be distinguished from what did not wait.
    """
    found = Link.objects.filter(
        realm_id=configuration.realm_id, org_id=configuration.org_id, state__in=UNSENT
    ).values_list("pk", flat=True)
    return frozenset(found)


def impact_of(
    configuration: Configuration,
    *,
    kinds: Collection[str] = ("invoice",),
    refresh_names: bool = False,
    part: Q | None = None,
    waited: frozenset[int] = frozenset(),
    clock: Callable[[], float] = time.monotonic,
) -> Impact:
    """Compare what is in QuickBooks with what would be sent under the configuration as it is saved now.

    The Org's records are gone through from the newest on, some at a time; with ``part``, only those that it lets through. ``waited``: what
    `unsent` gave in the transaction that saved. No lock is held while the records are compared, so the pipeline may be at work on them.
    """
    if not configuration.realm_id or not configuration.enabled:
        return Impact()
    with engine().begin() as db:
        company = read_company(db, configuration.org_id)
    if company is None or company.facts is None:
        return Impact()
    links = Link.objects.filter(
        Q(state__in=UNSENT) | Q(state=LinkState.SYNCED, qbo_id__isnull=False, voided=False),
        realm_id=configuration.realm_id,
        org_id=configuration.org_id,
    )
    records = Record.objects.filter(part or Q(), org_id=configuration.org_id, kind__in=kinds)
    going_out = closed = settled = compared = 0
    shown: list[Changed] = []
    ids: list[int] = []
    whole = True
    names = Names(configuration.realm_id)
    until = clock() + PATIENCE_S
    for chunk in _predicted(records, links, company, refresh_names=refresh_names):
        for one in chunk:
            compared += 1
            if one.link.state != LinkState.SYNCED:
                going_out += isinstance(one.outcome, Write)
            elif one.link.id in waited:
                # It waited when the change was saved, and went out since.
                going_out += 1
            elif _is_rejected(one, "books-closed"):
                closed += 1
            elif _is_rejected(one, "conflict:paid", "conflict:credit-applied"):
                settled += 1
            elif not _differs(one):
                continue
            else:
                ids.append(one.link.id)
                if len(shown) < SHOWN:
                    shown.append(_changed(one, names))
        if clock() > until:
            whole = False
            break
    return Impact(going_out, len(ids), closed, settled, compared, whole, tuple(shown), tuple(ids))


def _predicted(
    records: QuerySet[Record], links: QuerySet[Link], company: Company, *, refresh_names: bool
) -> Iterator[list[Prediction]]:
    below: int | None = None
    while True:
        older = records if below is None else records.filter(pk__lt=below)
        chunk = list(older.order_by("-pk").values_list("pk", "kind", "kompass_id")[:AT_ONCE])
        if not chunk:
            return
        below = chunk[-1][0]
        by_kind: dict[str, list[str]] = {}
        for _, kind, kompass_id in chunk:
            by_kind.setdefault(kind, []).append(kompass_id)
        ids = [
            link_id
            for kind, found in by_kind.items()
            for link_id in links.filter(kind=kind, kompass_id__in=found).order_by("-pk").values_list("pk", flat=True)
        ]
        with engine().begin() as db:
            known = links_by_id(db, ids)
            asked = [replace(known[one], refresh_names=refresh_names or known[one].refresh_names) for one in ids]
            predicted = predict(db, [(_as_read(link), company) for link in asked])
            yield [replace(one, link=known[one.link.id]) for one in predicted]


def _as_read(link: LinkRow) -> LinkRow:
    """Take what QuickBooks answered last for what it has: thousands of documents are not read for a page."""
    return replace(link, state=LinkState.PENDING, cause=READ) if link.state == LinkState.SYNCED else link


def _is_rejected(predicted: Prediction, *causes: str) -> bool:
    """Whether it would differ, but the books do not let it be written."""
    decision = predicted.outcome
    return isinstance(decision, Fail) and decision.problems[0].cause in causes


def _differs(predicted: Prediction) -> bool:
    decision = predicted.outcome
    return isinstance(decision, Write) and decision.operation == "update"


def _changed(predicted: Prediction, names: Names) -> Changed:
    assert isinstance(predicted.outcome, Write)
    sent = predicted.link.applied or NOTHING_SENT
    changed = tuple(
        one
        for one in differences(sent.members, predicted.outcome.applied.members, names)
        if one.changed and not _same_number(one)
    )
    return Changed(predicted.link.id, predicted.link.reference, predicted.link.name, changed)


def _same_number(one: Difference) -> bool:
    try:
        return Decimal(one.before) == Decimal(one.now)
    except ArithmeticError:
        return False


def ask_again(
    link_ids: Collection[int],
    *,
    by: str,
    wishes: Collection[Wish] = (),
    why: str = "",
    because: Because = Because.RESEND,
) -> int:
    """Have these links decided again, in any state; gives how many there are.

    The pipeline does the rest. `Because.RESEND` reads a document that counts as synced; for any other reason, what QuickBooks has already
    costs no call.
    """
    words = why or f"{by} asked for it to be looked at again"

    def ask(db: Connection) -> int:
        due = make_due(db, link_ids, because, words, wishes=wishes)
        # After the links, as a settle locks them.
        refetch_facts_for(db, link_ids)
        return due

    return retrying(engine(), ask)
