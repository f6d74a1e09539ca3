"""Which topic a name stands for: one that is deleted and created again has the name of the old one, and other records at its offsets.

Kafka gives each topic an id of its own. It goes with each committed offset, as the offset's metadata, so an offset of the old topic is
known as such; and it is asked for again now and then, since a fast client reads on in the new topic without an error.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from sync.settings import silent

log = logging.getLogger(__name__)

LOOK_S: Final = 10.0
_ANSWER_S: Final = 2.0

Ask = Callable[[], str]
"""Gives the id of the topic, or "" when nobody says."""


class TopicId:
    """One thread looks; the ingest loop reads what it saw, and looks itself before it places partitions."""

    def __init__(self, ask: Ask = lambda: "", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._looked = float("-inf")
        self.now = ""
        """What the brokers said last; "" while nobody has said anything."""

    def look(self, *, at_once: bool = False) -> str:
        """Give the id; ask again, if it is time. Without an answer the last one stays."""
        if at_once or self._clock() - self._looked >= LOOK_S:
            found = self._ask()
            self._looked = self._clock()
            self.now = found or self.now
        return self.now


def asking(kafka: Mapping[str, str], topic: str) -> Ask:
    """Give a function that asks the brokers. The right to read the topic is enough."""
    clients: list[AdminClient] = []

    def ask() -> str:
        if not clients:
            clients.append(AdminClient(silent(kafka)))
        future: Any = clients[0].describe_topics(TopicCollection([topic]), request_timeout=_ANSWER_S)[topic]
        try:
            return str(future.result(_ANSWER_S + 1.0).topic_id)
        except (KafkaException, TimeoutError) as error:
            # Away, missing, or not ours to see: the loop says so, with what follows from it.
            log.debug("no id of %s: %s", topic, error)
            return ""

    return ask
