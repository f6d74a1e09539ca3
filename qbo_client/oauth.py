"""Intuit's OAuth 2.0: the authorisation code flow, refresh and revocation, on requests-oauthlib.

Source: Intuit's OAuth 2.0 page; the refresh token policy of 2025-11-12 for the hard expiry. Two refreshes at once with
one token may make Intuit revoke the whole grant: callers let one process at a time refresh a connection, and store the
returned refresh token before they use the access token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from oauthlib.oauth2 import OAuth2Error, WebApplicationClient
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.auth import HTTPBasicAuth
from requests.structures import CaseInsensitiveDict
from requests_oauthlib import OAuth2Session

from qbo_client.environment import IntuitEnvironment
from qbo_client.errors import ClientRefused, GrantRefused, OAuthError, OAuthUnavailable
from qbo_client.wire import Clock, Wire, WireError

__all__ = ["ClientRefused", "GrantRefused", "OAuthApp", "OAuthError", "OAuthUnavailable", "TokenSet"]

# There is one scope for accounting; Intuit does not split it into reading and writing.
SCOPE: Final = "com.intuit.quickbooks.accounting"
_DEADLINE: Final = 30.0
# "100 days, rolling", should an answer not say (Intuit's samples say 101).
_REFRESH_LIFE: Final = timedelta(days=100)
_HEADERS: Final = MappingProxyType(
    {"Accept": "application/json", "x-include-refresh-token-hard-expires-in": "true", "User-Agent": "kompass-qbo"}
)

# At DEBUG these write whole tokens into the log.
for _name in ("requests_oauthlib", "oauthlib"):
    logging.getLogger(_name).setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class TokenSet:
    """What Intuit granted. Moments are aware UTC, counted from before the request, so never late.

    `refresh_hard_expires_at` is when no refresh helps any more (five years at most); None when Intuit did not say.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_expires_at: datetime
    refresh_hard_expires_at: datetime | None


class OAuthApp:
    """Our app at Intuit: its keys and what can be done with them. Safe to share between threads.

    Every method that talks to Intuit ends within `deadline` seconds in all and raises `GrantRefused`, `ClientRefused`
    or `OAuthUnavailable`.
    """

    def __init__(
        self,
        environment: IntuitEnvironment,
        client_id: str,
        client_secret: str,
        *,
        deadline: float = _DEADLINE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Clock = time.monotonic,
    ) -> None:
        self._environment = environment
        self._client_id = client_id
        self._secret = client_secret
        self._now = now
        self._adapter = _WireAdapter((environment.token_url, environment.revoke_url), deadline=deadline, clock=clock)

    def __repr__(self) -> str:
        return f"OAuthApp({self._environment.name}, {self._client_id})"

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        """Where to send a person who is to connect a company. Intuit comes back to `redirect_uri` with `code`, `state`
        and `realmId`, or with `error=access_denied`."""
        session = self._session(redirect_uri=redirect_uri, scope=[SCOPE])
        shown = _as_https(self._environment.authorize_url)
        url, _ = session.authorization_url(shown, state=state)
        return self._environment.authorize_url + str(url)[len(shown) :]

    def exchange_code(self, *, code: str, redirect_uri: str) -> TokenSet:
        """Turn the code of the callback into tokens. A code is good once, for about ten minutes."""

        def ask(session: OAuth2Session) -> Mapping[str, Any]:
            return session.fetch_token(
                _as_https(self._environment.token_url),
                code=code,
                auth=self._basic(),
                headers=dict(_HEADERS),
                include_client_id=False,
            )

        session = self._session(redirect_uri=redirect_uri)
        return self._tokens("exchanging the code", session, ask, secret=code)

    def refresh(self, refresh_token: str) -> TokenSet:
        """New tokens for a refresh token. The returned refresh token may be another one: store it, always."""

        def ask(session: OAuth2Session) -> Mapping[str, Any]:
            return session.refresh_token(
                _as_https(self._environment.token_url),
                refresh_token=refresh_token,
                auth=self._basic(),
                headers=dict(_HEADERS),
            )

        return self._tokens("refreshing the token", self._session(), ask, secret=refresh_token)

    def revoke(self, token: str) -> None:
        """Take back the grant that a refresh or access token belongs to. `GrantRefused`: it was dead already."""
        doing = "revoking the token"
        response = self._session().post(
            _as_https(self._environment.revoke_url),
            json={"token": token},
            auth=self._basic(),
            headers=dict(_HEADERS),
        )
        if response.status_code == 200:
            return
        error = _refusal_in(response, doing)
        name = error.get("error") or ("invalid_client" if response.status_code == 401 else "invalid_grant")
        raise self._refusal(doing, str(name), error.get("error_description"), _tid(response), token)

    def close(self) -> None:
        """Close the idle connections."""
        self._adapter.close()

    def _session(self, *, redirect_uri: str | None = None, scope: list[str] | None = None) -> OAuth2Session:
        client = WebApplicationClient(self._client_id)
        session = OAuth2Session(client=client, redirect_uri=redirect_uri, scope=scope)
        session.trust_env = False  # no .netrc that would replace our keys
        session.mount("https://", self._adapter)
        return session

    def _basic(self) -> HTTPBasicAuth:
        return HTTPBasicAuth(self._client_id, self._secret)

    def _tokens(
        self, doing: str, session: OAuth2Session, ask: Callable[[OAuth2Session], Mapping[str, Any]], *, secret: str
    ) -> TokenSet:
        tid: str | None = None

        def look_at(response: Response) -> Response:
            nonlocal tid
            tid = _tid(response)
            if response.status_code != 200:
                _refusal_in(response, doing)  # which oauthlib then reads and raises
            else:
                _json_object(response, doing)
            return response

        session.register_compliance_hook("access_token_response", look_at)
        session.register_compliance_hook("refresh_token_response", look_at)
        asked_at = self._now()
        try:
            return _token_set(ask(session), asked_at)
        except OAuth2Error as error:
            raise self._refusal(doing, error.error or "", error.description, tid, secret) from None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):  # from oauthlib's reading and ours
            raise OAuthUnavailable(f"{doing}: the answer lacks a token or its life", intuit_tid=tid) from None

    def _refusal(self, doing: str, name: str, description: object, tid: str | None, secret: str) -> OAuthError:
        words = f"{doing}: Intuit answered {name}"
        if description:
            words += f" ({str(description)[:200]})"
        for hidden in (self._secret, secret):
            words = words.replace(hidden, "…") if hidden else words
        if name == "invalid_grant":
            return GrantRefused(words, intuit_tid=tid)
        if name in _OUR_FAULT:
            return ClientRefused(words, intuit_tid=tid)
        return OAuthUnavailable(words, intuit_tid=tid)


