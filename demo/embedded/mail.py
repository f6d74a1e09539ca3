"""An SMTP server that keeps what arrives, for the demo and the tests."""

from __future__ import annotations

import email
import email.policy
import threading
from collections.abc import Callable
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from consumers.errors import EmbeddedPartFailed
from demo.embedded.ports import HOST, free_port


class EmbeddedMail:
    """Takes every mail; `messages` holds them in the order of their arrival.

    Parameters
    ----------
    on_message
        called with each one as it arrives, on the server's thread.
    """

    def __init__(self, *, port: int | None = None, on_message: Callable[[EmailMessage], None] | None = None) -> None:
        self.port = port or free_port()
        self._on_message = on_message
        self._arrived: list[EmailMessage] = []
        self._changed = threading.Condition()
        self._controller = Controller(self, hostname=HOST, port=self.port)

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"

    @property
    def messages(self) -> list[EmailMessage]:
        with self._changed:
            return list(self._arrived)

    def wait_for(self, count: int, *, timeout: float) -> list[EmailMessage]:
        """Give the mails once there are `count` of them; what there is, after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._arrived) >= count, timeout)
            return list(self._arrived)

    def __enter__(self) -> Self:
        try:
            self._controller.start()
        except OSError as error:
            raise EmbeddedPartFailed(
                f"the mail server cannot listen on {HOST}:{self.port} ({error.strerror or error})"
            ) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        # Who it really went to: a Bcc is in no header.
        message["X-Envelope-To"] = ", ".join(envelope.rcpt_tos)
        with self._changed:
            self._arrived.append(message)
            self._changed.notify_all()
        if self._on_message is not None:
            self._on_message(message)
        return "250 OK"
