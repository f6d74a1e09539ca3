"""The steps of one process, put together once: claim, send, settle, as plain functions.

The runner calls them from its threads, and tests one after the other. They start no thread and hold no transaction open while Intuit is
asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, Engine

from qbo_client.calls import WRITES, Call
from qbo_client.errors import BodyInvalid, CallInvalid
from qbo_client.faults import FaultCode
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Done, NotSent, Outcome, Refused, Unauthorized, Unknown
from qbo_client.quota import PERMIT_VALID
from qbo_client.transport import Transport
from store import attempts
from store.engine import AWAY, retrying
from store.secrets import TokenKeys
from sync.attempt import Attempt, Late
from sync.batches import Batch, Split, complete, refused_for_now
from sync.claim import Claim, Claimed
from sync.crash_points import reached
from sync.explaining import Explainer, Learned
from sync.gates import Gates
from sync.metrics import Metrics, observe_call
from sync.permits import permit_in
from sync.policy import Policy
from sync.preparation import CompanyPreparation
from sync.quarantine import claim_around
from sync.settle import Answer, Settle, Settled
from sync.tokens import AccessTokens

log = logging.getLogger(__name__)

# A batch does the work of thirty calls: it may take twice as long as one, until Intuit itself gives up on it (120 s).
BATCH_DEADLINES = 2


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one request."""

    batch: Batch
    parts: Sequence[tuple[Attempt, Outcome | Late | Split]] = ()
    """Each attempt's part of it; none when the request was not ours any more, and nothing was sent."""
    is_too_large: bool = False
    """Intuit takes fewer in a batch."""


