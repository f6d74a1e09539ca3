"""Every setting that is not a number: its name, its meaning, its default in the demo, and who reads it.

`docs/settings.md` is generated from here and from `sync.settings.policies`: ``python -m sync.settings.reference``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reader(StrEnum):
    """Which processes read a setting."""

    ALL = "all"
    CONSUMERS = "consumers"
    NOTIFIER = "notifier"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of the environment."""

    name: str
    about: str
    demo: str = ""
    """The default, as long as Intuit is a simulator."""
    required: bool = False
    """With the real Intuit it must be given: it decides where data goes or who can read it."""
    secret: bool = False
    """No message repeats it, and it may come from the file that ``<name>_FILE`` names."""
    reader: Reader = Reader.ALL


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "DATABASE_URL",
        "`postgresql://user:password@host:5432/name`, with libpq's options after `?`",
        demo="postgresql://kompass@127.0.0.1:15432/kompass_qbo",
        required=True,
        secret=True,
    ),
    Setting(
        "KAFKA_BOOTSTRAP_SERVERS",
        "`host:9092,host:9092`",
        demo="127.0.0.1:19092",
        required=True,
        reader=Reader.CONSUMERS,
    ),
    Setting(
        "SCHEMA_REGISTRY_URL",
        "Confluent's protocol, `https://user:password@host:8081`. Without it events are read with the shipped schemas",
        secret=True,
        reader=Reader.CONSUMERS,
    ),
    Setting(
        "INTUIT_ENVIRONMENT",
        "`production`, `sandbox`, or the base URL of a simulator",
        demo="http://127.0.0.1:18080",
    ),
    Setting("INTUIT_CLIENT_ID", "the client ID of your app at Intuit", demo="kompass-qbo-demo", required=True),
    Setting(
        "INTUIT_CLIENT_SECRET",
        "its client secret",
        demo="not-a-secret-the-simulator-takes-any",
        required=True,
        secret=True,
    ),
    Setting(
        "TOKEN_KEYS",
        "Fernet keys, comma-separated, the newest first. It encrypts the stored tokens",
        # Known to everybody, so it guards nothing.
        demo="a29tcGFzcy1xYm8tZGVtby1rZXktbm90LXNlY3JldCE=",
        required=True,
        secret=True,
    ),
    Setting(
        "PUBLIC_URL",
        "the address under which people reach the admin site",
        demo="http://127.0.0.1:8000",
        required=True,
    ),
    Setting(
        "SMTP_URL",
        "`smtp://`, `smtps://` or `smtp+starttls://user:password@host:port`",
        demo="smtp://127.0.0.1:11025",
        required=True,
        secret=True,
        reader=Reader.NOTIFIER,
    ),
    Setting(
        "MAIL_FROM",
        "the sender of mails: `Kompass <sync@example.com>`",
        demo="Kompass QuickBooks sync <kompass-qbo@localhost>",
        required=True,
        reader=Reader.NOTIFIER,
    ),
    Setting(
        "OPERATOR_MAIL",
        "who gets the mails about failures that belong to no Org",
        demo="operator@localhost",
        reader=Reader.NOTIFIER,
    ),
    Setting(
        "NOTIFIER_TEMPLATES",
        "a directory whose templates replace those of the mails",
        reader=Reader.NOTIFIER,
    ),
    Setting(
        "METRICS_PORT",
        "where `/metrics`, `/livez` and `/readyz` are served: a port, `host:port`, `0` for a free port, `off`",
        demo="127.0.0.1:0",
    ),
    Setting("METRICS_ORG_LABEL", "`off` leaves the label `org` of all metrics empty", demo="on"),
    Setting("LOG_FORMAT", "`text` or `json`", demo="text"),
    Setting(
        "INGEST_ON_GAP",
        "`stop` ends a consumer when Kafka deleted records before they were read; `continue` reports them and goes on",
        demo="continue",
        reader=Reader.CONSUMERS,
    ),
    Setting(
        "INTUIT_BUDGET_SPENT",
        "what happens once `KOMPASS_QBO_BUDGET_CALLS` metered reads were made in a month: "
        "`hold` holds what needs one, `continue` reads all the same",
        demo="continue",
        reader=Reader.CONSUMERS,
    ),
    Setting(
        "SECRET_KEY",
        "signs the sessions of the admin site: 50 random characters",
        demo="embedded-demo-key-not-for-a-site-that-others-can-reach-0001",
        required=True,
        secret=True,
        reader=Reader.ADMIN,
    ),
    Setting(
        "ALLOWED_HOSTS",
        "the hosts that the admin site answers to, comma-separated. Without it: the host of `PUBLIC_URL`, and this machine",
        reader=Reader.ADMIN,
    ),
    Setting(
        "TRUSTED_PROXIES",
        "how many proxies before the admin site append to `X-Forwarded-For`. Without it: 1 where `PUBLIC_URL` is https, else 0",
        reader=Reader.ADMIN,
    ),
    Setting(
        "TIME_ZONE",
        "in which the admin site shows times to people whose browser names none",
        "UTC",
        reader=Reader.ADMIN,
    ),
    Setting("DEBUG", "`1` shows Django's error pages, `0` hides them. For development only", "0", reader=Reader.ADMIN),
)

DECLARED: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}
DEMO_DEFAULTS: Final[Mapping[str, str]] = {setting.name: setting.demo for setting in SETTINGS if setting.demo}
SECRETS: Final[frozenset[str]] = frozenset(setting.name for setting in SETTINGS if setting.secret)

# Of librdkafka's settings, those whose value is a secret or holds one.
_KAFKA_SECRET: Final = re.compile(r"KAFKA_\w*(PASSWORD|SECRET|PASSPHRASE|KEY_PEM|OAUTHBEARER_CONFIG)")


def is_secret(name: str) -> bool:
    """Whether a setting's value is never shown, and may come from the file that ``<name>_FILE`` names."""
    return name in SECRETS or _KAFKA_SECRET.fullmatch(name) is not None
