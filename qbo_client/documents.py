"""Invoices and credit memos of a company by their date or Id: two or three metered queries a month."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from qbo_client.queries import Send, compare, iterate, one_of

ENTITIES = ("Invoice", "CreditMemo")
_IDS_AT_ONCE = 200

Found = tuple[str, Mapping[str, object]]
"""(entity, document)"""


def documents_dated(send: Send, *, first: dt.date, after: dt.date) -> Iterator[Found]:
    """Give the documents that QuickBooks dates from ``first`` to before ``after``.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    in_time = (compare("TxnDate", ">=", first.isoformat()), compare("TxnDate", "<", after.isoformat()))
    for entity in ENTITIES:
        for document in iterate(send, entity, *in_time):
            yield entity, document


def documents_under(send: Send, keys: Iterable[tuple[str, str]]) -> Iterator[Found]:
    """Give those of these (entity, Id) that are there.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    wanted = sorted(set(keys))
    for entity in ENTITIES:
        ids: Sequence[str] = [qbo_id for kind, qbo_id in wanted if kind == entity]
        for start in range(0, len(ids), _IDS_AT_ONCE):
            for document in iterate(send, entity, one_of("Id", ids[start : start + _IDS_AT_ONCE])):
                yield entity, document
