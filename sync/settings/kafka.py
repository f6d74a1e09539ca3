"""librdkafka's settings from ``KAFKA_*``, checked by librdkafka itself before anything is connected to."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException

from sync.settings.declarations import is_secret
from sync.settings.environment import BadSetting, Environment

_PREFIX: Final = "KAFKA_"
_SERVERS: Final = "KAFKA_BOOTSTRAP_SERVERS"

# Not librdkafka's: a Kubernetes Service called "kafka" puts the first ones into every pod, Kafka's own scripts read the
# others.
_NOT_LIBRDKAFKA: Final = re.compile(
    r"KAFKA_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?"
    r"|HOME|OPTS|HEAP_OPTS|GC_LOG_OPTS|JMX_OPTS|JVM_PERFORMANCE_OPTS|LOG4J_OPTS|DEBUG_FLAG)"
)
_UNHEARD: Final = logging.Logger("kompass-qbo.settings", logging.CRITICAL + 1)
_SERVER: Final = re.compile(r"\s*([A-Za-z_]+://)?(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?\s*")


def read_kafka(environment: Environment) -> dict[str, str]:
    """Give librdkafka's settings: ``KAFKA_SECURITY_PROTOCOL`` is ``security.protocol``.

    What librdkafka would refuse (an unknown name, a value out of range) is refused here, in its own words unless they
    repeat a secret.

    Raises
    ------
    BadSetting
    """
    variables = {
        name.removeprefix(_PREFIX).lower().replace("_", "."): name
        for name in environment.names(_PREFIX)
        if not _NOT_LIBRDKAFKA.fullmatch(name) and environment.given(name)
    }
    settings = {librdkafka: environment.given(name) for librdkafka, name in sorted(variables.items())}
    settings["bootstrap.servers"] = environment.value(_SERVERS)
    for server in settings["bootstrap.servers"].split(","):
        if not _SERVER.fullmatch(server):
            # Of an address with an @ a part may be a password.
            shown = "a user or a password" if "@" in settings["bootstrap.servers"] else repr(server.strip())
            raise BadSetting(_SERVERS, f"holds {shown}", "it should read host:9092,host:9092")
    _let_librdkafka_check(settings, variables)
    return settings


def silent(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings for a client that asks a question and says nothing itself: its answer is said by who asked.

    With ``debug`` set librdkafka writes plain lines to standard error at any log level.
    """
    return {**{name: value for name, value in settings.items() if name != "debug"}, "log_level": "0"}


def _let_librdkafka_check(settings: Mapping[str, str], variables: Mapping[str, str]) -> None:
    # An address that nobody answers on, so that checking the settings connects to nothing.
    checked = {"group.id": "kompass-qbo.settings", **settings, "bootstrap.servers": ""}
    words = _refusal(checked)
    if words is None:
        return
    culprit = next((name for name in sorted(settings, key=len, reverse=True) if f'"{name}"' in words), None)
    culprit = culprit or next((name for name in sorted(settings, key=len, reverse=True) if name in words), None)
    # librdkafka may call it by its other name (linger.ms is queue.buffering.max.ms): then each is tried alone.
    alone = {"group.id": "kompass-qbo.settings"}
    others = (name for name in variables if name != "bootstrap.servers")
    culprit = culprit or next((name for name in others if _refusal({**alone, name: settings[name]})), None)
    variable = variables.get(culprit or "", "KAFKA_*")
    secrets = [settings[librdkafka] for librdkafka, name in variables.items() if is_secret(name)]
    holds_secret = is_secret(variable) or any(secret in words for secret in secrets)
    raise BadSetting(
        variable,
        "is refused by librdkafka" + ("" if holds_secret else f" ({words})"),
        "see librdkafka's CONFIGURATION.md for names and values, in capitals with _ for .",
    )


def _refusal(settings: Mapping[str, str]) -> str | None:
    """What librdkafka has against these settings, on one line; None when it takes them."""
    try:
        Consumer(dict(settings), logger=_UNHEARD).close()
    except KafkaException as error:
        words = str(error.args[0].str()) if error.args else str(error)
        return " ".join(words.split())
    return None
