"""Records: the newest state of everything Kompass said, per Org. The newest sequence wins, in any order of arrival."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Connection, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from schemas.events import Kind, Record
from schemas.jsonlines import record_text
from store.sql import Statement, dumps, insert_rows, loads
from store.tables import department, org, record, service, vat_rate

Headers = tuple[tuple[str, bytes | None], ...]

UNREADABLE = "dlq.unreadable"
"""A header of ours on a record of which a part could not be read (headers, the timestamp): it names that part."""

RecordKey = tuple[str, str, str]
"""Org id, kind, Kompass id."""


class SourceEvent(msgspec.Struct, frozen=True, gc=False):
    """The Kafka record that a change came in, byte for byte: a dead letter must be able to give it back."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None = None
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()

    def columns(self) -> dict[str, object]:
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "event_timestamp": self.timestamp,
            "event_key": self.key,
            "event_value": self.value,
            "event_headers": headers_to_json(self.headers),
        }


def headers_to_json(headers: Iterable[tuple[str, bytes | None]]) -> list[list[str | None]]:
    return [[name, None if value is None else base64.b64encode(value).decode()] for name, value in headers]


def headers_from_json(stored: Iterable[Sequence[str | None]]) -> Headers:
    return tuple((str(name), None if value is None else base64.b64decode(value)) for name, value in stored)


def source_event(row: Any) -> SourceEvent:
    """Read the event columns of a `qbo_record` or `qbo_failure` row."""
    return SourceEvent(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        timestamp=row.event_timestamp,
        key=None if row.event_key is None else bytes(row.event_key),
        value=None if row.event_value is None else bytes(row.event_value),
        headers=headers_from_json(row.event_headers),
    )


class SeenRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record found in an event, its own or one carried inside another, for one Org.

    A Struct, for one is made of each record that may be newer: in a fifth of the time that a frozen dataclass takes.
    """

    org_id: str
    kind: Kind
    kompass_id: str
    sequence: int
    reference: str
    record: Record
    party_id: str
    """A project's billing client; else empty."""
    deleted: bool
    event_id: UUID
    event_created_at: datetime
    user_id: str = ""
    """Who made the change in Kompass; empty when the event does not say, and of a carried record, which somebody else may have changed."""
    own: bool = True
    """Whether it came by its own event, and not inside another record's."""
    source: SourceEvent
    key: RecordKey


@dataclass(frozen=True, slots=True)
class ConfiguredOrg:
    configuration_id: int
    org_id: str
    realm_id: str | None


class Remembered(NamedTuple):
    """A name worth offering in a dropdown: an Org, service, department or VAT rate seen in an event.

    A tuple, for there are ten in an invoice, each of which is looked up: to make and find it takes a third of what a frozen dataclass does.
    """

    what: str
    """org | service | department | vat_rate"""
    org_id: str
    kompass_id: str
    name: str
    detail: str = ""
    """A service's department id, a VAT rate's percentage."""


def configured_orgs(db: Connection, org_ids: Iterable[str]) -> dict[str, ConfiguredOrg]:
    """Give the configurations of these Orgs, locked until the transaction ends.

    Without the lock a company linked at this very moment could miss a record: neither would its links be made here, for want
    of a realm, nor by the sweep over the records, which would not see this one yet.
    """
    rows = _CONFIGURED_ORGS.rows(db, orgs=sorted(org_ids))
    return {row.org_id: ConfiguredOrg(row.id, row.org_id, row.realm_id) for row in rows}


_CONFIGURED_ORGS = Statement(
    "SELECT id, org_id, realm_id FROM qbo_configuration WHERE org_id = ANY(%(orgs)s::text[]) ORDER BY id FOR SHARE"
)


def known_sequences(db: Connection, keys: Sequence[RecordKey]) -> dict[RecordKey, int]:
    if not keys:
        return {}
    rows = _KNOWN_SEQUENCES.rows(db, keys=_keys(keys))
    return {(row.org_id, row.kind, row.kompass_id): row.sequence for row in rows}


