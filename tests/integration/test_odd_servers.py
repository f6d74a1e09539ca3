"""Servers that answer, and are not what was asked for: a proxy's page in place of a registry, a mail server that never comes to an end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from consumers.dependencies import registry_problem
from consumers.doctor import Verdict, _mail, _registry
from consumers.notifier.smtp import Mailer
from demo.embedded.ports import HOST
from store.mails import Outgoing
from sync.settings import settings_from

Serve = Callable[[Callable[[socket.socket], None]], int]
PASSWORD = "tr0ub4dor"


@pytest.fixture
def serving() -> Iterator[Serve]:
    """Answers each connection by a function; gives the port."""
    listening: list[socket.socket] = []

    def serve(answer: Callable[[socket.socket], None]) -> int:
        server = socket.create_server((HOST, 0))
        listening.append(server)

        def turn() -> None:
            with suppress(OSError):
                while True:
                    connected, _ = server.accept()
                    with connected, suppress(OSError):
                        answer(connected)

        threading.Thread(target=turn, daemon=True).start()
        return int(server.getsockname()[1])

    yield serve
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def http(body: bytes, kind: bytes) -> Callable[[socket.socket], None]:
    def answer(connected: socket.socket) -> None:
        connected.recv(65536)
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (
            kind,
            len(body),
        )
        connected.sendall(head + body)

    return answer


@pytest.mark.parametrize(
    "body",
    [b"<html><body>Please log in</body></html>", b'{"error": "no route"}', b"null"],
    ids=["html", "object", "null"],
)
def test_what_answers_200_and_is_no_registry_is_away(serving: Serve, body: bytes) -> None:
    url = f"http://{HOST}:{serving(http(body, b'text/html'))}"
    assert registry_problem(url) == "what answers is no schema registry"
    assert _registry(settings_from({"SCHEMA_REGISTRY_URL": url})).verdict is Verdict.UNSOUND

    well = f"http://{HOST}:{serving(http(b'[]', b'application/json'))}"
    assert registry_problem(well) is None
    assert _registry(settings_from({"SCHEMA_REGISTRY_URL": well})).verdict is Verdict.SOUND


def dripping(connected: socket.socket) -> None:
    ended = threading.Event()
    while not ended.wait(0.05):
        connected.sendall(b"2")


def test_a_mail_server_that_sends_a_byte_now_and_then_is_given_up(serving: Serve) -> None:
    port = serving(dripping)
    for scheme in ("smtp", "smtp+starttls"):
        problem = Mailer(f"{scheme}://{HOST}:{port}", sender="a@b.example", timeout=20.0, whole=0.5).problem()
        assert problem == "SMTPServerDisconnected: it took longer than 0 s in all"


def repeating_the_login(connected: socket.socket) -> None:
    lines = connected.makefile("rb")
    connected.sendall(b"220 mail.example\r\n")
    for line in lines:
        if line.upper().startswith(b"EHLO"):
            connected.sendall(b"250-mail.example\r\n250 AUTH LOGIN PLAIN\r\n")
        else:
            connected.sendall(b"535 not with " + line.strip() + b" " + PASSWORD.encode() + b"\r\n")


def test_a_login_that_the_mail_server_repeats_is_not_shown(serving: Serve) -> None:
    found = _mail(settings_from({"SMTP_URL": f"smtp://sync:{PASSWORD}@{HOST}:{serving(repeating_the_login)}"}))
    assert found.verdict is Verdict.UNSOUND
    assert PASSWORD not in found.words
    assert "does not take the login of SMTP_URL (535)" in found.words


def test_a_mail_server_that_lets_us_in_and_takes_no_mail_is_away(serving: Serve) -> None:
    taking = False

    def dropping(connected: socket.socket) -> None:
        lines = connected.makefile("rb")
        connected.sendall(b"220 mail.example\r\n")
        for line in lines:
            if line.upper().startswith(b"DATA"):
                connected.sendall(b"354 go on\r\n")
                while lines.readline() not in (b".\r\n", b""):
                    pass
                if not taking:
                    return
            connected.sendall(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 well\r\n")

    mailer = Mailer(f"smtp://{HOST}:{serving(dropping)}", sender="a@b.example", timeout=20.0)
    mail = Outgoing(
        id=1, org_id="", kind="digest", recipients=("c@d.example",), subject="s", text="t", html="<p>t</p>", message_id="<1@b>",
        thread_id="", created_at=datetime(2026, 3, 2, tzinfo=UTC), attempts=1,
    )  # fmt: skip
    assert mailer.problem() is None
    assert mailer.hand_over(mail).problem
    assert str(mailer.problem()).startswith("it takes no mail (SMTPServerDisconnected")
    taking = True
    assert mailer.hand_over(mail).delivered == ("c@d.example",)
    assert mailer.problem() is None
