"""How the hot path speaks SQL: statements as text, JSON to the cent, documents packed, and many rows in one statement.

**Statements** are handed to psycopg as they are. SQLAlchemy's way from a statement to rows (cache key, compiled form, context, result)
costs more CPU than all else a claim does: eight rows take 165 µs as `text()`, 250 µs as a `select()` with `in_`, and 88 µs this way, of
which a claim has a dozen and a settle half a dozen (py-spy: SQLAlchemy was on the stack of two thirds of a push). So what runs at every
push is text; what people or rare cases ask stays with SQLAlchemy. The transaction, its errors and the pool are SQLAlchemy's in either
case.

**JSON**: numbers are `Decimal` on the way out and keep their digits on the way in.

**Documents** are what we sent and what QuickBooks answered: most of what the database keeps of an invoice. As `jsonb` both took 2.2 kB of
an invoice, out of line besides; packed they take 0.5 kB and stay in the row. SQL cannot look into a document: what it filters by has a
column of its own.

**Many rows** travel as one JSON document, so the statement is the same text for any number of rows. A multi-row VALUES is compiled and
parsed again for every batch: with 500 events that took two thirds of the time. An array for each column costs more in Python than it saves
in Postgres, save for the large values: bytes, and JSON that is text already, travel as arrays in binary form beside the document. Postgres
takes 66 µs for an invoice's record so, and 113 µs with all in the document.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import cache
from typing import Any, Final

import msgspec
import orjson
import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Dialect, LargeBinary, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from schemas.applied import Applied, Billed, Notes
from store import prepared
from store.dictionary import DICTIONARY, PARTS_DICTIONARY

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


# --- JSON ---

# In a third of the time that json.loads takes with `parse_float`; whole numbers of any length stay whole.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: object) -> str:
    return orjson.dumps(value, default=_decimal, option=orjson.OPT_NON_STR_KEYS).decode()


def loads(text: str | bytes) -> Any:
    return _DECODER.decode(text)


# --- Documents ---

# The first byte says how the rest is to be read. A number once written is readable for ever: a better dictionary gets the next one.
_PLAIN: Final = b"\x00"
"""JSON as it is: what the migration made of the rows that were there."""
_PACKED: Final = b"\x01"
_PLAIN_PARTS: Final = b"\x02"
_PACKED_PARTS: Final = b"\x03"
"""What we sent, in two parts: the members, and our notes."""
_LEVEL, _WINDOW, _MEMORY = 6, -13, 5
"""The dictionary fits the window, and so little memory is ready sooner: 25 µs for a document, of which level 1 would spare four."""


def pack(document: Mapping[str, Any] | None, *, small: bool = True) -> bytes | None:
    """Give a document as its column holds it; ``small`` is worth the time for what is kept."""
    if document is None:
        return None
    written = dumps(document).encode()
    return _PACKED + _deflated(written, DICTIONARY) if small else _PLAIN + written


def unpack(stored: bytes | None) -> dict[str, Any] | None:
    """Give the document that a column holds, its numbers as `Decimal` or int."""
    if stored is None:
        return None
    _begins_with(stored, _PLAIN, _PACKED)
    found: dict[str, Any] = loads(_written(stored))
    return found


def pack_applied(applied: Applied | None, *, small: bool = True) -> bytes | None:
    """Give what was sent, with our notes, as its column holds it; ``small`` is worth the time for what is kept."""
    if applied is None:
        return None
    written = dumps((applied.members, _noted(applied.notes))).encode()
    return _PACKED_PARTS + _deflated(written, PARTS_DICTIONARY) if small else _PLAIN_PARTS + written


def unpack_applied(stored: bytes | None) -> Applied | None:
    """Give what a column holds of what was sent, its numbers as `Decimal` or int; of any version."""
    if stored is None:
        return None
    if stored[:1] in (_PLAIN, _PACKED):
        return _of_one_part(loads(_written(stored)))
    _begins_with(stored, _PLAIN_PARTS, _PACKED_PARTS)
    return Applied(*_PARTS.decode(_written(stored)))


_PARTS: Final = msgspec.json.Decoder(tuple[dict[str, Any], Notes], float_hook=Decimal)
_NOTES: Final = {one.name: {} if one.default is MISSING else one.default for one in fields(Notes)}
_BILLED: Final = {one.name: one.default for one in fields(Billed)}


def _noted(notes: Notes) -> dict[str, object]:
    """Give the notes that say something."""
    said = {name: value for name, usual in _NOTES.items() if (value := getattr(notes, name)) != usual}
    if notes.billed is not None:
        billed = notes.billed
        said["billed"] = {name: value for name, usual in _BILLED.items() if (value := getattr(billed, name)) != usual}
    return said


_NOTES_BEFORE: Final = {
    "#template": "template", "#second_template": "second_template", "#suffix": "suffix", "#left_out": "left_out",
    "#refused": "refused", "#party": "party", "#project_customers": "project_customers", "#mark": "mark", "#billed": "billed",
}  # fmt: skip
_OF_ATTEMPTS_BEFORE: Final = frozenset({"#voided", "#temporary"})
"""Columns of an attempt by now."""


def _of_one_part(document: dict[str, Any]) -> Applied:
    """Read what an earlier version wrote: the notes stood among the members."""
    notes = {name: document[key] for key, name in _NOTES_BEFORE.items() if key in document}
    ours = {*_NOTES_BEFORE, *_OF_ATTEMPTS_BEFORE}
    members = {name: value for name, value in document.items() if name not in ours}
    return Applied(members, msgspec.convert(notes, Notes))


def _deflated(written: bytes, dictionary: bytes) -> bytes:
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflate.compress(written) + deflate.flush()


def _written(stored: bytes) -> bytes:
    """Give the JSON in a column's bytes."""
    how, rest = stored[:1], stored[1:]
    if how in (_PACKED, _PACKED_PARTS):
        return zlib.decompressobj(_WINDOW, DICTIONARY if how == _PACKED else PARTS_DICTIONARY).decompress(rest)
    return rest


