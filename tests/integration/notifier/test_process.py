"""`kompass-qbo notify` as a process: a dead letter wakes it, and it ends when it is asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Producer

from consumers.dead_letters import OutboxPublisher, producer_settings
from demo.embedded.broker import TOPICS, EmbeddedBroker
from demo.embedded.mail import EmbeddedMail
from sync.metrics import Metrics
from tests.integration.notifier.harness import ADMIN, Post

ROOT = Path(__file__).parents[3]


def test_a_dead_letter_wakes_the_process(post: Post, mail: EmbeddedMail) -> None:
    with EmbeddedBroker(topics=TOPICS) as broker:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KOMPASS_QBO_", "KAFKA_"))},
            "DATABASE_URL": post.pipeline.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "SMTP_URL": mail.url,
            "METRICS_PORT": "off",
            "INTUIT_ENVIRONMENT": post.pipeline.simulator.base_url,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", "notify"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            post.reject("i1", "i2")
            producer = Producer(producer_settings({"bootstrap.servers": broker.bootstrap_servers}))
            publisher = OutboxPublisher(
                post.pipeline.engine, lambda: producer, metrics=Metrics(), beat=lambda name: None
            )
            while publisher.publish_some():
                pass
            (message,) = mail.wait_for(1, timeout=60)
            assert message["X-Envelope-To"] == ADMIN
            assert message["Subject"].startswith("2 invoices need attention: VAT 21 %")
        finally:
            process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert time.monotonic() - started < 50
        assert "mails go to smtp://127.0.0.1" in errors