class Steps:
    """Shared by the threads of a process; one of them claims at a time."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        *,
        transport: Transport,
        oauth: OAuthApp,
        keys: TokenKeys,
        metrics: Metrics,
    ) -> None:
        self.engine = engine
        self.policy = policy
        self.metrics = metrics
        self.gates = Gates()
        self.preparation = CompanyPreparation(
            engine, policy, oauth=oauth, transport=transport, keys=keys, metrics=metrics
        )
        self.tokens = self.preparation.tokens
        self.claims = Claim(policy, self.preparation.cache)
        self.settles = Settle(policy)
        self.sender = Sender(
            engine,
            policy,
            transport=transport,
            tokens=self.tokens,
            budget_is_spent=self.preparation.budget_is_spent,
            metrics=metrics,
        )
        self.explainer = Explainer(engine, self.sender.ask)

    def claim(self, ids: Sequence[int], *, calls_allowed: Mapping[str, int], together: int = 1) -> Claimed:
        """Decide about these links and write an attempt for each call; see `sync.claim.Claim`."""
        return self.claim_due(lambda db: ids, calls_allowed=calls_allowed, together=together) or Claimed()

    def claim_due(
        self, find: Callable[[Connection], Sequence[int]], *, calls_allowed: Mapping[str, int], together: int = 1
    ) -> Claimed | None:
        """Claim the links that ``find`` gives, in the same transaction; None when it gives none.

        One that cannot be decided for a mistake of ours holds up no other (`sync.quarantine`). Raises the database's errors, after which
        none of them is claimed, or only the first of them.
        """
        ids: Sequence[int] = ()

        def found(db: Connection) -> Claimed | None:
            nonlocal ids
            ids = ()
            ids = find(db)
            return self.claims(db, ids, calls_allowed=calls_allowed, together=together) if ids else None

        try:
            return retrying(self.engine, found)
        except AWAY:
            raise
        except Exception:
            if not ids:
                raise
            return claim_around(self.engine, self.claims, ids, calls_allowed=calls_allowed, together=together)

    def send(self, batch: Batch) -> Sent:
        """Make one call, if it is still ours and in time. Raises nothing: its attempts would stay without an answer."""
        outcome: Outcome | Late | None
        realm_id, unsendable = batch.first.link.realm_id, False
        try:
            outcome = self.sender.send(batch)
        except Exception as error:
            # A mistake of ours in putting the call together: nothing was sent, and the record says so. No word of Intuit's.
            log.exception("call for %s", batch.about)
            outcome, unsendable = NotSent(f"{type(error).__name__}: {error}"), True
        parts = [] if outcome is None else batch.outcomes(outcome, unsendable=unsendable)
        if outcome is None or unsendable or isinstance(outcome, Late):
            self.gates.not_called(realm_id)
        else:
            wrote = batch.first.asks in WRITES
            self.gates.answered(realm_id, outcome, refused=refused_for_now(parts), wrote=wrote)
        too_large = isinstance(outcome, Refused) and FaultCode.BATCH_TOO_LARGE in outcome.codes
        return Sent(batch, parts, too_large)

    def answers(self, sent: Sent) -> list[Answer]:
        """Give what is to be written back of a request, with what had to be read beside it; empty when nothing was sent."""
        others_go = self.gates.answers_lately(sent.batch.first.link.realm_id)
        return [
            Answer(attempt, one, others_go, together=len(sent.batch.attempts), learned=self._learn(attempt, one))
            for attempt, one in sent.parts
        ]

    def _learn(self, attempt: Attempt, outcome: Outcome | Late | Split) -> Learned | None:
        # A write that was done leaves nothing unsaid.
        return None if isinstance(outcome, Done) and attempt.asks in WRITES else self.explainer.learn(attempt, outcome)

    def settle(self, answers: Sequence[Answer]) -> Settled:
        """Write answers back; see `sync.settle.Settle`."""
        return retrying(self.engine, lambda db: self.settles(db, answers))


class Sender:
    """Sends a claimed call, if it is still ours and in time; and makes reads beside the claimed ones. Shared by the workers."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        *,
        transport: Transport,
        tokens: AccessTokens,
        budget_is_spent: Callable[[], bool],
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._transport = transport
        self._tokens = tokens
        self._budget_is_spent = budget_is_spent
        self._metrics = metrics

    def send(self, batch: Batch) -> Outcome | Late | None:
        """Make the call; None when the claim is not ours any more and nothing may be sent."""
        call = batch.call()
        first = batch.first
        token = self._tokens.get(first.link.realm_id, first.connection_version)
        if token is None:
            return Unauthorized()
        if time.monotonic() - batch.permitted_at > PERMIT_VALID and not self._permit_again(batch):
            return Late()
        send_by = self._still_ours(batch)
        if send_by is None:
            # Those of a batch that are still ours go another time.
            return Late() if batch.is_combined else None
        self._metrics.add("qbo_calls_in_flight", 1)
        reached("sending")
        try:
            deadline = self._policy.attempts.call_deadline_seconds * (BATCH_DEADLINES if batch.is_combined else 1)
            outcome = self._transport.send(first.link.realm_id, token, call, deadline=deadline, send_by=send_by)
            reached("answered")
            return self._heard(batch, call, outcome)
        except (CallInvalid, BodyInvalid):
            # It could not even be written down.
            raise
        except Exception as error:
            # A mistake of ours once bytes may have left: what became of the call has to be found out.
            log.exception("call for %s", batch.about)
            return Unknown(f"{type(error).__name__}: {error}")
        finally:
            self._metrics.add("qbo_calls_in_flight", -1)

    def ask(self, attempt: Attempt, call: Call) -> Outcome | None:
        """Read something beside the calls that were claimed; None when quota, budget or token do not allow it now."""
        realm_id = attempt.link.realm_id
        try:
            token = None if self._budget_is_spent() else self._tokens.get(realm_id, attempt.connection_version)
            with self._engine.begin() as db:
                permitted = token is not None and permit_in(db, realm_id, self._policy.limits) is None
            if token is None or not permitted:
                return None
            outcome = self._transport.send(realm_id, token, call, deadline=self._policy.attempts.call_deadline_seconds)
        except Exception:
            # The caller does without.
            log.exception("read for %s %s", attempt.link.kind.value, attempt.link.kompass_id)
            return None
        observe_call(self._metrics, attempt.link.org_id, call, outcome, about=attempt.link.kompass_id)
        return outcome

    def _permit_again(self, batch: Batch) -> bool:
        with self._engine.begin() as db:
            realm_id = batch.first.link.realm_id
            return permit_in(db, realm_id, self._policy.limits, batch=batch.is_combined) is None

    def _still_ours(self, batch: Batch) -> float | None:
        """Fence: give the moment by which the request has to have left; None when somebody has taken it over.

        The next owner sends it again when the call is over at Intuit, counted from that moment. So a call that leaves later (we
        may be stopped at any point) could run beside its repetition, and Intuit might do both. Soon after the claim that moment is the
        claim's; later the database is asked, and informed that the call goes out only now.
        """
        send_within, now = self._policy.send_within, time.monotonic()
        if now - batch.first.claimed_at < send_within / 2:
            return batch.first.claimed_at + send_within
        epochs = {attempt.link.id: attempt.epoch for attempt in batch.attempts}
        mine = retrying(self._engine, partial(attempts.confirm, epochs=epochs, over_after=self._policy.over_after))
        lost = [attempt for attempt in batch.attempts if attempt.link.id not in mine]
        for attempt in lost:
            log.warning("fenced: %s %s was taken over", attempt.link.kind.value, attempt.link.kompass_id)
            self._metrics.count("fenced", kind=attempt.link.kind.value)
        return None if lost else now + send_within

    def _heard(self, batch: Batch, call: Call, outcome: Outcome) -> Outcome:
        if not batch.is_combined:
            outcome = complete(outcome, batch.first)
        observe_call(self._metrics, batch.first.link.org_id, call, outcome, about=batch.about)
        return outcome
