"""A call to Intuit's Accounting API, as data: what is asked, without where, when and with which token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from qbo_client.errors import CallInvalid

# Intuit, "Basic field definitions": a request id has at most 50 characters; a batch's at most 36, because the server's
# key is the request id followed by the bId. The Batch page allows 30 items.
MAX_REQUEST_ID: Final = 50
MAX_BATCH_REQUEST_ID: Final = 36
MAX_BATCH_ITEM_ID: Final = 10
MAX_BATCH_ITEMS: Final = 30

_ENTITY: Final = re.compile(r"[A-Z][A-Za-z0-9]{1,49}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)


class Operation(StrEnum):
    """What a call does."""

    CREATE = "create"
    UPDATE = "update"
    VOID = "void"
    DELETE = "delete"
    READ = "read"
    QUERY = "query"
    BATCH = "batch"


WRITES: Final = frozenset({Operation.CREATE, Operation.UPDATE, Operation.VOID, Operation.DELETE})


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Use the constructors below; they hold it to Intuit's rules (`CallInvalid`).

    `entity` is spelled as in Intuit's envelope (`Customer`, `Invoice`, `CompanyInfo`, `Preferences`); empty for a query
    or a batch. Numbers in `body` may be `Decimal` and are sent digit for digit.
    """

    operation: Operation
    entity: str
    body: Mapping[str, object] | None = None
    request_id: str | None = None
    object_id: str | None = None
    query: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    """Of a read that asks by other things than an Id."""

    @property
    def metered(self) -> bool:
        """Whether Intuit counts it against the monthly CorePlus budget: data that goes out does, data in does not."""
        if self.operation is Operation.BATCH:
            items = (self.body or {}).get("BatchItemRequest")
            return isinstance(items, list) and any("Query" in item for item in items)
        return self.operation in (Operation.READ, Operation.QUERY)


def create(entity: str, body: Mapping[str, object], *, request_id: str | None) -> Call:
    """Make a new object of `body`. `request_id` is None only for an item of a batch, which has the batch's."""
    _check_entity(entity)
    _check_request_id(request_id, MAX_REQUEST_ID)
    return Call(operation=Operation.CREATE, entity=entity, body=body, request_id=request_id)


def update(entity: str, body: Mapping[str, object], *, request_id: str | None) -> Call:
    """Change an object. `body` is sent as given and holds `Id`, `SyncToken` and, if so meant, `sparse`."""
    _check_entity(entity)
    _check_request_id(request_id, MAX_REQUEST_ID)
    for member in ("Id", "SyncToken"):
        if not body.get(member):
            raise CallInvalid(f"update of {entity}: the body has no {member}, which Intuit requires")
    return Call(operation=Operation.UPDATE, entity=entity, body=body, request_id=request_id, object_id=str(body["Id"]))


def void(entity: str, *, object_id: str, sync_token: str, request_id: str | None) -> Call:
    """Void a transaction: it stays, with every amount at zero."""
    return _by_token(Operation.VOID, entity, object_id, sync_token, request_id)


def delete(entity: str, *, object_id: str, sync_token: str, request_id: str | None) -> Call:
    """Delete a transaction. Names (customers, items) cannot be deleted: deactivate them with an update."""
    return _by_token(Operation.DELETE, entity, object_id, sync_token, request_id)


def read(entity: str, object_id: str | None = None) -> Call:
    """Read one object by Id. `CompanyInfo` and `Preferences` are one per company and take none."""
    _check_entity(entity)
    if entity in ("CompanyInfo", "Preferences"):
        object_id = None
    elif object_id is None or not _IDENTIFIER.fullmatch(object_id):
        raise CallInvalid(f"read of {entity}: {object_id!r} is not an Id")
    return Call(operation=Operation.READ, entity=entity, object_id=object_id)


def read_rate(currency: str, day: date) -> Call:
    """Read the exchange rate of a currency on a day."""
    if not _CURRENCY.fullmatch(currency):
        raise CallInvalid(f"read of ExchangeRate: {currency!r} is not a currency")
    asked = (("sourcecurrencycode", currency), ("asofdate", day.isoformat()))
    return Call(operation=Operation.READ, entity="ExchangeRate", parameters=asked)


def query(text: str) -> Call:
    """Run a query; see `qbo_client.queries` for putting its text together."""
    if not text.strip():
        raise CallInvalid("query: the text is empty")
    return Call(operation=Operation.QUERY, entity="", query=text)


def batch(items: Mapping[str, Call], *, request_id: str) -> Call:
    """Up to 30 independent writes and queries in one request, by bId (at most 10 characters).

    Intuit runs them in any order, none sees another's effect, and each has a result of its own: read them with
    `outcomes.batch_outcomes`. The identity of an item on a repeat is the request id and the bId together.
    """
    _check_request_id(request_id, MAX_BATCH_REQUEST_ID)
    if not items or len(items) > MAX_BATCH_ITEMS:
        raise CallInvalid(f"batch: {len(items)} items, Intuit takes 1 to {MAX_BATCH_ITEMS}")
    body = {"BatchItemRequest": [_batch_item(bid, item) for bid, item in items.items()]}
    return Call(operation=Operation.BATCH, entity="", body=body, request_id=request_id)


def _batch_item(bid: str, item: Call) -> dict[str, object]:
    if len(bid) > MAX_BATCH_ITEM_ID or not _IDENTIFIER.fullmatch(bid):
        raise CallInvalid(f"batch: {bid!r} is no bId of 1 to {MAX_BATCH_ITEM_ID} letters and digits")
    if item.operation is Operation.QUERY:
        return {"bId": bid, "Query": item.query}
    if item.operation not in WRITES:
        raise CallInvalid(f"batch: item {bid} is a {item.operation}, which Intuit does not take in a batch")
    if item.operation is Operation.VOID:
        # Sparse, so that a void can never be taken for a full update that blanks the rest.
        body = {**(item.body or {}), "sparse": True}
        return {"bId": bid, "operation": "update", "optionsData": "void", item.entity: body}
    return {"bId": bid, "operation": item.operation.value, item.entity: item.body}


def _by_token(operation: Operation, entity: str, object_id: str, sync_token: str, request_id: str | None) -> Call:
    _check_entity(entity)
    _check_request_id(request_id, MAX_REQUEST_ID)
    if not _IDENTIFIER.fullmatch(object_id):
        raise CallInvalid(f"{operation} of {entity}: {object_id!r} is not an Id")
    if not sync_token:
        raise CallInvalid(f"{operation} of {entity} {object_id}: the SyncToken is missing")
    body = {"Id": object_id, "SyncToken": sync_token}
    return Call(operation, entity, body=body, request_id=request_id, object_id=object_id)


def _check_entity(entity: str) -> None:
    if not _ENTITY.fullmatch(entity):
        raise CallInvalid(f"{entity!r} is not the name of an entity, such as Customer")


def _check_request_id(request_id: str | None, longest: int) -> None:
    if request_id is not None and (len(request_id) > longest or not _IDENTIFIER.fullmatch(request_id)):
        raise CallInvalid(f"request id {request_id!r}: Intuit takes 1 to {longest} letters, digits and hyphens")
