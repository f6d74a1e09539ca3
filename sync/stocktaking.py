"""Looks through a company after a restore: everything it got since the backup that the restored links may not know of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mapping.invoice import marked_id
from qbo_client.calls import Call, query
from qbo_client.errors import ReadFailed
from qbo_client.outcomes import Done, NotSent, Outcome
from qbo_client.queries import ACTIVE_OR_NOT, Send, compare, count, moment, select
from store.inventory import ENTITIES
from store.restores import Found, Wanted
from sync.searching import search

_MOST_QUESTIONS: Final = 10_000
"""A company got no ten million objects since a backup."""


def take_stock(send: Send, wanted: Wanted) -> list[Found]:
    """Read what was made since the backup: a metered call for each thousand, three at least. Raises `ReadFailed`."""
    found = []
    for entity in ENTITIES:
        for row in _made_since(send, entity, wanted.since):
            body: dict[str, Any] = dict(row)
            found.append(
                Found(
                    entity=entity,
                    qbo_id=str(body["Id"]),
                    name=str(body.get("DisplayName", "")),
                    kompass_id=marked_id(str(body.get("PrivateNote", ""))) or "",
                    body=body,
                )
            )
    return found


def _made_since(send: Send, entity: str, since: datetime) -> Sequence[Mapping[str, Any]]:
    """Give all that was made since then, also what no query returns: what is left out here would be made a second time."""
    made = compare("MetaData.CreateTime", ">=", moment(since))
    conditions = (made, ACTIVE_OR_NOT) if entity == "Customer" else (made,)
    refused: list[Outcome] = []

    def ask(call: Call) -> Outcome:
        outcome = send(call)
        if not isinstance(outcome, Done):
            refused.append(outcome)
        return outcome

    def page(start: int, at_most: int) -> Call:
        return query(select(entity, *conditions, order_by="MetaData.CreateTime", start=start, at_most=at_most))

    def newest_before() -> int | None:
        earlier = compare("MetaData.CreateTime", "<", moment(since))
        at = count(send, entity, earlier)
        if not at:
            return 0
        outcome = ask(query(select(entity, earlier, order_by="MetaData.CreateTime", start=at, at_most=1)))
        rows = outcome.rows(entity) if isinstance(outcome, Done) else ()
        return int(str(rows[0]["Id"])) if rows else None

    rows = search(ask, entity, page, questions=_MOST_QUESTIONS, newest_before=newest_before)
    if rows is None:
        last = refused[-1] if refused else NotSent("too many questions")
        raise ReadFailed(f"reading {entity} made since {since:%Y-%m-%d %H:%M}: {last}", last)
    return rows
