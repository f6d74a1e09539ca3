"""`kompass-qbo consume clients|projects|invoices`: ingest and reconcile in one process, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from types import FrameType

import click
import psycopg
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from sqlalchemy import Engine, text

from consumers.dead_letters import OutboxPublisher, producer_settings
from consumers.errors import BrokerUnreachable, ConsumersError, ExitCode
from consumers.gauges import GaugeKeeper
from consumers.health import Health, HealthServer, dump_stacks_on_signal
from consumers.ingest.batch import Ingest
from consumers.ingest.group import consumer_settings
from consumers.ingest.loop import IngestLoop
from consumers.ingest.placing import OnGap
from consumers.restoring.places import check_not_restored
from consumers.runner import Reconciler
from qbo_client.oauth import OAuthApp
from qbo_client.transport import Transport
from schemas.codec import Codec
from schemas.events import Kind
from store.engine import CONNECT_TIMEOUT_S, check_database, open_engine
from store.failures import DEAD_LETTERS
from store.links import CHANNEL, LANES
from store.secrets import TokenKeys
from sync.budget import Budget
from sync.claim import Claim, ClaimPolicy
from sync.companies import CompanyCache
from sync.company import AccessTokens, CompanyJobs
from sync.daily_retry import Probes
from sync.gates import Gates
from sync.metrics import Metrics
from sync.policy import ReconcilerPolicy
from sync.settings import Settings, settings_from
from sync.settle import Settle, SettlePolicy

log = logging.getLogger(__name__)
_REFUSALS = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
_LIBRDKAFKA = logging.getLogger("librdkafka")
_LISTENER_ENDS_S = 2.0


class LoopBroken(ConsumersError):
    """One of the process's loops ended by a mistake of ours; it is better to be restarted than to run lame."""


