"""From the outbox to the dead-letter topic: deleted there only when the broker has acknowledged, so at least once, never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from sqlalchemy import Engine

from consumers.waits import Wait
from store import failures
from store.engine import AWAY
from store.records import headers_from_json
from sync.crash_points import reached
from sync.metrics import Metrics

ACK_TIMEOUT_S = 30.0
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


def producer_settings(kafka: Mapping[str, str]) -> dict[str, object]:
    """Give the settings of the dead letters' producer: idempotent, and open to anything a topic of Kompass's let through."""
    return {
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "delivery.timeout.ms": int(ACK_TIMEOUT_S * 1000) - 5000,
        **kafka,
        "enable.idempotence": True,
        "acks": "all",
    }


def stage_of(headers: Any) -> str:
    """Give the stage that a dead letter's headers, as the outbox holds them, name."""
    return next(((value or b"").decode() for name, value in headers_from_json(headers) if name == "dlq.stage"), "")


class OutboxPublisher:
    """Publishes what the outbox holds; every process may run one, each row is published by one of them at a time."""

    def __init__(
        self, engine: Engine, make_producer: Callable[[], Producer], *, metrics: Metrics, beat: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._make_producer = make_producer
        self._producer = make_producer()
        self._broken = False
        self._metrics = metrics
        self._beat = beat
        self._database_waits = Wait("reading the outbox")
        self._broker_waits = Wait("publishing dead letters")
        self._refused = ""
        """What the broker said of the first dead letter that it did not take."""

    def run(self, stopping: threading.Event, *, pause: float) -> None:
        """Publish until stopped, looking every ``pause`` seconds."""
        while not stopping.is_set():
            self._beat("outbox")
            try:
                while self.publish_some():
                    self._beat("outbox")
                self._database_waits.over()
            except AWAY as error:
                self._database_waits.goes_on(error)
            stopping.wait(pause)

    def publish_some(self) -> int:
        """Publish one batch and delete what was acknowledged; gives how many rows that were.

        The rows stay locked while the broker is asked. That holds up nobody: only publishers read them, and they skip locked rows.
        """
        if self._broken:
            # An idempotent producer that met a fatal error (no right to write yet, say) never works again; a new one may.
            self._producer.purge()
            self._producer = self._make_producer()
            self._broken = False
        with self._engine.begin() as db:
            rows = failures.take_outbox(db)
            self._refused = ""
            if rows:
                reached("dead-letters-taken")
            acknowledged: list[int] = []
            too_large: list[Any] = []
            for row in rows:
                self._produce(row, acknowledged, too_large)
            self._flush()
            if too_large:
                # Not from within the reports that say so: a delivery report is no place to use the producer in.
                for row in too_large:
                    self._produce(row, acknowledged, None)
                self._flush()
            if acknowledged:
                reached("dead-letters-produced")
            failures.published(db, acknowledged)
        self._say(len(rows) - len(acknowledged))
        if acknowledged:
            reached("dead-letters-deleted")
        stages = {row.id: stage_of(row.headers) for row in rows}
        for row_id in acknowledged:
            self._metrics.count("dead_letters", stage=stages[row_id])
        return len(acknowledged)

    def _refuse(self, row: Any, words: str) -> None:
        self._refused = self._refused or f"dead letter {row.id} is not acknowledged: {words}"

    def _say(self, left: int) -> None:
        """Log what the broker did not take: once for all of a batch, which the next turn tries again."""
        if not left:
            self._broker_waits.over()
            return
        words = self._refused or f"the broker does not answer within {ACK_TIMEOUT_S:.0f} s"
        self._broker_waits.goes_on(words if left == 1 else f"{words} ({left - 1} more wait)")

    def _note(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self._broken = True

    def _flush(self) -> None:
        try:
            self._producer.flush(ACK_TIMEOUT_S)
        except KafkaException as error:
            self._note(error.args[0])

    def _produce(self, row: Any, acknowledged: list[int], too_large: list[Any] | None) -> None:
        """Produce a dead letter; without its value, and saying so, when ``too_large`` is None: it was too large with it."""
        whole = too_large is not None
        headers: list[tuple[str, str | bytes | None]] = [*headers_from_json(row.headers)]
        if not whole:
            # The broker takes no record of that size; the original stays with the failure in the database.
            headers.append(("dlq.value-omitted", b"too large for the topic; see the failure"))

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                acknowledged.append(row.id)
            elif error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._BAD_MSG) and too_large is not None:
                too_large.append(row)
            else:
                self._refuse(row, error.str())

        value = None if row.value is None or not whole else bytes(row.value)
        key = None if row.key is None else bytes(row.key)
        try:
            self._producer.produce(row.topic, value=value, key=key, headers=headers, on_delivery=delivered)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE and too_large is not None:
                too_large.append(row)
            else:
                self._refuse(row, error.args[0].str())
                self._note(error.args[0])
        except BufferError:
            self._refuse(row, "the producer's queue is full")
