"""Is a broker there, and does it let us in."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer

from consumers.errors import BrokerRefuses, BrokerUnreachable
from consumers.logs import LIBRDKAFKA
from store.failures import DEAD_LETTERS
from sync.settings import Settings, silent

_REFUSALS: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})


def broker_check(settings: Settings) -> Callable[[], str | None]:
    """Give the check that asks a broker, by a client that is made when it is first asked."""
    client = lru_cache(lambda: Producer(silent(settings.kafka), logger=LIBRDKAFKA))

    def check() -> str | None:
        # Shorter than a probe waits, and of one topic alone: a cluster may have thousands.
        client().list_topics(DEAD_LETTERS, timeout=2.0)
        return None

    return check


def check_broker(settings: Settings, *, timeout: float = 10.0) -> None:
    """See that a broker answers. Raises `BrokerUnreachable`; `BrokerRefuses` where waiting is of no use."""
    met: list[KafkaError] = []
    # What librdkafka would log about it is said in one line below.
    producer = Producer({**silent(settings.kafka), "error_cb": met.append})
    servers = settings.kafka.get("bootstrap.servers", "")
    until = time.monotonic() + timeout
    while True:
        try:
            # A second at a time: a refusal is reported beside the answer, and is not worth waiting on.
            producer.list_topics(timeout=min(1.0, timeout))
            return
        except KafkaException as error:
            producer.poll(0)
            refused = next((one for one in met if one.code() in _REFUSALS), None)
            if refused is not None:
                raise BrokerRefuses(
                    f"Kafka at {servers} cannot be used ({refused.str()}); check KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and "
                    "KAFKA_SSL_*"
                ) from error
            if time.monotonic() >= until:
                raise BrokerUnreachable(
                    f"no Kafka broker answers at {servers} ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS"
                ) from error
