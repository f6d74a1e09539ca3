"""`kompass-qbo doctor`: is this set-up sound; one line for each thing that is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import click
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]
from cryptography.fernet import Fernet
from rich.console import Console
from sqlalchemy import Engine, select

from consumers.dependencies import registry_problem
from consumers.errors import BrokerUnreachable, ConsumersError
from consumers.notifier.smtp import Mailer
from consumers.restoring.places import find_behind, words_for
from qbo_client.calls import read
from qbo_client.outcomes import Done, words_of
from qbo_client.transport import Transport
from schemas.counting import counted
from store.address import DatabaseAddress
from store.connections import CompanyConnection, read_connections, read_tokens, reencrypt
from store.engine import check_database, open_engine
from store.errors import DatabaseUnreachable, NotMigrated, UnreadableToken
from store.failures import DEAD_LETTERS
from store.restores import unknown_companies
from store.secrets import TokenKeys
from store.tables import configuration, org
from sync.settings import DEMO_DEFAULTS, BadSetting, Settings, settings_from, silent

TOPICS: Final = ("kompass.clients", "kompass.projects", "kompass.invoices", DEAD_LETTERS)
_TIMEOUT_S: Final = 10.0
# An outage of a weekend, and the Monday to notice it; docs/operations.md has the arithmetic.
_RETENTION: Final = timedelta(days=7)
_TOKEN_NEAR_ITS_END: Final = timedelta(days=14)


class Verdict(StrEnum):
    SOUND = "ok"
    DOUBTFUL = "warn"
    """It runs, and somebody should look."""
    UNSOUND = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    verdict: Verdict
    words: str


class Unsound(ConsumersError):
    """Something in the set-up is not sound."""


@click.command()
@click.option("--calls/--no-calls", default=True, help="Ask Intuit about each company: one metered call for each.")
@click.option(
    "--rotate-keys", is_flag=True, help="First encrypt every stored token again with the first of TOKEN_KEYS."
)
def doctor(calls: bool, rotate_keys: bool) -> None:
    """Look at the whole set-up; exits with 1 when something is not sound.

    Settings, database, Kafka and its topics, schema registry, mail server, token keys and every connection.
    """
    console = Console(soft_wrap=True, highlight=False)
    if rotate_keys:
        console.print(_rotate(settings_from(os.environ)))
    worst = Verdict.SOUND
    for finding in examine(os.environ, calls=calls):
        style = {Verdict.SOUND: "green", Verdict.DOUBTFUL: "yellow", Verdict.UNSOUND: "bold red"}[finding.verdict]
        console.print(f"[{style}]{finding.verdict:<5}[/] {finding.what:<22} ", end="")
        console.print(finding.words, markup=False)
        if finding.verdict is not Verdict.SOUND and worst is not Verdict.UNSOUND:
            worst = finding.verdict
    if worst is Verdict.UNSOUND:
        raise Unsound("the set-up is not sound: see the lines that begin with FAIL")


def examine(environ: Mapping[str, str], *, calls: bool = True) -> Iterator[Finding]:
    """Look at everything, in the order in which one thing needs another."""
    try:
        settings = settings_from(environ)
    except BadSetting as error:
        remedy = ""
        if error.name == "TOKEN_KEYS":
            remedy = f"; a new key could be {Fernet.generate_key().decode()}"
        yield Finding("settings", Verdict.UNSOUND, f"{error}{remedy}")
        return
    yield _settings(settings)
    engine = open_engine(settings.database_url, pool_size=1, application_name="kompass-qbo-doctor")
    try:
        database = _database(engine)
        yield database
        yield from _kafka(settings)
        if database.verdict is Verdict.SOUND:
            yield _age(engine, settings)
        yield _registry(settings)
        yield _mail(settings)
        if database.verdict is Verdict.SOUND:
            yield from _companies(engine, settings, calls=calls)
    finally:
        engine.dispose()


def _settings(settings: Settings) -> Finding:
    if settings.token_keys[0] == DEMO_DEFAULTS["TOKEN_KEYS"]:
        return Finding(
            "settings", Verdict.DOUBTFUL, f"Intuit is {settings.intuit.name}; TOKEN_KEYS is the demo's, known to all"
        )
    if settings.operator_mail is None:
        return Finding(
            "settings",
            Verdict.DOUBTFUL,
            "OPERATOR_MAIL is not set: nobody is notified of failures that belong to no Org",
        )
    return Finding(
        "settings", Verdict.SOUND, f"Intuit is {settings.intuit.name}, {counted(len(settings.token_keys), 'token key')}"
    )


def _database(engine: Engine) -> Finding:
    address = DatabaseAddress.of(engine)
    try:
        check_database(engine)
    except (DatabaseUnreachable, NotMigrated) as error:
        return Finding("database", Verdict.UNSOUND, str(error))
    return Finding("database", Verdict.SOUND, f"{address} answers and is migrated")


def _age(engine: Engine, settings: Settings) -> Finding:
    """Whether the database is as new as what was read of Kafka, and after a restore, whether it has caught up."""
    try:
        behind = find_behind(engine, settings.kafka)
    except BrokerUnreachable as error:
        return Finding("database's age", Verdict.DOUBTFUL, str(error))
    if behind:
        return Finding("database's age", Verdict.UNSOUND, words_for(behind))
    with engine.connect() as db:
        waiting = unknown_companies(db)
    if waiting:
        return Finding(
            "database's age",
            Verdict.DOUBTFUL,
            f"restored; {counted(len(waiting), 'company is', 'companies are')} still to be looked through, {waiting[0]} for one",
        )
    return Finding("database's age", Verdict.SOUND, "as new as what the consumers have committed at Kafka")


def _kafka(settings: Settings) -> Iterator[Finding]:
    servers = settings.kafka["bootstrap.servers"]
    admin = AdminClient(silent(settings.kafka))
    try:
        known = admin.list_topics(timeout=_TIMEOUT_S)
    except KafkaException as error:
        yield Finding("kafka", Verdict.UNSOUND, f"no broker answers at {servers} ({error.args[0].str()})")
        return
    yield Finding("kafka", Verdict.SOUND, f"{servers} answers, {counted(len(known.brokers), 'broker')}")
    for topic in TOPICS:
        found = known.topics.get(topic)
        if found is None or found.error is not None:
            yield Finding(topic, Verdict.UNSOUND, "there is no such topic; create it (docs/operations.md says how)")
        else:
            yield _topic(admin, topic, len(found.partitions))


def _topic(admin: AdminClient, topic: str, partitions: int) -> Finding:
    of_it = counted(partitions, "partition")
    try:
        (answer,) = admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, topic)], request_timeout=_TIMEOUT_S
        ).values()
        configured = {name: entry.value for name, entry in answer.result(_TIMEOUT_S).items()}
    except (KafkaException, TimeoutError) as error:
        code = error.args[0] if error.args and isinstance(error.args[0], KafkaError) else None
        return Finding(
            topic,
            Verdict.DOUBTFUL,
            f"{of_it}; its retention cannot be read ({code.str() if code else error})",
        )
    milliseconds = int(configured.get("retention.ms") or -1)
    if "compact" in str(configured.get("cleanup.policy")) and topic != DEAD_LETTERS:
        return Finding(topic, Verdict.SOUND, f"{of_it}, compacted: keeps each record's newest event")
    kept = timedelta(milliseconds=milliseconds)
    if 0 <= milliseconds < _RETENTION / timedelta(milliseconds=1):
        return Finding(
            topic,
            Verdict.DOUBTFUL,
            f"{of_it}, keeps events for {kept}; with less than {counted(_RETENTION.days, 'day')}, events of a longer "
            "outage are lost",
        )
    how_long = "for ever" if milliseconds < 0 else f"for {counted(kept.days, 'day')}"
    return Finding(topic, Verdict.SOUND, f"{of_it}, keeps events {how_long}")


def _registry(settings: Settings) -> Finding:
    url = settings.schema_registry_url
    if url is None:
        return Finding("schema registry", Verdict.SOUND, "none: events are read with the shipped schemas")
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
    problem = registry_problem(url)
    if problem is not None:
        return Finding("schema registry", Verdict.UNSOUND, f"{shown}: {problem}")
    return Finding("schema registry", Verdict.SOUND, f"{shown} answers")


def _mail(settings: Settings) -> Finding:
    mailer = Mailer(settings.smtp_url, sender=settings.mail_from, timeout=_TIMEOUT_S, whole=3 * _TIMEOUT_S)
    problem = mailer.problem()
    if problem is not None:
        return Finding("mail", Verdict.UNSOUND, f"{mailer.server}: {problem}; check SMTP_URL")
    return Finding("mail", Verdict.SOUND, f"{mailer.server} answers")


def _companies(engine: Engine, settings: Settings, *, calls: bool) -> Iterator[Finding]:
    keys = TokenKeys(settings.token_keys)
    with engine.connect() as db:
        configured = db.execute(
            select(org.c.name, configuration.c.realm_id, configuration.c.enabled)
            .join(org, org.c.id == configuration.c.org_id)
            .order_by(org.c.name)
        ).all()
        connections = read_connections(db)
    if not configured:
        yield Finding("companies", Verdict.DOUBTFUL, "no Org has a Configuration; add one in the admin site")
    with Transport(settings.intuit) as transport:
        for row in configured:
            connection = connections.get(row.realm_id or "")
            if connection is None:
                yield Finding(row.name, Verdict.DOUBTFUL, "not linked; run Authorize with QuickbooksOnline")
            else:
                finding = _connection(row.name, connection)
                if finding.verdict is not Verdict.UNSOUND:
                    finding = _tokens(engine, keys, finding, connection, transport if calls else None)
                if finding.verdict is Verdict.SOUND and not row.enabled:
                    finding = Finding(row.name, Verdict.DOUBTFUL, f"{finding.words}; not enabled")
                yield finding


def _connection(name: str, connection: CompanyConnection) -> Finding:
    company = f"company {connection.realm_id} ({connection.company_name})"
    if not connection.connected:
        return Finding(name, Verdict.UNSOUND, f"{company} is disconnected: {connection.disconnect_message}")
    expires = connection.refresh_expires_at
    if expires is not None and expires - datetime.now(UTC) < _TOKEN_NEAR_ITS_END:
        return Finding(
            name, Verdict.DOUBTFUL, f"{company}: the refresh token ends on {expires:%Y-%m-%d}; authorise again"
        )
    return Finding(name, Verdict.SOUND, f"{company} is connected")


def _tokens(
    engine: Engine, keys: TokenKeys, finding: Finding, connection: CompanyConnection, transport: Transport | None
) -> Finding:
    try:
        with engine.connect() as db:
            stored = read_tokens(db, keys, connection.realm_id)
    except UnreadableToken as error:
        return Finding(finding.what, Verdict.UNSOUND, str(error))
    if transport is None or stored is None:
        return finding
    if stored[1].access_expires_at <= datetime.now(UTC):
        # Refreshing is for the consumers, one at a time; looking must not change anything.
        return Finding(
            finding.what, finding.verdict, f"{finding.words}; the access token has expired and is renewed at need"
        )
    outcome = transport.send(connection.realm_id, stored[1].access_token, read("CompanyInfo"), deadline=_TIMEOUT_S)
    if isinstance(outcome, Done):
        return Finding(finding.what, finding.verdict, f"{finding.words} and answers")
    said = f"{type(outcome).__name__.lower()} {words_of(outcome)}"
    return Finding(finding.what, Verdict.UNSOUND, f"{finding.words}, but: {said}")


def _rotate(settings: Settings) -> str:
    engine = open_engine(settings.database_url, pool_size=1)
    check_database(engine)
    with engine.begin() as db:
        count = reencrypt(db, TokenKeys(settings.token_keys))
    engine.dispose()
    return _rotated(count, keys=len(settings.token_keys))


def _rotated(count: int, *, keys: int) -> str:
    done = f"{counted(count, 'connection')} encrypted"
    if keys == 1:
        return f"{done} with the only key of TOKEN_KEYS: to rotate it, put the new one in front (new,old)"
    return f"{done} with the first of TOKEN_KEYS; older keys can be removed now"
