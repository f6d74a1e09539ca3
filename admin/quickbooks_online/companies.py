"""Calls of the admin to a linked QBO company: fresh tokens, the shared quota, and every trouble in words with a remedy."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from admin.quickbooks_online.metrics import observe_call, observe_refresh
from admin.quickbooks_online.runtime import engine, intuit, token_keys
from qbo_client import company_facts as intuit_facts
from qbo_client.calls import Call
from qbo_client.errors import ClientRefused, FactMissing, GrantRefused, OAuthUnavailable, ReadFailed
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Refused, Throttled, Unauthorized, Unknown
from qbo_client.quota import Window, permit
from schemas.company import CompanyFacts
from store import companies as stored_companies
from store import connections, quota
from store.connections import Tokens
from store.failures import Failure, record_failure
from sync.company import facts_of
from sync.disconnection import TRY_AFTER_S

TOKEN_MARGIN = timedelta(seconds=90)
REFRESH_LEASE_S = 90.0
CALL_DEADLINE_S = 20.0
PATIENCE_S = 8.0
"""How long a page waits for the company's quota or for a token refresh under way elsewhere."""
REAUTHORIZE = "Tick the Configuration in the list and run Authorize with QuickbooksOnline again."


class CompanyTrouble(Exception):
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
        """Make a call; a refused access token is renewed once.

        Raises
        ------
        CompanyTrouble
            the company is not linked, or cannot be reached before the call is even made.
        """
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
            self._lost(access.version, outcome)
        elif isinstance(outcome, Throttled):
            with engine().begin() as db:
                quota.block(db, self.realm_id, outcome.retry_after)
        return outcome

    def ask(self, call: Call) -> Done:
        """Make a call that needs an answer.

        Raises
        ------
        CompanyTrouble
        """
        outcome = self.send(call)
        if isinstance(outcome, Done):
            return outcome
        raise trouble_of(outcome)

    def facts(self) -> CompanyFacts:
        """Fetch the company's facts again and keep them, for the pipeline too (four metered reads).

        Raises
        ------
        CompanyTrouble
        """
        try:
            fetched = intuit_facts.fetch_company_facts(self.send)
        except ReadFailed as error:
            raise trouble_of(error.outcome) from error
        except FactMissing as error:
            raise CompanyTrouble(str(error), "Ask Kompass support.") from error
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
                raise CompanyTrouble("The company is not connected", REAUTHORIZE, disconnected=True)
            version, tokens = found
            if tokens.access_expires_at - datetime.now(UTC) > TOKEN_MARGIN:
                self._access = _Access(version, tokens.access_token)
                return self._access
            with engine().begin() as db:
                mine = connections.take_refresh_lease(
                    db, realm_id=self.realm_id, version=version, owner=self._owner, seconds=REFRESH_LEASE_S
                )
            if mine:
                self._refresh(version, tokens)
            elif time.monotonic() > until:
                raise CompanyTrouble("The connection is just being renewed", "Try again in a minute.")
            else:
                self._sleep(0.2)

    def _refresh(self, version: int, tokens: Tokens) -> None:
        try:
            new = intuit().oauth.refresh(tokens.refresh_token)
        except GrantRefused as error:
            observe_refresh("refused")
            with engine().begin() as db:
                note_disconnected(
                    db,
                    realm_id=self.realm_id,
                    version=version,
                    cause="invalid-grant",
                    message="Intuit no longer accepts Kompass's access to this company",
                    intuit_tid=error.intuit_tid or "",
                )
            raise CompanyTrouble(
                "Intuit no longer accepts Kompass's access to this company", REAUTHORIZE, disconnected=True
            ) from None
        except ClientRefused as error:
            observe_refresh("refused")
            self._release(30.0)
            raise CompanyTrouble(
                f"Intuit refuses Kompass itself ({error})", "Ask Kompass support: the app's keys at Intuit are wrong."
            ) from None
        except OAuthUnavailable as error:
            observe_refresh("unavailable")
            # It may have been done: nobody repeats it while the first may still be under way.
            self._release(30.0 if error.sent else 0.0)
            raise CompanyTrouble("QuickBooks is out of reach", "Try again in a few minutes.") from None
        with engine().begin() as db:
            stored = connections.store_refreshed(
                db,
                token_keys(),
                realm_id=self.realm_id,
                version=version,
                tokens=Tokens(
                    access_token=new.access_token,
                    refresh_token=new.refresh_token,
                    access_expires_at=new.access_expires_at,
                    refresh_expires_at=new.refresh_expires_at,
                    refresh_hard_expires_at=new.refresh_hard_expires_at,
                ),
            )
        observe_refresh("refreshed" if stored else "lost-race")

    def _release(self, retry_in: float) -> None:
        with engine().begin() as db:
            connections.release_refresh_lease(db, realm_id=self.realm_id, owner=self._owner, retry_in=retry_in)

    def _lost(self, version: int, outcome: Forbidden) -> None:
        ended = outcome.subscription_ended
        with engine().begin() as db:
            note_disconnected(
                db,
                realm_id=self.realm_id,
                version=version,
                cause="subscription-ended" if ended else "disconnected",
                message="The QuickBooks subscription of this company has ended"
                if ended
                else "QuickBooks no longer lets Kompass into this company",
                intuit_tid=outcome.intuit_tid or "",
                try_after=TRY_AFTER_S if ended else None,
            )


