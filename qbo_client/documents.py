"""Invoices and credit memos of a company by their date or Id, a few metered queries a month; and customers by Id."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from qbo_client.calls import Call, query
from qbo_client.queries import ACTIVE_OR_NOT, Send, compare, iterate, one_of, select

ENTITIES = ("Invoice", "CreditMemo")
_IDS_AT_ONCE = 200

Found = tuple[str, Mapping[str, object]]
"""(entity, document)"""


def dated(send: Send, entity: str, *, first: dt.date, after: dt.date) -> Iterator[Mapping[str, object]]:
    """Give the documents of a kind that QuickBooks dates from ``first`` to before ``after``.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    return iterate(send, entity, *_in_time(first, after))


def dated_page(entity: str, start: int, at_most: int, *, first: dt.date, after: dt.date) -> Call:
    """Ask for a part of them, in the order of their making."""
    where = _in_time(first, after)
    return query(select(entity, *where, order_by="MetaData.CreateTime", start=start, at_most=at_most))


def _in_time(first: dt.date, after: dt.date) -> tuple[str, str]:
    return compare("TxnDate", ">=", first.isoformat()), compare("TxnDate", "<", after.isoformat())


def under(send: Send, entity: str, ids: Iterable[str]) -> Iterator[Mapping[str, object]]:
    """Give those documents, or customers, with these Ids that are there.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    wanted: Sequence[str] = sorted(set(ids))
    more = (ACTIVE_OR_NOT,) if entity == "Customer" else ()
    for start in range(0, len(wanted), _IDS_AT_ONCE):
        yield from iterate(send, entity, one_of("Id", wanted[start : start + _IDS_AT_ONCE]), *more)
