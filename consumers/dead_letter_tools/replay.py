"""Replay: make the links of failed records due again, or read bytes again that could not be read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from consumers.ingest.batch import Ingest
from consumers.inquiry.forecast import forecast_of
from schemas.codec import Codec
from schemas.errors import UndecodableEvent
from schemas.events import Kind
from schemas.link_state import Because
from store import dead_letters
from store.dead_letters import LeftOut, Selection
from store.engine import retrying
from store.records import SourceEvent, source_event
from store.searching import links_by_id
from sync import link
from sync.companies import read_company, refetch_facts_for
from sync.decide import predict

BATCH = 100


@dataclass(slots=True)
class Replayed:
    """What a replay came to."""

    asked: int = 0
    """Links made due again: their consumers try them now."""
    ingested: int = 0
    """Bytes that could be read this time."""
    undecodable: int = 0
    """Bytes that still cannot."""
    skipped: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        return {
            "asked": self.asked, "ingested": self.ingested, "undecodable": self.undecodable, "skipped": dict(self.skipped),
        }  # fmt: skip


class Pace:
    """At most so many records a second, however they come in batches."""

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._done = 0

    @property
    def batch(self) -> int:
        """How many to take at once: a second's worth."""
        return BATCH if self._rate is None else max(1, min(BATCH, int(self._rate)))

    def took(self, count: int) -> None:
        """Wait until as many as were taken may have been."""
        self._done += count
        if self._rate is not None:
            ahead = self._done / self._rate - (self._clock() - self._started)
            if ahead > 0:
                self._sleep(ahead)


def replay(
    engine: Engine,
    codec: Codec,
    selection: Selection,
    *,
    by: str,
    most: int | None = None,
    force: bool = False,
    pace: Pace | None = None,
    progress: Callable[[Replayed], None] = lambda done: None,
) -> Replayed:
    """Have failed records tried again, oldest first. Stopped anywhere and started again, it goes on where it was.

    What was asked for within the last hour is left alone, and what came back from five replays is in quarantine; ``force``
    overrides both.
    """
    pace = pace or Pace(None)
    done = Replayed()
    with engine.begin() as db:
        out = (
            dead_letters.left_out(db, selection)
            if not force
            else LeftOut(dead_letters.left_out(db, selection).connect, 0, 0)
        )
    for name, count in (
        ("connection", out.connect),
        ("quarantined", out.quarantined),
        ("asked for already", out.asked),
    ):
        if count:
            done.skipped[name] = count
    after, left = 0, most if most is not None else float("inf")
    while left > 0:
        size = int(min(pace.batch, left))
        with engine.begin() as db:
            rows = dead_letters.to_replay(db, selection, force=force, limit=size, after=after)
        if not rows:
            break
        after = rows[-1].id
        left -= len(rows)
        linked = [(row.id, row.link_id) for row in rows if row.link_id is not None]
        done.asked += retrying(engine, partial(_ask, linked=linked, by=by))
        for row in rows:
            if row.link_id is None:
                _ingest(engine, codec, row.id, done)
        progress(done)
        pace.took(len(rows))
    return done


def _ask(db: Connection, *, linked: Sequence[tuple[int, int]], by: str) -> int:
    """Make the links of these (failure id, link id) due again; gives how many were."""
    link_ids = [link_id for _, link_id in linked]
    due = link.make_due(db, link_ids, Because.REPLAY, by)
    # After the links, as a settle locks them.
    refetch_facts_for(db, link_ids)
    dead_letters.asked(db, [failure_id for failure_id, _ in linked])
    return due


def replay_asked(engine: Engine, codec: Codec) -> Replayed:
    """Read those bytes again that somebody asked for in the admin."""
    done = Replayed()
    with engine.begin() as db:
        ids = dead_letters.asked_to_ingest(db)
    for failure_id in ids:
        _ingest(engine, codec, failure_id, done)
    return done


def _ingest(engine: Engine, codec: Codec, failure_id: int, done: Replayed) -> None:
    """Read the stored bytes once more; in one transaction with the ingest would be nicer, but both are idempotent."""
    with engine.begin() as db:
        row = dead_letters.read(db, failure_id)
    if row is None or row.closed_at is not None:
        return
    kind = kind_of_topic(row.topic, row.kind)
    if kind is None or row.event_value is None:
        done.skipped["without bytes"] += 1
        return
    result = Ingest(engine, codec, kind).write([source_event(row)])
    with engine.begin() as db:
        if result.undecodable:
            bad = result.undecodable[0]
            dead_letters.still_undecodable(
                db, failure_id, cause=bad.cause, message=f"{row.topic}@{row.offset}: {bad.message}"
            )
            done.undecodable += 1
        else:
            dead_letters.ingested(db, failure_id, because=_what_became(result))
            done.ingested += 1


def _what_became(result: Any) -> str:
    if result.newer:
        return "replayed"
    return "replayed: the Org has no Configuration" if result.unconfigured else "replayed: older than what is known"


def kind_of_topic(topic: str, kind: str = "") -> Kind | None:
    """Give the kind of the records of one of Kompass's topics."""
    name = kind or topic.rpartition(".")[2].removesuffix("s")
    return Kind(name) if name in list(Kind) else None


# Predicting


@dataclass(frozen=True, slots=True)
class Predicted:
    org_id: str
    cause: str
    outcome: str
    """create | update | void | read | nothing | skip | wait | withdraw | fail | decodes | undecodable | …"""
    cause_now: str


def predict_replay(
    engine: Engine, codec: Codec, selection: Selection, *, most: int | None, force: bool
) -> Counter[Predicted]:
    """Decide what a replay would ask for, without a call: how many of each cause would come to what."""
    found: Counter[Predicted] = Counter()
    after, left = 0, most if most is not None else float("inf")
    while left > 0:
        with engine.connect() as db:
            rows = dead_letters.to_replay(db, selection, force=force, limit=int(min(BATCH, left)), after=after)
            if not rows:
                break
            after = rows[-1].id
            left -= len(rows)
            found.update(_predict(db, codec, rows))
    return found


def _predict(db: Connection, codec: Codec, rows: Sequence[Any]) -> Iterator[Predicted]:
    links = links_by_id(db, [row.link_id for row in rows if row.link_id is not None])
    companies = {org_id: read_company(db, org_id) for org_id in {link.org_id for link in links.values()}}
    wanted = [
        (link, company)
        for link in links.values()
        if (company := companies[link.org_id]) is not None and company.configuration.realm_id == link.realm_id
    ]
    predicted = {one.link.id: forecast_of(one) for one in predict(db, wanted, assume=False)}
    for row in rows:
        if row.link_id is None:
            yield _predict_bytes(db, codec, row)
        elif (one := predicted.get(row.link_id)) is None:
            yield Predicted(row.org_id, row.cause, "gone", "company no longer linked")
        else:
            yield Predicted(row.org_id, row.cause, one.outcome, one.cause)


def _predict_bytes(db: Connection, codec: Codec, row: Any) -> Predicted:
    whole = dead_letters.read(db, row.id)
    kind = kind_of_topic(row.topic, row.kind)
    if whole is None or kind is None or whole.event_value is None:
        return Predicted(row.org_id, row.cause, "gone", "without bytes")
    return Predicted(row.org_id, row.cause, *decodes(codec, kind, source_event(whole)))


def decodes(codec: Codec, kind: Kind, source: SourceEvent) -> tuple[str, str]:
    """Tell whether bytes can be read now."""
    try:
        codec.decode(kind, source.value or b"")
    except UndecodableEvent as error:
        return "undecodable", error.cause
    return "decodes", ""
