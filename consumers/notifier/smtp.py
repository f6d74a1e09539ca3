"""One mail over SMTP, and what the server said of it: `smtp://`, `smtps://` and `smtp+starttls://`, with or without a login."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from consumers.notifier.digest import short
from store.mails import Outgoing

TIMEOUT_S = 30.0
"""For each answer."""
MAIL_S = 120.0
"""For all of a connection: a server that sends a byte now and then keeps within the time for an answer, for ever."""
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of a mail at the server."""

    delivered: tuple[str, ...] = ()
    """Whom the server took it for."""
    later: Mapping[str, str] = field(default_factory=dict)
    """Whom it would not take it for now (4xx), and why."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Whom it will never take it for (5xx), and why."""
    problem: str = ""
    """Why nothing was handed over; whether the server is away or our login is wrong, it is tried again."""


def message_of(mail: Outgoing, *, sender: str) -> EmailMessage:
    """Make the mail as it goes over the wire. What is the same mail is the same message, to the byte."""
    message = EmailMessage(policy=WIRE)
    name, address = parseaddr(sender)
    message["From"] = Address(display_name=short(name, 100), addr_spec=address)
    message["To"] = [Address(addr_spec=one) for one in mail.recipients]
    message["Subject"] = short(mail.subject, 300)
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    if mail.thread_id and mail.thread_id != mail.message_id:
        message["In-Reply-To"] = mail.thread_id
        message["References"] = mail.thread_id
    # No holiday reply may answer it (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


class Mailer:
    """Hands mails to the server of SMTP_URL, one connection each."""

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        timeout: float = TIMEOUT_S,
        whole: float = MAIL_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender
        self._timeout = timeout
        self._whole = whole
        self._context = context
        # Why the last mail was not taken at all: a server may greet anybody and take nothing.
        self._not_taken = ""

    @property
    def server(self) -> str:
        """Where mails go, without the login."""
        return f"{self._scheme}://{self._host}:{self._port}"

    def problem(self) -> str | None:
        """Log in without sending anything; gives why the server cannot be used, None when it can and took the last mail, too."""
        try:
            with self._connect() as server:
                server.noop()
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return _words(error)
        return self._not_taken or None

    def hand_over(self, mail: Outgoing) -> Handed:
        """Send a mail to those who have not got it yet."""
        handed = self._hand_over(mail)
        self._not_taken = f"it takes no mail ({handed.problem})" if handed.problem else ""
        return handed

    def _hand_over(self, mail: Outgoing) -> Handed:
        message = message_of(mail, sender=self._sender)
        handed = None
        try:
            with self._connect() as server:
                refused = server.send_message(message, parseaddr(self._sender)[1], list(mail.recipients))
                handed = _sorted(mail, refused)
        except smtplib.SMTPRecipientsRefused as error:
            return _sorted(mail, error.recipients)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # What the server says to QUIT, once it has taken the mail, takes nothing back.
            return handed or Handed(problem=_words(error))
        return handed

    def _connect(self) -> smtplib.SMTP:
        bounds = {"timeout": self._timeout, "whole": self._whole}
        if self._scheme == "smtps":
            server: _Bounded = _BoundedTls(self._host, self._port, context=self._tls(), **bounds)
        else:
            server = _Bounded(self._host, self._port, **bounds)
        try:
            if self._scheme == "smtp+starttls":
                server.starttls(context=self._tls())
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _tls(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()


class _Bounded(smtplib.SMTP):
    """A connection that is cut after so many seconds in all."""

    def __init__(self, host: str, port: int, *, whole: float, **options: Any) -> None:
        self._whole = whole
        self._over = False
        self._cut = threading.Timer(whole, self._end)
        self._cut.daemon = True
        self._cut.start()
        try:
            super().__init__(host, port, **options)
        except BaseException:
            self.close()
            raise

    def getreply(self) -> tuple[int, bytes]:
        try:
            return super().getreply()
        finally:
            if self._over:
                # What was read so far may look like an answer.
                raise smtplib.SMTPServerDisconnected(f"it took longer than {self._whole:.0f} s in all")

    def close(self) -> None:
        self._cut.cancel()
        super().close()

    def _end(self) -> None:
        self._over = True
        connected = self.sock
        if connected is not None:
            # As a plain socket: the thread that reads may be anywhere in TLS. It then reads the end of the connection.
            with suppress(OSError):
                socket.socket.shutdown(connected, socket.SHUT_RDWR)


class _BoundedTls(_Bounded, smtplib.SMTP_SSL):
    pass


def _sorted(mail: Outgoing, refused: Mapping[str, tuple[int, bytes]]) -> Handed:
    later = {who: _reply(code, text) for who, (code, text) in refused.items() if code < 500}
    never = {who: _reply(code, text) for who, (code, text) in refused.items() if code >= 500}
    return Handed(tuple(one for one in mail.recipients if one not in refused), later, never)


def _reply(code: int, text: bytes) -> str:
    return short(f"{code} {text.decode('utf-8', 'replace')}", 200)


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        # A server may repeat a login in its reply to one: of that reply only the code is kept.
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return f"the mail server does not take the login of SMTP_URL ({error.smtp_code})"
        text = error.smtp_error
        return _reply(error.smtp_code, text if isinstance(text, bytes) else str(text).encode())
    return short(f"{type(error).__name__}: {error}", 200)
