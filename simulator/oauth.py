"""Grants and tokens: what the authorisation server remembers. Pure; the clock is the simulator's."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from simulator.clock import Clock
from simulator.settings import Settings

ACCOUNTING_SCOPE = "com.intuit.quickbooks.accounting"
SCOPES = {ACCOUNTING_SCOPE, "com.intuit.quickbooks.payment", "openid", "profile", "email", "phone", "address"}
DEFAULT_CLIENT_ID = "simulator-client"
DEFAULT_CLIENT_SECRET = "simulator-secret"  # noqa: S105 - opens nothing but the simulator
NEVER = float("inf")


class OAuthError(Exception):
    """A refusal of the token or revoke endpoint: an HTTP status and the body's members."""

    def __init__(self, status: int, error: str, description: str | None = None) -> None:
        super().__init__(f"{status} {error} {description or ''}".strip())
        self.status = status
        self.error = error
        self.description = description

    def as_wire(self) -> dict[str, str]:
        if self.description is None:
            return {"error": self.error}
        return {"error_description": self.description, "error": self.error}


@dataclass(slots=True)
class App:
    """A registered application. `redirect_uris` empty: any http(s) address, as with development keys on localhost."""

    client_id: str
    client_secret: str | None
    name: str
    redirect_uris: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Code:
    client_id: str
    redirect_uri: str | None
    realm: str
    scope: str
    expires: float
    used: bool = False
    grant: str | None = None


@dataclass(slots=True)
class Grant:
    """What a person allowed: an app may use a company. Every token belongs to one."""

    id: str
    client_id: str
    realm: str
    scope: str
    created: float
    refresh_token: str
    refresh_issued: float
    previous: str | None = None
    previous_dies: float = 0.0
    revoked: bool = False
    # Refresh tokens, whether still good or not: those in a call under way, and when each was last shown.
    refreshing: list[str] = field(default_factory=list)
    refreshed: dict[str, float] = field(default_factory=dict)
    tokens_made: int = 0


@dataclass(slots=True)
class AccessToken:
    grant: str
    realm: str
    client_id: str
    expires: float


