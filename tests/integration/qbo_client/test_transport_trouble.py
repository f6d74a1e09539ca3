"""What the transport says when the other side misbehaves. Every test counts what reached the server: nothing twice."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from qbo_client import calls
from qbo_client.environment import environment_for
from qbo_client.errors import CallInvalid
from qbo_client.outcomes import Done, Forbidden, NotSent, Outcome, Refused, Throttled, Unauthorized, Unknown
from qbo_client.transport import Transport
from tests.integration.qbo_client.scripted_server import Peer, ScriptedServer, answer

CREATE = calls.create("Invoice", {"DocNumber": "1"}, request_id="r-1")
INVOICE = b'{"Invoice":{"Id":"1"}}'
# Long enough for a busy machine to send in, short enough to wait for.
DEADLINE = 1.0
SLACK = 10.0


def send(transport: Transport, *, deadline: float = 10.0, call: calls.Call = CREATE) -> Outcome:
    return transport.send("123", "token", call, deadline=deadline)


def always(data: bytes) -> Callable[[Peer], None]:
    """Answers every request on a connection with the same bytes."""

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(data)

    return script


def once_then_close(data: bytes) -> Callable[[Peer], None]:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return script


def reset_after_the_request(peer: Peer) -> None:
    peer.request()
    peer.reset()


def reset_in_the_answer(peer: Peer) -> None:
    peer.request()
    peer.send(answer(INVOICE)[:-5])
    peer.reset()


def close_without_an_answer(peer: Peer) -> None:
    peer.request()


@pytest.mark.parametrize("script", [reset_after_the_request, reset_in_the_answer, close_without_an_answer])
def test_a_connection_that_breaks_after_sending_leaves_it_unknown(
    server: ScriptedServer, transport: Transport, script: Callable[[Peer], None]
) -> None:
    server.script = script
    assert isinstance(send(transport), Unknown)
    assert len(server.requests) == 1


def test_half_a_body_is_no_answer_and_keeps_what_is_known_of_it(server: ScriptedServer, transport: Transport) -> None:
    server.script = once_then_close(answer(INVOICE + b" " * 50)[:-50])
    outcome = send(transport)
    assert isinstance(outcome, Unknown)
    assert (outcome.status, outcome.intuit_tid) == (200, "1-5f73-ab")
    assert len(server.requests) == 1


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_answers_are_read_whole(server: ScriptedServer, transport: Transport) -> None:
    server.script = always(CHUNKED + b'b\r\n{"Invoice":\r\nc\r\n{"Id":"1"}}\n\r\n0\r\n\r\n')
    assert [type(send(transport)) for _ in range(3)] == [Done] * 3
    assert server.connections == 1


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b"b\r\n",
        b'b\r\n{"Invoice":\r\n',
        b'16\r\n{"Invoice":{"Id":"1"}}\r\n',
        b"zz\r\n{}",
        b"-5\r\n{}",
        b"FFFFFFFFFFFFFFFFFFF\r\n{}",
        b"9" * 70000,
    ],
)
def test_chunks_that_break_off_or_make_no_sense(server: ScriptedServer, transport: Transport, rest: bytes) -> None:
    server.script = once_then_close(CHUNKED + rest)
    assert isinstance(send(transport), Unknown)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        b"\x00" * 1000,
    ],
)
def test_bytes_that_are_no_http(server: ScriptedServer, transport: Transport, data: bytes) -> None:
    server.script = once_then_close(data)
    assert isinstance(send(transport), Unknown)
    assert len(server.requests) == 1


def drip(head: bytes, drop: bytes) -> Callable[[Peer], None]:
    """Sends `head`, then a byte at a time for ever, each soon enough for a timeout that restarts."""

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head)
        while True:
            peer.send(drop)
            time.sleep(0.02)

    return script


def never_answer(peer: Peer) -> None:
    peer.request()
    peer.wait_for_hang_up()


@pytest.mark.parametrize(
    "script",
    [
        never_answer,
        drip(b"", b"H"),
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
        drip(CHUNKED, b"1\r\n \r\n"),
        drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "status", "header", "body", "chunks", "endless body", "endless continue"],
)
def test_the_deadline_holds_for_the_whole_exchange(
    server: ScriptedServer, transport: Transport, script: Callable[[Peer], None]
) -> None:
    server.script = script
    started = time.monotonic()
    outcome = send(transport, deadline=DEADLINE)
    assert DEADLINE * 0.9 <= time.monotonic() - started < DEADLINE + SLACK
    assert isinstance(outcome, Unknown)
    assert "deadline" in outcome.reason
    assert len(server.requests) == 1


def test_a_server_that_does_not_take_the_request_is_left_at_the_deadline(
    server: ScriptedServer, transport: Transport
) -> None:
    hold = threading.Event()

    def read_nothing(peer: Peer) -> None:
        hold.wait()

    server.script = read_nothing
    body = calls.create("Invoice", {"PrivateNote": "x" * 30_000_000}, request_id="r-1")
    # 30 MB are written as JSON first.
    outcome = send(transport, deadline=4 * DEADLINE, call=body)
    hold.set()
    assert isinstance(outcome, Unknown)
    assert "while sending" in outcome.reason


@pytest.mark.parametrize("length", ["", "Content-Length: 5000\r\n"])
def test_an_answer_that_is_too_large_is_not_read(server: ScriptedServer, length: str) -> None:
    server.script = once_then_close(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode() + INVOICE + b" " * 5000)
    with Transport(server.environment, max_response_bytes=1000) as transport:
        outcome = send(transport)
    assert isinstance(outcome, Unknown)
    assert "bytes" in outcome.reason


HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
GATEWAY_401 = b'{"fault":{"error":[{"message":"m","detail":"Token expired","code":"3200","element":null}],"type":"A"}}'
XML_THROTTLE = b'<R><Fault type="SERVICE"><Error code="3001"><Message>m</Message></Error></Fault></R>'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("502 Bad Gateway", HTML, Unknown),
        ("503 Service Unavailable", b"", Unknown),
        ("200 OK", HTML, Unknown),
        ("200 OK", b"", Unknown),
        ("204 No Content", b"", Unknown),
        ("403 Forbidden", HTML, Unknown),
        ("404 Not Found", HTML, Refused),
        ("400 Bad Request", b'{"Fault":{"Error":[{"code":"6240"}],"type":"ValidationFault"}}', Refused),
        ("200 OK", b'{"Fault":{"Error":[{"code":"6240"}],"type":"ValidationFault"}}', Refused),
        ("401 Unauthorized", GATEWAY_401, Unauthorized),
        ("403 Forbidden", GATEWAY_401.replace(b"3200", b"3100"), Forbidden),
        ("403 Forbidden", XML_THROTTLE, Throttled),
        ("429 Too Many Requests", b"", Throttled),
    ],
)
def test_statuses_and_bodies(
    server: ScriptedServer, transport: Transport, status: str, body: bytes, expected: type
) -> None:
    server.script = always(answer(body, status=status))
    outcome = send(transport)
    assert type(outcome) is expected
    assert getattr(outcome, "intuit_tid", None) == "1-5f73-ab"
    assert type(send(transport)) is expected
    assert server.connections == 1, "a complete answer, good or bad, leaves the connection usable"


NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 60.0),
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 0\r\n", 1.0),
        ("Retry-After: 99999999\r\n", 3600.0),
        ("Retry-After: Sun, 01 Mar 2026 12:01:30 GMT\r\n", 90.0),
        ("Retry-After: soon\r\n", 60.0),
        ("Retry-After: nan\r\n", 60.0),
    ],
)
def test_retry_after(server: ScriptedServer, header: str, seconds: float) -> None:
    server.script = always(answer(b"", status="429 Too Many Requests", headers=header))
    with Transport(server.environment, now=lambda: NOW) as transport:
        outcome = send(transport)
    assert isinstance(outcome, Throttled)
    assert outcome.retry_after == seconds


def test_redirects_are_not_followed(server: ScriptedServer, transport: Transport) -> None:
    elsewhere = f"Location: http://127.0.0.1:{server.port}/elsewhere\r\n"
    server.script = always(answer(b"", status="307 Temporary Redirect", headers=elsewhere))
    outcome = send(transport)
    assert isinstance(outcome, Unknown)
    assert outcome.status == 307
    assert len(server.requests) == 1


def test_no_proxy_of_the_environment_is_used(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.script = always(answer(INVOICE))
    assert isinstance(send(transport), Done)


# --- nothing leaves


def test_a_refused_connection_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have it, and it refuses
        with Transport(environment_for(f"http://127.0.0.1:{taken.getsockname()[1]}")) as transport:
            outcome = send(transport)
    assert isinstance(outcome, NotSent)
    assert "no connection" in outcome.reason


def test_a_name_that_cannot_be_resolved_is_not_sent() -> None:
    with Transport(environment_for(f"http://{'a' * 64}.example")) as transport:
        outcome = send(transport)
    assert isinstance(outcome, NotSent)
    assert "cannot be resolved" in outcome.reason


def test_a_deadline_that_has_passed_sends_nothing(server: ScriptedServer, transport: Transport) -> None:
    server.script = always(answer(INVOICE))
    assert isinstance(send(transport, deadline=0.0), NotSent)
    assert isinstance(send(transport), Done)
    assert isinstance(send(transport, deadline=0.0), NotSent), "nor on a connection that is open"
    assert len(server.requests) == 1


@pytest.mark.parametrize(("realm", "token"), [("1/2", "t"), ("", "t"), ("1", ""), ("1", "a\r\nX: y"), ("1", "é")])
def test_a_realm_or_token_that_would_break_the_request_is_our_mistake(
    transport: Transport, realm: str, token: str
) -> None:
    with pytest.raises(CallInvalid) as caught:
        transport.send(realm, token, CREATE, deadline=1.0)
    assert not token or len(token) < 2 or token not in str(caught.value)


# --- connections kept alive


def test_connections_are_kept_and_used_again(server: ScriptedServer, transport: Transport) -> None:
    server.script = always(answer(INVOICE))
    assert [type(send(transport)) for _ in range(5)] == [Done] * 5
    assert server.connections == 1


def test_an_idle_connection_that_the_server_closed_is_replaced_before_anything_is_sent(
    server: ScriptedServer, transport: Transport
) -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(INVOICE))
        peer.close()
        closed.set()

    server.script = script
    for n in range(1, 4):
        assert isinstance(send(transport), Done)
        assert closed.wait(5)
        closed.clear()
        assert (server.connections, len(server.requests)) == (n, n)


def test_a_request_that_a_kept_connection_swallowed_is_not_sent_again(
    server: ScriptedServer, transport: Transport
) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(answer(INVOICE))
        peer.request()  # and close without a word

    server.script = script
    assert isinstance(send(transport), Done)
    assert isinstance(send(transport), Unknown)
    assert len(server.requests) == 2


def test_a_server_that_says_close_is_believed(server: ScriptedServer, transport: Transport) -> None:
    server.script = always(answer(INVOICE, headers="Connection: close\r\n"))
    assert [type(send(transport)) for _ in range(2)] == [Done] * 2
    assert server.connections == 2


def test_bytes_after_an_answer_are_never_read_as_the_next_one(server: ScriptedServer, transport: Transport) -> None:
    forged = answer(b'{"Invoice":{"Id":"666"}}')
    server.script = once_then_close(answer(INVOICE) + forged)
    for _ in range(3):
        outcome = send(transport)
        assert isinstance(outcome, Done)
        assert outcome.entity("Invoice") == {"Id": "1"}
    assert server.connections == 3


def test_a_connection_that_was_idle_for_long_is_not_used_again(server: ScriptedServer) -> None:
    moved = 0.0
    server.script = always(answer(INVOICE))
    with Transport(server.environment, clock=lambda: time.monotonic() + moved, max_idle_seconds=20.0) as transport:
        assert isinstance(send(transport), Done)
        moved = 15.0
        assert isinstance(send(transport), Done)
        assert server.connections == 1
        moved = 40.0
        assert isinstance(send(transport), Done)
    assert server.connections == 2


def test_what_may_not_leave_any_more_does_not(server: ScriptedServer) -> None:
    """The deadline for the answer is far away, and the connection is open: still not a byte is sent too late."""
    server.script = always(answer(INVOICE))
    moved = 0.0
    with Transport(server.environment, clock=lambda: time.monotonic() + moved) as transport:
        by = time.monotonic() + 10.0
        assert isinstance(transport.send("123", "token", CREATE, deadline=60.0, send_by=by), Done)
        moved = 10.0
        late = transport.send("123", "token", CREATE, deadline=60.0, send_by=by)
        assert isinstance(late, NotSent)
        assert len(server.requests) == 1


def test_threads_share_it_and_each_gets_its_own_answer(server: ScriptedServer, transport: Transport) -> None:
    def echo(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            number = request.partition(b"requestid=")[2].partition(b" ")[0]
            peer.send(answer(b'{"Invoice":{"Id":"%s"}}' % number))

    server.script = echo

    def call(number: int) -> bool:
        outcome = send(transport, call=calls.create("Invoice", {}, request_id=str(number)))
        return isinstance(outcome, Done) and outcome.entity("Invoice") == {"Id": str(number)}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(200)))
    assert server.connections <= 8
    assert len(server.requests) == 200


def test_after_a_fork_the_parents_connections_are_left_alone(server: ScriptedServer, transport: Transport) -> None:
    server.script = always(answer(INVOICE))
    assert isinstance(send(transport), Done)
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = isinstance(send(transport), Done)
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert isinstance(send(transport), Done)
    assert server.connections == 2


# --- TLS


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


MakeServer = Callable[[Callable[[socket.socket], socket.socket]], ScriptedServer]


def test_tls_is_spoken_and_certificates_are_checked(make_server: MakeServer, tmp_path: Path) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = make_server(lambda connected: context.wrap_socket(connected, server_side=True))
    server.script = always(answer(INVOICE))
    environment = environment_for(f"https://127.0.0.1:{server.port}")
    with Transport(environment) as untrusting:
        outcome = send(untrusting)
    assert isinstance(outcome, NotSent)
    assert "certificate" in outcome.reason
    assert server.requests == []
    with Transport(environment, tls=ssl.create_default_context(cafile=path)) as trusting:
        assert [type(send(trusting)) for _ in range(3)] == [Done] * 3
    assert server.connections == 2


def test_a_tls_handshake_that_hangs_is_not_sent(make_server: MakeServer) -> None:
    hold = threading.Event()

    def hang(connected: socket.socket) -> socket.socket:
        hold.wait()
        return connected

    server = make_server(hang)
    with Transport(environment_for(f"https://127.0.0.1:{server.port}")) as transport:
        started = time.monotonic()
        outcome = send(transport, deadline=DEADLINE)
        assert time.monotonic() - started < DEADLINE + SLACK
    hold.set()
    assert isinstance(outcome, NotSent)
