"""The documents of a month as QuickBooks has them, read around those that break its queries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

from qbo_client import documents
from qbo_client.calls import read
from qbo_client.documents import ENTITIES, Found
from qbo_client.errors import ReadFailed
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Refused
from qbo_client.queries import Send, done
from schemas.observed import reference
from sync.searching import readable


class Documents:
    """Reads documents, and counts those that no query gives: an address was typed in them wrongly by hand (4002)."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.broken = 0

    def dated(self, *, first: dt.date, after: dt.date) -> Iterator[Found]:
        """Give the documents dated from ``first`` to before ``after``, but those that are broken. Raises `ReadFailed`."""
        for entity in ENTITIES:
            try:
                rows = list(documents.dated(self._send, entity, first=first, after=after))
            except ReadFailed as error:
                if not _is_broken(error):
                    raise
                found = readable(self._send, entity, partial(documents.dated_page, entity, first=first, after=after))
                if found is None:
                    raise
                rows, broken = list(found[0]), found[1]
                self.broken += broken
            yield from ((entity, row) for row in rows)

    def under(self, keys: Iterable[tuple[str, str]]) -> Iterator[Found]:
        """Give those of these (entity, Id) that are there; a broken one can be read by its Id. Raises `ReadFailed`."""
        wanted = set(keys)
        for entity in ENTITIES:
            ids = {qbo_id for kind, qbo_id in wanted if kind == entity}
            yield from ((entity, row) for row in self._under(entity, ids))

    def customers_above(self, customers: Collection[str]) -> dict[str, str]:
        """Give the customer above each of these that is a job, by Id. Raises `ReadFailed`."""
        read = self._under("Customer", customers)
        return {str(row["Id"]): above for row in read if (above := reference(row, "ParentRef"))}

    def _under(self, entity: str, ids: Collection[str]) -> list[Mapping[str, object]]:
        try:
            return list(documents.under(self._send, entity, ids))
        except ReadFailed as error:
            if not _is_broken(error):
                raise
            return [row for one in sorted(ids) if (row := self._one(entity, one)) is not None]

    def _one(self, entity: str, qbo_id: str) -> Mapping[str, object] | None:
        outcome = self._send(read(entity, qbo_id))
        if isinstance(outcome, Refused) and FaultCode.OBJECT_NOT_FOUND in outcome.codes:
            return None
        return done(outcome, f"reading {entity} {qbo_id}").entity(entity)


def _is_broken(error: ReadFailed) -> bool:
    return isinstance(error.outcome, Refused) and FaultCode.QUERY_BROKEN in error.outcome.codes
