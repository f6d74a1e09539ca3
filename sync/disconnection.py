"""What it means that a company does not let us in any more: a state of its connection, and one failure however many records wait."""

from __future__ import annotations

from sqlalchemy import Connection

from qbo_client.outcomes import Forbidden
from store import connections, failures
from store.failures import Failure

TRY_AFTER_S = 3600.0
"""A company whose subscription has ended is asked again so much later."""


def shut_out(db: Connection, outcome: Forbidden, *, org_id: str, realm_id: str, version: int) -> bool:
    """Note that a company does not let us in any more; False when its connection has moved on since ``version``."""
    message = connection_words(outcome)
    first = connections.disconnect(
        db,
        realm_id=realm_id,
        version=version,
        cause="subscription-ended" if outcome.subscription_ended else "disconnected",
        message=message,
        try_after=TRY_AFTER_S if outcome.subscription_ended else None,
    )
    if first:
        record_disconnection(
            db,
            org_id=org_id,
            realm_id=realm_id,
            message=message,
            subscription_ended=outcome.subscription_ended,
            tid=outcome.intuit_tid or "",
        )
    return first


def record_disconnection(
    db: Connection, *, org_id: str, realm_id: str, message: str, subscription_ended: bool, tid: str = ""
) -> None:
    """Open the one failure that a lost connection is, however many records wait for it."""
    failures.record_failure(
        db,
        Failure(
            stage="connect",
            cause="subscription-ended" if subscription_ended else "disconnected",
            message=message,
            remedy="Renew the QuickBooks subscription. Everything that waits is then sent"
            if subscription_ended
            else "Run Authorize with QuickbooksOnline on the Configuration. Everything that waits is then sent",
            org_id=org_id,
            realm_id=realm_id,
            intuit_tid=tid,
        ),
    )


def connection_words(outcome: Forbidden) -> str:
    if outcome.subscription_ended:
        return "the QuickBooks subscription of the company has ended"
    codes = ", ".join(sorted(outcome.codes)) or str(outcome.status)
    return f"QuickBooks no longer lets Kompass into the company (code {codes})"
