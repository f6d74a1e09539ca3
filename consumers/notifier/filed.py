"""The mail about filed months: which of their documents were written in QuickBooks since, once a day at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.notifier.addresses import AdminPages
from consumers.notifier.digest import short
from schemas.counting import counted
from store.filing import ChangedSince

DOCUMENTS = 40
"""Of a month, those that are named; the rest by their number."""
_DONE = {"create": "sent for the first time", "update": "changed", "void": "voided"}


@dataclass(frozen=True, slots=True)
class Document:
    words: str
    """``INV-7 was changed``"""
    url: str


@dataclass(frozen=True, slots=True)
class Month:
    title: str
    """``2026-03, filed by ada on 2026-04-02``"""
    documents: tuple[Document, ...]
    more: int


@dataclass(frozen=True, slots=True)
class FiledMail:
    subject: str
    org_name: str
    months: tuple[Month, ...]
    url: str


def filed_mail(changed: Sequence[ChangedSince], org_name: str, pages: AdminPages) -> FiledMail:
    """Put together what an Org has to know of its filed months."""
    by_month: dict[str, list[ChangedSince]] = {}
    for one in changed:
        by_month.setdefault(one.month, []).append(one)
    months = tuple(
        Month(
            f"{month}, filed by {short(some[0].filed_by, 80)} on {some[0].filed_at:%Y-%m-%d}",
            tuple(_document(one, pages) for one in some[:DOCUMENTS]),
            max(0, len(some) - DOCUMENTS),
        )
        for month, some in by_month.items()
    )
    which = f"{', '.join(list(by_month)[:3])}{' and more' if len(by_month) > 3 else ''}"
    number = len({one.link_id for one in changed})
    words = f"{counted(number, 'document')} of {which} changed since the month was filed"
    name = short(org_name, 60)
    return FiledMail(
        subject=f"{words} ({name})" if name else words,
        org_name=short(org_name, 80),
        months=months,
        url=pages.agreement(changed[0].configuration_id),
    )


def _document(one: ChangedSince, pages: AdminPages) -> Document:
    done = " and ".join(_DONE[operation] for operation in one.operations)
    return Document(f"{short(one.reference, 60)} was {done}", pages.invoice(one.link_id))
