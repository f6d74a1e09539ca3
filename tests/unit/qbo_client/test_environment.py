from __future__ import annotations

import pytest

from qbo_client.environment import environment_for
from qbo_client.errors import EnvironmentInvalid


def test_production_and_sandbox_differ_in_api_and_pages_alone() -> None:
    production, sandbox = environment_for("production"), environment_for(" sandbox ")
    assert production.api_base_url == "https://quickbooks.api.intuit.com"
    assert sandbox.api_base_url == "https://sandbox-quickbooks.api.intuit.com"
    assert production.ui_base_url != sandbox.ui_base_url
    assert production.authorize_url == sandbox.authorize_url == "https://appcenter.intuit.com/connect/oauth2"
    assert production.token_url == sandbox.token_url == "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"
    assert production.revoke_url == sandbox.revoke_url == "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


@pytest.mark.parametrize("value", ["http://127.0.0.1:8030", "http://127.0.0.1:8030/", "https://sim.example.org"])
def test_a_simulator_serves_intuits_paths_under_its_own_address(value: str) -> None:
    environment = environment_for(value)
    base = value.rstrip("/")
    assert environment.name == "simulator"
    assert environment.api_base_url == environment.ui_base_url == base
    assert environment.token_url == f"{base}/oauth2/v1/tokens/bearer"
    assert environment.authorize_url == f"{base}/connect/oauth2"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "prod",
        "Production",
        "127.0.0.1:8030",
        "ftp://127.0.0.1",
        "http://",
        "http://host:port",
        "http://host:0",
        "http://host:70000",
        "http://a b",
        "http://host/\r\nX: y",
        "http://host?x=1",
        "http://host#x",
        "http://user:hush@host",
        "https://quickbooks.api.intuit.com",
        "http://intuit.com",
    ],
)
def test_anything_else_is_named_in_one_line(value: str) -> None:
    with pytest.raises(EnvironmentInvalid, match="INTUIT_ENVIRONMENT") as caught:
        environment_for(value)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