def _begins_with(stored: bytes, *known: bytes) -> None:
    if stored[:1] not in known:
        how = stored[:1].hex()
        raise ValueError(
            f"a document in the database begins with byte {how}: it is of a newer kompass-qbo; upgrade this one"
        )


class Document(TypeDecorator[Mapping[str, Any]]):
    """The column of a document: `bytea` in the database, a mapping in Python."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, *, small: bool = True) -> None:
        super().__init__()
        self.small = small

    def packed(self, value: Any) -> bytes | None:
        return pack(value, small=self.small)

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        return self.packed(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return unpack(None if value is None else bytes(value))


class Sent(Document):
    """The column of what was sent: `bytea` in the database, an `Applied` in Python."""

    cache_ok = True

    def packed(self, value: Any) -> bytes | None:
        return pack_applied(value, small=self.small)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return unpack_applied(None if value is None else bytes(value))


# --- Many rows ---


@cache
def _statement(table: Table, columns: tuple[str, ...], large: tuple[str, ...], tail: str) -> Statement:
    named = ", ".join(f'"{name}"' for name in columns)
    chosen = ", ".join(_chosen(table, name, large) for name in columns)
    return Statement(f'INSERT INTO "{table.name}" ({named}) SELECT {chosen} FROM {_rows(table, columns, large)} {tail}')


def _rows(table: Table, columns: tuple[str, ...], large: tuple[str, ...]) -> str:
    """The rows that travel, as ``n``."""
    small = [name for name in columns if name not in large]
    typed = ", ".join(f'"{name}" {_type(table, name)}' for name in small)
    rows = [f"json_to_recordset(CAST(%(rows)s AS json)) AS ({typed})"]
    rows += [f"unnest(%({name})b::{'bytea' if _is_binary(table, name) else 'text'}[])" for name in large]
    members = ", ".join(f'"{name}"' for name in (*small, *large))
    return f"ROWS FROM ({', '.join(rows)}) AS n({members})"


def _type(table: Table, name: str) -> str:
    return table.c[name].type.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]


@cache
def _is_binary(table: Table, name: str) -> bool:
    return isinstance(table.c[name].type, LargeBinary | Document)


def _values(table: Table, name: str, rows: Sequence[Mapping[str, Any]]) -> list[object]:
    """A large column's values, as they travel."""
    kind = table.c[name].type
    if isinstance(kind, Document):
        return [kind.packed(row[name]) for row in rows]
    return [row[name] for row in rows] if _is_binary(table, name) else [row[name].decode() for row in rows]


def insert_rows(
    db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, tail: str = "", returning: bool = False
) -> list[Row]:
    """Insert rows that all have the same columns; ``tail`` is what follows (ON CONFLICT), with ``returning`` also RETURNING.

    A JSON column whose first value is bytes holds JSON's own text in each row.
    """
    if not rows:
        return []
    columns = tuple(rows[0])
    large = tuple(name for name in columns if _is_binary(table, name) or type(rows[0][name]) is bytes)
    arrays: dict[str, object] = {name: _values(table, name, rows) for name in large}
    if large:
        rows = [{name: value for name, value in row.items() if name not in large} for row in rows]
    statement = _statement(table, columns, large, tail)
    arrays["rows"] = dumps(rows)
    if returning:
        return statement.rows(db, **arrays)
    statement.count(db, **arrays)
    return []


@cache
def _update(table: Table, columns: tuple[str, ...], large: tuple[str, ...]) -> Statement:
    assigned = ", ".join(f'"{name}" = {_chosen(table, name, large)}' for name in columns)
    return Statement(
        f'UPDATE "{table.name}" AS t SET {assigned} FROM {_rows(table, ("id", *columns), large)} WHERE t.id = n.id'
    )


def _chosen(table: Table, name: str, large: tuple[str, ...]) -> str:
    if name in large:
        return f'n."{name}"' if _is_binary(table, name) else f'n."{name}"::jsonb'
    # A JSON null is SQL's NULL here: no column of ours holds the JSON value null.
    return f"nullif(n.\"{name}\", 'null'::jsonb)" if isinstance(table.c[name].type, JSONB) else f'n."{name}"'


def update_rows(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Change rows by ``id``: one statement for each set of columns that occurs."""
    by_columns: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_columns.setdefault(tuple(sorted(name for name in row if name != "id")), []).append(row)
    for columns, changes in by_columns.items():
        large = tuple(name for name in columns if _is_binary(table, name))
        arrays: dict[str, object] = {name: _values(table, name, changes) for name in large}
        if large:
            changes = [{name: value for name, value in row.items() if name not in large} for row in changes]
        _update(table, columns, large).count(db, rows=dumps(changes), **arrays)
