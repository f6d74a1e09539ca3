"""What our OAuth says when Intuit refuses or the network fails; no secret appears in any of it."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from qbo_client.oauth import ClientRefused, GrantRefused, OAuthApp, OAuthError, OAuthUnavailable
from tests.integration.qbo_client.scripted_server import Peer, ScriptedServer, answer

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SECRETS = ("hush-secret", "hush-refresh", "hush-code", "hush-access", "hush-next")
GRANTED: dict[str, object] = {
    "token_type": "bearer",
    "access_token": "hush-access",
    "refresh_token": "hush-next",
    "expires_in": 3600,
    "x_refresh_token_expires_in": 8726400,
    "x_refresh_token_hard_expires_in": 157680000,
}


@pytest.fixture
def app(server: ScriptedServer) -> Iterator[OAuthApp]:
    made = OAuthApp(server.environment, "our-id", "hush-secret", deadline=5.0, now=lambda: NOW)
    yield made
    made.close()


def answering(status: str, body: object) -> Callable[[Peer], None]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def script(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer(data, status=status, headers="Content-Type: application/json\r\n"))

    return script


def test_a_refresh_asks_as_intuit_documents_and_dates_what_it_gets(server: ScriptedServer, app: OAuthApp) -> None:
    server.script = answering("200 OK", GRANTED)
    tokens = app.refresh("hush-refresh")
    assert (tokens.access_token, tokens.refresh_token) == ("hush-access", "hush-next")
    assert tokens.access_expires_at == NOW + timedelta(hours=1)
    assert tokens.refresh_expires_at == NOW + timedelta(days=101)
    assert tokens.refresh_hard_expires_at == NOW + timedelta(days=1825)
    (request,) = server.requests
    head, _, body = request.decode().partition("\r\n\r\n")
    assert head.startswith("POST /oauth2/v1/tokens/bearer HTTP/1.1\r\n")
    assert "Authorization: Basic b3VyLWlkOmh1c2gtc2VjcmV0" in head
    assert "x-include-refresh-token-hard-expires-in: true" in head
    assert "Accept: application/json" in head
    assert sorted(body.split("&")) == ["grant_type=refresh_token", "refresh_token=hush-refresh"]


def test_a_code_is_exchanged_with_its_redirect_address(server: ScriptedServer, app: OAuthApp) -> None:
    server.script = answering("200 OK", {**GRANTED, "x_refresh_token_hard_expires_in": None})
    tokens = app.exchange_code(code="hush-code", redirect_uri="https://example.org/back")
    assert tokens.refresh_hard_expires_at is None
    body = server.requests[0].decode().partition("\r\n\r\n")[2]
    assert sorted(body.split("&")) == [
        "code=hush-code",
        "grant_type=authorization_code",
        "redirect_uri=https%3A%2F%2Fexample.org%2Fback",
    ]


def test_an_answer_without_a_refresh_token_keeps_the_one_that_was_used(server: ScriptedServer, app: OAuthApp) -> None:
    server.script = answering("200 OK", {"access_token": "a", "token_type": "bearer", "expires_in": 3600})
    tokens = app.refresh("hush-refresh")
    assert tokens.refresh_token == "hush-refresh"
    assert tokens.refresh_expires_at == NOW + timedelta(days=100)


def without_our_source(told: str) -> str:
    """A traceback quotes source lines; those of this file hold the test's secrets."""
    lines = told.splitlines()
    return "\n".join(line for n, line in enumerate(lines) if n == 0 or __file__ not in lines[n - 1])


REFUSALS: list[tuple[str, object, type[OAuthError]]] = [
    ("400 Bad Request", {"error": "invalid_grant"}, GrantRefused),
    ("400 Bad Request", {"error_description": "Token invalid: hush-secret", "error": "invalid_grant"}, GrantRefused),
    ("400 Bad Request", {"error_description": "Incorrect Token type", "error": "invalid_grant"}, GrantRefused),
    ("401 Unauthorized", {"error": "invalid_client"}, ClientRefused),
    ("400 Bad Request", {"error": "invalid_client"}, ClientRefused),
    ("400 Bad Request", {"error": "invalid_request", "error_description": "redirect_uri"}, ClientRefused),
    ("400 Bad Request", {"error": "something_new"}, OAuthUnavailable),
    ("400 Bad Request", b"<html>", OAuthUnavailable),
    ("400 Bad Request", {}, OAuthUnavailable),
    ("403 Forbidden", {"error": "invalid_grant"}, OAuthUnavailable),
    ("404 Not Found", b"<html>", OAuthUnavailable),
    ("429 Too Many Requests", b"", OAuthUnavailable),
    ("500 Internal Server Error", {"error": "invalid_grant"}, OAuthUnavailable),
    ("502 Bad Gateway", b"<html>hush-refresh</html>", OAuthUnavailable),
    ("302 Found", b"", OAuthUnavailable),
    ("200 OK", b"<html>", OAuthUnavailable),
    ("200 OK", b"", OAuthUnavailable),
    ("200 OK", [], OAuthUnavailable),
    ("200 OK", {}, OAuthUnavailable),
    ("200 OK", {"error": "invalid_grant"}, GrantRefused),
    ("200 OK", {"access_token": "hush-access", "token_type": "bearer"}, OAuthUnavailable),
    ("200 OK", {**GRANTED, "expires_in": "soon"}, OAuthUnavailable),
    ("200 OK", {**GRANTED, "access_token": 5}, OAuthUnavailable),
    ("200 OK", {**GRANTED, "x_refresh_token_expires_in": 10**30}, OAuthUnavailable),
]