_KEY = ("org_id", "kind", "kompass_id")
_KEYS = "json_to_recordset(CAST(%(keys)s AS json)) AS k(org_id text, kind text, kompass_id text)"
_KNOWN_SEQUENCES = Statement(
    f"SELECT r.org_id, r.kind, r.kompass_id, r.sequence FROM qbo_record r JOIN {_KEYS} USING (org_id, kind, kompass_id)"
)

_OLDER = Statement(
    "SELECT r.org_id, r.kind, r.kompass_id, r.sequence,"
    " CASE WHEN r.kind <> 'invoice' AND r.sequence < k.sequence THEN r.body::text END AS body FROM qbo_record r"
    " JOIN json_to_recordset(CAST(%(keys)s AS json)) AS k(org_id text, kind text, kompass_id text, sequence bigint)"
    " USING (org_id, kind, kompass_id)"
)


def being_written(db: Connection, keys: Sequence[RecordKey]) -> frozenset[RecordKey]:
    """Give those of these records that another transaction is writing at this moment; hold the others still until this one ends.

    A writer that makes a link for a record has to know: one whose change reached the links before that link was there would leave it
    with the state that was before. Waits for nobody.
    """
    known = set(known_sequences(db, keys))
    if not known:
        return frozenset()
    still = {(row.org_id, row.kind, row.kompass_id) for row in _HOLD_STILL.rows(db, keys=_keys(known))}
    return frozenset(known - still)


def _keys(keys: Iterable[RecordKey]) -> str:
    return dumps([{"org_id": org_id, "kind": kind, "kompass_id": kompass_id} for org_id, kind, kompass_id in keys])


_HOLD_STILL = Statement(
    f"SELECT r.org_id, r.kind, r.kompass_id FROM qbo_record r JOIN {_KEYS} USING (org_id, kind, kompass_id)"
    " FOR SHARE OF r SKIP LOCKED"
)

_REPLACE_OLDER = (
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(
        f'"{column.name}" = excluded."{column.name}"' for column in record.columns if column.name not in ("id", *_KEY)
    )
    + " WHERE qbo_record.sequence < excluded.sequence RETURNING org_id, kind, kompass_id"
)


class Written(NamedTuple):
    """What became of records that may be newer."""

    newer: list[SeenRecord]
    durable: dict[RecordKey, int]
    """The newest sequence of each of them, once the transaction is committed."""
    before: dict[RecordKey, Mapping[str, object]]
    """The clients and projects among them as they were known before."""


def write_newer(db: Connection, records: Iterable[SeenRecord]) -> Written:
    """Write those records that are newer than what is known, and give them.

    Rows are written in key order, so that two processes that see the same client never wait for each other in a circle.
    """
    newest: dict[RecordKey, SeenRecord] = {}
    for seen in records:
        known = newest.get(seen.key)
        if known is None or known.sequence < seen.sequence:
            newest[seen.key] = seen
    durable, before = _known(db, newest.values())
    candidates = [newest[key] for key in sorted(newest) if durable.get(key, -1) < newest[key].sequence]
    if not candidates:
        return Written([], durable, {})
    written = insert_rows(
        db,
        record,
        [
            {
                "org_id": seen.org_id,
                "kind": seen.key[1],
                "kompass_id": seen.kompass_id,
                "sequence": seen.sequence,
                "reference": seen.reference,
                "body": record_text(seen.record),
                "deleted": seen.deleted,
                "event_id": seen.event_id,
                "event_created_at": seen.event_created_at,
                **seen.source.columns(),
            }
            for seen in candidates
        ],
        tail=_REPLACE_OLDER,
        returning=True,
    )
    keys = {(row.org_id, row.kind, row.kompass_id) for row in written}
    newer = [seen for seen in candidates if seen.key in keys]
    durable.update((seen.key, seen.sequence) for seen in newer)
    return Written(newer, durable, before)


