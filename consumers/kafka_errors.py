"""Errors of a Kafka client after which it does nothing more: the process ends, and its supervisor starts a new one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from confluent_kafka import Consumer, KafkaError, Message

from consumers.errors import ConsumersError, ExitCode

P = ParamSpec("P")


class ClientDead(ConsumersError):
    """A Kafka client met an error that it never recovers from."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, error: KafkaError, topic: str) -> None:
        super().__init__(words_for(error, topic))
        self.says_why = error.str() != KafkaError(KafkaError._FATAL).str()
        """A commit or a question only meets that the client is dead; the next poll brings the reason."""


def is_fatal(error: KafkaError) -> bool:
    """Say whether the client is dead. librdkafka reports most such errors as `_FATAL`, whose own flag is not set."""
    return error.fatal() or error.code() == KafkaError._FATAL


def end_if_fatal(error: KafkaError, topic: str) -> None:
    """Raise `ClientDead` for an error after which the client does nothing more."""
    if is_fatal(error):
        raise ClientDead(error, topic)


def words_for(error: KafkaError, topic: str) -> str:
    """Say in one line what ended the client, and where to read on."""
    return (
        f"the Kafka client of {topic} stopped for good ({' '.join(error.str().split())}); the process ends and is to be started "
        "again; if this repeats, see docs/kafka.md, Errors that end a process"
    )


class Callbacks:
    """Keeps what a consumer's callbacks raise until its poll is over.

    The client library polls in slices of 200 ms. It drops the message of a later slice when a callback raised in an earlier one,
    and that message may say why the client is dead.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._failed: Exception | None = None

    def keeping(self, callback: Callable[P, None]) -> Callable[P, None]:
        """Give the callback in a form that never raises."""

        @wraps(callback)
        def kept(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                callback(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - `poll` raises it
                self._failed = self._failed or error

        return kept

    def poll(self, consumer: Consumer, seconds: float) -> Message | None:
        """Poll once. Raises what a callback raised, or the reason why the client is dead, where the message has it."""
        message = consumer.poll(seconds)
        if self._failed is None:
            return message
        if message is not None and (error := message.error()) is not None:
            end_if_fatal(error, self._topic)
        raise self._failed
