"""The steps of one process, put together once: claim, send, settle, as plain functions.

The runner calls them from its threads, and tests one after the other. They start no thread and hold no transaction open while Intuit is
asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from qbo_client.calls import WRITES
from qbo_client.faults import FaultCode
from qbo_client.oauth import OAuthApp
from qbo_client.outcomes import Done, NotSent, Outcome, Refused
from qbo_client.transport import Transport
from store.engine import AWAY, retrying
from store.secrets import TokenKeys
from sync.attempt import Attempt, Late
from sync.batches import Batch, Split, refused_for_now
from sync.claim import Claim, Claimed
from sync.explaining import Explainer, Learned
from sync.gates import Gates
from sync.metrics import Metrics
from sync.policy import Policy
from sync.preparation import CompanyPreparation
from sync.quarantine import claim_around
from sync.sending import Sender
from sync.settle import Answer, Settle, Settled

log = logging.getLogger(__name__)


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
