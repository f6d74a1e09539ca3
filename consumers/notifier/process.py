"""`kompass-qbo notify`: the process that tells people. The dead-letter topic wakes it; what it tells it reads in the database."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType

import click
from confluent_kafka import Consumer, KafkaException
from sqlalchemy import Engine

from consumers.broker_check import broker_check
from consumers.dead_letter_tools.options import open_codec
from consumers.dead_letter_tools.replay import replay_asked
from consumers.dependencies import Dependencies, Dependency, database_check, registry_check
from consumers.health import Health, HealthServer, dump_stacks_on_signal
from consumers.kafka_errors import end_if_fatal
from consumers.logs import LIBRDKAFKA
from consumers.notifier.notifier import Notifier, NotifierPolicy
from consumers.notifier.rendering import Renderer
from consumers.notifier.smtp import Mailer
from consumers.process import health_of, owner_name
from consumers.starting import wait_for
from consumers.waits import Wait
from schemas.errors import RegistryUnavailable
from store.engine import AWAY, check_database, open_engine
from store.failures import DEAD_LETTERS
from sync.settings import Settings, settings_from

log = logging.getLogger(__name__)

GROUP = "kompass-qbo.notifier"
_MAIL_PERIOD_S = 60.0
_STUCK_S = 600.0
"""A mail server may take its time over each of several mails."""


class WakeUpCall:
    """A consumer of the dead-letter topic whose records say only: look now. Without a broker the poll goes on alone."""

    def __init__(self, kafka: Mapping[str, str], *, group: str = GROUP, topic: str = DEAD_LETTERS) -> None:
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": group,
                # What came before is seen in the database at the first look.
                "auto.offset.reset": "latest",
                "enable.auto.commit": True,
                "isolation.level": "read_committed",
            },
            logger=LIBRDKAFKA,
        )
        self._consumer.subscribe([topic])
        self._broker_waits = Wait("listening for dead letters")

    def wait(self, seconds: float) -> bool:
        """Wait for a dead letter, ``seconds`` at most; True when one came. All that are there already count as one."""
        message = self._consumer.poll(seconds)
        if message is None:
            return False
        if (error := message.error()) is not None:
            end_if_fatal(error, DEAD_LETTERS)
            self._broker_waits.goes_on(error.str())
            return False
        self._broker_waits.over()
        self._consumer.consume(1000, 0.0)
        return True

    def close(self) -> None:
        try:
            self._consumer.close()
        except KafkaException as error:
            log.info("leaving the group %s: %s", GROUP, error.args[0])


def loop(
    turn: Callable[[], object],
    wait: Callable[[float], bool],
    stopping: threading.Event,
    *,
    poll: float,
    beat: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Turn at once, at every wake-up call, and every ``poll`` seconds; a database that is away is waited for."""
    waiting = Wait("the notifier")
    while not stopping.is_set():
        beat()
        try:
            turn()
            waiting.over()
        except (*AWAY, RegistryUnavailable) as error:
            waiting.goes_on(error)
        until = clock() + poll
        while not stopping.is_set() and (left := until - clock()) > 0:
            beat()
            if wait(min(left, 0.5)):
                # A dead letter is produced after its failure is committed; what comes with it gathers for a few seconds.
                break


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a mail being sent is finished."""
    dump_stacks_on_signal()
    health = health_of(settings)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    engine = open_engine(settings.database_url, pool_size=2, application_name="kompass-qbo-notifier")
    renderer = Renderer(settings.notifier_templates)
    with ExitStack() as served:
        served.callback(engine.dispose)
        if settings.metrics is not None:
            log.info("metrics at %s/metrics", served.enter_context(HealthServer(health, settings.metrics)).url)
        wait = settings.process.start_wait_seconds
        if wait_for("database", lambda: check_database(engine), seconds=wait, health=health, stopping=stopping):
            _work(settings, engine, renderer, health, stopping)


def _work(settings: Settings, engine: Engine, renderer: Renderer, health: Health, stopping: threading.Event) -> None:
    metrics = health.metrics
    mailer = Mailer(settings.smtp_url, sender=settings.mail_from)
    notifier = Notifier(
        engine,
        NotifierPolicy(
            owner=owner_name(),
            mail_from=settings.mail_from,
            operator_mail=settings.operator_mail,
            public_url=settings.public_url,
        ),
        renderer=renderer,
        mailer=mailer,
        metrics=metrics,
    )
    codec = open_codec()

    def turn() -> None:
        # Bytes that somebody asked for in the admin to be read again belong to no consumer's links.
        replay_asked(engine, codec)
        notifier.turn()

    health.add_check("database", database_check(engine, metrics))
    dependencies = Dependencies(metrics)
    dependencies.watch(Dependency.DATABASE, database_check(engine, metrics))
    dependencies.watch(Dependency.BROKER, broker_check(settings))
    dependencies.watch(Dependency.SMTP, mailer.problem, period=_MAIL_PERIOD_S)
    if settings.schema_registry_url is not None:
        dependencies.watch(Dependency.REGISTRY, registry_check(settings.schema_registry_url))
    threading.Thread(target=dependencies.run, args=(stopping,), name="dependencies", daemon=True).start()
    calls = WakeUpCall(settings.kafka)
    try:
        log.info("mails go to %s", mailer.server)
        loop(
            turn, calls.wait, stopping, poll=settings.process.poll_seconds,
            beat=lambda: health.beat("notifier", within=_STUCK_S),
        )  # fmt: skip
        health.stop()
    finally:
        stopping.set()
        calls.close()


@click.command()
def notify() -> None:
    """Mail people what waits and why: a digest for each Org, and an all clear when all is resolved.

    At once when the first failure opens, bundled at growing intervals while it lasts; no cause is mailed twice, and a mail server that is
    away is waited for.
    """
    run(settings_from(os.environ))
