"""The currency of a customer or job, fixed at its first decision: a QBO customer has one for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from schemas.events import Kind
from store import links
from store.links import Link
from sync.case_loader import RecordCase, currency_of, with_currency
from sync.companies import Company
from sync.link import replace_by_twin

Judgeable = tuple[Link, Company, RecordCase]


def fix_currencies(db: Connection, judgeable: Sequence[Judgeable]) -> list[Judgeable]:
    """Fix the currencies that are not fixed yet; a second link for the same thing goes, and is left out of what comes back."""
    unfixed = {
        link.id: (link.realm_id, link.kind.value, link.kompass_id, link.party_id, currency_of(case))
        for link, _, case in judgeable
        if link.kind is not Kind.INVOICE and not link.currency
    }
    if not unfixed:
        return list(judgeable)
    holders = {key: twin.id for key, twin in links.find_party(db, unfixed.values()).items()}
    fixed: dict[int, str] = {}
    twins: dict[int, int] = {}
    for link_id, key in unfixed.items():
        if holders.setdefault(key, link_id) == link_id:
            fixed[link_id] = key[-1]
        else:
            twins[link_id] = holders[key]
    links.set_currencies(db, fixed)
    for link_id, twin_id in twins.items():
        replace_by_twin(db, link_id, twin_id=twin_id)
    return [_with_currency(one, fixed.get(one[0].id)) for one in judgeable if one[0].id not in twins]


def _with_currency(one: Judgeable, currency: str | None) -> Judgeable:
    if currency is None:
        return one
    link, company, case = one
    link = replace(link, currency=currency)
    return link, company, with_currency(case, link)
