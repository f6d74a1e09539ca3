"""Many rows in one statement: columns travel as arrays, so the statement is the same text for any number of rows.

A multi-row VALUES is compiled anew by SQLAlchemy and parsed anew by Postgres for every batch: measured at a batch of 500 events, that took
two thirds of the ingest's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import CursorResult

from store import json


@cache
def _statement(table: Table, columns: tuple[str, ...], tail: str) -> TextClause:
    types = [_array_type(table, name) for name in columns]
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in zip(columns, types, strict=True))
    chosen = ", ".join(
        f'n."{name}"::jsonb' if isinstance(table.c[name].type, JSONB) else f'n."{name}"' for name in columns
    )
    quoted = ", ".join(f'"{name}"' for name in columns)
    return text(f'INSERT INTO "{table.name}" ({quoted}) SELECT {chosen} FROM unnest({arrays}) AS n({quoted}) {tail}')


def _array_type(table: Table, name: str) -> str:
    kind = table.c[name].type
    if isinstance(kind, JSONB):
        return "text"
    return kind.compile(dialect=postgresql.dialect()).lower()  # type: ignore[no-untyped-call]


def insert_rows(
    db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, tail: str = ""
) -> CursorResult[Any] | None:
    """Insert rows that all have the same columns; ``tail`` is what follows (ON CONFLICT, RETURNING). None without rows."""
    if not rows:
        return None
    columns = tuple(rows[0])
    jsonb = {name for name in columns if isinstance(table.c[name].type, JSONB)}
    arrays = {name: [json.dumps(row[name]) if name in jsonb else row[name] for row in rows] for name in columns}
    return db.execute(_statement(table, columns, tail), arrays)
