"""Batches: what of a company that has a backlog goes together in one request, and what its answer says of each.

A batch is an attempt like any other, written before it is sent: its members' rows name it (`batch_id`), it goes under that one request
id, each member under a bId that its link has for ever, and every answer settles its own link. It is sent again as the batch it was, member
for member, or not at all: whether Intuit remembers a batch's request id for each item or for the whole is not known, so there is never
another body under one request id. It says of how many members it is; once one of them has gone its own way, the others are looked up.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from qbo_client import calls
from qbo_client.calls import MAX_BATCH_ITEMS, Call, Operation
from qbo_client.outcomes import Done, NotSent, Outcome, Refused, Unknown, batch_outcomes
from qbo_client.verdicts import Verdict, verdict
from store import attempts, links
from store.attempts import OpenAttempt
from store.links import Link
from sync.attempt import Attempt, Late, is_looked_up

# Not voids: Intuit documents `optionsData` of a batch item on one page alone, and one that was not heeded would look done.
_TOGETHER = ("create", "update")


@dataclass(frozen=True, slots=True)
class Split:
    """A batch was refused as a whole, or could not be put together: its members go in halves until the one to blame is alone."""

    whole: Refused | NotSent

    @property
    def duration(self) -> float:
        return self.whole.duration


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes in one request: the call for one link, or a batch of them."""

    attempts: tuple[Attempt, ...]
    permitted_at: float = field(default_factory=time.monotonic, compare=False)
    """Monotonic seconds: a request is put together when its company's quota is asked for the call."""
    first: Attempt = field(init=False, repr=False, compare=False)
    is_combined: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", self.attempts[0])
        object.__setattr__(self, "is_combined", bool(self.attempts[0].batch_id))

    @property
    def writes_names(self) -> bool:
        """Whether it creates or changes customers (all of its members do, or none)."""
        return self.first.writes_names

    @property
    def about(self) -> str:
        kind = self.first.link.kind.value
        return f"{len(self.attempts)} {kind}s" if self.is_combined else f"{kind}/{self.first.link.kompass_id}"

    def call(self) -> Call:
        if not self.is_combined:
            return self.first.call()
        return calls.batch({bid(attempt): attempt.call() for attempt in self.attempts}, request_id=self.first.batch_id)

    def outcomes(
        self, outcome: Outcome | Late, *, unsendable: bool = False
    ) -> list[tuple[Attempt, Outcome | Late | Split]]:
        """Give what became of each member. ``unsendable``: the request could not even be put together."""
        if not self.is_combined:
            return [(self.first, outcome)]
        if isinstance(outcome, Done):
            each = batch_outcomes(outcome, [bid(attempt) for attempt in self.attempts])
            return [(attempt, complete(each[bid(attempt)], attempt)) for attempt in self.attempts]
        to_blame = isinstance(outcome, Refused) and verdict(outcome, Operation.BATCH) is Verdict.FINAL
        if len(self.attempts) > 1 and isinstance(outcome, Refused | NotSent) and (to_blame or unsendable):
            return [(attempt, Split(outcome)) for attempt in self.attempts]
        return [(attempt, outcome) for attempt in self.attempts]


def refused_for_now(parts: Sequence[tuple[Attempt, Outcome | Late | Split]]) -> frozenset[int]:
    """Give the links of a request all of whose members were refused without proof; empty when one was not."""
    refused = {
        attempt.link.id
        for attempt, one in parts
        if isinstance(one, Refused) and verdict(one, attempt.asks) is Verdict.PASSING
    }  # fmt: skip
    return frozenset(refused) if len(refused) == len(parts) else frozenset()


def request_id_for(members: int) -> str:
    """Give a new request id for a batch of so many: 35 characters at most, of the 36 that Intuit takes."""
    return f"{uuid.uuid4().hex}-{members}"


def members_by(batch_id: str) -> int:
    """Give how many members a batch had when it was first sent."""
    return int(batch_id.partition("-")[2] or 0)


def bid(attempt: Attempt) -> str:
    """Give the id of a link's item in any batch: 10 hexadecimal digits are enough for 10^12 links."""
    return f"{attempt.link.id:x}"


def as_batches(attempts: Iterable[Attempt]) -> list[Batch]:
    """Put claimed calls together again into the requests they go in."""
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.batch_id or f"link {attempt.link.id}", []).append(attempt)
    return [Batch(tuple(members)) for members in found.values()]


def complete(outcome: Outcome, attempt: Attempt) -> Outcome:
    """See to it that every object in an answer has its Id and can be written to by its SyncToken: else it is `Unknown`."""
    if not isinstance(outcome, Done):
        return outcome
    if attempt.phase == "lookup" and attempt.operation == "create":
        documents = outcome.rows(attempt.entity)
    else:
        found = outcome.body.get(attempt.entity)
        documents = [found] if isinstance(found, dict) else [{}]
    if all(bool(one.get("Id")) and one.get("SyncToken") is not None for one in documents):
        return outcome
    return Unknown("Intuit's answer names no Id or SyncToken", intuit_tid=outcome.intuit_tid, duration=outcome.duration)


