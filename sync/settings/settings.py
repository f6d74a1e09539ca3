"""What a process needs to know, read once at start and checked before anything is connected to.

Consumers, notifier and commands take `Settings`, the admin site takes `SiteSettings`; what both need is in `SharedSettings`.
A command that needs less, such as the database alone, reads that alone from an `Environment`.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from qbo_client.environment import IntuitEnvironment, environment_for
from qbo_client.errors import EnvironmentInvalid
from store.errors import BadTokenKeys
from store.secrets import TokenKeys
from sync.settings.addresses import (
    MetricsAddress,
    read_database,
    read_mail_server,
    read_metrics_address,
    read_public_url,
    read_registry,
)
from sync.settings.declarations import DEMO_DEFAULTS
from sync.settings.environment import BadSetting, Environment
from sync.settings.kafka import read_kafka
from sync.settings.policies import (
    AttemptPolicy,
    CompanyPolicy,
    DoorPolicy,
    Policies,
    ProcessPolicy,
    RetentionPolicy,
    RetryPolicy,
    policies_from,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """What every process needs. Secrets do not show in its `repr`."""

    database_url: str = field(repr=False)
    intuit: IntuitEnvironment
    intuit_client_id: str
    intuit_client_secret: str = field(repr=False)
    token_keys: tuple[str, ...] = field(repr=False)
    """Newest first."""
    public_url: str
    """The address under which people reach the admin site; no slash at the end."""
    metrics: MetricsAddress | None
    """None: ``METRICS_PORT=off``."""
    metrics_org_label: bool
    attempts: AttemptPolicy
    companies: CompanyPolicy
    retries: RetryPolicy
    process: ProcessPolicy
    retention: RetentionPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(SharedSettings):
    """What the consumers and the notifier need besides."""

    kafka: Mapping[str, str] = field(repr=False)
    """librdkafka's names: ``bootstrap.servers``, ``security.protocol``, …"""
    schema_registry_url: str | None = field(repr=False)
    smtp_url: str = field(repr=False)
    mail_from: str
    operator_mail: str | None
    notifier_templates: str | None
    log_format: str
    ingest_on_gap: str
    budget_spent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings(SharedSettings):
    """What the admin site needs besides."""

    secret_key: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    time_zone: str
    trusted_proxies: int
    """How many proxies before the site append to X-Forwarded-For."""
    debug: bool
    door: DoorPolicy


def settings_from(variables: Mapping[str, str]) -> Settings:
    """Read every setting of the consumers and the notifier.

    Raises
    ------
    BadSetting
        one line: the variable, what is wrong with it, what to do.
    """
    environment = Environment(variables)
    return Settings(
        **_shared(environment, policies_from(environment)),
        kafka=read_kafka(environment),
        schema_registry_url=read_registry(environment),
        smtp_url=read_mail_server(environment),
        mail_from=_mail("MAIL_FROM", environment.value("MAIL_FROM")),
        operator_mail=_operator_mail(environment),
        notifier_templates=environment.given("NOTIFIER_TEMPLATES") or None,
        log_format=read_log_format(environment),
        ingest_on_gap=environment.choice("INGEST_ON_GAP", ("continue", "stop")),
        budget_spent=environment.choice("INTUIT_BUDGET_SPENT", ("continue", "hold")),
    )


def site_settings_from(variables: Mapping[str, str]) -> SiteSettings:
    """Read every setting of the admin site.

    Raises
    ------
    BadSetting
        one line: the variable, what is wrong with it, what to do.
    """
    environment = Environment(variables)
    policies = policies_from(environment)
    shared = _shared(environment, policies)
    hosts = tuple(host.strip() for host in environment.given("ALLOWED_HOSTS").split(",") if host.strip())
    return SiteSettings(
        **shared,
        secret_key=environment.value("SECRET_KEY"),
        allowed_hosts=hosts or (urlsplit(shared["public_url"]).hostname or "", "localhost", "127.0.0.1", "[::1]"),
        time_zone=_time_zone(environment),
        trusted_proxies=_trusted_proxies(environment, shared["public_url"]),
        debug=environment.choice("DEBUG", ("0", "1")) == "1",
        door=policies.door,
    )


def read_log_format(environment: Environment) -> str:
    """Give ``text`` or ``json``. Raises `BadSetting`."""
    return environment.choice("LOG_FORMAT", ("text", "json"))


def _shared(environment: Environment, policies: Policies) -> dict[str, Any]:
    intuit = _intuit(environment)
    return {
        "database_url": read_database(environment),
        "intuit": intuit,
        "intuit_client_id": environment.value("INTUIT_CLIENT_ID"),
        "intuit_client_secret": environment.value("INTUIT_CLIENT_SECRET"),
        "token_keys": _token_keys(environment.value("TOKEN_KEYS")),
        "public_url": read_public_url(environment),
        "metrics": read_metrics_address(environment),
        "metrics_org_label": environment.choice("METRICS_ORG_LABEL", ("on", "off")) == "on",
        "attempts": policies.attempts,
        "companies": policies.companies,
        "retries": policies.retries,
        "process": policies.process,
        "retention": policies.retention,
    }


def _intuit(environment: Environment) -> IntuitEnvironment:
    try:
        return environment_for(environment.value("INTUIT_ENVIRONMENT"))
    except EnvironmentInvalid as error:
        problem, _, remedy = str(error).removeprefix("INTUIT_ENVIRONMENT ").partition("; ")
        raise BadSetting("INTUIT_ENVIRONMENT", problem, remedy) from None


def _token_keys(value: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    try:
        TokenKeys(keys)
    except BadTokenKeys as error:
        problem, _, remedy = str(error).removeprefix("TOKEN_KEYS").lstrip(": ").partition("; ")
        raise BadSetting("TOKEN_KEYS", f"cannot be used: {problem}", remedy) from None
    return keys


def _time_zone(environment: Environment) -> str:
    name = environment.value("TIME_ZONE")
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSetting("TIME_ZONE", f"is {name!r}", "give a name of the tz database, such as Europe/Berlin") from None


def _trusted_proxies(environment: Environment, public_url: str) -> int:
    # The site itself speaks no TLS, so behind https there is one proxy at least.
    value = environment.given("TRUSTED_PROXIES") or ("1" if public_url.startswith("https:") else "0")
    if not re.fullmatch(r"[0-9]", value):
        raise BadSetting("TRUSTED_PROXIES", f"is {value!r}", "give the number of proxies before the admin site, 0 to 9")
    return int(value)


def _mail(name: str, value: str) -> str:
    if not re.fullmatch(r"[^<>@\n]*<?[^<>@\s]+@[^<>@\s]+>?", value.strip()):
        raise BadSetting(name, f"is {value!r}", "give a mail address: sync@example.com or Name <sync@example.com>")
    return value.strip()


def _operator_mail(environment: Environment) -> str | None:
    value = environment.given("OPERATOR_MAIL")
    if not value:
        return None if environment.intuit_is_real else DEMO_DEFAULTS["OPERATOR_MAIL"]
    return _mail("OPERATOR_MAIL", value)
