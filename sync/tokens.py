"""A company's tokens: one refresh at a time over all processes and the admin, and what its answer means for the connection."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Engine

from qbo_client.errors import ClientRefused, GrantRefused, OAuthUnavailable
from qbo_client.oauth import OAuthApp, TokenSet
from store import connections
from store.connections import Tokens
from store.errors import UnreadableToken
from store.secrets import TokenKeys
from sync.disconnection import refuse_grant

RETRY_S = 15.0
"""After a refresh that Intuit did not get, or refused our own keys for, nobody tries again for so many seconds."""


class Renewal(Enum):
    """What became of a refresh."""

    REFRESHED = auto()
    SUPERSEDED = auto()
    """The company was linked again meanwhile: the newer tokens stay."""
    GRANT_REFUSED = auto()
    """The company is disconnected now."""
    KEYS_REFUSED = auto()
    """Our own keys are wrong: every company would fail alike, and none of them is to blame."""
    UNAVAILABLE = auto()
    ELSEWHERE = auto()
    """Another process refreshes, or has just done so; Intuit was not called."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A refresh and, where it failed, Intuit's words (never a secret)."""

    outcome: Renewal
    said: str = ""

    @property
    def metric(self) -> str | None:
        """The label ``outcome`` of `kompass_qbo_token_refreshes_total`; None where Intuit was not called."""
        return _METRIC.get(self.outcome)


_METRIC = {
    Renewal.REFRESHED: "refreshed",
    Renewal.SUPERSEDED: "lost-race",
    Renewal.GRANT_REFUSED: "refused",
    Renewal.KEYS_REFUSED: "refused",
    Renewal.UNAVAILABLE: "unavailable",
}


@dataclass(frozen=True, slots=True)
class TokenRenewal:
    """Refreshes tokens in the name of ``owner``. No transaction is open while Intuit is asked."""

    engine: Engine
    oauth: OAuthApp
    keys: TokenKeys
    owner: str
    lease_seconds: float
    """For this long nobody else refreshes the company's tokens. Seconds, longer than a call to Intuit may take."""
    unanswered_seconds: float
    """After a request without an answer, which may still be under way, nobody refreshes for this long."""

    def renew(self, realm_id: str, version: int) -> Renewed:
        """Refresh the tokens of a connected company as of this version of its connection."""
        with self.engine.begin() as db:
            if not connections.take_refresh_lease(
                db, realm_id=realm_id, version=version, owner=self.owner, seconds=self.lease_seconds
            ):
                return Renewed(Renewal.ELSEWHERE)
            stored = connections.read_tokens(db, self.keys, realm_id)
        if stored is None or stored[0] != version:
            return Renewed(Renewal.ELSEWHERE)
        try:
            fresh = self.oauth.refresh(stored[1].refresh_token)
        except GrantRefused as error:
            with self.engine.begin() as db:
                refuse_grant(db, realm_id=realm_id, version=version, tid=error.intuit_tid or "")
            return Renewed(Renewal.GRANT_REFUSED, str(error))
        except ClientRefused as error:
            self._release(realm_id, RETRY_S)
            return Renewed(Renewal.KEYS_REFUSED, str(error))
        except OAuthUnavailable as error:
            self._release(realm_id, self.unanswered_seconds if error.sent else RETRY_S)
            return Renewed(Renewal.UNAVAILABLE, str(error))
        with self.engine.begin() as db:
            stored_now = connections.store_refreshed(
                db, self.keys, realm_id=realm_id, version=version, tokens=tokens_of(fresh)
            )
        return Renewed(Renewal.REFRESHED if stored_now else Renewal.SUPERSEDED)

    def _release(self, realm_id: str, retry_in: float) -> None:
        with self.engine.begin() as db:
            connections.release_refresh_lease(db, realm_id=realm_id, owner=self.owner, retry_in=retry_in)


class AccessTokens:
    """Decrypted access tokens of this process, by realm and connection version. Never leaves memory."""

    def __init__(self, engine: Engine, keys: TokenKeys) -> None:
        self._engine = engine
        self._keys = keys
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[int, str]] = {}

    def get(self, realm_id: str, version: int) -> str | None:
        """Give the access token of a connected company; None when it was disconnected meanwhile.

        Raises
        ------
        UnreadableToken
            no key in TOKEN_KEYS fits.
        """
        if (known := self._known(realm_id, version)) is not None:
            return known
        with self._engine.begin() as db:
            stored = connections.read_access_tokens(db, [realm_id]).get(realm_id)
        return None if stored is None else self._keep(realm_id, *stored)

    def read_ahead(self, versions: Mapping[str, int]) -> None:
        """Decrypt those of these companies (realm → version) that are not known yet, in one look; `get` says what is wrong with one."""
        unknown = [realm_id for realm_id, version in versions.items() if self._known(realm_id, version) is None]
        if not unknown:
            return
        with self._engine.begin() as db:
            found = connections.read_access_tokens(db, unknown)
        for realm_id, stored in found.items():
            with suppress(UnreadableToken):
                self._keep(realm_id, *stored)

    def _known(self, realm_id: str, version: int) -> str | None:
        with self._lock:
            known = self._tokens.get(realm_id)
        return known[1] if known is not None and known[0] == version else None

    def _keep(self, realm_id: str, version: int, encrypted: str) -> str:
        token = self._keys.decrypt(encrypted)
        with self._lock:
            self._tokens[realm_id] = (version, token)
        return token


def tokens_of(granted: TokenSet) -> Tokens:
    """Give what Intuit granted as it is stored."""
    return Tokens(
        access_token=granted.access_token,
        refresh_token=granted.refresh_token,
        access_expires_at=granted.access_expires_at,
        refresh_expires_at=granted.refresh_expires_at,
        refresh_hard_expires_at=granted.refresh_hard_expires_at,
    )
