"""Linking an Org to a QBO company by Intuit's authorisation, and taking the link back (the article's step 2).

The ``state`` that travels through Intuit is bound to the session of the person who started, is good for one callback and for
a quarter of an hour.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import connection as django_connection
from django.urls import reverse
from django.utils import timezone
from sqlalchemy import Connection, or_, select, update
from sqlalchemy.exc import IntegrityError

from admin.quickbooks_online.companies import CompanyError, error_of, wait_for_quota
from admin.quickbooks_online.lists import forget
from admin.quickbooks_online.metrics import observe_call
from admin.quickbooks_online.models import PendingAuthorization
from admin.quickbooks_online.runtime import engine, intuit, public_url, token_keys
from qbo_client.calls import read
from qbo_client.errors import CallInvalid, ClientRefused, GrantRefused, OAuthError, OAuthUnavailable
from qbo_client.oauth import TokenSet
from qbo_client.outcomes import Done, Forbidden, Unauthorized
from store import connections, inventory
from store.connections import Tokens
from store.failures import close_connect
from store.tables import configuration, connection, org
from sync.tokens import tokens_of

STATE_LIFE_S = 15 * 60
_BROWSER = "qbo_browser"
_PENDING = "qbo_pending_company"
AGAIN = "Go back to the Configurations list and start Authorize with QuickbooksOnline again."


class LinkRefused(Exception):
    """The authorisation did not lead to a link. ``title`` and ``str()`` are for the page, ``remedy`` says what to do."""

    def __init__(self, title: str, message: str, remedy: str = AGAIN, *, status: int = 400) -> None:
        super().__init__(message)
        self.title = title
        self.remedy = remedy
        self.status = status


@dataclass(frozen=True, slots=True)
class Linked:
    configuration_id: int
    realm_id: str
    company_name: str
    changed: bool
    """Another company than before: everything starts clean."""


@dataclass(frozen=True, slots=True)
class OtherCompany:
    """Intuit gave access to another company than the one linked so far: the person is asked first."""

    configuration_id: int
    realm_id: str
    company_name: str
    former_realm_id: str
    former_name: str


def redirect_uri() -> str:
    """Give the address that has to be registered with the app at Intuit."""
    return public_url() + reverse("admin:quickbooks_online_configuration_callback")


def start(session: SessionBase, *, configuration_id: int, user_id: int) -> str:
    """Give the address of Intuit's sign-in page for linking this configuration."""
    browser = session.get(_BROWSER)
    if browser is None:
        browser = session[_BROWSER] = secrets.token_urlsafe(32)
        session.save()
    state = secrets.token_urlsafe(32)
    now = timezone.now()
    # Those that nobody came back from.
    PendingAuthorization.objects.filter(until__lt=now - timedelta(seconds=STATE_LIFE_S)).delete()
    PendingAuthorization.objects.create(
        state_digest=_digest(state),
        browser_digest=_digest(browser),
        configuration_id=configuration_id,
        user_id=user_id,
        until=now + timedelta(seconds=STATE_LIFE_S),
    )
    return intuit().oauth.authorize_url(redirect_uri=redirect_uri(), state=state)


def take_state(session: SessionBase, state: str, *, user_id: int) -> int:
    """Use a state up; gives its configuration. Of two callbacks at the same moment one is refused.

    Raises
    ------
    LinkRefused
    """
    with django_connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM qboadmin_authorization WHERE state_digest = %s AND browser_digest = %s AND user_id = %s"
            " RETURNING configuration_id, until < now()",
            [_digest(state), _digest(session.get(_BROWSER, "")), user_id],
        )
        found = cursor.fetchone()
    if found is None:
        raise LinkRefused(
            "This authorization cannot be used",
            "It was not started in this browser session, or it has been used already.",
        )
    configuration_id, late = found
    if late:
        raise LinkRefused("This authorization took too long", "It was started more than 15 minutes ago.")
    return int(configuration_id)


def _digest(text: str) -> str:
    """What is kept of a state: a reader of the table cannot finish the authorisation of another person."""
    return hashlib.sha256(text.encode()).hexdigest()


