"""One batch of Kafka records made durable; only then may its offsets be committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, OperationalError

from consumers.ingest.changes import Body, changed_members
from consumers.ingest.findings import Names, Recent, newer_in
from consumers.ingest.messages import kompass_id
from schemas.codec import Codec
from schemas.errors import UndecodableEvent
from schemas.events import Invoice, Kind
from schemas.jsonlines import record_text
from store import failures, history, links, records, restores
from store.engine import retrying
from store.failures import Failure
from store.records import RecordKey, Remembered, SeenRecord, SourceEvent, Written
from store.restores import Place
from store.sql import loads
from sync import link
from sync.crash_points import reached

PART = 250
"""Records to a transaction, at most. While Postgres writes one part, the next is decoded: of a batch of 500 new invoices that hides half of
Postgres's time, which is a third of the whole. With smaller parts it would hide more, but repeats would pay for more transactions."""

_REMEMBERED = 20_000
_KNOWN = 200_000
UNSTORABLE = "unstorable"
"""The cause of a record that can be read, and that the database cannot hold."""
_TOO_LARGE = "54000"
"""Postgres: program_limit_exceeded, such as an id or a reference of more bytes than an index entry may have."""


@dataclass(frozen=True, slots=True)
class Undecodable:
    source: SourceEvent
    cause: str
    message: str


@dataclass(slots=True)
class BatchResult:
    """What became of a batch, for the metrics."""

    newer: int = 0
    stale: int = 0
    unconfigured: int = 0
    tombstones: int = 0
    undecodable: list[Undecodable] = field(default_factory=list)

    def add(self, other: BatchResult) -> None:
        self.newer += other.newer
        self.stale += other.stale
        self.unconfigured += other.unconfigured
        self.tombstones += other.tombstones
        self.undecodable += other.undecodable


@dataclass(slots=True)
class _Decoded:
    """What some records say that is not known to be durable, before the database is asked."""

    sources: Sequence[SourceEvent]
    tombstones: int
    names: list[Remembered] = field(default_factory=list)
    found: list[SeenRecord] = field(default_factory=list)
    stale: int = 0
    undecodable: list[Undecodable] = field(default_factory=list)


