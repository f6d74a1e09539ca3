"""Queries: putting their text together so that no value can break out of it, and reading their pages lazily.

Source: Intuit's page on data queries. Keywords are spelled as there (`ORDERBY`); values stand in single quotes, numbers
too; `'` is written `\\'` and `\\` is written `\\\\`.

QuickBooks refuses a query that holds a character outside Latin-1 (4000; quickbooks-ruby 309 and 362, PHP SDK 397), by one report
outside ASCII. A condition on such a text asks for everything that is like it without those characters.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from qbo_client.calls import Call, Operation, query
from qbo_client.errors import CallInvalid, ReadFailed
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Done, NotSent, Outcome, Refused, Unknown, words_of
from qbo_client.verdicts import Verdict, verdict

Send = Callable[[Call], Outcome]

# The most that Intuit gives at once; it gives 100 when not asked for a number.
PAGE_SIZE: Final = 1000
PAUSES: Final = (0.5, 1.5)
"""Seconds before a read is made again for somebody who waits for it."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.]*", re.ASCII)
_UNREADABLE: Final = re.compile(r"[^\x00-\x7f]+")
_COMPARISONS: Final = frozenset({"=", "<", ">", "<=", ">=", "LIKE"})


def literal(value: str | bool) -> str:
    """`value` as it stands in a query: text quoted and escaped, true and false bare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if any(character < " " and character != "\t" for character in value):
        raise CallInvalid(f"query: {value!r} holds a control character")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def moment(at: datetime) -> str:
    """A moment as a condition names it."""
    return at.isoformat(timespec="seconds")


def compare(name: str, comparison: str, value: str | bool) -> str:
    """A condition such as `DisplayName = 'Amy\\'s'`.

    :param value: of LIKE, each run of characters that are not ASCII stands for anything.
    """
    if comparison not in _COMPARISONS:
        raise CallInvalid(f"query: {comparison!r} is not one of {' '.join(sorted(_COMPARISONS))}")
    if comparison == "LIKE" and isinstance(value, str):
        value = _UNREADABLE.sub("%", value)
    return f"{_name(name)} {comparison} {literal(value)}"


def equals(name: str, value: str | bool) -> str:
    """The condition `name = value`; of a text that is not ASCII, one that finds more: compare what comes back."""
    exact = isinstance(value, bool) or value.isascii()
    return compare(name, "=" if exact else "LIKE", value)


def one_of(name: str, values: Sequence[str | bool]) -> str:
    """The condition `name IN (…)`."""
    if not values:
        raise CallInvalid(f"query: {name} IN () has no value")
    return f"{_name(name)} IN ({', '.join(literal(value) for value in values)})"


# Lists of names (customers, items, classes, codes) hold only active ones unless asked for both.
ACTIVE_OR_NOT: Final = "Active IN (true, false)"


def select(
    entity: str, *where: str, order_by: str | None = None, start: int | None = None, at_most: int | None = None
) -> str:
    """`SELECT * FROM entity …` with the conditions of `where`, all of which must hold. `start` counts from 1."""
    return _statement("*", entity, where, order_by=order_by, start=start, at_most=at_most)


def select_count(entity: str, *where: str) -> str:
    """`SELECT count(*) FROM entity …`."""
    return _statement("count(*)", entity, where)


def iterate(
    send: Send, entity: str, *where: str, order_by: str | None = None, page_size: int = PAGE_SIZE
) -> Iterator[dict[str, object]]:
    """All objects that fulfil the conditions, a page (one metered call) at a time, never more than a page in memory.

    Stops after the first page that is not full. Raises `ReadFailed` when a page does not come.
    """
    if not 1 <= page_size <= PAGE_SIZE:
        raise CallInvalid(f"query: a page of {page_size} objects; Intuit gives 1 to {PAGE_SIZE}")
    start = 1
    while True:
        text = select(entity, *where, order_by=order_by, start=start, at_most=page_size)
        rows = done(send(query(text)), f"reading {entity} from {start} on").rows(entity)
        yield from rows
        if len(rows) < page_size:
            return
        start += page_size


def count(send: Send, entity: str, *where: str) -> int:
    """How many objects fulfil the conditions: one metered call. Raises `ReadFailed`."""
    return done(send(query(select_count(entity, *where))), f"counting {entity}").count()


def patient(send: Send, *, sleep: Callable[[float], None] = time.sleep) -> Send:
    """Make calls with `send`; a read that had no answer, or was refused in passing, is made again after each of `PAUSES`.

    For somebody who waits for it: a sheet of forty reads is not lost over one of them. A refusal over one bad document (4002) stays.
    """

    def sent(call: Call) -> Outcome:
        outcome = send(call)
        for pause in PAUSES if call.operation in (Operation.READ, Operation.QUERY) else ():
            if not _may_pass(outcome, call.operation):
                break
            sleep(pause)
            outcome = send(call)
        return outcome

    return sent


def _may_pass(outcome: Outcome, operation: Operation) -> bool:
    if isinstance(outcome, Refused):
        return verdict(outcome, operation) is Verdict.PASSING and FaultCode.QUERY_BROKEN not in outcome.codes
    return isinstance(outcome, Unknown | NotSent)


def done(outcome: Outcome, doing: str) -> Done:
    """The outcome if it is `Done`; raises `ReadFailed` with the outcome in it otherwise."""
    if isinstance(outcome, Done):
        return outcome
    said = words_of(outcome)
    raise ReadFailed(f"{doing}: {type(outcome).__name__}{f' ({said})' if said else ''}", outcome)


def _statement(
    what: str,
    entity: str,
    where: Sequence[str],
    *,
    order_by: str | None = None,
    start: int | None = None,
    at_most: int | None = None,
) -> str:
    text = f"SELECT {what} FROM {_name(entity)}"
    if where:
        text += f" WHERE {' AND '.join(where)}"
    if order_by is not None:
        text += f" ORDERBY {_name(order_by)}"
    if start is not None:
        text += f" STARTPOSITION {start}"
    if at_most is not None:
        text += f" MAXRESULTS {at_most}"
    return text


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CallInvalid(f"query: {name!r} is not the name of an entity or a property")
    return name
