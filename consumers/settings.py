"""Every setting, read once at start from the environment, with the embedded default that `make demo` uses.

With `INTUIT_ENVIRONMENT` unset or naming a simulator, everything has a default. With `production` or `sandbox` nothing
that decides where data goes or who can read it may be forgotten, so each of those must be given.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from confluent_kafka import Consumer, KafkaException

from consumers.errors import ConsumersError, ExitCode
from qbo_client.calls import MAX_BATCH_ITEMS
from qbo_client.environment import IntuitEnvironment, environment_for
from qbo_client.errors import EnvironmentInvalid
from store.errors import BadTokenKeys
from store.secrets import TokenKeys

TIMING_PREFIX: Final = "KOMPASS_QBO_"

EMBEDDED: Final[Mapping[str, str]] = {
    "DATABASE_URL": "postgresql://kompass@127.0.0.1:15432/kompass_qbo",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:19092",
    "INTUIT_ENVIRONMENT": "http://127.0.0.1:18080",
    "INTUIT_CLIENT_ID": "kompass-qbo-demo",
    "INTUIT_CLIENT_SECRET": "not-a-secret-the-simulator-takes-any",
    # Known to everybody, so it guards nothing: refused (by being required) as soon as Intuit is a real one.
    "TOKEN_KEYS": "a29tcGFzcy1xYm8tZGVtby1rZXktbm90LXNlY3JldCE=",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "SMTP_URL": "smtp://127.0.0.1:11025",
    "MAIL_FROM": "Kompass QuickBooks sync <kompass-qbo@localhost>",
    "OPERATOR_MAIL": "operator@localhost",
    "METRICS_PORT": "127.0.0.1:0",
    "LOG_FORMAT": "text",
}

SECRETS: Final = frozenset(
    {
        "DATABASE_URL",
        "INTUIT_CLIENT_SECRET",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET",
        "KAFKA_SSL_KEY_PASSWORD",
        "KAFKA_SSL_KEYSTORE_PASSWORD",
        "SCHEMA_REGISTRY_URL",
        "SMTP_URL",
        "TOKEN_KEYS",
    }
)
"""Never repeated in a message, and also read from the file that ``<name>_FILE`` names (its contents, trimmed)."""

_REAL_ENVIRONMENTS: Final = ("production", "sandbox")
_REQUIRED_FOR_REAL: Final = (
    "DATABASE_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "INTUIT_CLIENT_ID",
    "INTUIT_CLIENT_SECRET",
    "TOKEN_KEYS",
    "PUBLIC_URL",
    "SMTP_URL",
    "MAIL_FROM",
)

# Not librdkafka's: a Kubernetes Service called "kafka" puts the first ones into every pod, Kafka's own scripts read the
# others.
_NOT_LIBRDKAFKA: Final = re.compile(
    r"KAFKA_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?"
    r"|HOME|OPTS|HEAP_OPTS|GC_LOG_OPTS|JMX_OPTS|JVM_PERFORMANCE_OPTS|LOG4J_OPTS|DEBUG_FLAG)"
)


class BadSetting(ConsumersError):
    """A setting is missing or cannot be used; the message names the variable, its value unless secret, the remedy."""

    exit_code = ExitCode.BAD_SETTING

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"{name} {problem}; {remedy}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take and how many there are; each can be set as ``KOMPASS_QBO_<NAME IN CAPITALS>``."""

    lease_seconds: float = 15.0
    """A claim without a heartbeat for so long belongs to nobody."""
    heartbeat_seconds: float = 5.0
    """How often a running process says so for what it has claimed; a third of the lease survives two lost ones."""
    call_deadline_seconds: float = 60.0
    """The whole of one call to Intuit, from connecting to the last byte."""
    server_timeout_seconds: float = 125.0
    """Intuit ends a request after 120 s: a call sent longer ago than this is certainly over there too."""
    resend_window_seconds: float = 600.0
    """How long a request id is trusted to be remembered; Intuit does not say."""
    poll_seconds: float = 5.0
    """The slow look for due links, when no notification came."""
    sweep_seconds: float = 5.0
    """How often changed configurations are carried into their links."""
    drain_seconds: float = 20.0
    """What a stopping process grants its calls in flight."""
    refresh_lease_seconds: float = 90.0
    """For so long one process alone may refresh a company's tokens."""
    facts_seconds: float = 30 * 86_400.0
    """Age at which a company's facts (currency, tax codes, preferences) are fetched again: four metered reads. They are also
    fetched when a company is linked, and when the admin asks."""
    outbox_seconds: float = 1.0
    """The slow look for dead letters to be produced."""
    backoff_first_seconds: float = 2.0
    """The first wait after a call that had no definite answer; doubles each time, with jitter."""
    backoff_longest_seconds: float = 300.0
    """The longest such wait."""
    stuck_seconds: float = 60.0
    """A loop that has not turned for so long makes /livez fail, and every stack is written to the log."""
    gauges_seconds: float = 15.0
    """How often what the database says is counted for /metrics; more seldom by itself where counting takes long."""
    workers: int = 16
    """Calls to Intuit in flight at once, in one process."""
    batch_items: int = 30
    """What a company with a backlog has due goes to Intuit in batches of so many (at most 30); 1: every call goes by itself."""
    backlog_links: int = 10
    """A company with more due than this has a backlog: a second of its quota is not enough for it."""
    reject_after_attempts: int = 8
    """A record whose calls keep failing, while others of its company succeed, is rejected after so many."""
    budget_calls: int = 500_000
    """Metered (CorePlus) calls that Intuit grants the app a month: 500,000 at its Builder tier."""
    unreadable_run: int = 100
    """A consumer stops when so many records in a row cannot be read, rather than empty a topic into the dead letters."""
    start_wait_seconds: float = 120.0
    """A process that starts waits so long for a database or a broker that does not answer, alive but not ready."""
    retention_days: int = 400
    """What is done is kept for so long, then `kompass-qbo tidy` deletes it: history, closed failures, records that nothing needs."""


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where /metrics, /livez and /readyz are served; port 0 takes a free one, which the first log line names."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process needs to know. Secrets do not show in its `repr`."""

    database_url: str = field(repr=False)
    kafka: Mapping[str, str] = field(repr=False)
    """librdkafka's names: ``bootstrap.servers``, ``security.protocol``, …"""
    intuit: IntuitEnvironment
    intuit_client_id: str
    intuit_client_secret: str = field(repr=False)
    token_keys: tuple[str, ...] = field(repr=False)
    """Newest first."""
    public_url: str
    """The address under which people reach the admin site; no slash at the end."""
    smtp_url: str = field(repr=False)
    mail_from: str
    operator_mail: str | None
    notifier_templates: str | None = None
    """NOTIFIER_TEMPLATES: a directory whose templates replace those of the mails."""
    schema_registry_url: str | None = field(default=None, repr=False)
    metrics: MetricsAddress | None = None
    """None: ``METRICS_PORT=off``."""
    metrics_org_label: bool = True
    log_format: str = "text"
    ingest_on_gap: str = "continue"
    """``stop``: end when Kafka has deleted records before they were read, instead of saying so and going on."""
    budget_spent: str = "continue"
    """``hold``: once ``KOMPASS_QBO_BUDGET_CALLS`` metered reads were made in a month, what needs one is held."""
    timings: Timings = field(default_factory=Timings)


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read every setting; says what is wrong before anything is connected to.

    Raises
    ------
    BadSetting
        one line: the variable, what is wrong with it, what to do.
    """
    values = with_files(environ)
    intuit = _intuit(values)
    if intuit.name in _REAL_ENVIRONMENTS:
        for name in _REQUIRED_FOR_REAL:
            if not values.get(name):
                raise BadSetting(
                    name,
                    "is not set",
                    f"INTUIT_ENVIRONMENT={intuit.name} needs it: the defaults are those of the demo",
                )
    return Settings(
        database_url=_database_url(_value(values, "DATABASE_URL")),
        kafka=kafka_settings(values),
        intuit=intuit,
        intuit_client_id=_value(values, "INTUIT_CLIENT_ID"),
        intuit_client_secret=_value(values, "INTUIT_CLIENT_SECRET"),
        token_keys=token_keys(_value(values, "TOKEN_KEYS")),
        public_url=_url("PUBLIC_URL", _value(values, "PUBLIC_URL"), ("http", "https")).rstrip("/"),
        smtp_url=_url("SMTP_URL", _value(values, "SMTP_URL"), ("smtp", "smtps", "smtp+starttls")),
        mail_from=_mail("MAIL_FROM", _value(values, "MAIL_FROM")),
        operator_mail=_operator_mail(values, intuit),
        notifier_templates=values.get("NOTIFIER_TEMPLATES") or None,
        schema_registry_url=_registry_url(values),
        metrics=metrics_address(_value(values, "METRICS_PORT")),
        metrics_org_label=_choice(values, "METRICS_ORG_LABEL", ("on", "off"), "on") == "on",
        log_format=log_format(values),
        ingest_on_gap=_choice(values, "INGEST_ON_GAP", ("continue", "stop"), "continue"),
        budget_spent=_choice(values, "INTUIT_BUDGET_SPENT", ("continue", "hold"), "continue"),
        timings=timings_from(values),
    )


def with_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment with each secret that came as ``<name>_FILE`` replaced by that file's contents."""
    values = dict(environ)
    for name in sorted(SECRETS):
        path = values.pop(f"{name}_FILE", "")
        if not path:
            continue
        if values.get(name):
            raise BadSetting(f"{name}_FILE", f"is set and {name} too", "give one of them")
        try:
            values[name] = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise BadSetting(
                f"{name}_FILE", f"is {path!r}, which cannot be read ({reason})", "check path and rights"
            ) from None
    return values