@pytest.mark.parametrize(("status", "body", "expected"), REFUSALS)
@pytest.mark.parametrize("ask", ["refresh", "exchange"])
def test_refusals_are_typed_and_tell_no_secret(
    server: ScriptedServer,
    app: OAuthApp,
    caplog: pytest.LogCaptureFixture,
    status: str,
    body: object,
    expected: type[OAuthError],
    ask: str,
) -> None:
    server.script = answering(status, body)
    asks: dict[str, Callable[[], object]] = {
        "refresh": lambda: app.refresh("hush-refresh"),
        "exchange": lambda: app.exchange_code(code="hush-code", redirect_uri="https://example.org/back"),
    }
    with caplog.at_level(logging.DEBUG), pytest.raises(OAuthError) as caught:
        asks[ask]()
    assert type(caught.value) is expected
    assert len(server.requests) == 1
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    for secret in SECRETS:
        assert secret not in without_our_source(told)


def test_redirects_are_not_followed(server: ScriptedServer, app: OAuthApp) -> None:
    def script(peer: Peer) -> None:
        while peer.request() is not None:
            elsewhere = f"Location: http://127.0.0.1:{server.port}/elsewhere\r\n"
            peer.send(answer(b"", status="307 Temporary Redirect", headers=elsewhere))

    server.script = script
    with pytest.raises(OAuthUnavailable):
        app.refresh("hush-refresh")
    with pytest.raises(OAuthUnavailable):
        app.revoke("hush-refresh")
    assert len(server.requests) == 2


def test_success_leaves_no_secret_in_logs_or_reprs(
    server: ScriptedServer, app: OAuthApp, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = answering("200 OK", GRANTED)
    with caplog.at_level(logging.DEBUG):
        told = repr(app.refresh("hush-refresh")) + repr(app)
        told += repr(app.exchange_code(code="hush-code", redirect_uri="https://example.org/back"))
        app.revoke("hush-refresh")
    for secret in SECRETS:
        assert secret not in told + caplog.text


def test_the_deadline_holds_for_the_whole_exchange(server: ScriptedServer) -> None:
    def drip(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            peer.send(b" ")
            time.sleep(0.02)

    server.script = drip
    app = OAuthApp(server.environment, "our-id", "hush-secret", deadline=1.0)
    started = time.monotonic()
    with pytest.raises(OAuthUnavailable, match="deadline") as caught:
        app.refresh("hush-refresh")
    assert time.monotonic() - started < 30
    assert caught.value.sent
    assert len(server.requests) == 1


def test_what_never_left_says_so(server: ScriptedServer) -> None:
    app = OAuthApp(server.environment, "our-id", "hush-secret", deadline=0.0)
    with pytest.raises(OAuthUnavailable) as caught:
        app.refresh("hush-refresh")
    assert not caught.value.sent
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("400 Bad Request", {"error": "invalid_grant"}, GrantRefused),
        ("400 Bad Request", {}, GrantRefused),
        ("401 Unauthorized", {"error": "invalid_client"}, ClientRefused),
        ("401 Unauthorized", b"", ClientRefused),
        ("503 Service Unavailable", b"", OAuthUnavailable),
    ],
)
def test_revoking(server: ScriptedServer, app: OAuthApp, status: str, body: object, expected: type[OAuthError]) -> None:
    server.script = answering(status, body)
    with pytest.raises(expected):
        app.revoke("hush-refresh")
    head, _, sent = server.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /v2/oauth2/tokens/revoke ")
    assert json.loads(sent) == {"token": "hush-refresh"}


def test_proxies_and_netrc_are_not_looked_at(
    server: ScriptedServer, app: OAuthApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.script = answering("200 OK", GRANTED)
    assert app.refresh("hush-refresh").access_token == "hush-access"
