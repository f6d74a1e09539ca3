"""Errors of a Kafka client after which it does nothing more: the process ends, and its supervisor starts a new one."""

from __future__ import annotations

from confluent_kafka import KafkaError

from consumers.errors import ConsumersError, ExitCode


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