def finish(session: SessionBase, *, configuration_id: int, code: str, realm_id: str) -> Linked | OtherCompany:
    """Turn the callback's code into a link, unless it is to another company than before.

    Raises
    ------
    LinkRefused
    """
    if not code or not realm_id.isalnum() or len(realm_id) > 64:
        raise LinkRefused("Intuit's answer is incomplete", "It names no company, or brings no authorization code.")
    with engine().begin() as db:
        former_realm, former_name = _former(db, configuration_id)
        _refuse_taken(db, configuration_id, realm_id)
    try:
        granted = intuit().oauth.exchange_code(code=code, redirect_uri=redirect_uri())
    except GrantRefused:
        raise LinkRefused(
            "Intuit did not accept the authorization", "The code it sent has been used already, or has expired."
        ) from None
    except ClientRefused as error:
        raise LinkRefused(
            "Intuit refuses Kompass",
            f"{error}.",
            "Ask Kompass support: the app's keys at Intuit are wrong.",
            status=502,
        ) from None
    except OAuthUnavailable:
        raise LinkRefused("Intuit is out of reach", "It did not answer.", status=502) from None
    name = _company_name(realm_id, granted)
    tokens = tokens_of(granted)
    if former_realm is not None and former_realm != realm_id:
        session[_PENDING] = {
            "configuration": configuration_id,
            "realm": realm_id,
            "name": name,
            "tokens": token_keys().encrypt(_dump(tokens)),
            "until": time.time() + STATE_LIFE_S,
        }
        session.save()
        return OtherCompany(configuration_id, realm_id, name, former_realm, former_name)
    return _link(configuration_id, realm_id, name, tokens)


def pending(session: SessionBase, configuration_id: int) -> OtherCompany | None:
    """Give the other company that a person was asked about."""
    found = session.get(_PENDING)
    if not found or found["configuration"] != configuration_id or found["until"] < time.time():
        return None
    with engine().begin() as db:
        former_realm, former_name = _former(db, configuration_id)
    return OtherCompany(configuration_id, found["realm"], found["name"], former_realm or "", former_name)


def confirm(session: SessionBase, configuration_id: int) -> Linked:
    """Link the other company, as the person decided.

    Raises
    ------
    LinkRefused
    """
    asked = pending(session, configuration_id)
    found = session.pop(_PENDING, None)
    session.save()
    if asked is None or found is None:
        raise LinkRefused("This authorization took too long", "It was started more than 15 minutes ago.")
    tokens = _load(token_keys().decrypt(found["tokens"]))
    return _link(configuration_id, asked.realm_id, asked.company_name, tokens)


def decline(session: SessionBase, configuration_id: int) -> None:
    """Keep the company linked so far, and give Intuit's grant for the other one back."""
    asked = pending(session, configuration_id)
    found = session.pop(_PENDING, None)
    session.save()
    if asked is None or found is None:
        return
    try:
        intuit().oauth.revoke(_load(token_keys().decrypt(found["tokens"])).refresh_token)
    except OAuthError:
        # Nothing was stored: the authorisation ends unused.
        return


