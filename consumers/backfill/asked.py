"""Reads the topics again for each Configuration that was just added. Every consumer process looks; one of them reads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from confluent_kafka import KafkaException
from sqlalchemy import Engine

from consumers.backfill.reading import GROUP, Backfill, Backfilled
from consumers.errors import BrokerUnreachable
from consumers.waits import Wait
from schemas.codec import Codec
from schemas.errors import RegistryUnavailable
from schemas.events import Kind
from store import backfills
from store.backfills import AskedBackfill, Progress
from store.engine import AWAY, retrying

log = logging.getLogger(__name__)

PAUSE_S = 5.0


class _Stopped(Exception):
    """The process ends, or another one reads this backfill now."""


class AskedBackfills:
    """A thread of a consumer process."""

    def __init__(self, engine: Engine, codec: Codec, kafka: Mapping[str, str], *, owner: str) -> None:
        self._engine = engine
        self._codec = codec
        self._kafka = kafka
        self._owner = owner
        self._wait = Wait("looking for backfills")
        self._reading_waits = Wait("the asked backfill")

    def run(self, stopping: threading.Event, *, pause: float = PAUSE_S) -> None:
        """Read what is asked for until the process stops."""
        while not stopping.is_set():
            try:
                found = self.turn(stopping)
                self._wait.over()
            except AWAY as error:
                self._wait.goes_on(error)
                found = False
            if not found:
                stopping.wait(pause)

    def turn(self, stopping: threading.Event) -> bool:
        """Read one backfill to its end, or as far as it goes; False when there is none."""
        asked = retrying(self._engine, lambda db: backfills.claim_backfill(db, self._owner))
        if asked is None:
            return False
        log.info("reading the topics again for the new Configuration of Org %s", asked.org_id)
        try:
            done = self._read(asked, stopping)
        except _Stopped:
            retrying(self._engine, lambda db: backfills.release_backfill(db, asked, self._owner))
        except (BrokerUnreachable, RegistryUnavailable, KafkaException) as error:
            problem = str(error)
            self._reading_waits.goes_on(f"that of Org {asked.org_id}: {problem}")
            retrying(self._engine, lambda db: backfills.give_up_for_now(db, asked, self._owner, problem))
        else:
            self._reading_waits.over()
            retrying(self._engine, lambda db: backfills.finish_backfill(db, asked, self._owner))
            log.info("read %d events, %d of Org %s", done.read, done.of_org, asked.org_id)
        return True

    def _read(self, asked: AskedBackfill, stopping: threading.Event) -> Backfilled:
        def progress(done: Backfilled) -> None:
            now = Progress(
                total=asked.read + done.total,
                read=asked.read + done.read,
                of_org=asked.of_org + done.of_org,
                oldest=done.oldest,
                oldest_of_org=done.oldest_of_org,
            )
            mine = retrying(self._engine, lambda db: backfills.note_progress(db, asked, self._owner, now))
            if stopping.is_set() or not mine:
                raise _Stopped

        def rest(seconds: float) -> None:
            stopping.wait(seconds)

        reading = Backfill(
            self._engine, self._codec, self._kafka, org_id=asked.org_id, kinds=tuple(Kind), rest=rest,
            # A Configuration that is deleted and added again begins at the oldest events.
            group=f"{GROUP}.{asked.org_id}.{asked.asked_at:%Y%m%dT%H%M%S%f}",
        )  # fmt: skip
        try:
            return reading.run(progress=progress)
        finally:
            reading.close()
