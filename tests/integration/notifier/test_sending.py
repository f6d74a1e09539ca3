"""The mail server is away, slow, choosy or wants a login: nothing is lost, and nothing goes twice."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from consumers.notifier.notifier import GIVE_UP_AFTER
from consumers.notifier.process import loop
from consumers.notifier.rendering import BadTemplates, Renderer
from consumers.notifier.smtp import Handed, Mailer, message_of
from demo.embedded.mail import EmbeddedMail
from demo.embedded.ports import HOST, free_port
from schemas.events import VatRate
from store import mails
from store.mails import Letter, Outgoing
from tests.builders import client, event, invoice, line, project
from tests.integration.notifier.harness import ADMIN, OPERATOR, Post, html, plain
from tests.pipeline import Pipeline


class Choosy:
    """A mail server that answers as a test says: by recipient, or to the whole message."""

    def __init__(self) -> None:
        self.replies: dict[str, str] = {}
        self.data_reply = "250 OK"
        self.quit_reply = "221 Bye"
        self.taken: list[tuple[list[str], bytes]] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        reply = self.replies.get(address, "250 OK")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data_reply.startswith("2"):
            self.taken.append((list(envelope.rcpt_tos), bytes(envelope.content)))
        return self.data_reply

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        return self.quit_reply


@pytest.fixture
def choosy() -> Iterator[tuple[Choosy, str]]:
    handler, port = Choosy(), free_port()
    controller = Controller(handler, hostname=HOST, port=port)
    controller.start()
    yield handler, f"smtp://{HOST}:{port}"
    controller.stop()


def row(post: Post) -> Any:
    return post.pipeline.rows("qbo_mail")[0]


def test_a_server_that_is_away_is_waited_for_and_news_gather_meanwhile(post: Post) -> None:
    away = Post(post.pipeline, post.mail, smtp_url=f"smtp://{HOST}:{free_port()}")
    away.reject("i1")
    assert away.later(seconds=6) == []
    kept = row(post)
    assert (kept.state, kept.attempts) == ("waiting", 1)
    assert "refused" in kept.last_error.lower()
    away.reject("i2", rate="VAT 9 %")
    assert away.later(hours=3) == []
    assert len(post.pipeline.rows("qbo_mail")) == 1
    post.ahead = away.ahead
    (message,) = post.later(hours=1, minutes=1)
    assert message["Message-ID"] == kept.message_id
    assert message["Subject"].startswith("1 invoice needs attention: VAT 21 %")
    (second,) = post.later(hours=1)
    assert second["Subject"].startswith("1 invoice needs attention: VAT 9 %")
    assert [one.state for one in post.pipeline.rows("qbo_mail")] == ["sent", "sent"]


def test_a_sender_that_dies_is_followed_by_another_after_its_lease(post: Post) -> None:
    post.reject("i1")
    post.ahead += timedelta(seconds=6)
    post.notifier.look()
    with post.pipeline.engine.begin() as db:
        claimed = mails.claim(db, owner="dead", now=datetime.now(UTC) + post.ahead, lease=timedelta(minutes=10))
    assert claimed is not None
    assert post.later(minutes=9) == []
    (message,) = post.later(minutes=2)
    assert message["Message-ID"] == claimed.message_id
    with post.pipeline.engine.begin() as db:
        assert not mails.mark(db, claimed.id, owner="dead", state="sent", now=datetime.now(UTC))
    assert post.later(hours=1) == []


def test_two_notifiers_write_and_send_each_mail_once(post: Post) -> None:
    other = Post(post.pipeline, post.mail, owner="notifier-2")
    post.reject("i1", "i2")
    post.ahead = other.ahead = timedelta(seconds=6)
    threads = [threading.Thread(target=one.notifier.turn) for one in (post, other) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(post.mail.messages) == 1
    assert len(post.pipeline.rows("qbo_mail")) == 1


def test_mails_that_wait_behind_a_slow_one_are_claimed_by_nobody_yet(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with post.pipeline.engine.begin() as db:
        for number in range(3):
            letter = Letter(
                org_id=f"org-{number}", kind="digest", recipients=(ADMIN,), subject="3 invoices wait", text="text", html="<p>",
                message_id=f"<{number}@example.com>",
            )  # fmt: skip
            mails.write(db, letter, now=datetime.now(UTC))
    claimed: list[int] = []
    hand_over = Mailer.hand_over

    def counting(mailer: Mailer, mail: Outgoing) -> Handed:
        claimed.append(sum(1 for one in post.pipeline.rows("qbo_mail") if one.claimed_by))
        return hand_over(mailer, mail)

    monkeypatch.setattr(Mailer, "hand_over", counting)
    assert post.notifier.send() == 3
    assert claimed == [1, 1, 1]


def test_only_those_who_have_not_got_it_are_tried_again(post: Post, choosy: tuple[Choosy, str]) -> None:
    server, url = choosy
    picky = Post(post.pipeline, post.mail, smtp_url=url)
    picky.recipients(ADMIN, "full@example.com", "gone@example.com")
    server.replies = {"full@example.com": "452 mailbox full", "gone@example.com": "550 no such user"}
    picky.reject("i1")
    picky.later(seconds=6)
    server.replies.pop("full@example.com")
    picky.later(minutes=2)
    assert [recipients for recipients, _ in server.taken] == [[ADMIN], ["full@example.com"]]
    picky.later(days=1)
    assert len(server.taken) == 2
    assert row(post).state == "sent"
    assert "gone@example.com: 550" in row(post).last_error


def test_a_server_that_ends_in_a_huff_has_taken_the_mail_all_the_same(post: Post, choosy: tuple[Choosy, str]) -> None:
    server, url = choosy
    picky = Post(post.pipeline, post.mail, smtp_url=url)
    server.quit_reply = "421 too many connections"
    picky.reject("i1")
    picky.later(seconds=6)
    picky.later(hours=2)
    assert (row(post).state, len(server.taken)) == ("sent", 1)


def test_a_mail_nobody_can_get_goes_to_the_operator(post: Post, choosy: tuple[Choosy, str]) -> None:
    server, url = choosy
    picky = Post(post.pipeline, post.mail, smtp_url=url)
    server.replies = {ADMIN: "550 no such user"}
    picky.reject("i1")
    picky.later(seconds=6)
    picky.later(seconds=1)
    ((recipients, content),) = server.taken
    assert recipients == [OPERATOR]
    message = message_from_bytes(content, policy=policy.default)
    assert message["Subject"].startswith("Undeliverable: 1 invoice needs attention")
    assert "550 no such user" in plain(message)  # type: ignore[arg-type]
    assert "550 no such user" in html(message)  # type: ignore[arg-type]


def test_what_no_server_takes_for_days_is_given_up_and_said(
    post: Post, choosy: tuple[Choosy, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = choosy
    picky = Post(post.pipeline, post.mail, smtp_url=url)
    server.data_reply = "451 later"
    picky.reject("i1")
    picky.later(seconds=6)
    for _ in range(4):
        picky.later(days=1)
        assert row(post).state == "waiting"
    picky.later(days=GIVE_UP_AFTER.days)
    assert row(post).state == "failed"
    assert "451 later" in row(post).last_error


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return serving, ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))


def outgoing(**more: Any) -> Outgoing:
    values: dict[str, Any] = {
        "id": 1, "org_id": "", "kind": "digest", "recipients": (ADMIN,), "subject": "Naïve – 3 invoices", "text": "text\n",
        "html": "<p>html</p>", "message_id": "<1@example.com>", "thread_id": "<1@example.com>",
        "created_at": datetime(2026, 3, 2, tzinfo=UTC),
        "attempts": 1,
    }  # fmt: skip
    return Outgoing(**{**values, **more})


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_tls_and_a_login(scheme: str, certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, trusting = certificate
    logins: list[tuple[bytes, bytes]] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p:@ss", handled=False)

    handler, port = Choosy(), free_port()
    controller = Controller(
        handler,
        hostname="localhost",
        port=port,
        authenticator=check,
        auth_required=True,
        auth_require_tls=scheme == "smtp+starttls",
        ssl_context=serving if scheme == "smtps" else None,
        tls_context=serving if scheme == "smtp+starttls" else None,
        require_starttls=scheme == "smtp+starttls",
    )
    controller.start()
    try:
        good = Mailer(f"{scheme}://us%40er:p%3A%40ss@localhost:{port}", sender="a@example.com", context=trusting)
        assert good.hand_over(outgoing()).delivered == (ADMIN,)
        bad = Mailer(f"{scheme}://us%40er:wrong@localhost:{port}", sender="a@example.com", context=trusting)
        assert bad.hand_over(outgoing()).problem == "the mail server does not take the login of SMTP_URL (535)"
        doubtful = Mailer(f"{scheme}://us%40er:p%3A%40ss@localhost:{port}", sender="a@example.com")
        assert "CERTIFICATE_VERIFY_FAILED" in doubtful.hand_over(outgoing()).problem
    finally:
        controller.stop()
    assert logins[0] == (b"us@er", b"p:@ss")
    assert len(handler.taken) == 1
    assert "p:@ss" not in good.server


NASTY = (
    'Ev<b>il</b> & "Sons"\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\x00\u202e {{ 7*7 }} 😀' + "x" * 300
)


def test_names_inject_neither_headers_nor_html(post: Post) -> None:
    nasty = NASTY.replace("\x00", "")
    vat = VatRate("vat-evil", nasty, line().vat_rate.rate)  # type: ignore[union-attr]
    owner = client(name=nasty)
    post.pipeline.ingest(event(invoice("i1", reference=nasty[:190], of=project(of=owner), lines=(line(vat=vat),))))
    with post.pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_org SET name = %s", (nasty,))
    post.pipeline.drive()
    (message,) = post.later(seconds=6)
    assert message["X-Envelope-To"] == ADMIN
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    page = html(message)
    assert "<script" not in page
    assert "<b>il" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page
    for start in plain(message).splitlines():
        assert not start.startswith("Bcc:")


def test_a_message_is_the_same_to_the_byte_at_every_try() -> None:
    def content(mail: Outgoing) -> tuple[list[tuple[str, str]], str, str]:
        made = message_of(mail, sender="Kömpass <a@example.com>")
        return [(name, str(value)) for name, value in made.items() if name != "Content-Type"], plain(made), html(made)

    assert content(outgoing()) == content(outgoing(attempts=7))
    made = message_of(outgoing(thread_id="<0@example.com>"), sender="Kömpass <a@example.com>")
    assert made["References"] == "<0@example.com>"
    assert bytes(made).isascii()


def test_every_mail_stays_below_100_kb_however_much_is_wrong(post: Post) -> None:
    evil = "&<>\"'測" * 100
    with post.pipeline.engine.begin() as db:
        for number in range(60):
            for record in range(8):
                db.exec_driver_sql(
                    "INSERT INTO qbo_failure (org_id, kind, kompass_id, reference, stage, cause, message, remedy, value, intuit_tid)"
                    " VALUES ('org-uk', 'invoice', %s, %s, 'map', %s, %s, %s, %s, %s)",
                    (f"{number}-{record}", evil, f"bad-email:{evil * 20}{number}", evil, evil, evil, evil[:60]),
                )
    (message,) = post.later(seconds=6)
    assert 50_000 < len(bytes(message)) < 100_000
    assert "more cause" in html(message)
    assert post.later(days=2) == []


def test_templates_can_be_replaced_one_by_one(pipeline: Pipeline, mail: EmbeddedMail, tmp_path: Path) -> None:
    (tmp_path / "digest.txt.j2").write_text("Ours: {{ digest.subject }}\n")
    post = Post(pipeline, mail, templates=str(tmp_path))
    post.recipients(ADMIN)
    post.reject("i1")
    (message,) = post.later(seconds=6)
    assert plain(message).startswith("Ours: 1 invoice needs attention: VAT 21 %")
    assert "What to do" in html(message)


@pytest.mark.parametrize("content", ["{% if %}", "{{ unclosed"])
def test_a_template_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "digest.html.j2").write_text(content)
    with pytest.raises(BadTemplates, match=r"NOTIFIER_TEMPLATES: digest\.html\.j2 cannot be used"):
        Renderer(str(tmp_path))
    with pytest.raises(BadTemplates, match="which is no directory"):
        Renderer(str(tmp_path / "nowhere"))


def test_the_loop_turns_at_wake_up_calls_and_by_the_clock() -> None:
    now, stopping, turns = [0.0], threading.Event(), [0]
    calls = iter([False, False, True, False, False, False, False])

    def turn() -> None:
        turns[0] += 1
        if turns[0] == 4:
            stopping.set()

    def wait(seconds: float) -> bool:
        now[0] += seconds
        return next(calls, False)

    loop(turn, wait, stopping, poll=2.0, beat=lambda: None, clock=lambda: now[0])
    assert turns == [4]
    assert now == [1.5 + 2.0 + 2.0]
