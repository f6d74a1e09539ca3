"""An attempt, from plan to answer: one call for one link, or its part of one for many.

A claim plans it, or takes over one without an answer. What a worker needs to make the call and the settle needs to write it back is in
it, and what of it is kept in the database until QBO has answered is in its row.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mapping.books import changed_in_books
from mapping.decisions import Read, Write
from mapping.difference import holds, own_lines
from qbo_client import calls
from qbo_client.calls import Call, Operation
from qbo_client.queries import ACTIVE_OR_NOT, PAGE_SIZE, compare, equals, moment, select
from schemas.applied import NOTHING_SENT
from schemas.observed import Observed, kept
from store.attempts import KeptAttempt, OpenAttempt
from store.links import Link
from store.sql import dumps, loads

_KEPT = tuple(KeptAttempt.__dataclass_fields__)

# Our clock and Intuit's need not agree to the second.
CLOCK_SKEW = timedelta(minutes=5)

AS_MADE = "0"
"""The SyncToken of an object that nobody wrote to since it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(KeptAttempt):
    """One call for one link, claimed under ``epoch``."""

    link: Link
    """As the claim found it."""
    epoch: int
    tries: int
    """How often it was sent or looked up, this time included; 1 for one just planned."""
    claimed_at: float
    """Monotonic seconds, taken before the claim's transaction began."""
    connection_version: int
    """Of the connection whose token the call goes under."""
    over_at: datetime | None = None
    """Of a look-up: when the last call of the attempt was certainly over at Intuit."""

    @classmethod
    def planned(
        cls, link: Link, decision: Write | Read, at: tuple[int, int], *, connection: int, now: datetime, started: float
    ) -> Attempt:
        """Plan the call of a decision, under a new request id.

        :param at: the record's sequence and the configuration's version that the decision rests on.
        :param connection: the version of the company's connection.
        :param started: monotonic seconds, before the claim's transaction began; ``now`` is the database's clock.
        """
        write = decision if isinstance(decision, Write) else None
        return cls(
            link=link,
            epoch=link.epoch + 1,
            phase="send",
            operation=write.operation if write is not None else "read",
            entity=decision.entity,
            object_id=decision.object_id,
            body=dumps(write.body) if write is not None else "",
            request_id=uuid.uuid4().hex,
            applied=write.applied if write is not None else None,
            name=(write.name or "") if write is not None else "",
            sequence=at[0],
            configuration_version=at[1],
            tries=1,
            first_sent_at=now,
            claimed_at=started,
            connection_version=connection,
            voided=write is not None and write.voided,
            temporary=write.temporary if write is not None else "",
        )

    @classmethod
    def taken_over(
        cls, link: Link, opened: OpenAttempt, *, connection: int, resend_window: float, started: float
    ) -> Attempt:
        """Send one without an answer again as it was written, while Intuit is trusted to remember its request id; look up afterwards."""
        kept = {name: getattr(opened, name) for name in _KEPT}
        if is_looked_up(opened, resend_window):
            # What is looked up goes alone.
            kept |= {"phase": "lookup", "batch_id": ""}
        return cls(
            **kept,
            link=link,
            epoch=link.epoch + 1,
            tries=opened.attempt + 1,
            claimed_at=started,
            connection_version=connection,
            over_at=opened.resend_after,
        )

    @property
    def is_new(self) -> bool:
        """Whether nothing of it was ever sent."""
        return self.tries == 1

    @property
    def writes_names(self) -> bool:
        """Whether it creates or changes a customer."""
        return self.entity == "Customer" and self.phase == "send" and self.operation != "read"

    def row(self, *, owner: str, now: datetime, over_after: timedelta) -> dict[str, Any]:
        """Give what the database keeps of it until QBO has answered."""
        return {
            **{name: getattr(self, name) for name in _KEPT},
            "link_id": self.link.id,
            "realm_id": self.link.realm_id,
            "epoch": self.epoch,
            "attempt": self.tries,
            "owner": owner,
            "heartbeat_at": now,
            "resend_after": now + over_after,
        }

    @property
    def members(self) -> set[str]:
        """The members that an update changes: lines go with the customer that their document has, also one that a person chose."""
        body, there = loads(self.body), self.link.observed or {}
        beside = "CustomerRef" in body and holds(there.get("CustomerRef"), body["CustomerRef"])
        return set(body) - ({"CustomerRef"} if beside else set())

    @property
    def changes_books(self) -> bool:
        """Whether it changes what the books say; an update may change texts alone."""
        if self.operation != "update":
            return True
        body = loads(self.body)
        changed = {member: body[member] for member in self.members}
        return bool(
            changed_in_books(changed, (self.link.applied or NOTHING_SENT).members, Observed(self.link.observed or {}))
        )

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
        body = loads(self.body)
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
        if self.looks_everywhere:
            return self.elsewhere()
        body = loads(self.body)
        if self.entity == "Customer":
            # Everything we might have made under that name, also if somebody made it inactive since.
            return self._made_since(equals("DisplayName", str(body["DisplayName"])), ACTIVE_OR_NOT)
        # Not by its number or note, which may be others by now. A customer's documents of some minutes are few.
        return self._made_since(equals("CustomerRef", str(body["CustomerRef"]["value"])))

    @property
    def looks_everywhere(self) -> bool:
        """Whether a look-up asks for documents of all customers, or for all names, at once, as it does once it was tried before.

        Where very much is looked for, the first look-ups use the company's quota up, and the second reads, for what is not among its
        customer's or has another name by now, go without: asked for again in the same way, it would never end.
        """
        return self.phase == "lookup" and self.tries > 2 and self.operation == "create"

    def elsewhere(self, *, start: int = 1, at_most: int = PAGE_SIZE) -> Call:
        """Give the query for all that the company got while ours was sent: a document may have been moved to another customer since."""
        if self.over_at is None:
            raise ValueError(f"look-up for link {self.link.id}: its call was never sent")
        until = compare("MetaData.CreateTime", "<=", moment(self.over_at + CLOCK_SKEW))
        # Lists of names hold the active ones alone unless asked for both.
        conditions = (until, ACTIVE_OR_NOT) if self.entity == "Customer" else (until,)
        return self._made_since(*conditions, start=start, at_most=at_most)

    def itself(self) -> Call:
        """Give the query for the very object: another way to ask what a read by its Id should have said."""
        any_state = (ACTIVE_OR_NOT,) if self.entity == "Customer" else ()
        return calls.query(select(self.entity, equals("Id", str(self.object_id)), *any_state))

    def by_number(self, number: str) -> Call:
        """Give the query for it among very many: by its number, as long as that is still the one we gave it."""
        return self._made_since(equals("DocNumber", number))

    def _made_since(self, *conditions: str, start: int = 1, at_most: int = PAGE_SIZE) -> Call:
        return calls.query(
            select(
                self.entity,
                *conditions,
                compare("MetaData.CreateTime", ">=", moment(self.first_sent_at - CLOCK_SKEW)),
                # Without a number, Intuit gives a hundred: in a backfill ours need not be among those.
                order_by="MetaData.CreateTime",
                start=start if start > 1 else None,
                at_most=at_most,
            )
        )


def is_looked_up(opened: OpenAttempt, resend_window: float) -> bool:
    """Whether one without an answer is looked up, and no longer sent again as it was written."""
    return opened.phase == "lookup" or opened.age > resend_window


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