def _known(
    db: Connection, records: Iterable[SeenRecord]
) -> tuple[dict[RecordKey, int], dict[RecordKey, Mapping[str, object]]]:
    """Give what is known of these records: the sequence of each, and of older clients and projects the body."""
    keys = [
        {"org_id": seen.org_id, "kind": seen.key[1], "kompass_id": seen.kompass_id, "sequence": seen.sequence}
        for seen in records
    ]
    if not keys:
        return {}, {}
    rows = {(row.org_id, row.kind, row.kompass_id): row for row in _OLDER.rows(db, keys=dumps(keys))}
    bodies = {key: loads(row.body) for key, row in rows.items() if row.body is not None}
    return {key: row.sequence for key, row in rows.items()}, bodies


def remember(db: Connection, names: Iterable[Remembered]) -> None:
    """Keep what was seen in events, so that people can pick it from a list."""
    by_what: dict[str, dict[tuple[str, str], Remembered]] = {}
    for name in names:
        by_what.setdefault(name.what, {})[name.org_id, name.kompass_id] = name
    orgs = by_what.get("org", {})
    if orgs:
        statement = insert(org).values([{"id": seen.kompass_id, "name": seen.name} for _, seen in sorted(orgs.items())])
        db.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={"name": statement.excluded.name},
                where=org.c.name != statement.excluded.name,
            )
        )
    tables = {"department": department, "service": service, "vat_rate": vat_rate}
    extra = {"department": "", "service": "department_kompass_id", "vat_rate": "rate"}
    for what, table in tables.items():
        seen_names = by_what.get(what, {})
        if not seen_names:
            continue
        rows: list[dict[str, object]] = []
        for _, seen in sorted(seen_names.items()):
            row: dict[str, object] = {"org_id": seen.org_id, "kompass_id": seen.kompass_id, "name": seen.name}
            if extra[what]:
                row[extra[what]] = (seen.detail or None) if what == "vat_rate" else seen.detail
            rows.append(row)
        upsert = insert(table).values(rows)
        changing = {name: upsert.excluded[name] for name in ("name", extra[what]) if name}
        db.execute(
            upsert.on_conflict_do_update(
                index_elements=["org_id", "kompass_id"], set_={**changing, "last_seen_at": func.now()}
            )
        )


@dataclass(frozen=True, slots=True)
class StoredRecord:
    sequence: int
    body: Mapping[str, Any] = field(repr=False)
    deleted: bool


def read_bodies(db: Connection, keys: Iterable[RecordKey]) -> dict[RecordKey, StoredRecord]:
    """Give what Kompass says of each, without the events it came in."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = _READ_BODIES.rows(
        db, orgs=[key[0] for key in wanted], kinds=[key[1] for key in wanted], ids=[key[2] for key in wanted]
    )
    return {(row.org_id, row.kind, row.kompass_id): StoredRecord(row.sequence, row.body, row.deleted) for row in rows}


_READ_BODIES = Statement(
    "SELECT r.org_id, r.kind, r.kompass_id, r.sequence, r.body, r.deleted FROM qbo_record r"
    " JOIN unnest(%(orgs)s::text[], %(kinds)s::text[], %(ids)s::text[]) AS k(org_id, kind, kompass_id)"
    " USING (org_id, kind, kompass_id)"
)


def read_source(db: Connection, key: RecordKey) -> SourceEvent | None:
    """Give the event that a record came in, for its dead letter."""
    row = next(iter(read_records(db, [key]).values()), None)
    return None if row is None else source_event(row)


def read_records(db: Connection, keys: Sequence[RecordKey]) -> dict[RecordKey, Any]:
    """Give whole `qbo_record` rows by key."""
    if not keys:
        return {}
    rows = db.execute(
        select(record).where(
            tuple_(record.c.org_id, record.c.kind, record.c.kompass_id).in_([tuple(key) for key in keys])
        )
    )
    return {(row.org_id, row.kind, row.kompass_id): row for row in rows}