# --- At the claim


def put_together(attempts: Iterable[Attempt], *, most: int) -> list[Batch]:
    """Put what a company wants sent into requests: batches of up to ``most`` (1: none), each of one kind alone.

    One kind alone, so that a customer is never in a batch with its job or its invoice: Intuit does the items of a batch in any order.
    A batch that is recovered goes as it was, even if ``most`` has another value now.
    """
    fresh: dict[tuple[str, int], list[Attempt]] = {}
    alone, recovered = [], []
    for attempt in sorted(attempts, key=lambda one: one.link.id):
        if attempt.batch_id:
            recovered.append(attempt)
        elif (room := _room(attempt, most)) > 1:
            fresh.setdefault((attempt.link.kind.value, room), []).append(attempt)
        else:
            alone.append(Batch((attempt,)))
    found = [*alone, *as_batches(recovered)]
    for (_, room), members in fresh.items():
        for start in range(0, len(members), room):
            together = members[start : start + room]
            found.append(_combined(together) if len(together) > 1 else Batch(tuple(together)))
    return found


def _room(attempt: Attempt, most: int) -> int:
    return (
        min(most, attempt.link.batch_most or MAX_BATCH_ITEMS)
        if attempt.is_new and attempt.operation in _TOGETHER
        else 1
    )


def _combined(attempts: Sequence[Attempt]) -> Batch:
    batch_id = request_id_for(len(attempts))
    return Batch(tuple(replace(attempt, request_id=batch_id, batch_id=batch_id) for attempt in attempts))


def is_resent(opened: OpenAttempt, resend_window: float) -> bool:
    """Whether an attempt is sent again as a member of its batch; later each is looked up alone."""
    return bool(opened.batch_id) and not is_looked_up(opened, resend_window)


@dataclass(frozen=True, slots=True)
class Gathered:
    """The links of a claim with all members of the batches that are to be recovered, and their attempts by link."""

    links: list[Link]
    opened: dict[int, OpenAttempt]
    torn: frozenset[int] = frozenset()
    """Links of a batch of which somebody else holds a member at this moment: not now."""


def gather_members(
    db: Connection, due: list[Link], opened: dict[int, OpenAttempt], *, lease: float, resend_window: float
) -> Gathered:
    """Lock the other members of each batch that nobody works on any more: it is taken over whole, or not now.

    What is left of one that cannot be whole again is to be looked up, each alone.
    """
    orphaned = {
        one.batch_id: one.realm_id for one in opened.values() if not one.alive and is_resent(one, resend_window)
    }
    if not orphaned:
        return Gathered(due, opened)
    members = attempts.members_of(db, orphaned)
    missing = members.keys() - {link.id for link in due}
    locked = links.lock_free(db, missing) if missing else []
    torn = {members[link_id] for link_id in missing - {link.id for link in locked}}
    # One whose answer came before it was locked is no member any more.
    found = attempts.read_open(db, [link.id for link in locked], lease=lease)
    still = {link_id: one for link_id, one in found.items() if one.batch_id in orphaned}
    opened = {**opened, **still}
    left = Counter(one.batch_id for one in opened.values())
    broken = {batch_id for batch_id in orphaned.keys() - torn if left[batch_id] < members_by(batch_id)}
    return Gathered(
        due + [link for link in locked if link.id in still],
        {link_id: _alone(one) if one.batch_id in broken else one for link_id, one in opened.items()},
        frozenset(link_id for link_id, one in opened.items() if one.batch_id in torn),
    )


def _alone(opened: OpenAttempt) -> OpenAttempt:
    """A member that has lost another: its request id stands for a body that cannot be sent again."""
    return replace(opened, phase="lookup", batch_id="")


# --- At the dispatcher


@dataclass(slots=True)
class Backlogs:
    """Which companies have a backlog, as far as this process knows, and whose turn it is."""

    _turns: dict[str, None] = field(default_factory=dict)

    @property
    def realms(self) -> frozenset[str]:
        return frozenset(self._turns)

    def enter(self, realm_ids: Iterable[str]) -> None:
        self._turns |= dict.fromkeys(sorted(realm_ids))

    def leave(self, realm_id: str) -> None:
        self._turns.pop(realm_id, None)

    def next(self, *, without: Collection[str]) -> str | None:
        """Give the company whose turn it is, which then is the last; None when all that have a backlog are to be left alone."""
        for realm_id in self._turns:
            if realm_id not in without:
                del self._turns[realm_id]
                self._turns[realm_id] = None
                return realm_id
        return None