def kafka_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Give librdkafka's settings from ``KAFKA_*``: ``KAFKA_SECURITY_PROTOCOL`` is ``security.protocol``.

    What librdkafka would refuse (an unknown name, a value out of range) is refused here, in its own words.
    """
    values = with_files(environ)
    variables = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): name
        for name in values
        if name.startswith("KAFKA_") and not _NOT_LIBRDKAFKA.fullmatch(name) and values[name]
    }
    settings = {librdkafka: values[name] for librdkafka, name in sorted(variables.items())}
    settings.setdefault("bootstrap.servers", EMBEDDED["KAFKA_BOOTSTRAP_SERVERS"])
    for server in settings["bootstrap.servers"].split(","):
        if not re.fullmatch(r"\s*([A-Za-z_]+://)?(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?\s*", server):
            raise BadSetting(
                "KAFKA_BOOTSTRAP_SERVERS", f"holds {server.strip()!r}", "it should read host:9092,host:9092"
            )
    _let_librdkafka_judge(settings, variables)
    return settings


def _let_librdkafka_judge(settings: Mapping[str, str], variables: Mapping[str, str]) -> None:
    # An address that nobody answers on, so that judging the settings connects to nothing.
    judged = {"group.id": "kompass-qbo.settings", **settings, "bootstrap.servers": "", "log_level": "0"}
    words = _refusal(judged)
    if words is None:
        return
    culprit = next((name for name in sorted(settings, key=len, reverse=True) if f'"{name}"' in words), None)
    culprit = culprit or next((name for name in sorted(settings, key=len, reverse=True) if name in words), None)
    # librdkafka may call it by its other name (linger.ms is queue.buffering.max.ms): then each is tried alone.
    alone = {"group.id": "kompass-qbo.settings", "log_level": "0"}
    others = (name for name in variables if name != "bootstrap.servers")
    culprit = culprit or next((name for name in others if _refusal({**alone, name: settings[name]})), None)
    raise BadSetting(
        variables.get(culprit or "", "KAFKA_*"),
        f"is refused by librdkafka ({words})",
        "see librdkafka's CONFIGURATION.md for names and values, in capitals with _ for .",
    )


def _refusal(settings: Mapping[str, str]) -> str | None:
    """What librdkafka has against these settings, on one line; None when it takes them."""
    try:
        Consumer(dict(settings)).close()
    except KafkaException as error:
        words = str(error.args[0].str()) if error.args else str(error)
        return " ".join(words.split())
    return None


def timings_from(environ: Mapping[str, str]) -> Timings:
    """Read `Timings` from ``KOMPASS_QBO_*``; an unknown name is an error, since a misspelt limit is no limit."""
    known = {TIMING_PREFIX + item.name.upper(): item for item in fields(Timings)}
    changes: dict[str, float | int] = {}
    for name, value in environ.items():
        if not name.startswith(TIMING_PREFIX):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise BadSetting(name, "is not a setting", f"the nearest one is {near}")
        whole = isinstance(known[name].default, int)
        try:
            number = int(value) if whole else float(value)
        except ValueError:
            number = -1
        if not 0 < number < 1e9:
            raise BadSetting(
                name, f"is {value!r}", f"give a {'whole number' if whole else 'number of seconds'} above 0"
            )
        changes[known[name].name] = number
    if changes.get("batch_items", 1) > MAX_BATCH_ITEMS:
        raise BadSetting(
            f"{TIMING_PREFIX}BATCH_ITEMS",
            f"is {changes['batch_items']}",
            f"give 1 (no batches) to {MAX_BATCH_ITEMS}, which is all that Intuit takes in one batch",
        )
    return Timings(**changes)  # type: ignore[arg-type]


def token_keys(value: str) -> tuple[str, ...]:
    """Split TOKEN_KEYS; whether each is a key is judged by the room that uses them."""
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    try:
        TokenKeys(keys)
    except BadTokenKeys as error:
        problem, _, remedy = str(error).removeprefix("TOKEN_KEYS").lstrip(": ").partition("; ")
        raise BadSetting("TOKEN_KEYS", f"cannot be used: {problem}", remedy) from None
    return keys


def metrics_address(value: str) -> MetricsAddress | None:
    """Read METRICS_PORT: a port (every interface), ``host:port``, ``0`` for a free port, ``off`` for none."""
    if value == "off":
        return None
    host, colon, port = value.rpartition(":")
    if not port.isdigit() or int(port) > 65535 or (colon and not host):
        raise BadSetting("METRICS_PORT", f"is {value!r}", "give a port, host:port, 0 for any free port, or off")
    return MetricsAddress(host=host.strip("[]") or "0.0.0.0", port=int(port))  # noqa: S104 - what a bare port means


def log_format(environ: Mapping[str, str]) -> str:
    return _choice(environ, "LOG_FORMAT", ("text", "json"), "text")


def _value(values: Mapping[str, str], name: str) -> str:
    return values.get(name) or EMBEDDED[name]


def _intuit(values: Mapping[str, str]) -> IntuitEnvironment:
    try:
        return environment_for(_value(values, "INTUIT_ENVIRONMENT"))
    except EnvironmentInvalid as error:
        problem, _, remedy = str(error).removeprefix("INTUIT_ENVIRONMENT ").partition("; ")
        raise BadSetting("INTUIT_ENVIRONMENT", problem, remedy) from None


def _database_url(value: str) -> str:
    parts = _split("DATABASE_URL", value)
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise BadSetting(
            "DATABASE_URL", "is not a PostgreSQL address", "it should read postgresql://user:password@host:5432/name"
        )
    return value


def _registry_url(values: Mapping[str, str]) -> str | None:
    value = values.get("SCHEMA_REGISTRY_URL", "")
    return _url("SCHEMA_REGISTRY_URL", value, ("http", "https")).rstrip("/") if value else None


def _url(name: str, value: str, schemes: tuple[str, ...]) -> str:
    parts = _split(name, value)
    if parts.scheme not in schemes or not parts.hostname:
        shown = "" if name in SECRETS else f" ({value!r})"
        raise BadSetting(
            name, f"is not an address{shown}", f"it should begin with {' or '.join(s + '://' for s in schemes)}"
        )
    return value


def _split(name: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise BadSetting(name, f"is not an address ({error})", "check its host and port") from None
    return parts


def _mail(name: str, value: str) -> str:
    if not re.fullmatch(r"[^<>@\n]*<?[^<>@\s]+@[^<>@\s]+>?", value.strip()):
        raise BadSetting(name, f"is {value!r}", "give a mail address: sync@example.com or Name <sync@example.com>")
    return value.strip()


def _operator_mail(values: Mapping[str, str], intuit: IntuitEnvironment) -> str | None:
    value = values.get("OPERATOR_MAIL", "")
    if not value:
        return None if intuit.name in _REAL_ENVIRONMENTS else EMBEDDED["OPERATOR_MAIL"]
    return _mail("OPERATOR_MAIL", value)


def _choice(values: Mapping[str, str], name: str, choices: tuple[str, ...], default: str) -> str:
    value = (values.get(name) or default).strip().lower()
    if value not in choices:
        raise BadSetting(name, f"is {values[name]!r}", f"give {' or '.join(choices)}")
    return value
