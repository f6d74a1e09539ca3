"""What it means that a company does not let us in any more: a state of its connection, and one failure however many records wait."""

from __future__ import annotations

from sqlalchemy import Connection

from qbo_client.outcomes import Forbidden
from store import connections, failures
from store.failures import Failure

TRY_AFTER_S = 3600.0
"""A company whose subscription has ended is asked again so often."""

GRANT_REFUSED = "Intuit no longer takes the refresh token of this company"


def disconnect(db: Connection, outcome: Forbidden, *, realm_id: str, version: int) -> bool:
    """Note that a company does not let us in any more; False when its connection has moved on since ``version``."""
    ended = outcome.subscription_ended
    message, tid = connection_words(outcome), outcome.intuit_tid or ""
    cause = "subscription-ended" if ended else "disconnected"
    first = connections.disconnect(
        db,
        realm_id=realm_id,
        version=version,
        cause=cause,
        message=message,
        try_after=TRY_AFTER_S if ended else None,
    )
    if first:
        _record(db, realm_id, cause, message, tid)
    return first


def refuse_grant(db: Connection, *, realm_id: str, version: int, tid: str) -> bool:
    """Note that Intuit takes a company's refresh token no longer; False when its connection has moved on since ``version``."""
    first = connections.disconnect(db, realm_id=realm_id, version=version, cause="invalid-grant", message=GRANT_REFUSED)
    if first:
        _record(db, realm_id, "disconnected", GRANT_REFUSED, tid)
    return first


def _record(db: Connection, realm_id: str, cause: str, message: str, tid: str) -> None:
    """Open the one failure that a lost connection is, however many records wait for it."""
    remedy = (
        "Renew the QuickBooks subscription. Everything that waits is then sent"
        if cause == "subscription-ended"
        else "Run Authorize with QuickbooksOnline on the Configuration. Everything that waits is then sent"
    )
    failures.record_failure(
        db,
        Failure(
            stage="connect",
            cause=cause,
            message=message,
            remedy=remedy,
            org_id=connections.org_of(db, realm_id),
            realm_id=realm_id,
            intuit_tid=tid,
        ),
    )


def connection_words(outcome: Forbidden) -> str:
    if outcome.subscription_ended:
        return "the QuickBooks subscription of the company has ended"
    codes = ", ".join(sorted(outcome.codes)) or str(outcome.status)
    return f"QuickBooks no longer lets Kompass into the company (code {codes})"
