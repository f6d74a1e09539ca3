"""Many rows in one statement: they travel as one JSON document, so the statement is the same text for any number of rows.

A multi-row VALUES is compiled anew by SQLAlchemy and parsed anew by Postgres for every batch, and arrays are quoted element by element in
Python: at batches of 500 events the one took two thirds of the ingest's time, the other half of what was left.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from store import json
from store.statements import Row, Statement


@cache
def _statement(table: Table, columns: tuple[str, ...], tail: str) -> Statement:
    binary = _binary(table, columns)
    named = ", ".join(f'"{name}"' for name in columns)
    chosen = ", ".join(
        f"decode(n.\"{name}\", 'base64')" if name in binary else _from_json(table, name) for name in columns
    )
    typed = ", ".join(f'"{name}" {"text" if name in binary else _type(table, name)}' for name in columns)
    return Statement(
        f'INSERT INTO "{table.name}" ({named}) SELECT {chosen} FROM json_to_recordset(CAST(%(rows)s AS json)) AS n({typed}) {tail}'
    )


def _type(table: Table, name: str) -> str:
    return table.c[name].type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


@cache
def _binary(table: Table, columns: tuple[str, ...]) -> frozenset[str]:
    """JSON has no bytes: these columns travel as base64."""
    return frozenset(name for name in columns if isinstance(table.c[name].type, LargeBinary))


def insert_rows(
    db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, tail: str = "", returning: bool = False
) -> list[Row]:
    """Insert rows that all have the same columns; ``tail`` is what follows (ON CONFLICT), with ``returning`` also RETURNING."""
    if not rows:
        return []
    columns = tuple(rows[0])
    binary = _binary(table, columns)
    if binary:
        rows = [
            {
                name: base64.b64encode(value).decode() if name in binary and value is not None else value
                for name, value in row.items()
            }
            for row in rows
        ]
    statement, document = _statement(table, columns, tail), json.dumps(rows)
    if returning:
        return statement.rows(db, rows=document)
    statement.count(db, rows=document)
    return []


@cache
def _update(table: Table, columns: tuple[str, ...]) -> Statement:
    typed = ", ".join(f'"{name}" {_type(table, name)}' for name in ("id", *columns))
    assigned = ", ".join(f'"{name}" = {_from_json(table, name)}' for name in columns)
    return Statement(
        f'UPDATE "{table.name}" AS t SET {assigned} FROM json_to_recordset(CAST(%(rows)s AS json)) AS n({typed}) WHERE t.id = n.id'
    )


def _from_json(table: Table, name: str) -> str:
    # A JSON null is SQL's NULL here: no column of ours holds the JSON value null.
    return f"nullif(n.\"{name}\", 'null'::jsonb)" if isinstance(table.c[name].type, JSONB) else f'n."{name}"'


def update_rows(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change rows by ``id``: one statement for each set of columns that occurs."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_columns.setdefault(tuple(sorted(name for name in row if name != "id")), []).append(row)
    for columns, changes in by_columns.items():
        _update(table, columns).count(db, rows=json.dumps(changes))
