"""Links to QBO companies: state and tokens. Every write is a compare-and-swap on the connection's version.

The refresh token changes about once a day and two refreshes at once may kill the grant (Intuit's OAuth 2.0 FAQ), so one
process at a time may refresh, and the new refresh token is stored before anybody uses the new access token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from store.failures import close_connect
from store.secrets import TokenKeys
from store.sql import Statement
from store.tables import configuration
from store.tables import connection as table

CONNECTED = "connected"
DISCONNECTED = "disconnected"

IDLE = timedelta(days=30)
"""A refresh token unused for so long is used, so that a company without events does not lose its connection after 100 days."""

REFRESH_GAP = timedelta(seconds=10)
"""Two refreshes at once may kill the grant, and Intuit does not say how close is at once: the next one waits so long."""


@dataclass(frozen=True, slots=True)
class CompanyConnection:
    """A connection without its secrets."""

    realm_id: str
    version: int
    state: str
    company_name: str
    access_expires_at: datetime | None
    refresh_expires_at: datetime | None
    refreshed_at: datetime | None
    disconnect_message: str

    @property
    def connected(self) -> bool:
        return self.state == CONNECTED


@dataclass(frozen=True, slots=True)
class Tokens:
    """What opens a company. Never printed, logged or shown."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_expires_at: datetime | None = None
    refresh_hard_expires_at: datetime | None = None


def read_connections(db: Connection, realm_ids: Iterable[str] | None = None) -> dict[str, CompanyConnection]:
    """Give the connections of these companies (of all, by default) by realm id."""
    rows = _ALL.rows(db) if realm_ids is None else _OF_REALMS.rows(db, realms=list(realm_ids))
    return {row.realm_id: CompanyConnection(*row) for row in rows}


_ALL = Statement(f"SELECT {', '.join(CompanyConnection.__dataclass_fields__)} FROM qbo_connection")
_OF_REALMS = Statement(f"{_ALL.text} WHERE realm_id = ANY(%(realms)s::text[])")


def org_of(db: Connection, realm_id: str) -> str:
    """Give the Org whose connection opens this company; empty when none does."""
    found = db.execute(
        select(configuration.c.org_id)
        .join(table, table.c.configuration_id == configuration.c.id)
        .where(table.c.realm_id == realm_id)
    ).scalar()
    return str(found or "")


def read_tokens(db: Connection, keys: TokenKeys, realm_id: str) -> tuple[int, Tokens] | None:
    """Give the version and the decrypted tokens of a connected company; None when there is none.

    Raises
    ------
    UnreadableToken
        no key in TOKEN_KEYS fits.
    """
    row = db.execute(
        select(
            table.c.version,
            table.c.access_token,
            table.c.refresh_token,
            table.c.access_expires_at,
            table.c.refresh_expires_at,
            table.c.refresh_hard_expires_at,
        ).where(table.c.realm_id == realm_id, table.c.state == CONNECTED)
    ).one_or_none()
    if row is None:
        return None
    return row.version, Tokens(
        access_token=keys.decrypt(row.access_token),
        refresh_token=keys.decrypt(row.refresh_token),
        access_expires_at=row.access_expires_at,
        refresh_expires_at=row.refresh_expires_at,
        refresh_hard_expires_at=row.refresh_hard_expires_at,
    )


def read_access_tokens(db: Connection, realm_ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """Give the version and the access token, still encrypted, of those of these companies that are connected."""
    rows = _ACCESS_TOKENS.rows(db, realms=list(realm_ids))
    return {row.realm_id: (row.version, row.access_token) for row in rows}


_ACCESS_TOKENS = Statement(
    "SELECT realm_id, version, access_token FROM qbo_connection"
    f" WHERE realm_id = ANY(%(realms)s::text[]) AND state = '{CONNECTED}'"
)


def _token_values(keys: TokenKeys, tokens: Tokens) -> dict[str, object]:
    return {
        "access_token": keys.encrypt(tokens.access_token),
        "access_expires_at": tokens.access_expires_at,
        "refresh_token": keys.encrypt(tokens.refresh_token),
        "refresh_expires_at": tokens.refresh_expires_at,
        "refresh_hard_expires_at": tokens.refresh_hard_expires_at,
        "refreshed_at": func.now(),
        "refresh_owner": "",
        "refresh_lease_until": None,
    }


def link_company(
    db: Connection, keys: TokenKeys, *, configuration_id: int, realm_id: str, company_name: str, tokens: Tokens
) -> None:
    """Store what an authorisation gave (the article's step 2); replaces the configuration's earlier connection.

    The caller sets ``realm_id`` on the configuration in the same transaction. A realm that another configuration holds
    violates a unique constraint: ask before.
    """
    values = {
        **_token_values(keys, tokens),
        "realm_id": realm_id,
        "company_name": company_name,
        "state": CONNECTED,
        "disconnected_at": None,
        "disconnect_cause": "",
        "disconnect_message": "",
        "probe_at": None,
        "linked_at": func.now(),
    }
    statement = insert(table).values(configuration_id=configuration_id, **values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=[table.c.configuration_id], set_={**values, "version": table.c.version + 1}
        )
    )
    close_connect(db, realm_id, "authorised again")


def take_refresh_lease(db: Connection, *, realm_id: str, version: int, owner: str, seconds: float) -> bool:
    """Become the one process that may refresh this company's tokens; False when another is, or they are already new."""
    return (
        db.execute(
            update(table)
            .where(
                table.c.realm_id == realm_id,
                table.c.version == version,
                table.c.state == CONNECTED,
                or_(table.c.refresh_lease_until.is_(None), table.c.refresh_lease_until < func.now()),
            )
            .values(refresh_owner=owner, refresh_lease_until=func.now() + timedelta(seconds=seconds))
        ).rowcount
        == 1
    )


