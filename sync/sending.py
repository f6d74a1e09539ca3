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
from store.transactions import retrying
from sync.attempt import Attempt, Late
from sync.batches import Parcel, complete
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

    def send(self, parcel: Parcel) -> Outcome | Late | None:
        """Make the call; None when the claim is not ours any more and nothing may be sent."""
        call = parcel.call()
        first = parcel.first
        token = self._tokens.get(first.link.realm_id, first.connection_version)
        if token is None:
            return Unauthorized()
        if time.monotonic() - first.permitted_at > PERMIT_VALID and not self._permit_again(parcel):
            return Late()
        send_by = self._still_ours(parcel)
        if send_by is None:
            # Those of a batch that are still ours go another time.
            return Late() if parcel.is_batch else None
        self._metrics.add("qbo_calls_in_flight", 1)
        reached("sending")
        try:
            deadline = self._policy.attempts.call_deadline_seconds * (BATCH_DEADLINES if parcel.is_batch else 1)
            outcome = self._transport.send(first.link.realm_id, token, call, deadline=deadline, send_by=send_by)
            reached("answered")
            return self._heard(parcel, call, outcome)
        except (CallInvalid, BodyInvalid):
            # It could not even be written down.
            raise
        except Exception as error:
            # A mistake of ours once bytes may have left: what became of the call has to be found out.
            log.exception("call for %s", parcel.about)
            return Unknown(f"{type(error).__name__}: {error}")
        finally:
            self._metrics.add("qbo_calls_in_flight", -1)

    def ask(self, work: Attempt, call: Call) -> Outcome | None:
        """Read something beside the calls that were claimed; None when quota, budget or token do not allow it now."""
        realm_id = work.link.realm_id
        try:
            token = None if self._budget_is_spent() else self._tokens.get(realm_id, work.connection_version)
            with self._engine.begin() as db:
                permitted = token is not None and permit_in(db, realm_id, self._policy.limits) is None
            if token is None or not permitted:
                return None
            outcome = self._transport.send(realm_id, token, call, deadline=self._policy.attempts.call_deadline_seconds)
        except Exception:
            # The caller does without.
            log.exception("read for %s %s", work.link.kind.value, work.link.kompass_id)
            return None
        observe_call(self._metrics, work.link.org_id, call, outcome, about=work.link.kompass_id)
        return outcome

    def _permit_again(self, parcel: Parcel) -> bool:
        with self._engine.begin() as db:
            realm_id = parcel.first.link.realm_id
            return permit_in(db, realm_id, self._policy.limits, batch=parcel.is_batch) is None

    def _still_ours(self, parcel: Parcel) -> float | None:
        """Fence: give the moment by which the request has to have left; None when somebody has taken it over.

        The next owner sends it again when the call is over at Intuit, counted from that moment. So a call that leaves later (we
        may be stopped at any point) could run beside its repetition, and Intuit might do both. Soon after the claim that moment is the
        claim's; later the database is asked, and informed that the call goes out only now.
        """
        send_within, now = self._policy.send_within, time.monotonic()
        if now - parcel.first.claimed_at < send_within / 2:
            return parcel.first.claimed_at + send_within
        epochs = {work.link.id: work.epoch for work in parcel.works}
        mine = retrying(self._engine, partial(attempts.confirm, epochs=epochs, over_after=self._policy.over_after))
        lost = [work for work in parcel.works if work.link.id not in mine]
        for work in lost:
            log.warning("fenced: %s %s was taken over", work.link.kind.value, work.link.kompass_id)
            self._metrics.count("fenced", kind=work.link.kind.value)
        return None if lost else now + send_within

    def _heard(self, parcel: Parcel, call: Call, outcome: Outcome) -> Outcome:
        if not parcel.is_batch:
            outcome = complete(outcome, parcel.first)
        observe_call(self._metrics, parcel.first.link.org_id, call, outcome, about=parcel.about)
        return outcome
