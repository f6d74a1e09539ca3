"""`kompass-qbo broker` and `kompass-qbo mail`: parts of the demo as processes of their own."""

from __future__ import annotations

import signal
import threading
from email.message import EmailMessage

import click

from consumers.errors import EmbeddedPartFailed
from demo.embedded.broker import TOPICS, EmbeddedBroker


@click.command("broker")
@click.option("--port", default=19092, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def broker(port: int) -> None:
    """Run the demo's Kafka-protocol broker: in memory, small, for trying things out."""
    with EmbeddedBroker(topics=TOPICS, listen_port=port) as running:
        click.echo(f"KAFKA_BOOTSTRAP_SERVERS={running.bootstrap_servers}")
        _wait_for_the_end()


@click.command("mail")
@click.option("--port", default=11025, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def mail(port: int) -> None:
    """Run the demo's mail server: takes every mail and prints it."""
    try:
        # Here, since an installation that is not for the demo lacks it, and its other commands must be listed all the same.
        from demo.embedded.mail import EmbeddedMail
    except ModuleNotFoundError as error:
        raise EmbeddedPartFailed(f"{error.name} is not installed; run: pip install 'kompass-qbo[embedded]'") from None
    with EmbeddedMail(port=port, on_message=_print) as running:
        click.echo(f"SMTP_URL={running.url}")
        _wait_for_the_end()


def _print(message: EmailMessage) -> None:
    body = message.get_body(("plain",))
    text = body.get_content().strip() if isinstance(body, EmailMessage) else ""
    click.echo(f"--- To: {message['X-Envelope-To']}\nSubject: {message['Subject']}\n\n{text}\n")


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
