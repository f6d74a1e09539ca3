"""What the client complains of without being dead: each complaint is a line a minute at most, for it repeats one while its cause lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError

log = logging.getLogger(__name__)

AGAIN_S: Final = 60.0
_MOST: Final = 100


class Complaints:
    """Those about one topic. One thread uses it."""

    def __init__(self, topic: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock = clock
        self._said: dict[str, float] = {}

    def note(self, error: KafkaError, partition: int | None) -> None:
        """Say it, unless it was said within the last minute."""
        place = self._topic if partition is None or partition < 0 else f"{self._topic}/{partition}"
        words, now = f"kafka: {error.str()} ({place})", self._clock()
        if now - self._said.get(words, float("-inf")) < AGAIN_S:
            return
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[words] = now
        log.warning("%s", words)
