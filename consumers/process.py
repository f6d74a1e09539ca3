"""`kompass-qbo consume clients|projects|invoices`: ingest and reconcile in one process, until it is stopped."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

import click
from confluent_kafka import Consumer, Producer
from sqlalchemy import Engine

from consumers.backfill.asked import AskedBackfills
from consumers.broker_check import broker_check, check_broker
from consumers.cli import say_error
from consumers.dead_letters import OutboxPublisher, producer_settings
from consumers.dependencies import Dependencies, Dependency, database_check, registry_check
from consumers.errors import ConsumersError, ExitCode
from consumers.gauges import GaugeKeeper
from consumers.health import Health, HealthServer, dump_stacks_on_signal
from consumers.ingest.batch import Ingest
from consumers.ingest.group import consumer_settings, topic_of
from consumers.ingest.limit import DecodeLimit
from consumers.ingest.loop import IngestLoop
from consumers.ingest.membership import Membership
from consumers.ingest.placing import OnGap
from consumers.ingest.topic_id import TopicId, asking
from consumers.listening import NewsListener
from consumers.logs import LIBRDKAFKA
from consumers.restoring.places import check_not_restored
from consumers.runner import Reconciler
from consumers.starting import wait_for
from qbo_client.oauth import OAuthApp
from qbo_client.transport import Transport
from schemas.codec import Codec
from schemas.events import Kind
from store import stretches
from store.engine import check_database, open_engine, retrying
from store.links import LANES
from store.secrets import TokenKeys
from sync.budget import Budget
from sync.metrics import Metrics
from sync.policy import Policy
from sync.settings import Settings, settings_from
from sync.steps import Steps

log = logging.getLogger(__name__)
_ASKING_ENDS_S = 2.0
_THREADS_END_S = 10.0
"""For the outbox above all: it waits up to half a minute for the broker. What was not acknowledged is produced again."""


class LoopBroken(ConsumersError):
    """One of the process's loops ended by a mistake of ours; exit so that the supervisor restarts the process."""


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
    dependencies: Dependencies
    membership: Membership
    topic_id: TopicId
    backfills: AskedBackfills


def owner_name() -> str:
    """Name this very process: a restarted one is somebody else."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def build(settings: Settings, kind: Kind, codec: Codec, *, health: Health | None = None) -> Parts:
    """Put a consumer process together; connects to nothing yet but the brokers, in librdkafka's own threads."""
    companies, process = settings.companies, settings.process
    owner = owner_name()
    health = health or health_of(settings)
    metrics = health.metrics
    dependencies = Dependencies(metrics)
    # Dispatcher, settler, heartbeat, sweeper, ingest, outbox, gauges and the companies' preparation; workers need none while they call.
    # A backfill, which is rare, has one of those beyond.
    engine = open_engine(settings.database_url, pool_size=8, application_name=f"kompass-qbo-{kind.value}s")
    transport = Transport(settings.intuit)
    budget = Budget(companies.budget_calls if settings.budget_spent == "hold" else None)
    steps = Steps(
        engine,
        Policy.of(settings, owner=owner, lane=LANES[kind], budget=budget),
        transport=transport,
        oauth=OAuthApp(settings.intuit, settings.intuit_client_id, settings.intuit_client_secret),
        keys=TokenKeys(settings.token_keys),
        metrics=metrics,
    )
    reconciler = Reconciler(steps, beat=health.beat)
    topic = topic_of(kind)
    topic_id = TopicId(asking(settings.kafka, topic))
    loop = IngestLoop(
        lambda on_commit: Consumer(
            {**consumer_settings(settings.kafka, kind), "on_commit": on_commit}, logger=LIBRDKAFKA
        ),
        Ingest(engine, codec, kind, keeps_place=True),
        kind,
        metrics=metrics,
        beat=lambda: health.beat("ingest"),
        limit=DecodeLimit(
            run=process.unreadable_run, accepted=lambda: retrying(engine, lambda db: stretches.accepted(db, topic))
        ),
        on_gap=OnGap(settings.ingest_on_gap),
        wake=reconciler.wake,
        note_gap=lambda gap: retrying(engine, lambda db: stretches.note_gap(db, gap)),
        dependencies=dependencies,
        topic_id=topic_id,
    )
    outbox = OutboxPublisher(
        engine,
        lambda: Producer(producer_settings(settings.kafka), logger=LIBRDKAFKA),
        metrics=metrics,
        beat=health.beat,
    )
    membership = Membership(settings.kafka, kind)
    health.add_liveness("membership", membership.problem)
    health.add_check("assigned", lambda: None if loop.assigned else "no partition is assigned to this process")
    health.add_check("database", database_check(engine, metrics))
    health.add_check("broker", broker_check(settings))
    dependencies.watch(Dependency.DATABASE, database_check(engine, metrics))
    dependencies.watch(Dependency.BROKER, broker_check(settings))
    dependencies.watch(Dependency.INTUIT, steps.gates.intuit_trouble)
    if settings.schema_registry_url is not None:
        dependencies.watch(Dependency.REGISTRY, registry_check(settings.schema_registry_url))
    gauges = GaugeKeeper(
        engine,
        metrics,
        budget=companies.budget_calls,
        period=process.gauges_seconds,
        retention=timedelta(days=settings.retention.retention_days),
        owner=owner,
        open_breakers=steps.gates.open_breakers,
    )
    gauges.start_from_zero(kind)
    listener = NewsListener(engine, reconciler, poll_seconds=process.sweep_seconds)
    backfills = AskedBackfills(engine, codec, settings.kafka, owner=owner)
    return Parts(
        engine, transport, reconciler, loop, outbox, listener, health, gauges, dependencies, membership, topic_id, backfills
    )  # fmt: skip


