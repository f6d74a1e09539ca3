"""The mail about filed months: which of their documents changed since, in Kompass or by our writes, once a day at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.notifier.addresses import AdminPages
from consumers.notifier.digest import short
from schemas.counting import counted
from store.history import Entry
from sync.filed_months import ChangedSince

DOCUMENTS = 40
"""Of a month, those that are named; the rest by their number."""
_DONE = {"create": "sent for the first time", "update": "changed in QuickBooks", "void": "voided in QuickBooks"}
_MEMBERS = {
    "BillAddr": "address", "BillEmail": "email address", "ClassRef": "class", "CurrencyRef": "currency", "CustomField": "custom fields",
    "CustomerMemo": "message", "CustomerRef": "customer", "DocNumber": "number", "DueDate": "due date", "ExchangeRate": "exchange rate",
    "Line": "lines", "PrivateNote": "note", "ShipAddr": "address", "TxnDate": "date", "TxnTaxDetail": "tax",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    words: str
    """``INV-7 was changed in QuickBooks: net in Kompass was 100.00, is 200.00``"""
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
        by_month.setdefault(one.document.month, []).append(one)
    months = tuple(
        Month(
            f"{month}, filed by {short(some[0].document.filed_by, 80)} on {some[0].document.filed_at:%Y-%m-%d}",
            tuple(_document(one, pages) for one in some[:DOCUMENTS]),
            max(0, len(some) - DOCUMENTS),
        )
        for month, some in by_month.items()
    )
    which = f"{', '.join(list(by_month)[:3])}{' and more' if len(by_month) > 3 else ''}"
    number = len({one.document.link_id for one in changed})
    words = f"{counted(number, 'document')} of {which} changed since the month was filed"
    name = short(org_name, 60)
    return FiledMail(
        subject=f"{words} ({name})" if name else words,
        org_name=short(org_name, 80),
        months=months,
        url=pages.agreement(changed[0].document.configuration_id),
    )


def _document(one: ChangedSince, pages: AdminPages) -> Document:
    document = one.document
    done = " and ".join(_DONE[operation] for operation in document.operations)
    members = dict.fromkeys(_MEMBERS[name] for name in document.members if name in _MEMBERS)
    # Where Kompass's figures are the filed ones, what was written says what changed.
    said = "; ".join(one.words) or ", ".join(members)
    words = f"{short(document.reference, 60)}{f' was {done}' if done else ''}"
    return Document(short(f"{words}: {said}" if said else words, 300), pages.invoice(document.link_id))


def mailed_entries(changed: Sequence[ChangedSince], *, mail_id: int, subject: str) -> list[Entry]:
    """Give the entry of each document's history that says that it was mailed, with what Kompass said of it then, by month."""
    said: dict[int, dict[str, Mapping[str, str]]] = {}
    for one in changed:
        said.setdefault(one.document.link_id, dict(one.document.mailed))[one.document.month] = one.said
    documents = {one.document.link_id: one.document for one in changed}
    return [
        Entry(
            one.org_id, "invoice", one.kompass_id, "mailed", "filed", subject, link_id=link_id,
            detail={"mail": mail_id, "said": said[link_id]},
        )
        for link_id, one in documents.items()
    ]  # fmt: skip
