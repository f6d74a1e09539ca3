"""Intuit's OAuth pages and endpoints: sign-in, company choice, tokens, revoke, discovery."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from aiohttp import web

from simulator import pages
from simulator.journal import Request
from simulator.oauth import ACCOUNTING_SCOPE, SCOPES, App, Grant, OAuthError
from simulator.reply import HTML, Reply, json_reply
from simulator.trouble import Rule
from simulator.world import World

TOKEN_PATH = "/oauth2/v1/tokens/bearer"  # noqa: S105
REVOKE_PATH = "/v2/oauth2/tokens/revoke"
AUTHORIZE_PATH = "/connect/oauth2"
USERINFO_PATH = "/v1/openid_connect/userinfo"
JWKS_PATH = "/op/v1/jwks"
DISCOVERY_PATHS = ("/.well-known/openid_configuration", "/.well-known/openid_sandbox_configuration")
NOT_ADMIN = "clerk@larch.example"
"""A user who can sign in, but is not an administrator of any company."""
_HARD_EXPIRY_HEADER = "x-include-refresh-token-hard-expires-in"


def operation(path: str) -> str:
    """The name that rules and the log use for a path."""
    return {
        TOKEN_PATH: "token",
        REVOKE_PATH: "revoke",
        USERINFO_PATH: "userinfo",
        JWKS_PATH: "discovery",
    }.get(path, "discovery" if path.rstrip("/") in DISCOVERY_PATHS else "authorize" if "oauth2" in path else "unknown")


def accounting_scope(grant: Grant) -> bool:
    return ACCOUNTING_SCOPE in grant.scope.split()


async def answer(
    world: World,
    base_url: str,
    request: web.BaseRequest,
    record: Request,
    query: dict[str, str],
    body: bytes,
    rules: list[Rule],
) -> Reply:
    """The answer to a request that is not for the Accounting API."""
    path, method = record.path, request.method
    form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if path == TOKEN_PATH and method == "POST":
        return await _token(world, request, record, form, rules)
    if path == REVOKE_PATH and method == "POST":
        return _revoke(world, request, record, form, body)
    if path.rstrip("/") in DISCOVERY_PATHS and method == "GET":
        return json_reply(200, discovery(base_url))
    if path == JWKS_PATH:
        return json_reply(200, {"keys": []})
    if path == USERINFO_PATH:
        return _userinfo(world, request)
    if path == AUTHORIZE_PATH and method == "GET":
        return _authorize(world, query)
    if path == f"{AUTHORIZE_PATH}/sign-in" and method == "POST":
        return _signed_in(world, form)
    if path == f"{AUTHORIZE_PATH}/decision" and method == "POST":
        return _decided(world, form)
    return _page(404, "refused.html", title="Not found", problem=f"There is nothing at {path}.")


def discovery(base_url: str) -> dict[str, object]:
    """The discovery document, with this simulator's own addresses."""
    return {
        "issuer": f"{base_url}/op/v1",
        "authorization_endpoint": f"{base_url}{AUTHORIZE_PATH}",
        "token_endpoint": f"{base_url}{TOKEN_PATH}",
        "userinfo_endpoint": f"{base_url}{USERINFO_PATH}",
        "revocation_endpoint": f"{base_url}{REVOKE_PATH}",
        "jwks_uri": f"{base_url}{JWKS_PATH}",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "address", "phone"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
    }


# --- tokens


async def _token(
    world: World, request: web.BaseRequest, record: Request, form: dict[str, str], rules: list[Rule]
) -> Reply:
    settings, authority = world.settings, world.authority
    try:
        app = authority.authenticate(request.headers.get("Authorization"), settings)
        record.client = app.client_id
        if request.content_type != "application/x-www-form-urlencoded":
            raise OAuthError(400, "invalid_request")
        kind = form.get("grant_type")
        waiting = [rule.delay() for rule in rules if rule.kind == "latency"]
        if kind == "authorization_code":
            record.operation = "token:code"
            await asyncio.sleep(sum(waiting))
            grant = authority.exchange(app, form.get("code", ""), form.get("redirect_uri"), settings)
        elif kind == "refresh_token":
            record.operation = "token:refresh"
            record.token = form.get("refresh_token", "")
            grant = await _refresh(world, app, record.token, sum(waiting))
        else:
            raise OAuthError(400, "unsupported_grant_type")
        record.realm = grant.realm
        hard = request.headers.get(_HARD_EXPIRY_HEADER, "").lower() == "true"
        record.committed = True
        return json_reply(
            200,
            authority.issue_access(grant, settings, hard_expiry=hard),
            headers={"Cache-Control": "no-cache, no-store"},
        )
    except OAuthError as refused:
        return _refused(refused)


async def _refresh(world: World, app: App, token: str, wait: float) -> Grant:
    """A refresh. Two at once with one token may cost the grant (switch)."""
    authority = world.authority
    twice = authority.refreshed_at_once(app, token, world.settings)
    if twice is not None and world.settings.concurrent_refresh == "revoke":
        authority.revoke_grant(twice.id)
    grant = authority.refresh(app, token, world.settings)
    grant.refreshing.append(token)
    grant.refreshed[token] = world.clock.time()
    try:
        await asyncio.sleep(wait)
        if grant.revoked:
            raise OAuthError(400, "invalid_grant", "Token invalid")
    finally:
        grant.refreshing.remove(token)
    return grant


