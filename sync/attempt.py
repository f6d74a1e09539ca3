"""A claimed call on its way: everything the worker needs to make it and the settle needs to write it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from mapping.difference import own_lines
from qbo_client import calls
from qbo_client.calls import Call, Operation
from qbo_client.queries import PAGE_SIZE, compare, equals, one_of, select
from schemas.observed import Observed, kept
from store import json
from store.links import Link

Phase = Literal["send", "lookup"]

# Our clock and Intuit's need not agree to the second.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call for one link, claimed under ``epoch``."""

    link: Link
    epoch: int
    phase: Phase
    operation: str
    """create | update | void | read"""
    entity: str
    object_id: str | None
    body: str = field(repr=False)
    request_id: str
    applied: Mapping[str, object] | None = field(repr=False)
    name: str
    sequence: int
    configuration_version: int
    attempt: int
    first_sent_at: datetime | None
    claimed_at: float
    """Monotonic seconds, taken before the claim's transaction began."""
    permitted_at: float = 0.0
    """Monotonic seconds at which the company's quota permitted the call."""
    voided: bool = False
    connection_version: int = 0
    batch_id: str = ""
    """The batch that it is a member of, which is the request id that all of them go under; empty for a call of its own."""
    over_at: datetime | None = None
    """Of a look-up: when the last call of the intent was certainly over at Intuit."""

    @property
    def asks(self) -> Operation:
        """What is asked of Intuit: of a look-up, the question, not what it is about."""
        if self.phase == "lookup":
            return Operation.QUERY if self.operation == "create" else Operation.READ
        return Operation(self.operation)

    def call(self) -> Call:
        """Give the call to make; for a look-up, the query that finds what an earlier call may have made."""
        if self.phase == "lookup":
            return self._lookup()
        if self.operation == "read":
            return calls.read(self.entity, self.object_id)
        body = json.loads(self.body)
        if self.operation == "create":
            return calls.create(self.entity, body, request_id=self.request_id)
        if self.operation == "update":
            return calls.update(self.entity, body, request_id=self.request_id)
        return calls.void(
            self.entity, object_id=str(body["Id"]), sync_token=str(body["SyncToken"]), request_id=self.request_id
        )

    def _lookup(self) -> Call:
        if self.operation != "create":
            # What became of an update shows in the object itself.
            return calls.read(self.entity, self.object_id)
        body = json.loads(self.body)
        if self.entity == "Customer":
            # Everything we might have made under that name, also if somebody made it inactive since.
            return calls.query(
                select("Customer", equals("DisplayName", str(body["DisplayName"])), one_of("Active", (True, False)))
            )
        if self.looks_everywhere:
            return self.elsewhere()
        # Not by its number or note, which may be others by now. A customer's documents of some minutes are few.
        return self._made_since(equals("CustomerRef", str(body["CustomerRef"]["value"])))

    @property
    def looks_everywhere(self) -> bool:
        """Whether a look-up for a document asks for those of all customers at once, as it does once it was tried before.

        Where very much is looked for, the first look-ups use the company's quota up, and the second reads, for what is not among its
        customer's, go without: asked for again in the same way, it would never end.
        """
        return self.phase == "lookup" and self.attempt > 2 and self.operation == "create" and self.entity != "Customer"

    def elsewhere(self, *, start: int = 1, at_most: int = PAGE_SIZE) -> Call:
        """Give the query for all that the company got while ours was sent: a document may have been moved to another customer since."""
        if self.over_at is None:
            raise ValueError(f"look-up for link {self.link.id}: its intent was never sent")
        until = compare("MetaData.CreateTime", "<=", _moment(self.over_at + CLOCK_SKEW))
        # Lists of names hold the active ones alone unless asked for both.
        conditions = (until, one_of("Active", (True, False))) if self.entity == "Customer" else (until,)
        return self._made_since(*conditions, start=start, at_most=at_most)

    def itself(self) -> Call:
        """Give the query for the very object: another way to ask what a read by its Id should have said."""
        any_state = (one_of("Active", (True, False)),) if self.entity == "Customer" else ()
        return calls.query(select(self.entity, equals("Id", str(self.object_id)), *any_state))

    def by_number(self, number: str) -> Call:
        """Give the query for it among very many: by its number, as long as that is still the one we gave it."""
        return self._made_since(equals("DocNumber", number))

    def _made_since(self, *conditions: str, start: int = 1, at_most: int = PAGE_SIZE) -> Call:
        if self.first_sent_at is None:
            raise ValueError(f"look-up for link {self.link.id}: its intent was never sent")
        return calls.query(
            select(
                self.entity,
                *conditions,
                compare("MetaData.CreateTime", ">=", _moment(self.first_sent_at - CLOCK_SKEW)),
                # Not told how many, Intuit gives a hundred: in a backfill ours need not be among those.
                order_by="MetaData.CreateTime",
                start=start if start > 1 else None,
                at_most=at_most,
            )
        )


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Late:
    """Not sent: so much time went by since the call was permitted that the call would have been one too many in its second."""

    duration: float = 0.0


def figures(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a link keeps of an object as QBO answered it: the object, its SyncToken, the Ids of its lines, its total and tax."""
    observed = Observed(document)
    return {
        "observed": kept(document),
        "sync_token": observed.sync_token,
        "line_ids": [str(line["Id"]) for line in own_lines(document) if "Id" in line],
        "qbo_total": observed.total,
        "qbo_tax": observed.tax,
    }
