"""Intuit's own OAuth client, unmodified, against the simulator: only the discovery address is ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError

from simulator import UK, Simulator

from .recorded import recorded

CALLBACK = "http://localhost:8000/quickbooks/callback"


def auth_client(intuit: Simulator, **tokens: str) -> AuthClient:
    return AuthClient(
        "simulator-client",
        "simulator-secret",
        CALLBACK,
        f"{intuit.base_url}/.well-known/openid_configuration/",
        **tokens,
    )


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page))


def sign_in_and_choose(url: str, decision: str) -> dict[str, list[str]]:
    """Click through the pages as a person would; the query of the address the browser is sent back to."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=60)
        assert page.status_code == 200, page.text
        origin = url.partition("/connect/")[0]
        person = {"email": "owner@larch.example", "password": "x"}
        page = browser.post(f"{origin}/connect/oauth2/sign-in", data={**hidden(page.text), **person}, timeout=60)
        assert "Larch Design Ltd" in page.text
        answer = browser.post(
            f"{origin}/connect/oauth2/decision",
            data={**hidden(page.text), "realm": UK, "decision": decision},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"].startswith(f"{CALLBACK}?")
        return parse_qs(urlsplit(answer.headers["Location"]).query)


def test_the_whole_authorisation_code_flow(intuit: Simulator) -> None:
    client = auth_client(intuit)
    back = sign_in_and_choose(client.get_authorization_url([Scopes.ACCOUNTING], "state-1"), "connect")
    assert back["state"] == ["state-1"]
    assert back["realmId"] == [UK]
    client.get_bearer_token(back["code"][0], realm_id=back["realmId"][0])
    assert client.expires_in == 3600
    assert client.x_refresh_token_expires_in == 8_640_000
    answer = requests.get(
        f"{intuit.base_url}/v3/company/{UK}/companyinfo/{UK}",
        headers={"Authorization": f"Bearer {client.access_token}", "Accept": "application/json"},
        timeout=60,
    )
    assert answer.json()["CompanyInfo"]["CompanyName"] == "Larch Design Ltd"


def test_a_refused_consent_comes_back_as_access_denied(intuit: Simulator) -> None:
    client = auth_client(intuit)
    back = sign_in_and_choose(client.get_authorization_url([Scopes.ACCOUNTING], "state-2"), "cancel")
    assert back == {"error": ["access_denied"], "state": ["state-2"]}


def test_a_code_is_good_once(intuit: Simulator) -> None:
    client = auth_client(intuit)
    back = sign_in_and_choose(client.get_authorization_url([Scopes.ACCOUNTING]), "connect")
    client.get_bearer_token(back["code"][0])
    with pytest.raises(AuthClientError) as refused:
        client.get_bearer_token(back["code"][0])
    assert refused.value.status_code == 400
    assert refused.value.content == b'{"error":"invalid_grant"}'


def test_refresh_and_revoke(intuit: Simulator) -> None:
    tokens = intuit.authorize(UK)
    client = auth_client(intuit, refresh_token=tokens["refresh_token"])
    client.refresh()
    assert client.refresh_token == tokens["refresh_token"]
    assert client.access_token != tokens["access_token"]
    assert client.revoke() is True
    with pytest.raises(AuthClientError):
        client.refresh()


def test_userinfo_needs_the_openid_scope(intuit: Simulator) -> None:
    client = auth_client(intuit)
    back = sign_in_and_choose(client.get_authorization_url([Scopes.ACCOUNTING]), "connect")
    client.get_bearer_token(back["code"][0])
    with pytest.raises(AuthClientError) as refused:
        client.get_user_info()
    assert refused.value.status_code == 401
    back = sign_in_and_choose(client.get_authorization_url([Scopes.ACCOUNTING, Scopes.OPENID]), "connect")
    client.get_bearer_token(back["code"][0])
    assert set(client.get_user_info().json()) == {"sub", "givenName", "familyName", "email", "emailVerified"}


@recorded("intuit/oauth-jsclient test/mocks/userInfo.json")
def test_userinfo_holds_what_the_scopes_open(intuit: Simulator) -> None:
    client = auth_client(intuit)
    scopes = [Scopes.ACCOUNTING, Scopes.OPENID, Scopes.PROFILE, Scopes.EMAIL, Scopes.PHONE, Scopes.ADDRESS]
    back = sign_in_and_choose(client.get_authorization_url(scopes), "connect")
    client.get_bearer_token(back["code"][0])
    shown = client.get_user_info().json()
    assert set(shown) == {
        *("sub", "email", "emailVerified", "givenName", "familyName", "phoneNumber", "phoneNumberVerified", "address"),
    }
    assert set(shown["address"]) == {"streetAddress", "locality", "region", "postalCode", "country"}


@recorded("intuit/oauth-jsclient test/mocks/bearer-token.json")
def test_a_token_response(intuit: Simulator) -> None:
    # `id_token` is not there: the simulator signs nothing (simulator/README.md).
    members = {"access_token", "refresh_token", "token_type", "expires_in", "x_refresh_token_expires_in"}
    assert set(intuit.authorize(UK)) == members


@recorded("node-quickbooks 2.0.50 index.js and quickbooks-node-promise 3.3.14")
def test_a_token_is_revoked_by_a_form_too(intuit: Simulator) -> None:
    tokens = intuit.authorize(UK)
    who = ("simulator-client", "simulator-secret")
    url = f"{intuit.base_url}/v2/oauth2/tokens/revoke"
    answer = requests.post(url, data={"token": tokens["refresh_token"]}, auth=who, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")
    answer = requests.post(url, data={"token": tokens["refresh_token"]}, auth=who, timeout=60)
    assert answer.status_code == 400


def test_the_wrong_secret_is_an_invalid_client(start: Callable[..., Simulator]) -> None:
    intuit = start()
    client = auth_client(intuit, refresh_token=intuit.authorize(UK)["refresh_token"])
    client.client_secret = "wrong"
    with pytest.raises(AuthClientError) as refused:
        client.refresh()
    assert refused.value.status_code == 401
    assert refused.value.content == b'{"error":"invalid_client"}'