def disconnect(configuration_id: int) -> bool:
    """Stop using the company and revoke the grant at Intuit; False when Intuit could not be reached.

    The local link ends first: from then on no call is made, also when Intuit refuses.
    """
    with engine().begin() as db:
        row = db.execute(
            select(connection.c.realm_id, connection.c.version, connection.c.refresh_token)
            .where(connection.c.configuration_id == configuration_id)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return True
        connections.disconnect(
            db,
            realm_id=row.realm_id,
            version=row.version,
            cause="disconnected-by-admin",
            message="Disconnected in the admin",
        )
        db.execute(
            update(connection)
            .where(connection.c.configuration_id == configuration_id)
            .values(access_token="", refresh_token="", access_expires_at=None, refresh_expires_at=None)
        )
    if not row.refresh_token:
        return True
    try:
        intuit().oauth.revoke(token_keys().decrypt(row.refresh_token))
    except GrantRefused:
        return True
    except OAuthError:
        return False
    return True


def _former(db: Connection, configuration_id: int) -> tuple[str | None, str]:
    row = db.execute(
        select(configuration.c.realm_id, connection.c.company_name)
        .outerjoin(connection, connection.c.configuration_id == configuration.c.id)
        .where(configuration.c.id == configuration_id)
    ).one_or_none()
    if row is None:
        raise LinkRefused("The Configuration is gone", "It was deleted meanwhile.", status=404)
    return row.realm_id, row.company_name or row.realm_id or ""


def _refuse_taken(db: Connection, configuration_id: int, realm_id: str) -> None:
    holder = db.execute(
        select(org.c.name)
        .join(configuration, configuration.c.org_id == org.c.id)
        .outerjoin(connection, connection.c.configuration_id == configuration.c.id)
        .where(
            configuration.c.id != configuration_id,
            or_(configuration.c.realm_id == realm_id, connection.c.realm_id == realm_id),
        )
    ).scalar()
    if holder is not None:
        raise LinkRefused(
            "This company is linked already",
            f"The QuickBooks company {realm_id} is linked to the Org {holder}. A company can serve one Org only.",
            "Start again and choose another company at Intuit, or disconnect it from the other Org first.",
            status=409,
        )


def _company_name(realm_id: str, granted: TokenSet) -> str:
    """Ask the company its name: also the proof that the grant is for the company that the callback names."""
    call = read("CompanyInfo")
    try:
        wait_for_quota(realm_id)
        outcome = intuit().transport.send(realm_id, granted.access_token, call, deadline=20.0)
    except CallInvalid:
        raise LinkRefused("Intuit's answer is incomplete", "It names no company.") from None
    except CompanyError as error:
        raise LinkRefused("QuickBooks did not answer", error.sentence, status=502) from error
    observe_call(realm_id, call, outcome)
    if isinstance(outcome, Done):
        return str(outcome.entity("CompanyInfo").get("CompanyName") or realm_id)
    if isinstance(outcome, Forbidden | Unauthorized):
        raise LinkRefused(
            "Intuit did not give access to this company",
            "The authorization does not open the company it names. Most often the person who signed in is not an admin "
            "of that QuickBooks company.",
            "Start the action again and sign in as an admin of the QuickBooks company.",
            status=403,
        )
    raise LinkRefused("QuickBooks did not answer", f"{error_of(outcome)}.", status=502)


def _link(configuration_id: int, realm_id: str, name: str, tokens: Tokens) -> Linked:
    try:
        with engine().begin() as db:
            # The connection before the configuration: so does every change of a connection, whose trigger raises the
            # configuration's version. The other way round, this and a consumer that finds it disconnected would deadlock.
            db.execute(
                select(connection.c.id).where(connection.c.configuration_id == configuration_id).with_for_update()
            )
            row = db.execute(
                select(configuration.c.realm_id).where(configuration.c.id == configuration_id).with_for_update()
            ).one_or_none()
            if row is None:
                raise LinkRefused("The Configuration is gone", "It was deleted meanwhile.", status=404)
            _refuse_taken(db, configuration_id, realm_id)
            changed = row.realm_id is not None and row.realm_id != realm_id
            connections.link_company(
                db,
                token_keys(),
                configuration_id=configuration_id,
                realm_id=realm_id,
                company_name=name,
                tokens=tokens,
            )
            values: dict[str, Any] = {"realm_id": realm_id}
            if changed:
                # Ids of the former company mean nothing in this one; sending starts when somebody has looked.
                values |= {"default_item_id": "", "default_class_id": "", "tax_item_id": "", "enabled": False}
            db.execute(update(configuration).where(configuration.c.id == configuration_id).values(**values))
            # Before anything is made there, what it has is read.
            inventory.want(db, realm_id)
            close_connect(db, realm_id, "linked again")
            if changed:
                close_connect(db, row.realm_id, "linked to another company")
    except IntegrityError:
        raise LinkRefused(
            "This company is linked already",
            f"The QuickBooks company {realm_id} was linked to another Org at the same moment.",
            status=409,
        ) from None
    forget(realm_id)
    return Linked(configuration_id, realm_id, name, changed)


_MOMENTS = ("access_expires_at", "refresh_expires_at", "refresh_hard_expires_at")


def _dump(tokens: Tokens) -> str:
    moments = {name: getattr(tokens, name) for name in _MOMENTS}
    return json.dumps(
        {
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            **{name: moment.astimezone(UTC).isoformat() if moment else None for name, moment in moments.items()},
        }
    )


def _load(text: str) -> Tokens:
    values = json.loads(text)
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    return Tokens(**values)
