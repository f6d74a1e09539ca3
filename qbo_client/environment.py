"""Where Intuit is: production, sandbox, or a simulator.

Source of the addresses: Intuit's OAuth 2.0 page and discovery documents (the authorisation, token and revocation
endpoints are the same for production and sandbox).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from qbo_client.errors import EnvironmentInvalid

_AUTHORIZE_URL: Final = "https://appcenter.intuit.com/connect/oauth2"
_TOKEN_URL: Final = "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"  # noqa: S105 - an address
_REVOKE_URL: Final = "https://developer.api.intuit.com/v2/oauth2/tokens/revoke"


@dataclass(frozen=True, slots=True)
class IntuitEnvironment:
    """The addresses of one Intuit. None of them ends in a slash.

    `api_base_url` is followed by `/v3/company/{realm}/…`; `ui_base_url` by `/app/invoice?txnId=…` and the like, for
    links that people follow. `name` is `production`, `sandbox` or `simulator`.
    """

    name: str
    api_base_url: str
    authorize_url: str
    token_url: str
    revoke_url: str
    ui_base_url: str


PRODUCTION: Final = IntuitEnvironment(
    name="production",
    api_base_url="https://quickbooks.api.intuit.com",
    authorize_url=_AUTHORIZE_URL,
    token_url=_TOKEN_URL,
    revoke_url=_REVOKE_URL,
    ui_base_url="https://app.qbo.intuit.com",
)

SANDBOX: Final = IntuitEnvironment(
    name="sandbox",
    api_base_url="https://sandbox-quickbooks.api.intuit.com",
    authorize_url=_AUTHORIZE_URL,
    token_url=_TOKEN_URL,
    revoke_url=_REVOKE_URL,
    ui_base_url="https://sandbox.qbo.intuit.com",
)


def environment_for(value: str) -> IntuitEnvironment:
    """The environment that `INTUIT_ENVIRONMENT` names: `production`, `sandbox` or a simulator's base URL.

    Raises `EnvironmentInvalid`, in one line, for anything else.
    """
    value = value.strip()
    if value == "production":
        return PRODUCTION
    if value == "sandbox":
        return SANDBOX
    problem = _problem_with(value)
    if problem:
        # A password has no place in a log, and with an @ any part of the value may be one.
        shown = "…" if "@" in value else value
        raise EnvironmentInvalid(
            f"INTUIT_ENVIRONMENT is {shown!r}: {problem}; "
            "expected production, sandbox or the base URL of a simulator such as http://127.0.0.1:8030"
        )
    base = value.rstrip("/")
    return IntuitEnvironment(
        name="simulator",
        api_base_url=base,
        authorize_url=f"{base}/connect/oauth2",
        token_url=f"{base}/oauth2/v1/tokens/bearer",
        revoke_url=f"{base}/v2/oauth2/tokens/revoke",
        ui_base_url=base,
    )


def _problem_with(value: str) -> str | None:
    if not value:
        return "it is empty"
    if "://" not in value:
        return "it is neither a known name nor a URL"
    if not all("!" <= character <= "~" for character in value):
        return "it holds a character that no URL has"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "its host or its port is malformed"
    host = (parts.hostname or "").rstrip(".").lower()
    # One spelling for the real Intuit: its API, its sign-in and its pages live on different hosts.
    intuits = host == "intuit.com" or host.endswith(".intuit.com")
    problems = (
        (parts.scheme not in ("http", "https"), f"the scheme {parts.scheme!r} is neither http nor https"),
        (not host, "the URL has no host"),
        (port == 0, "port 0 is no port"),
        ("@" in value, "a base URL holds no user or password"),
        ("?" in value or "#" in value, "a base URL has no query and no fragment"),
        (intuits, "Intuit's own hosts are reached by the names production and sandbox"),
    )
    return next((problem for found, problem in problems if found), None)