class Ingest:
    """Writes batches of one topic. Holds caches only of what the database holds too; one thread uses it."""

    def __init__(self, engine: Engine, codec: Codec, kind: Kind, *, keeps_place: bool = False) -> None:
        """``keeps_place``: note how far each partition is read; for who reads a topic from its start to its end."""
        self._engine = engine
        self._keeps_place = keeps_place
        self._codec = codec
        self._kind = kind
        self._remembered: Recent[Remembered, bool] = Recent(_REMEMBERED)
        self._known: Recent[RecordKey, int] = Recent(_KNOWN)

    def write(self, sources: Sequence[SourceEvent]) -> BatchResult:
        """Make a batch durable. Raises `schemas.errors.RegistryUnavailable`, and the database's errors: try again later.

        Everything is idempotent: a batch written twice, or whose first part is written already, changes nothing the second time.
        """
        first, *others = [sources[start : start + PART] for start in range(0, len(sources), PART)] or [sources]
        decoded = self._decode(first)
        if not others:
            return self._make_durable(decoded)
        result = BatchResult()
        with ThreadPoolExecutor(1, thread_name_prefix="ingest-writer") as writer:
            for part in others:
                under_way = writer.submit(self._make_durable, decoded)
                decoded = self._decode(part)
                result.add(under_way.result())
        result.add(self._make_durable(decoded))
        return result

    def note_ends(self, topic: str, ends: Mapping[int, int]) -> None:
        """Make durable that partitions have nothing more before these offsets. Raises the database's errors."""
        if ends and self._keeps_place:
            places = {(topic, partition): offset for partition, offset in ends.items()}
            retrying(self._engine, lambda db: restores.note_reached(db, places))

    def _decode(self, sources: Sequence[SourceEvent]) -> _Decoded:
        """Read a part. Asks no database and changes no cache: the part before may be under way."""
        decoded = _Decoded(sources, sum(source.value is None for source in sources))
        names, known = Names(), self._known.get
        for source in sources:
            if source.value is None:
                continue
            try:
                event = self._codec.decode(self._kind, source.value)
            except UndecodableEvent as error:
                decoded.undecodable.append(Undecodable(source, error.cause, str(error)))
                continue
            names.add(event)
            newer, stale = newer_in(event, source, known)
            decoded.found += newer
            decoded.stale += stale
        decoded.names.extend(names.found)
        return decoded

    def _make_durable(self, decoded: _Decoded) -> BatchResult:
        """Write a part in one transaction, and remember it once that is committed."""
        candidates, undecodable = decoded.found, decoded.undecodable
        result = BatchResult(stale=decoded.stale, tombstones=decoded.tombstones, undecodable=undecodable)
        fresh = [name for name in decoded.names if self._remembered.get(name) is None]
        if not (candidates or fresh or undecodable):
            if self._keeps_place:
                retrying(self._engine, lambda db: restores.note_reached(db, _places(decoded.sources)))
            return result
        try:
            unconfigured, written = retrying(
                self._engine, lambda db: self._write(db, candidates, fresh, undecodable, decoded.sources)
            )
        except (DataError, OperationalError) as error:
            if isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) != _TOO_LARGE:
                raise
            return self._blame(decoded.sources, error)
        result.unconfigured, result.newer = unconfigured, len(written.newer)
        result.stale += len(candidates) - unconfigured - len(written.newer)
        self._keep(fresh, written)
        return result

    def _blame(self, sources: Sequence[SourceEvent], error: DataError | OperationalError) -> BatchResult:
        """Write the two halves apart, and their halves, so that a record Postgres cannot hold (a NUL character, say) holds up no other.

        One in 250 takes 16 transactions, where writing all one by one would take 250.
        """
        if len(sources) > 1:
            total, half = BatchResult(), len(sources) // 2
            total.add(self.write(sources[:half]))
            total.add(self.write(sources[half:]))
            return total
        reason = str(error.orig).strip().splitlines()[0].replace("\0", "")
        bad = Undecodable(sources[0], UNSTORABLE, f"the database cannot hold it ({reason})")
        retrying(self._engine, lambda db: self._write(db, [], [], [bad], sources))
        return BatchResult(undecodable=[bad])

    def _write(
        self,
        db: Connection,
        candidates: Sequence[SeenRecord],
        fresh: Sequence[Remembered],
        undecodable: Iterable[Undecodable],
        sources: Sequence[SourceEvent],
    ) -> tuple[int, Written]:
        records.remember(db, fresh)
        if undecodable:
            failures.record_unreadable(db, [_failure(self._kind, bad) for bad in undecodable])
        orgs = records.configured_orgs(db, {seen.org_id for seen in candidates}) if candidates else {}
        kept = [seen for seen in candidates if seen.org_id in orgs]
        written = records.write_newer(db, kept)
        newer = written.newer
        realms = {org_id: org.realm_id for org_id, org in orgs.items() if org.realm_id is not None}
        link.newer_records(db, newer, realms, lane=links.LANES[self._kind])
        entries = [_event_entry(seen, written.before.get(seen.key)) for seen in newer]
        # Another record's event brought this version before its own, which says who made it.
        written_now = {seen.key for seen in newer}
        late = [seen for seen in kept if seen.own and seen.kind is not Kind.INVOICE and seen.key not in written_now]
        named = history.carried_before(db, [seen for seen in late if written.durable.get(seen.key) == seen.sequence])
        history.append(db, entries + [_event_entry(seen, None, outcome="known") for seen in named])
        if self._keeps_place:
            restores.note_reached(db, _places(sources))
        if newer or undecodable:
            links.notify(db)
        reached("ingesting")
        return len(candidates) - len(kept), written

    def _keep(self, fresh: Iterable[Remembered], written: Written) -> None:
        for name in fresh:
            self._remembered.put(name, True)
        for key, sequence in written.durable.items():
            self._known.put(key, sequence)


def _places(sources: Iterable[SourceEvent]) -> dict[Place, int]:
    places: dict[Place, int] = {}
    for source in sources:
        place = (source.topic, source.partition)
        places[place] = max(places.get(place, 0), source.offset + 1)
    return places


def _failure(kind: Kind, bad: Undecodable) -> Failure:
    return Failure(
        stage="decode",
        cause=bad.cause,
        message=f"record {bad.source.offset} of {bad.source.topic}/{bad.source.partition} cannot be read: {bad.message}",
        remedy="Find out who writes such records to the topic; once the reader understands them, replay the dead letter",
        source=bad.source,
        kind=kind.value,
        kompass_id=kompass_id(bad.source.key),
    )


def _event_entry(seen: SeenRecord, before: Body | None, *, outcome: str = "newer") -> history.Entry:
    source = seen.source
    detail: dict[str, object] = {
        "sequence": seen.sequence,
        "event": str(seen.event_id),
        "deleted": seen.deleted,
        "created": seen.event_created_at.isoformat(),
        "user": seen.user_id,
        "carried": not seen.own,
    }
    if isinstance(seen.record, Invoice):
        detail["date"] = seen.record.date.isoformat()
    elif before is not None:
        detail["changed"] = changed_members(before, loads(record_text(seen.record)))
    return history.Entry(
        org_id=seen.org_id,
        kind=seen.kind.value,
        kompass_id=seen.kompass_id,
        what="event",
        outcome=outcome,
        message=f"sequence {seen.sequence} from {source.topic}/{source.partition}@{source.offset}"
        + (f", changed by {seen.user_id}" if seen.user_id else "")
        + ("" if seen.own else ", inside another record's event"),
        detail=detail,
    )