def health_of(settings: Settings) -> Health:
    """Give the health of a process that is starting."""
    return Health(Metrics(org_label=settings.metrics_org_label), stuck_seconds=settings.process.stuck_seconds)


def run(settings: Settings, kind: Kind) -> None:
    """Run a consumer process until SIGTERM or SIGINT; calls in flight are finished within the drain."""
    dump_stacks_on_signal()
    health = health_of(settings)
    stopping = threading.Event()
    stops: list[Callable[[], None]] = [stopping.set]

    def stop(number: int, frame: FrameType | None) -> None:
        for one in stops:
            one()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with ExitStack() as served:
        if settings.metrics is not None:
            log.info("metrics at %s/metrics", served.enter_context(HealthServer(health, settings.metrics)).url)
        if not _wait_until_there(settings, health, stopping):
            return
        parts = build(settings, kind, _codec(settings), health=health)
        stops.append(parts.loop.stop)
        if stopping.is_set():
            # The signal came while the parts were built, before the loop could hear of it.
            parts.loop.stop()
        ended, failure = _work(parts, settings, stopping)
    if not ended:
        # Calls that Intuit still holds would keep the interpreter waiting for their threads; they are recovered as attempts. And a
        # thread that waits in a C library, for the broker or the database, must not see the interpreter taken down.
        code = ExitCode.OK if failure is None else say_error(failure)
        logging.shutdown()
        os._exit(code)
    if failure is not None:
        raise failure


def _wait_until_there(settings: Settings, health: Health, stopping: threading.Event) -> bool:
    """Wait for database and broker; False when stopped meanwhile. Raises what is still wrong when the time is over."""
    seconds = settings.process.start_wait_seconds
    engine = open_engine(settings.database_url, pool_size=1)

    def see_broker() -> None:
        check_broker(settings, timeout=min(10.0, seconds))
        check_not_restored(engine, settings.kafka)

    try:
        return wait_for(
            "database", lambda: check_database(engine), seconds=seconds, health=health, stopping=stopping
        ) and wait_for("broker", see_broker, seconds=seconds, health=health, stopping=stopping)
    finally:
        engine.dispose()


def _work(parts: Parts, settings: Settings, stopping: threading.Event) -> tuple[bool, Exception | None]:
    """Work until stopped; gives whether every thread has ended, and what ended the work before."""
    threads = [
        threading.Thread(
            target=parts.outbox.run, args=(stopping,), kwargs={"pause": settings.process.outbox_seconds}, name="outbox"
        ),
        threading.Thread(target=parts.gauges.run, args=(stopping,), name="gauges"),
        threading.Thread(target=_watch, args=(parts, stopping), name="watch", daemon=True),
        threading.Thread(target=parts.dependencies.run, args=(stopping,), name="dependencies", daemon=True),
        threading.Thread(target=parts.backfills.run, args=(stopping,), name="backfill", daemon=True),
    ]
    parts.reconciler.start()
    parts.listener.start()
    for thread in threads:
        thread.start()
    log.info("consuming %s", parts.loop.topic)
    failure: Exception | None = None
    try:
        parts.loop.run()
        if parts.reconciler.broken is not None:
            raise LoopBroken(f"a loop of the process ended: {parts.reconciler.broken!r}; see the log")
    except Exception as error:  # noqa: BLE001 - raised again once everything is put away
        failure = error
    stopping.set()
    parts.health.stop()
    started = time.monotonic()
    drained = parts.reconciler.stop()
    ended = parts.listener.stop() and drained
    until = time.monotonic() + _THREADS_END_S
    for thread in threads:
        # What asks a part that is away may take its time; it holds nothing.
        patience = max(until - time.monotonic(), 0.0)
        thread.join(min(patience, _ASKING_ENDS_S) if thread.daemon else patience)
    parts.transport.close()
    parts.engine.dispose()
    left = "" if drained else "; calls were left to be recovered"
    log.info("stopped after %.1f s%s", time.monotonic() - started, left)
    return ended and parts.loop.closed and not any(thread.is_alive() for thread in threads), failure


def _watch(parts: Parts, stopping: threading.Event) -> None:
    """Stop the process when one of its loops has ended; ask the group after a process that has no partition for long."""
    while not stopping.wait(1.0):
        parts.membership.look(parts.loop)
        parts.topic_id.look()
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
