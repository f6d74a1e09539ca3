"""Calls of the admin to a linked QBO company: fresh tokens, the shared quota, and every failure in words with a remedy."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from admin.quickbooks_online.metrics import observe_call, observe_refresh
from admin.quickbooks_online.runtime import engine, intuit, token_keys
from qbo_client import company_facts as intuit_facts
from qbo_client.calls import Call
from qbo_client.errors import FactMissing, ReadFailed
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Refused, Throttled, Unauthorized, Unknown
from qbo_client.queries import patient
from schemas.company import CompanyFacts
from store import companies as stored_companies
from store import connections, quota
from sync.companies import token_ready
from sync.disconnection import disconnect
from sync.permits import wait_for_permit
from sync.preparation import facts_of
from sync.settings import AttemptPolicy, CompanyPolicy
from sync.tokens import Renewal, TokenRenewal

CALL_DEADLINE_S = 20.0
PATIENCE_S = 8.0
"""How long a page waits for the company's quota or for a token refresh under way elsewhere."""
REAUTHORIZE = "Tick the Configuration in the list and run Authorize with QuickbooksOnline again."


class CompanyError(Exception):
    """A company cannot be asked now. ``str()`` says why, ``remedy`` what to do; neither holds a secret."""

    def __init__(self, message: str, remedy: str, *, disconnected: bool = False) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.disconnected = disconnected

    @property
    def sentence(self) -> str:
        return f"{self}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class _Access:
    version: int
    token: str


class Company:
    """One linked company, for the length of a request."""

    def __init__(self, realm_id: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.realm_id = realm_id
        self._sleep = sleep
        self._owner = f"admin-{uuid.uuid4().hex}"
        self._access: _Access | None = None

    def send(self, call: Call) -> Outcome:
        """Make a call; a read that was refused in passing is made again (`qbo_client.queries.patient`), a refused token renewed once.

        Raises
        ------
        CompanyError
            the company is not linked, or cannot be reached before the call is even made.
        """
        return patient(self._send, sleep=self._sleep)(call)

    def _send(self, call: Call) -> Outcome:
        wait_for_quota(self.realm_id, sleep=self._sleep)
        for last in (False, True):
            access = self._fresh_access()
            outcome = intuit().transport.send(self.realm_id, access.token, call, deadline=CALL_DEADLINE_S)
            observe_call(self.realm_id, call, outcome)
            if isinstance(outcome, Unauthorized) and not last:
                self._access = None
                with engine().begin() as db:
                    connections.expire_access(db, realm_id=self.realm_id, version=access.version)
                continue
            break
        if isinstance(outcome, Forbidden):
            with engine().begin() as db:
                disconnect(db, outcome, realm_id=self.realm_id, version=access.version)
        elif isinstance(outcome, Throttled):
            with engine().begin() as db:
                quota.block(db, self.realm_id, outcome.retry_after)
        return outcome

    def ask(self, call: Call) -> Done:
        """Make a call that needs an answer.

        Raises
        ------
        CompanyError
        """
        outcome = self.send(call)
        if isinstance(outcome, Done):
            return outcome
        raise error_of(outcome)

    def facts(self) -> CompanyFacts:
        """Fetch the company's facts again and keep them, for the pipeline too (four metered reads).

        Raises
        ------
        CompanyError
        """
        try:
            fetched = intuit_facts.fetch_company_facts(self.send)
        except ReadFailed as error:
            raise error_of(error.outcome) from error
        except FactMissing as error:
            raise CompanyError(str(error), "Ask Kompass support.") from error
        facts = facts_of(self.realm_id, fetched)
        with engine().begin() as db:
            stored_companies.store_facts(db, facts)
        return facts

    def known_facts(self) -> CompanyFacts:
        """Give the company's facts as they are stored; fetched only where nobody has yet."""
        with engine().begin() as db:
            found = stored_companies.read_facts(db, [self.realm_id]).get(self.realm_id)
        return found if found is not None else self.facts()

    def _fresh_access(self) -> _Access:
        if self._access is not None:
            return self._access
        until = time.monotonic() + PATIENCE_S
        while True:
            with engine().begin() as db:
                found = connections.read_tokens(db, token_keys(), self.realm_id)
            if found is None:
                raise CompanyError("The company is not connected", REAUTHORIZE, disconnected=True)
            version, tokens = found
            if token_ready(tokens):
                self._access = _Access(version, tokens.access_token)
                return self._access
            if self._refresh(version):
                continue
            if time.monotonic() > until:
                raise CompanyError("The connection is just being renewed", "Try again in a minute.")
            self._sleep(0.2)

    def _refresh(self, version: int) -> bool:
        """Refresh the tokens; False when somebody else does just now."""
        renewal = TokenRenewal(
            engine(),
            intuit().oauth,
            token_keys(),
            owner=self._owner,
            lease_seconds=CompanyPolicy().refresh_lease_seconds,
            unanswered_seconds=AttemptPolicy().server_timeout_seconds,
        )
        renewed = renewal.renew(self.realm_id, version)
        if renewed.metric is not None:
            observe_refresh(renewed.metric)
        match renewed.outcome:
            case Renewal.GRANT_REFUSED:
                raise CompanyError(
                    "Intuit no longer accepts Kompass's access to this company", REAUTHORIZE, disconnected=True
                )
            case Renewal.KEYS_REFUSED:
                raise CompanyError(
                    f"Intuit refuses Kompass itself ({renewed.said})",
                    "Ask Kompass support: the app's keys at Intuit are wrong.",
                )
            case Renewal.UNAVAILABLE:
                raise CompanyError("QuickBooks is out of reach", "Try again in a few minutes.")
        return renewed.outcome is not Renewal.ELSEWHERE


def wait_for_quota(realm_id: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Take one call out of the company's quota, on which its pushes draw too: else the calls that follow would be one too many.

    Raises
    ------
    CompanyError
        there is none in time.
    """
    if not wait_for_permit(engine(), realm_id, patience=PATIENCE_S, sleep=sleep):
        raise CompanyError(
            "Intuit's limit of calls for this company is used up at the moment", "Try again in a minute."
        )


def error_of(outcome: object) -> CompanyError:
    """Say in words what became of a call that was not answered."""
    if isinstance(outcome, Unauthorized):
        return CompanyError("QuickBooks refuses Kompass's access token", REAUTHORIZE)
    if isinstance(outcome, Forbidden):
        if outcome.subscription_ended:
            return CompanyError(
                "The QuickBooks subscription of this company has ended",
                "Once it is paid, syncing resumes within the hour.",
                disconnected=True,
            )
        return CompanyError("QuickBooks no longer lets Kompass into this company", REAUTHORIZE, disconnected=True)
    if isinstance(outcome, Throttled):
        return CompanyError("Intuit asks Kompass to wait", "Try again in a minute.")
    if isinstance(outcome, NotSent):
        return CompanyError("QuickBooks is out of reach", "Try again in a few minutes.")
    if isinstance(outcome, Unknown):
        return CompanyError("QuickBooks did not answer", "Try again in a few minutes.")
    if isinstance(outcome, Refused):
        said = "; ".join(fault.detail or fault.message for fault in outcome.faults) or f"status {outcome.status}"
        return CompanyError(f"QuickBooks refused: {said}", "Try again; if it stays, ask Kompass support.")
    return CompanyError("QuickBooks gave an answer that Kompass does not understand", "Ask Kompass support.")
