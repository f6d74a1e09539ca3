"""What can be wrong with the database, each a sentence an operator can act on."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be used."""


class BadDatabaseUrl(StoreError):
    """DATABASE_URL is not an address of a PostgreSQL database."""


class DatabaseUnreachable(StoreError):
    """The database does not answer."""


class DatabaseRefuses(DatabaseUnreachable):
    """The server answers and does not let us in: to wait is of no use."""


class NotMigrated(StoreError):
    """The database lacks our tables, or has those of another version."""


class BadTokenKeys(StoreError):
    """TOKEN_KEYS does not hold Fernet keys."""


class UnreadableToken(StoreError):
    """A stored token was encrypted with a key that TOKEN_KEYS no longer names."""