class Authority:
    """Issues codes and tokens, and says what a token opens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # A token of before a reset must not open anything after it, so every authority makes other ones.
        self._seed = secrets.token_hex(8)
        self._made = 0
        self.apps: dict[str, App] = {
            DEFAULT_CLIENT_ID: App(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, "Simulator client")
        }
        self.codes: dict[str, Code] = {}
        self.grants: dict[str, Grant] = {}
        self.access_tokens: dict[str, AccessToken] = {}
        self._by_refresh: dict[str, str] = {}

    # --- apps and codes

    def app(self, client_id: str, settings: Settings) -> App | None:
        """The app of that id; under open registration a new id is one more app, whose secret is the first it shows."""
        found = self.apps.get(client_id)
        if found is None and client_id and settings.open_registration:
            found = self.apps[client_id] = App(client_id, None, client_id)
        return found

    @staticmethod
    def accepts_redirect(app: App, uri: str) -> bool:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            return False
        return not app.redirect_uris or uri in app.redirect_uris

    def issue_code(
        self, *, client_id: str, realm: str, redirect_uri: str | None, scope: str, settings: Settings
    ) -> str:
        code = self._token("AB1", 40)
        self.codes[code] = Code(client_id, redirect_uri, realm, scope, self._clock.time() + settings.code_seconds)
        return code

    def authenticate(self, header: str | None, settings: Settings) -> App:
        """The app that a Basic header names.

        :raises OAuthError: `invalid_client`.
        """
        refused = OAuthError(settings.invalid_client_status, "invalid_client")
        scheme, _, encoded = (header or "").partition(" ")
        if scheme.lower() != "basic":
            raise refused
        try:
            text = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise refused from None
        client_id, colon, secret = text.partition(":")
        app = self.app(client_id, settings)
        if app is None or not colon or not secret:
            raise refused
        if app.client_secret is None:
            app.client_secret = secret
        if app.client_secret != secret:
            raise refused
        return app

    # --- tokens

    def exchange(self, app: App, code: str, redirect_uri: str | None, settings: Settings) -> Grant:
        """:raises OAuthError: `invalid_grant` for a code that is unknown, used, old, or for another app or address."""
        found = self.codes.get(code)
        if found is None or found.expires < self._clock.time():
            raise self._invalid_grant(settings)
        if found.used:
            # RFC 6749 4.1.2: a code that comes twice may have been stolen; what it opened is closed.
            if found.grant is not None:
                self.revoke_grant(found.grant)
            raise self._invalid_grant(settings)
        if found.client_id != app.client_id:
            raise OAuthError(400, "invalid_grant", "Incorrect Token type or clientID")
        if found.redirect_uri is not None and redirect_uri != found.redirect_uri:
            raise self._invalid_grant(settings)
        found.used = True
        self._made += 1
        grant = Grant(
            id=f"grant-{self._made}",
            client_id=app.client_id,
            realm=found.realm,
            scope=found.scope,
            created=self._clock.time(),
            refresh_token="",
            refresh_issued=0.0,
        )
        found.grant = grant.id
        self.grants[grant.id] = grant
        self._rotate(grant, settings)
        return grant

    def refreshed_at_once(self, app: App, token: str, settings: Settings) -> Grant | None:
        """The grant whose token, this very one, the app shows while it is in another call or was a moment ago."""
        grant = self.grants.get(self._by_refresh.get(token, ""))
        if grant is None or grant.client_id != app.client_id:
            return None
        last = grant.refreshed.get(token)
        moment_ago = last is not None and self._clock.time() - last < settings.concurrent_refresh_seconds
        return grant if token in grant.refreshing or moment_ago else None

    def refresh(self, app: App, token: str, settings: Settings) -> Grant:
        """The grant of a refresh token, rotated when its day has come.

        :raises OAuthError: `invalid_grant`.
        """
        grant = self.grants.get(self._by_refresh.get(token, ""))
        now = self._clock.time()
        if grant is None or grant.revoked:
            raise self._invalid_grant(settings)
        if grant.client_id != app.client_id:
            raise OAuthError(400, "invalid_grant", "Incorrect Token type or clientID")
        if token != grant.refresh_token:
            if token != grant.previous or now >= grant.previous_dies:
                raise self._invalid_grant(settings)
        elif now >= min(
            grant.refresh_issued + settings.refresh_token_seconds, grant.created + settings.refresh_hard_limit_seconds
        ):
            raise self._invalid_grant(settings)
        elif now - grant.refresh_issued >= settings.rotation_seconds:
            self._rotate(grant, settings)
        return grant

    def issue_access(self, grant: Grant, settings: Settings, *, hard_expiry: bool = False) -> dict[str, object]:
        """The body of a token response."""
        now = self._clock.time()
        grant.tokens_made += 1
        access = self._token("eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..", 64)
        self.access_tokens[access] = AccessToken(
            grant.id, grant.realm, grant.client_id, now + settings.access_token_seconds
        )
        body: dict[str, object] = {
            "token_type": "bearer",
            "expires_in": settings.access_token_seconds,
            "refresh_token": grant.refresh_token,
            "x_refresh_token_expires_in": round(grant.refresh_issued + settings.refresh_token_seconds - now),
            "access_token": access,
        }
        if hard_expiry:
            left = grant.created + settings.refresh_hard_limit_seconds - now
            body["x_refresh_token_hard_expires_in"] = max(int(left), 0)
        return body

    def check(self, token: str) -> AccessToken | None:
        """What an access token opens, or None when it is unknown, expired or revoked."""
        found = self.access_tokens.get(token)
        if found is None or found.expires <= self._clock.time() or self.grants[found.grant].revoked:
            return None
        return found

    def revoke(self, app: App, token: str) -> None:
        """:raises OAuthError: for a token that is not this app's, or is dead already."""
        access = self.access_tokens.get(token)
        grant = self.grants.get(access.grant if access else self._by_refresh.get(token, ""))
        if grant is None or grant.revoked or grant.client_id != app.client_id:
            raise OAuthError(400, "invalid_request", "Token is invalid")
        self.revoke_grant(grant.id)

    def revoke_grant(self, identifier: str) -> None:
        self.grants[identifier].revoked = True

    def live_grants(self, *, realm: str | None = None, client_id: str | None = None) -> Iterable[Grant]:
        for grant in self.grants.values():
            if not grant.revoked and realm in (None, grant.realm) and client_id in (None, grant.client_id):
                yield grant

    def expire_access(self, *, realm: str | None = None, token: str | None = None) -> int:
        """Make access tokens expire now; returns how many."""
        now = self._clock.time()
        hit = [
            found
            for value, found in self.access_tokens.items()
            if found.expires > now and realm in (None, found.realm) and token in (None, value)
        ]
        for found in hit:
            found.expires = now
        return len(hit)

    def rotate_now(self, *, realm: str | None = None) -> int:
        """Make the next refresh of each grant give a new refresh token."""
        count = 0
        for grant in self.live_grants(realm=realm):
            grant.refresh_issued = min(grant.refresh_issued, self._clock.time() - 86_400 * 2)
            count += 1
        return count

    # --- state

    def as_state(self) -> dict[str, Any]:
        """Everything it remembers, JSON-native."""
        return {
            "made": self._made,
            "apps": [asdict(one) for one in self.apps.values()],
            "codes": {key: asdict(one) for key, one in self.codes.items()},
            "grants": [asdict(one) for one in self.grants.values()],
            "access_tokens": {key: asdict(one) for key, one in self.access_tokens.items()},
            "by_refresh": self._by_refresh,
        }

    @classmethod
    def from_state(cls, clock: Clock, state: dict[str, Any]) -> Authority:
        """:raises KeyError, TypeError: when the state is not one of :meth:`as_state`."""
        made = cls(clock)
        made._made = state["made"]
        made.apps = {one["client_id"]: App(**one) for one in state["apps"]}
        made.codes = {key: Code(**one) for key, one in state["codes"].items()}
        made.grants = {one["id"]: Grant(**one) for one in state["grants"]}
        made.access_tokens = {key: AccessToken(**one) for key, one in state["access_tokens"].items()}
        made._by_refresh = dict(state["by_refresh"])
        return made

    # --- inside

    def _rotate(self, grant: Grant, settings: Settings) -> None:
        now = self._clock.time()
        if grant.refresh_token:
            grant.previous, grant.previous_dies = grant.refresh_token, now + settings.rotation_grace_seconds
        grant.refresh_token = self._token("RT1-", 36)
        grant.refresh_issued = now
        self._by_refresh[grant.refresh_token] = grant.id

    def _token(self, prefix: str, length: int) -> str:
        self._made += 1
        digest = hashlib.sha256(f"{self._seed}/{self._made}".encode()).hexdigest()
        return prefix + digest[:length]

    @staticmethod
    def _invalid_grant(settings: Settings) -> OAuthError:
        described = settings.invalid_grant_body == "described"
        return OAuthError(400, "invalid_grant", "Token invalid" if described else None)
