"""Grants and tokens on a clock that the test moves."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from simulator import USA, Clock, Settings
from simulator.oauth import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, App, Authority, Grant, OAuthError

DAY = 86_400


class Server:
    def __init__(self, **switches: Any) -> None:
        self.clock = Clock(start=datetime(2026, 3, 10, tzinfo=UTC))
        self.settings = Settings(**switches)
        self.authority = Authority(self.clock)
        self.app = self.authority.apps[DEFAULT_CLIENT_ID]

    def code(self, redirect_uri: str | None = None) -> str:
        return self.authority.issue_code(
            client_id=self.app.client_id, realm=USA, redirect_uri=redirect_uri, scope="x", settings=self.settings
        )

    def grant(self) -> Grant:
        return self.authority.exchange(self.app, self.code(), None, self.settings)

    def tokens(self, grant: Grant, *, hard_expiry: bool = False) -> dict[str, Any]:
        return self.authority.issue_access(grant, self.settings, hard_expiry=hard_expiry)

    def refresh(self, token: str) -> Grant:
        return self.authority.refresh(self.app, token, self.settings)

    def refuses(self, token: str) -> OAuthError:
        with pytest.raises(OAuthError) as refused:
            self.refresh(token)
        return refused.value


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_an_access_token_lives_an_hour() -> None:
    server = Server()
    access = str(server.tokens(server.grant())["access_token"])
    server.clock.advance(3599)
    assert server.authority.check(access) is not None
    server.clock.advance(1)
    assert server.authority.check(access) is None


def test_a_refresh_token_keeps_its_value_for_a_day_then_rotates_and_the_old_one_dies() -> None:
    server = Server()
    grant = server.grant()
    first = grant.refresh_token
    server.clock.advance(DAY - 1)
    assert server.refresh(first).refresh_token == first
    server.clock.advance(1)
    second = server.refresh(first).refresh_token
    assert second != first
    assert server.refuses(first).as_wire() == {"error": "invalid_grant"}
    assert server.refresh(second).refresh_token == second


def test_switch_rotation_seconds_and_rotation_grace_seconds() -> None:
    server = Server(rotation_seconds=0, rotation_grace_seconds=60)
    first = server.grant().refresh_token
    server.refresh(first)
    server.clock.advance(59)
    server.refresh(first)
    server.clock.advance(1)
    assert server.refuses(first).error == "invalid_grant"


def test_a_refresh_token_lives_its_days_from_the_last_rotation() -> None:
    server = Server(refresh_token_seconds=8_726_400)
    first = server.grant().refresh_token
    assert server.tokens(server.refresh(first))["x_refresh_token_expires_in"] == 8_726_400
    server.clock.advance(100 * DAY)
    second = server.refresh(first).refresh_token
    server.clock.advance(101 * DAY)
    assert server.refuses(second).error == "invalid_grant"


def test_the_hard_expiry_is_told_when_asked_and_ends_everything() -> None:
    server = Server(refresh_hard_limit_seconds=10 * DAY)
    grant = server.grant()
    assert "x_refresh_token_hard_expires_in" not in server.tokens(grant)
    assert server.tokens(grant, hard_expiry=True)["x_refresh_token_hard_expires_in"] == 10 * DAY
    server.clock.advance(10 * DAY)
    assert server.refuses(grant.refresh_token).error == "invalid_grant"


def test_a_code_is_good_once_for_ten_minutes_one_app_and_one_address() -> None:
    server = Server()
    code = server.code("https://a.example/back")

    def refused(app: App, redirect_uri: str | None) -> dict[str, str]:
        with pytest.raises(OAuthError) as error:
            server.authority.exchange(app, code, redirect_uri, server.settings)
        return error.value.as_wire()

    assert refused(server.app, "https://b.example/back") == {"error": "invalid_grant"}
    stranger = App("other", "secret", "Other")
    assert refused(stranger, "https://a.example/back")["error_description"] == "Incorrect Token type or clientID"
    grant = server.authority.exchange(server.app, code, "https://a.example/back", server.settings)
    assert refused(server.app, "https://a.example/back") == {"error": "invalid_grant"}
    # A code that comes twice closes what it opened.
    assert grant.revoked
    late = server.code()
    server.clock.advance(601)
    with pytest.raises(OAuthError):
        server.authority.exchange(server.app, late, None, server.settings)


def test_a_token_of_another_app_is_refused_with_its_own_words() -> None:
    server = Server()
    token = server.grant().refresh_token
    with pytest.raises(OAuthError) as refused:
        server.authority.refresh(App("other", "secret", "Other"), token, server.settings)
    assert refused.value.as_wire() == {
        "error_description": "Incorrect Token type or clientID",
        "error": "invalid_grant",
    }


def test_switch_invalid_grant_body() -> None:
    assert Server(invalid_grant_body="described").refuses("nonsense").as_wire() == {
        "error_description": "Token invalid",
        "error": "invalid_grant",
    }


@pytest.mark.parametrize(
    "header", [None, "Basic", "Bearer x", "Basic !!!", basic("no-colon"), basic(f"{DEFAULT_CLIENT_ID}:no")]
)
def test_client_authentication_is_basic_with_the_right_secret(header: str | None) -> None:
    server = Server()
    with pytest.raises(OAuthError) as refused:
        server.authority.authenticate(header, server.settings)
    assert (refused.value.status, refused.value.as_wire()) == (401, {"error": "invalid_client"})
    right = basic(f"{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}")
    assert server.authority.authenticate(right, server.settings) is server.app


def test_switch_invalid_client_status() -> None:
    server = Server(invalid_client_status=400)
    with pytest.raises(OAuthError) as refused:
        server.authority.authenticate(None, server.settings)
    assert refused.value.status == 400


def test_switch_open_registration() -> None:
    server = Server(open_registration=True)
    app = server.authority.authenticate(basic("new:one"), server.settings)
    assert app.client_id == "new"
    with pytest.raises(OAuthError):
        # The first secret an app shows is its secret.
        server.authority.authenticate(basic("new:two"), server.settings)
    closed = Server(open_registration=False)
    with pytest.raises(OAuthError):
        closed.authority.authenticate(basic("new:one"), closed.settings)


def test_revoking_either_token_ends_the_grant() -> None:
    for name in ("access_token", "refresh_token"):
        server = Server()
        tokens = server.tokens(server.grant())
        server.authority.revoke(server.app, str(tokens[name]))
        assert server.authority.check(str(tokens["access_token"])) is None
        assert server.refuses(str(tokens["refresh_token"])).error == "invalid_grant"
        with pytest.raises(OAuthError):
            server.authority.revoke(server.app, str(tokens[name]))


def test_a_redirect_address_is_an_exact_one_of_those_registered() -> None:
    app = App("a", "b", "c", ["https://a.example/back"])
    assert Authority.accepts_redirect(app, "https://a.example/back")
    assert not Authority.accepts_redirect(app, "https://a.example/back/")
    assert not Authority.accepts_redirect(App("a", "b", "c"), "javascript:alert(1)")


def test_switch_lives_of_codes_and_tokens() -> None:
    server = Server(code_seconds=5, access_token_seconds=7, refresh_token_seconds=9, rotation_seconds=100)
    late = server.code()
    grant = server.grant()
    tokens = server.tokens(grant)
    assert (tokens["expires_in"], tokens["x_refresh_token_expires_in"]) == (7, 9)
    server.clock.advance(6)
    with pytest.raises(OAuthError):
        server.authority.exchange(server.app, late, None, server.settings)
    assert server.authority.check(str(tokens["access_token"])) is not None
    server.clock.advance(2)
    assert server.authority.check(str(tokens["access_token"])) is None
    server.clock.advance(1)
    assert server.refuses(grant.refresh_token).error == "invalid_grant"
