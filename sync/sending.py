"""Sends a claimed call, if it is still ours and in time; and makes reads beside the claimed ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Engine

from qbo_client.calls import Call
from qbo_client.errors import BodyInvalid, CallInvalid
from qbo_client.outcomes import Outcome, Unauthorized, Unknown
from qbo_client.quota import PERMIT_VALID
from qbo_client.transport import Transport
from store import attempts
from store.engine import retrying
from sync.attempt import Attempt, Late
from sync.batches import Batch, complete
from sync.crash_points import reached
from sync.metrics import Metrics, observe_call
from sync.permits import permit_in
from sync.policy import Policy
from sync.tokens import AccessTokens

log = logging.getLogger(__name__)

# A batch does the work of thirty calls: it may take twice as long as one, until Intuit itself gives up on it (120 s).
BATCH_DEADLINES = 2


class Sender:
    """Shared by the workers of a process."""

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