def _revoke(world: World, request: web.BaseRequest, record: Request, form: dict[str, str], body: bytes) -> Reply:
    try:
        app = world.authority.authenticate(request.headers.get("Authorization"), world.settings)
        record.client = app.client_id
        if request.content_type == "application/x-www-form-urlencoded":
            # As node-quickbooks and quickbooks-node-promise send it; the documentation has JSON.
            found: object = form
        else:
            try:
                found = orjson.loads(body)
            except orjson.JSONDecodeError:
                found = None
        token = found.get("token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token:
            raise OAuthError(400, "invalid_request", "Token is missing")
        world.authority.revoke(app, token)
    except OAuthError as refused:
        return _refused(refused)
    return Reply(200, b"")


def _userinfo(world: World, request: web.BaseRequest) -> Reply:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    found = world.authority.check(token)
    if found is None or "openid" not in world.authority.grants[found.grant].scope.split():
        return json_reply(401, {"error": "invalid_token"})
    return json_reply(
        200,
        {
            "sub": "4d1f3f6e-0001",
            "givenName": "Olivia",
            "familyName": "Owner",
            "email": "owner@larch.example",
            "emailVerified": True,
            **_person(world.authority.grants[found.grant].scope.split()),
        },
    )


def _person(scopes: list[str]) -> dict[str, object]:
    """What the scopes phone and address show besides (Intuit's JavaScript client, mocks)."""
    shown: dict[str, object] = {}
    if "phone" in scopes:
        shown |= {"phoneNumber": "+1 5552368", "phoneNumberVerified": True}
    if "address" in scopes:
        shown["address"] = {
            "streetAddress": "1 Quay Street",
            "locality": "Larchton",
            "region": "CA",
            "postalCode": "94326",
            "country": "US",
        }
    return shown


def _refused(refused: OAuthError) -> Reply:
    return json_reply(refused.status, refused.as_wire(), codes=(refused.error,))


# --- pages


def _authorize(world: World, query: dict[str, str]) -> Reply:
    app, problem = _asked(world, query)
    if app is None or problem is not None:
        return _page(400, "refused.html", title="Sorry, we cannot connect", problem=problem or "")
    wrong = _wrong_scope(query)
    if wrong is not None:
        return _back(query, {"error": wrong})
    return _page(200, "sign-in.html", title="Sign in", narrow=True, app=app, hidden=_hidden(query))


def _signed_in(world: World, form: dict[str, str]) -> Reply:
    app, problem = _asked(world, form)
    if app is None or problem is not None:
        return _page(400, "refused.html", title="Sorry, we cannot connect", problem=problem or "")
    email = form.get("email", "").strip().lower()
    if "@" not in email or not form.get("password"):
        problem = "Give an email address and a password."
    elif email == NOT_ADMIN:
        problem = "You are not an administrator of any QuickBooks company. Ask the company's administrator to connect."
    if problem is not None:
        shown = {"title": "Sign in", "narrow": True, "app": app, "hidden": _hidden(form), "problem": problem}
        return _page(200, "sign-in.html", **shown)
    companies = [company.profile for company in world.companies.values()]
    return _page(
        200, "companies.html", title="Choose a company", narrow=True, app=app, companies=companies, hidden=_hidden(form)
    )


def _decided(world: World, form: dict[str, str]) -> Reply:
    app, problem = _asked(world, form)
    if app is None or problem is not None:
        return _page(400, "refused.html", title="Sorry, we cannot connect", problem=problem or "")
    if form.get("decision") != "connect":
        return _back(form, {"error": "access_denied"})
    realm = form.get("realm", "")
    if realm not in world.companies:
        return _page(400, "refused.html", title="Sorry, we cannot connect", problem="Choose a company.")
    code = world.authority.issue_code(
        client_id=app.client_id,
        realm=realm,
        redirect_uri=form["redirect_uri"],
        scope=form["scope"],
        settings=world.settings,
    )
    return _back(form, {"code": code, "realmId": realm})


def _asked(world: World, query: dict[str, str]) -> tuple[App | None, str | None]:
    """The app that asks, or what is wrong with its question: then nobody is sent anywhere."""
    app = world.authority.app(query.get("client_id", ""), world.settings)
    if app is None:
        return None, "The client_id of the app is not known."
    if not world.authority.accepts_redirect(app, query.get("redirect_uri", "")):
        return app, "The redirect_uri query parameter value is invalid: it must be one that the app has registered."
    if query.get("response_type") != "code":
        return app, "The response_type must be code."
    if not query.get("state"):
        return app, "The state parameter is missing."
    return app, None


def _wrong_scope(query: dict[str, str]) -> str | None:
    wanted = query.get("scope", "").split()
    return None if wanted and set(wanted) <= SCOPES else "invalid_scope"


def _hidden(query: dict[str, str]) -> dict[str, str]:
    return {name: query.get(name, "") for name in ("client_id", "redirect_uri", "response_type", "scope", "state")}


def _back(query: dict[str, str], members: dict[str, str]) -> Reply:
    parts = urlsplit(query["redirect_uri"])
    joined = "&".join(part for part in (parts.query, urlencode({**members, "state": query["state"]})) if part)
    return Reply(302, b"", HTML, {"Location": urlunsplit(parts._replace(query=joined))})


def _page(status: int, template: str, **members: object) -> Reply:
    return Reply(status, pages.page_bytes(template, **members), HTML)