class NewsListener:
    """LISTENs for what ingest and admin NOTIFY, on a connection of its own; the polls are the net beneath it."""

    def __init__(self, engine: Engine, reconciler: Reconciler) -> None:
        self._url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._reconciler = reconciler
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """Stop listening; True when the thread, which alone uses the connection, has ended."""
        self._stopping.set()
        self._thread.join(_LISTENER_ENDS_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stopping.is_set():
                        for notice in connection.notifies(timeout=0.5, stop_after=1):
                            if notice.payload == "configuration":
                                self._reconciler.configuration_changed()
                            self._reconciler.wake()
            except psycopg.Error as error:
                log.info("not listening for news, polling instead: %s", str(error).strip().splitlines()[:1])
                self._stopping.wait(1.0)


@dataclass(frozen=True, slots=True)
class Parts:
    engine: Engine
    transport: Transport
    reconciler: Reconciler
    loop: IngestLoop
    outbox: OutboxPublisher
    listener: NewsListener
    health: Health
    gauges: GaugeKeeper


def owner_name() -> str:
    """Name this very process: a restarted one is somebody else."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def build(settings: Settings, kind: Kind, codec: Codec) -> Parts:
    """Put a consumer process together; connects to nothing yet but what librdkafka connects to by itself."""
    attempts, companies, retries, process = settings.attempts, settings.companies, settings.retries, settings.process
    owner = owner_name()
    metrics = Metrics(org_label=settings.metrics_org_label)
    health = Health(metrics, stuck_seconds=process.stuck_seconds)
    # Dispatcher, settler, heartbeat, sweeper, ingest, outbox, gauges and company jobs; workers need none while they call.
    engine = open_engine(settings.database_url, pool_size=8, application_name=f"kompass-qbo-{kind.value}s")
    keys = TokenKeys(settings.token_keys)
    transport = Transport(settings.intuit)
    cache = CompanyCache()
    tokens = AccessTokens(engine, keys)
    facts_age = timedelta(seconds=companies.facts_seconds)
    budget = Budget(companies.budget_calls if settings.budget_spent == "hold" else None)
    jobs = CompanyJobs(
        engine,
        oauth=OAuthApp(settings.intuit, settings.intuit_client_id, settings.intuit_client_secret),
        transport=transport,
        keys=keys,
        tokens=tokens,
        cache=cache,
        owner=owner,
        refresh_lease=companies.refresh_lease_seconds,
        facts_age=facts_age,
        deadline=attempts.call_deadline_seconds,
        metrics=metrics,
        budget=budget,
    )
    claim = Claim(
        ClaimPolicy(
            owner=owner,
            lane=LANES[kind],
            lease=attempts.lease_seconds,
            server_timeout=attempts.server_timeout_seconds,
            send_within=attempts.lease_seconds / 2,
            resend_window=attempts.resend_window_seconds,
            facts_age=facts_age,
            budget=budget,
        ),
        cache,
    )
    settle = Settle(
        SettlePolicy(
            backoff_first=retries.backoff_first_seconds,
            backoff_longest=retries.backoff_longest_seconds,
            reject_after=retries.reject_after_attempts,
        )
    )
    gates = Gates()
    reconciler = Reconciler(
        engine,
        ReconcilerPolicy(
            owner=owner,
            lane=LANES[kind],
            workers=process.workers,
            lease=attempts.lease_seconds,
            heartbeat=attempts.heartbeat_seconds,
            poll=process.poll_seconds,
            sweep=process.sweep_seconds,
            drain=process.drain_seconds,
            call_deadline=attempts.call_deadline_seconds,
            server_timeout=attempts.server_timeout_seconds,
            together=process.batch_items,
            backlog=process.backlog_links,
        ),
        claim=claim,
        settle=settle,
        transport=transport,
        tokens=tokens,
        jobs=jobs,
        gates=gates,
        probes=Probes(engine, metrics),
        metrics=metrics,
        beat=health.beat,
    )
    loop = IngestLoop(
        lambda on_commit: Consumer(
            {**consumer_settings(settings.kafka, kind), "on_commit": on_commit}, logger=_LIBRDKAFKA
        ),
        Ingest(engine, codec, kind, keeps_place=True),
        kind,
        metrics=metrics,
        beat=lambda: health.beat("ingest"),
        on_gap=OnGap(settings.ingest_on_gap),
        news=reconciler.wake,
    )
    outbox = OutboxPublisher(
        engine,
        lambda: Producer(producer_settings(settings.kafka), logger=_LIBRDKAFKA),
        metrics=metrics,
        beat=health.beat,
    )
    health.add_check("database", lambda: _database_check(engine))
    # Made when it is first asked for, and kept.
    probe = lru_cache(lambda: Producer({**settings.kafka, "log_level": "0"}, logger=_LIBRDKAFKA))
    health.add_check("broker", lambda: _broker_check(probe()))
    health.add_check("assigned", lambda: None if loop.assigned else "no partition is assigned to this process")
    gauges = GaugeKeeper(
        engine,
        metrics,
        budget=companies.budget_calls,
        period=process.gauges_seconds,
        retention=timedelta(days=settings.retention.retention_days),
        owner=owner,
        open_breakers=gates.open_breakers,
    )
    gauges.start_from_zero(kind)
    return Parts(engine, transport, reconciler, loop, outbox, NewsListener(engine, reconciler), health, gauges)


def _database_check(engine: Engine) -> str | None:
    with engine.connect() as db:
        db.execute(text("SELECT 1"))
    return None


def _broker_check(producer: Producer) -> str | None:
    # Shorter than a probe waits, and of one topic alone: a cluster may have thousands.
    producer.list_topics(DEAD_LETTERS, timeout=2.0)
    return None


def check_broker(settings: Settings, *, timeout: float = 10.0) -> None:
    """See that a broker answers. Raises `BrokerUnreachable`."""
    met: list[KafkaError] = []
    # What librdkafka would log about it is said in one line below.
    producer = Producer({**settings.kafka, "log_level": "0", "error_cb": met.append})
    servers = settings.kafka.get("bootstrap.servers", "")
    until = time.monotonic() + timeout
    while True:
        try:
            # A second at a time: that we are refused is told by the way, and is not worth waiting on.
            producer.list_topics(timeout=min(1.0, timeout))
            return
        except KafkaException as error:
            producer.poll(0)
            refused = next((one for one in met if one.code() in _REFUSALS), None)
            if refused is not None:
                raise BrokerUnreachable(
                    f"Kafka at {servers} cannot be used ({refused.str()}); check KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and "
                    "KAFKA_SSL_*"
                ) from error
            if time.monotonic() >= until:
                raise BrokerUnreachable(
                    f"no Kafka broker answers at {servers} ({error.args[0].str()}); check KAFKA_BOOTSTRAP_SERVERS"
                ) from error


def run(settings: Settings, kind: Kind) -> None:
    """Run a consumer process until SIGTERM or SIGINT; calls in flight are finished within the drain."""
    dump_stacks_on_signal()
    engine = open_engine(settings.database_url, pool_size=1)
    check_database(engine)
    check_broker(settings)
    check_not_restored(engine, settings.kafka)
    engine.dispose()
    parts = build(settings, kind, _codec(settings))
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()
        parts.loop.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    outbox = threading.Thread(
        target=parts.outbox.run, args=(stopping,), kwargs={"pause": settings.process.outbox_seconds}, name="outbox"
    )
    gauges = threading.Thread(target=parts.gauges.run, args=(stopping,), name="gauges")
    watch = threading.Thread(target=_watch, args=(parts, stopping), name="watch", daemon=True)
    served = ExitStack()
    if settings.metrics is not None:
        log.info("metrics at %s/metrics", served.enter_context(HealthServer(parts.health, settings.metrics)).url)
    parts.reconciler.start()
    parts.listener.start()
    outbox.start()
    gauges.start()
    watch.start()
    log.info("consuming %ss", kind.value)
    try:
        parts.loop.run()
    finally:
        stopping.set()
        parts.health.stop()
        started = time.monotonic()
        drained = parts.reconciler.stop()
        ended = parts.listener.stop() and drained
        outbox.join()
        gauges.join()
        watch.join()
        served.close()
        parts.transport.close()
        parts.engine.dispose()
        log.info(
            "stopped after %.1f s%s", time.monotonic() - started, "" if drained else "; calls were left to be recovered"
        )
    if not ended or not parts.loop.closed:
        # Calls that Intuit still holds would keep the interpreter waiting for their threads; they are recovered as intents. And a
        # thread that waits in a C library, for the broker or the database, must not see the interpreter taken down.
        logging.shutdown()
        os._exit(ExitCode.OK if parts.reconciler.broken is None else ExitCode.FAILED)
    if parts.reconciler.broken is not None:
        raise LoopBroken(f"a loop of the {kind.value}s process ended: {parts.reconciler.broken!r}; see the log")


def _watch(parts: Parts, stopping: threading.Event) -> None:
    """Stop the process when one of its loops has ended."""
    while not stopping.wait(1.0):
        if parts.reconciler.broken is not None:
            parts.loop.stop()
            return


def _codec(settings: Settings) -> Codec:
    if settings.schema_registry_url is None:
        return Codec()
    from schemas.registry import RegistrySource

    return Codec(RegistrySource(settings.schema_registry_url))


@click.command()
@click.argument("what", type=click.Choice([f"{kind.value}s" for kind in Kind]))
def consume(what: str) -> None:
    """Consume one of Kompass's topics and make QuickBooks Online agree with it.

    `invoices` also works the customers and jobs that its invoices wait for, so each process is useful alone.
    """
    run(settings_from(os.environ), Kind(what.removesuffix("s")))
