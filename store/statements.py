"""Statements of the hot path, handed to psycopg as they are.

SQLAlchemy's way from a statement to rows (cache key, compiled form, context, result) costs more CPU than all else a claim does: eight rows
take 165 µs as `text()`, 250 µs as a `select()` with `in_`, and 88 µs this way, of which a claim has a dozen and a settle half a dozen
(py-spy: SQLAlchemy was on the stack of two thirds of a push). So what runs at every push stands here as text; what people or rare cases ask
stays with SQLAlchemy. The transaction, its errors and the pool are SQLAlchemy's in either case.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from store import prepared

Row = Any
"""A named tuple of a statement's columns."""


class Statement:
    """A statement with ``%(name)s`` parameters; any other per cent sign is doubled, as psycopg has it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def rows(self, db: Connection, **parameters: object) -> list[Row]:
        """Run it in the transaction of ``db`` and give its rows, as many as there are."""
        return self._run(db, parameters).fetchall()

    def count(self, db: Connection, **parameters: object) -> int:
        """Run it in the transaction of ``db`` and give how many rows it wrote."""
        return self._run(db, parameters).rowcount

    def _run(self, db: Connection, parameters: dict[str, object]) -> psycopg.Cursor[Row]:
        if not db.in_transaction():
            # As SQLAlchemy does for the statements it sees.
            db.begin()
        driver = db.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        try:
            # Making a cursor fails, too, when the server went away after the statement before.
            return driver.cursor(row_factory=namedtuple_row).execute(self.text, parameters, prepare=True)
        except psycopg.Error as error:
            gone = driver.closed or driver.broken or prepared.is_stale(error)
            if gone:
                db.invalidate(error)
            raise DBAPIError.instance(
                self.text, parameters, error, psycopg.Error, connection_invalidated=gone, dialect=db.dialect
            ) from error