_OUR_FAULT: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type"}
)


def _token_set(granted: Mapping[str, Any], asked_at: datetime) -> TokenSet:
    """Raises `KeyError`, `TypeError`, `ValueError` or `OverflowError` when the answer is not Intuit's."""

    def after(seconds: object) -> datetime:
        return asked_at + timedelta(seconds=int(str(seconds)))

    rolling, hard = granted.get("x_refresh_token_expires_in"), granted.get("x_refresh_token_hard_expires_in")
    access_token, refresh_token = granted["access_token"], granted["refresh_token"]
    if not (isinstance(access_token, str) and isinstance(refresh_token, str) and access_token and refresh_token):
        raise TypeError("a token is text")
    return TokenSet(
        access_token=access_token,
        refresh_token=refresh_token,
        access_expires_at=after(granted["expires_in"]),
        refresh_expires_at=asked_at + _REFRESH_LIFE if rolling is None else after(rolling),
        refresh_hard_expires_at=None if hard is None else after(hard),
    )


def _refusal_in(response: Response, doing: str) -> Mapping[str, Any]:
    """The decoded body of a 400 or 401; any other status does not say whether Intuit did it."""
    if response.status_code not in (400, 401):
        raise OAuthUnavailable(f"{doing}: Intuit answered {response.status_code}", intuit_tid=_tid(response))
    if response.status_code == 401 and not response.content:
        return {}
    return _json_object(response, doing)


def _json_object(response: Response, doing: str) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise OAuthUnavailable(
            f"{doing}: Intuit answered {response.status_code} and no JSON object", intuit_tid=_tid(response)
        )
    return body


def _tid(response: Response) -> str | None:
    return response.headers.get("intuit_tid")


def _as_https(url: str) -> str:
    """oauthlib takes no plain http, and rightly so. A simulator on this machine has no certificate, so its addresses
    are shown to oauthlib as https, and the adapter below connects as the environment says. (The other way,
    `OAUTHLIB_INSECURE_TRANSPORT`, would switch the check off for the whole process.)"""
    return "https://" + url.partition("://")[2]


class _WireAdapter(BaseAdapter):
    """Lets requests speak through our `Wire`: a total deadline, no retry, no redirect, no proxy."""

    def __init__(self, urls: tuple[str, ...], *, deadline: float, clock: Clock) -> None:
        super().__init__()
        self._wires = {urlsplit(url).netloc: Wire(url, clock=clock) for url in urls}
        self._deadline = deadline
        self._clock = clock

    def send(self, request: PreparedRequest, *args: object, **kwargs: object) -> Response:
        """Raises `OAuthUnavailable` when there is no complete answer in time."""
        wire = self._wires[urlsplit(request.url or "").netloc]
        method, body = request.method or "GET", request.body or b""
        if isinstance(body, str):
            body = body.encode()
        headers = {**request.headers, "Host": wire.authority, "Accept-Encoding": "identity"}
        lines = [f"{method} {request.path_url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        try:
            answer = wire.exchange(method, head + bytes(body), until=self._clock() + self._deadline)
        except WireError as error:
            raise OAuthUnavailable(f"no answer from {wire.authority}: {error}", sent=error.sent) from error
        tid = answer.header("intuit_tid")
        if 300 <= answer.status < 400:  # requests would follow it, with our keys
            raise OAuthUnavailable(f"{wire.authority} answered {answer.status}, a redirect", intuit_tid=tid)
        response = Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers.items())
        response.raw = BytesIO(answer.body)
        response.encoding = "utf-8"
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()
