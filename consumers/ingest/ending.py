"""The end of a consumer: why its client died, and how it leaves its group."""

from __future__ import annotations

import logging
import threading
from typing import Final

from confluent_kafka import Consumer, KafkaException

from consumers.kafka_errors import ClientDead, end_if_fatal

log = logging.getLogger(__name__)

CLOSE_S: Final = 10.0
"""librdkafka does not give up a commit on its way as long as the coordinator is away, and closes no consumer before."""

_REASON_POLLS: Final = 50


def reason_of(dead: ClientDead, consumer: Consumer, topic: str) -> ClientDead:
    """Give what ended the client, with its reason: it waits to be polled where a commit or a question met the dead client first."""
    for _ in range(_REASON_POLLS):
        if dead.says_why:
            break
        try:
            message = consumer.poll(0.1)
            if message is not None and (error := message.error()) is not None:
                end_if_fatal(error, topic)
        except ClientDead as found:
            dead = found
    return dead


def leave_group(consumer: Consumer, topic: str, *, seconds: float) -> bool:
    """Leave the group, which commits what is durable, unless the broker is away for longer than anybody should wait.

    Says whether the consumer could be closed; if not, its threads still wait for the broker.
    """
    closed = threading.Event()

    def leave() -> None:
        try:
            consumer.close()
        except KafkaException as error:
            log.warning("the group of %s was not left as it should be: %s", topic, error.args[0].str())
        closed.set()

    closing = threading.Thread(target=leave, name="closing", daemon=True)
    closing.start()
    closing.join(seconds)
    if not closed.is_set():
        log.warning("the brokers did not let us leave the group of %s within %.0f s", topic, seconds)
    return closed.is_set()