def wait_for_quota(realm_id: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Take one call out of the company's quota, on which its pushes draw too: else the calls that follow would be one too many.

    Raises
    ------
    CompanyTrouble
        there is none in time.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        with engine().begin() as db:
            lease = quota.lock_leases(db, [realm_id])[realm_id]
            if lease.blocked_for > 0:
                wait = lease.blocked_for
            else:
                granted, window, free_at = permit(Window.from_json(lease.window), lease.now, 1, in_flight=0)
                if granted:
                    quota.save_windows(db, {realm_id: window.to_json()})
                    return
                wait = free_at - lease.now
        if time.monotonic() + wait > until:
            raise CompanyTrouble(
                "Intuit's limit of calls for this company is used up at the moment", "Try again in a minute."
            )
        sleep(max(wait, 0.02))


def note_disconnected(
    db: Connection,
    *,
    realm_id: str,
    version: int,
    cause: str,
    message: str,
    intuit_tid: str = "",
    try_after: float | None = None,
) -> None:
    """Note that a company is lost, once: one state, one dead letter, one mail."""
    first = connections.disconnect(
        db, realm_id=realm_id, version=version, cause=cause, message=message, try_after=try_after
    )
    if not first:
        return
    org_id = db.exec_driver_sql(
        "SELECT c.org_id FROM qbo_configuration c JOIN qbo_connection n ON n.configuration_id = c.id"
        " WHERE n.realm_id = %s",
        (realm_id,),
    ).scalar()
    record_failure(
        db,
        Failure(
            stage="connect",
            # As the consumers record it: one problem is one cause, for every process that meets it.
            cause="subscription-ended" if cause == "subscription-ended" else "disconnected",
            message=message,
            remedy=REAUTHORIZE,
            org_id=org_id or "",
            realm_id=realm_id,
            intuit_tid=intuit_tid,
        ),
    )


def trouble_of(outcome: object) -> CompanyTrouble:
    """Say in words what became of a call that was not answered."""
    if isinstance(outcome, Unauthorized):
        return CompanyTrouble("QuickBooks refuses Kompass's access token", REAUTHORIZE)
    if isinstance(outcome, Forbidden):
        if outcome.subscription_ended:
            return CompanyTrouble(
                "The QuickBooks subscription of this company has ended",
                "Once it is paid, syncing resumes within the hour.",
                disconnected=True,
            )
        return CompanyTrouble("QuickBooks no longer lets Kompass into this company", REAUTHORIZE, disconnected=True)
    if isinstance(outcome, Throttled):
        return CompanyTrouble("Intuit asks Kompass to wait", "Try again in a minute.")
    if isinstance(outcome, NotSent):
        return CompanyTrouble("QuickBooks is out of reach", "Try again in a few minutes.")
    if isinstance(outcome, Unknown):
        return CompanyTrouble("QuickBooks did not answer", "Try again in a few minutes.")
    if isinstance(outcome, Refused):
        said = "; ".join(fault.detail or fault.message for fault in outcome.faults) or f"status {outcome.status}"
        return CompanyTrouble(f"QuickBooks refused: {said}", "Try again; if it stays, ask Kompass support.")
    return CompanyTrouble("QuickBooks gave an answer that Kompass does not understand", "Ask Kompass support.")