def release_refresh_lease(db: Connection, *, realm_id: str, owner: str, retry_in: float) -> None:
    """Give up a refresh whose outcome is not known; nobody tries again for ``retry_in`` seconds."""
    db.execute(
        update(table)
        .where(table.c.realm_id == realm_id, table.c.refresh_owner == owner)
        .values(refresh_owner="", refresh_lease_until=func.now() + timedelta(seconds=retry_in))
    )


def store_refreshed(db: Connection, keys: TokenKeys, *, realm_id: str, version: int, tokens: Tokens) -> bool:
    """Store refreshed tokens, unless the company was linked again or disconnected meanwhile. Nobody refreshes for REFRESH_GAP."""
    return (
        db.execute(
            update(table)
            .where(table.c.realm_id == realm_id, table.c.version == version)
            .values(
                {**_token_values(keys, tokens), "refresh_lease_until": func.now() + REFRESH_GAP, "version": version + 1}
            )
        ).rowcount
        == 1
    )


def expire_access(db: Connection, *, realm_id: str, version: int) -> None:
    """Note that QBO refused the access token of this version (401): the next call refreshes first.

    Nothing is noted while somebody refreshes: a new version would have the new tokens thrown away, and the refresh token that
    they replace is dead.
    """
    db.execute(
        update(table)
        .where(
            table.c.realm_id == realm_id,
            table.c.version == version,
            or_(
                table.c.refresh_owner == "",
                table.c.refresh_lease_until.is_(None),
                table.c.refresh_lease_until < func.now(),
            ),
        )
        .values(access_expires_at=func.now(), version=version + 1)
    )


def disconnect(
    db: Connection, *, realm_id: str, version: int, cause: str, message: str, try_after: float | None = None
) -> bool:
    """Note that Intuit no longer takes our grant; True for the one caller that noted it first.

    ``try_after`` seconds later one call is tried again: some causes end without our doing (a bill paid to Intuit).
    """
    return (
        db.execute(
            update(table)
            .where(and_(table.c.realm_id == realm_id, table.c.version == version, table.c.state == CONNECTED))
            .values(
                state=DISCONNECTED,
                version=version + 1,
                disconnected_at=func.now(),
                disconnect_cause=cause,
                disconnect_message=message,
                probe_at=None if try_after is None else func.now() + timedelta(seconds=try_after),
                refresh_owner="",
                refresh_lease_until=None,
            )
        ).rowcount
        == 1
    )


def due_trials(db: Connection, *, again_after: float) -> list[tuple[str, str, int]]:
    """Give (Org, realm, version) of disconnected companies whose cause may have ended without action, for one caller each.

    They are due again ``again_after`` seconds later.
    """
    rows = db.execute(
        update(table)
        .where(
            table.c.state == DISCONNECTED,
            table.c.probe_at <= func.now(),
            configuration.c.id == table.c.configuration_id,
            configuration.c.realm_id == table.c.realm_id,
        )
        .values(probe_at=func.now() + timedelta(seconds=again_after))
        .returning(configuration.c.org_id, table.c.realm_id, table.c.version)
    )
    return [(row.org_id, row.realm_id, row.version) for row in rows]


def idle_connections(db: Connection) -> list[tuple[str, str]]:
    """Give (Org, realm) of connected companies whose refresh token nobody has used for long: it would end after 100 days."""
    rows = db.execute(
        select(configuration.c.org_id, table.c.realm_id)
        .join(configuration, configuration.c.id == table.c.configuration_id)
        .where(
            table.c.state == CONNECTED,
            configuration.c.realm_id == table.c.realm_id,
            table.c.refreshed_at < func.now() - IDLE,
        )
        .limit(10)
    )
    return [(row.org_id, row.realm_id) for row in rows]


def reconnect(db: Connection, *, realm_id: str, version: int) -> bool:
    """Note that a disconnected company answers again; what waits for it becomes due."""
    came_back = (
        db.execute(
            update(table)
            .where(table.c.realm_id == realm_id, table.c.version == version, table.c.state == DISCONNECTED)
            .values(
                state=CONNECTED,
                version=version + 1,
                disconnected_at=None,
                disconnect_cause="",
                disconnect_message="",
                probe_at=None,
                access_expires_at=func.now(),
            )
        ).rowcount
        == 1
    )
    if came_back:
        close_connect(db, realm_id, "the company answers again")
    return came_back


def read_refresh_token(db: Connection, keys: TokenKeys, *, realm_id: str, version: int) -> str | None:
    """Give the refresh token of a connection in any state, for a trial call; None when it has moved on."""
    stored = db.execute(
        select(table.c.refresh_token).where(table.c.realm_id == realm_id, table.c.version == version)
    ).scalar()
    return keys.decrypt(stored) if stored else None


def reencrypt(db: Connection, keys: TokenKeys) -> int:
    """Encrypt every stored token with the first of TOKEN_KEYS; gives how many connections were rewritten."""
    rows: Sequence[tuple[int, str, str]] = [
        (row.id, row.access_token, row.refresh_token)
        for row in db.execute(select(table.c.id, table.c.access_token, table.c.refresh_token).with_for_update())
    ]
    for row_id, access_token, refresh_token in rows:
        db.execute(
            update(table)
            .where(table.c.id == row_id)
            .values(
                access_token=keys.rotate(access_token) if access_token else "",
                refresh_token=keys.rotate(refresh_token) if refresh_token else "",
            )
        )
    return len(rows)
