"""What the pages work with: the database as `store` takes it, Intuit, and the keys of the tokens. One of each per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import connections
from sqlalchemy import Engine

from admin.databases import address_of
from qbo_client.environment import IntuitEnvironment, environment_for
from qbo_client.oauth import OAuthApp
from qbo_client.transport import Transport
from store.address import DatabaseAddress
from store.engine import open_engine
from store.secrets import TokenKeys


@dataclass(frozen=True, slots=True)
class Intuit:
    environment: IntuitEnvironment
    oauth: OAuthApp
    transport: Transport


@lru_cache(maxsize=8)
def _engine(parameters: tuple[tuple[str, str], ...]) -> Engine:
    return open_engine(DatabaseAddress(dict(parameters)), pool_size=4, application_name="kompass-qbo-admin")


def engine() -> Engine:
    """Give the pool for the database on which Django works, in any site that the app is installed in."""
    return _engine(tuple(address_of(connections["default"].settings_dict).parameters.items()))


@lru_cache(maxsize=8)
def _intuit(environment: str, client_id: str, client_secret: str) -> Intuit:
    parsed = environment_for(environment)
    return Intuit(parsed, OAuthApp(parsed, client_id, client_secret), Transport(parsed))


def intuit() -> Intuit:
    """Give the Intuit of the setting QUICKBOOKS_ONLINE.

    Raises
    ------
    EnvironmentInvalid
    """
    ours = settings.QUICKBOOKS_ONLINE
    return _intuit(ours["INTUIT_ENVIRONMENT"], ours["INTUIT_CLIENT_ID"], ours["INTUIT_CLIENT_SECRET"])


@lru_cache(maxsize=8)
def _keys(text: str) -> TokenKeys:
    return TokenKeys.parse(text)


def token_keys() -> TokenKeys:
    """Give the keys of the setting QUICKBOOKS_ONLINE.

    Raises
    ------
    BadTokenKeys
    """
    return _keys(settings.QUICKBOOKS_ONLINE["TOKEN_KEYS"])


def public_url() -> str:
    return str(settings.QUICKBOOKS_ONLINE["PUBLIC_URL"])
