"""The batch endpoint: up to 30 items, each on its own, answered in no promised order."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from simulator import selection
from simulator.company import BY_PATH, Company
from simulator.faults import ApiFault, business, error, fault, missing
from simulator.members import Object
from simulator.operations import Write, write
from simulator.requestids import MAXIMUM_BATCH_ITEM_LENGTH, MAXIMUM_LENGTH

_OPERATIONS = ("create", "update", "delete", "void")
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
_KNOWN = ("bId", "operation", "optionsData", "Query")


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it was sent. `entity` is empty for a query."""

    bid: str
    operation: str
    entity: str
    payload: Any

    @property
    def queried(self) -> str:
        """The entity that a query is about."""
        found = _FROM.search(self.payload) if self.operation == "query" and isinstance(self.payload, str) else None
        return "" if found is None else BY_PATH.get(found.group(1).lower(), "")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What strikes an item: a fault instead of its work, or one after it was saved."""

    instead: ApiFault | None = None
    afterwards: ApiFault | None = None

    def around(self, company: Company, run: Callable[[], Object]) -> Object:
        """The item's answer. What was refused anyway stays refused in its own words."""
        if self.instead is not None:
            return {"Fault": self.instead.as_wire(company.profile.language)}
        answer = dict(run())
        if self.afterwards is None or "Fault" in answer:
            return answer
        return {"Fault": self.afterwards.as_wire(company.profile.language)}


class ItemTrouble(Protocol):
    """Says what strikes an item; `repeated` when its request id was answered before."""

    def __call__(self, item: Item, *, repeated: bool) -> Trouble: ...


def no_trouble(item: Item, *, repeated: bool) -> Trouble:
    return Trouble()


Remember = Callable[[Item, Callable[[], Object]], Object]
"""Runs an item unless its request id has been answered before; returns the item's answer either way."""


def run(company: Company, body: Any, *, requestid: str, remember: Remember) -> Object:
    """The `BatchItemResponse` envelope, without `time`.

    :raises ApiFault: when the batch itself cannot be taken (1040, 2010, 2130); an item's own fault stays in its answer.
    """
    items = [_read(one) for one in _items(company, body)]
    answers: dict[int, Object] = {}
    # Items do not see each other's work: what is asked is asked before anything is changed.
    for place in sorted(range(len(items)), key=lambda place: items[place].operation != "query"):
        item = items[place]
        refused = _wrong_key(requestid, item)
        if refused is not None:
            answers[place] = {"Fault": refused.as_wire(company.profile.language)}
            continue
        answers[place] = remember(item, lambda item=item: _answer(company, item))  # type: ignore[misc]
    order = list(range(len(items)))
    random.Random(len(items)).shuffle(order)  # noqa: S311 - only to give away no order
    return {"BatchItemResponse": [{**answers[place], "bId": items[place].bid} for place in order]}


def _items(company: Company, body: Any) -> list[Any]:
    if not isinstance(body, dict) or not isinstance(body.get("BatchItemRequest"), list):
        raise ApiFault(missing("BatchItemRequest"))
    unknown = [name for name in body if name != "BatchItemRequest"]
    if unknown:
        raise fault("2010", f"Property Name:{unknown[0][:100]} specified is unsupported or invalid")
    items: list[Any] = body["BatchItemRequest"]
    limit = company.settings.batch_items
    if len(items) > limit:
        raise fault("1040", f"Batch size exceeds the limit : {len(items)} items were sent, {limit} are allowed")
    return items


def _wrong_key(requestid: str, item: Item) -> ApiFault | None:
    """The fault of an item whose key, request id and bId in one, is too long (Java SDK issue 180); documented is less."""
    key = requestid + item.bid
    if not requestid or item.operation == "query":
        return None
    if len(key) > MAXIMUM_LENGTH:
        return business(
            f"You cannot enter more than {MAXIMUM_LENGTH} characters in the request_id field. "
            f"You tried entering {key[:10]}..., which is {len(key)} characters."
        )
    if len(item.bid) > MAXIMUM_BATCH_ITEM_LENGTH:
        return fault(
            "2130", f"Invalid Request Id Format : bId {item.bid[:60]} is longer than {MAXIMUM_BATCH_ITEM_LENGTH}"
        )
    return None


def _read(one: Any) -> Item:
    if not isinstance(one, dict) or not isinstance(one.get("bId"), str) or not one["bId"]:
        raise ApiFault(missing("bId"))
    bid = one["bId"]
    if "Query" in one:
        return Item(bid, "query", "", one["Query"])
    entities = [name for name in one if name not in _KNOWN]
    operation = one.get("operation")
    if operation == "update" and one.get("optionsData") == "void":
        operation = "void"
    return Item(
        bid, str(operation), entities[0] if len(entities) == 1 else "", one.get(entities[0]) if entities else None
    )


def _answer(company: Company, item: Item) -> Object:
    try:
        if item.operation == "query":
            if not isinstance(item.payload, str):
                raise fault("4000", "QueryParserError: Encountered <EOF> at line 1, column 1.", None)
            return {"QueryResponse": selection.run(company, item.payload)}
        if BY_PATH.get(item.entity.lower()) != item.entity or item.operation not in _OPERATIONS:
            raise ApiFault(error("500", f"Unsupported Operation : {item.operation[:50]} {item.entity[:50]}"))
        request = Write(entity=item.entity, operation=item.operation, payload=item.payload)
        if item.operation == "create" and isinstance(item.payload, dict) and item.payload.get("Id") not in (None, ""):
            raise fault("2010", "Property Name:Id specified is unsupported or invalid")
        return {item.entity: write(company, request)}
    except ApiFault as refused:
        return {"Fault": refused.as_wire(company.profile.language)}
